"""A reader for other Python services: every event once in effect, in order for each case.

    from consumers.kafka_reader import read

    def on_event(connection, event):
        connection.execute("INSERT INTO decisions VALUES (?, ?)", (event.case, event.name))

    read(on_event, "broker:9092", "pmo.events", "billing", sqlite3.connect("billing.db"))

What the function writes over the connection it is given, how far it has read, and which events it
has seen are one transaction of the service's own database. So neither a crash nor a rebalance nor
an event that is told again is ever noticed: it needs no offsets in Kafka, and no other care.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.errors import KafkaError

from consumers.kafka_connection import Silence, look_for
from consumers.kafka_network import connect
from consumers.runner import LONGEST_WAIT, SHORTEST_WAIT
from engine import canonical
from engine.errors import BadInput
from projections.store import sql_beside

LOG = logging.getLogger("pmo.kafka")
AT_ONCE = 200

_NEEDED = {"ce_id", "ce_type", "ce_subject", "ce_sequence"}

_BACK = 1_000
"""Messages that are read again when partitions are assigned: a broker that lost the end of what it
had, and was told it again, may have others there by now. What was seen is dropped, so that is free.
"""

_SQL = sql_beside(__file__, "kafka_reader.sql")


class Connection(Protocol):
    """A connection of ``sqlite3`` or ``psycopg`` (DB-API 2.0) that commits when it is told to."""

    def cursor(self) -> Any: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Event:
    """``body`` is the whole event; ``position`` its place in the log; ``headers`` all it came with.

    ``name`` is its domain name, like ``DecisionTaken``.
    """

    id: str
    type: str
    case: str
    position: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        return str(self.body["name"])


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that says it is an event, and is none; ``why``, and where it is in Kafka."""

    topic: str
    partition: int
    offset: int
    why: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    @property
    def id(self) -> str:
        """Its own as far as that can be: of a topic that was made anew others have its place."""
        place = f"{self.topic}/{self.partition}/{self.offset}/".encode()
        told = hashlib.sha256(place + (self.value or b"")).hexdigest()
        return f"unreadable/{told[:40]}"


Handler = Callable[[Any, Event], object]
OnUnreadable = Callable[[Any, Unreadable], object]


def read(
    handler: Handler,
    bootstrap: str | Sequence[str],
    topics: str | Sequence[str],
    name: str,
    connection: Connection,
    *,
    stop: threading.Event | None = None,
    idle_for: float | None = None,
    at_once: int = AT_ONCE,
    warn: Callable[[str], object] | None = None,
    on_unreadable: OnUnreadable | None = None,
    group_instance_id: str | None = None,
    **options: Any,
) -> int:
    """Hand every event to ``handler(connection, event)``; how many were new.

    Goes on until ``stop`` is set, or until nothing came for ``idle_for`` seconds. ``name`` tells
    one reader from another: several processes of one name share the partitions, over one database.
    ``options`` are for ``kafka.KafkaConsumer`` (security). ``warn`` hears why it waits; left out,
    that is logged (``pmo.kafka``).

    ``group_instance_id``, one for each process and the same when it is back: it has its partitions
    at once then. Without, they wait for the session of the process that was killed to time out.

    A message with the headers of an event that cannot be read is passed over, since it would hold
    up all that comes after it for ever: that is logged (``pmo.kafka``), and
    ``on_unreadable(connection, message)`` may write it down, in the same transaction.

    What a handler raises is raised here, and nothing of that event is kept: everything before it
    is. Raises ``BadInput`` for a connection that commits by itself, since its effects could not be
    kept together.
    """
    reader = _Reader(handler, on_unreadable, name, connection)
    warn = warn or (lambda why: LOG.warning("waiting: reader=%s why=%s", name, why))
    stop = stop or threading.Event()
    wanted = [topics] if isinstance(topics, str) else list(topics)
    tries = 0
    while not stop.is_set():
        try:
            with closing(_consumer(bootstrap, name, group_instance_id, options)) as consumer:
                fresh = _Fresh()
                for topic in wanted:  # else the group first gives out none, and then again
                    if not consumer.partitions_for_topic(topic):
                        warn(f"waits for a topic that is not there: {topic}")
                consumer.subscribe(wanted, listener=fresh)
                silence = Silence()
                while not stop.is_set():
                    found = consumer.poll(timeout_ms=look_for(consumer), max_records=at_once)
                    tries = 0
                    if idle_for is not None and silence.lasts(consumer, found) >= idle_for:
                        return reader.count
                    placed = fresh.place(consumer, reader)
                    for part, records in found.items():
                        if part not in placed:
                            reader.take(records)
        except (KafkaError, OSError) as error:
            if reader.failed:
                raise
            tries += 1
            warn(f"waits and tries again: {type(error).__name__}: {error}")
            stop.wait(min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(tries - 1, 20)))
    return reader.count


class _Reader:
    def __init__(
        self,
        handler: Handler,
        on_unreadable: OnUnreadable | None,
        name: str,
        connection: Connection,
    ) -> None:
        if _commits_by_itself(connection):
            raise BadInput.one(
                "connection",
                "commits by itself, so that effects and position could not be kept together",
                "open it without autocommit (sqlite3: not isolation_level=None)",
            )
        self._handler = handler
        self._on_unreadable = on_unreadable
        self._name = name
        self._connection = connection
        self._mark = "?" if type(connection).__module__.startswith("sqlite3") else "%s"
        self.count = 0
        self.unreadable = 0
        self.failed = False  # the handler or the service's own database, and not Kafka
        self._run("seen")
        self._run("read")
        connection.commit()

    def where(self, topic: str, partition: int) -> int | None:
        """The offset to go on from; ``None`` where nothing was read yet."""
        row = self._run("where", self._name, topic, partition).fetchone()
        self._connection.commit()
        return None if row is None else int(row[0])

    def take(self, records: Sequence[Any]) -> None:
        """A few messages of one partition, in one transaction; each in its own where one fails."""
        try:
            self._take(records)
        except Exception:
            if len(records) == 1:
                raise
            for record in records:
                self._take([record])

    def _take(self, records: Sequence[Any]) -> None:
        new, self.failed = 0, True
        unreadable: list[Unreadable] = []
        try:
            for record in records:
                event = _event(record)
                if event is None or self._run("see", self._name, event.id).rowcount != 1:
                    continue
                if isinstance(event, Event):
                    self._handler(self._connection, event)
                    new += 1
                else:
                    unreadable.append(event)
                    if self._on_unreadable:
                        self._on_unreadable(self._connection, event)
            last = records[-1]
            self._run("go_on", self._name, last.topic, last.partition, last.offset + 1)
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        self.failed = False
        self.count += new
        for one in unreadable:
            self.unreadable += 1
            LOG.warning(
                "unreadable: reader=%s topic=%s partition=%d offset=%d count=%d why=%s",
                *(self._name, one.topic, one.partition, one.offset, self.unreadable, one.why),
            )

    def _run(self, name: str, *said: Any) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(_SQL[name].replace("?", self._mark), said)
        return cursor


class _Fresh(ConsumerRebalanceListener):  # type: ignore[misc]
    """Partitions that were assigned and have not been put to their offsets yet.

    It is called from a thread of the client's, to which the database does not belong.
    """

    def __init__(self) -> None:
        self._parts: set[Any] = set()

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._parts.difference_update(revoked)

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._parts.update(assigned)

    def place(self, consumer: Any, reader: _Reader) -> set[Any]:
        """Go on from where the service's own database says; which partitions were fresh."""
        fresh, self._parts = self._parts, set()
        for part in fresh & consumer.assignment():
            offset = reader.where(part.topic, part.partition)
            if offset is None:
                consumer.seek_to_beginning(part)
            else:
                consumer.seek(part, max(0, offset - _BACK))
        return fresh


def _consumer(
    bootstrap: str | Sequence[str], name: str, instance: str | None, options: Mapping[str, Any]
) -> Any:
    return connect(
        KafkaConsumer,
        bootstrap_servers=bootstrap,
        group_id=name,
        group_instance_id=instance,
        enable_auto_commit=False,
        # A topic that was made anew is shorter than what was read: from its beginning.
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        # One that died holds its partitions for so long; the default is 45 s.
        **{"session_timeout_ms": 10_000} | dict(options),
    )


def _event(record: Any) -> Event | Unreadable | None:
    """``None`` for a message that is no CloudEvent in binary mode: not one of ours."""
    if record.value is None or not {name for name, _ in record.headers} >= _NEEDED:
        return None
    try:
        headers = {name: (value or b"").decode() for name, value in record.headers}
        body = canonical.decode(record.value)
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            raise ValueError("its value is not the body of an event")
        return Event(
            id=headers["ce_id"],
            type=headers["ce_type"],
            case=headers["ce_subject"],
            position=int(headers["ce_sequence"]),
            body=body,
            headers=headers,
        )
    except ValueError as error:
        place = record.topic, record.partition, record.offset
        return Unreadable(*place, str(error), record.key, record.value, record.headers)


def _commits_by_itself(connection: Any) -> bool:
    """``sqlite3`` says it with ``isolation_level``, and from Python 3.12 on like ``psycopg``."""
    if getattr(connection, "autocommit", False) is True:
        return True
    return getattr(connection, "isolation_level", "") is None and not isinstance(
        getattr(connection, "autocommit", None), bool
    )
