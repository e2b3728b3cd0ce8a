"""``eventsourcing``'s recorders on the ledger in PostgreSQL: dense positions and one hash chain.

Not among the settings that are honoured: ``POSTGRES_ENABLE_DB_FUNCTIONS``, which drops the lock and
loses events for readers, and ``POSTGRES_SCHEMA``, since the ledger has its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal
from uuid import UUID

from eventsourcing import persistence, utils
from eventsourcing import postgres as stock
from psycopg import Cursor, conninfo
from psycopg.rows import DictRow
from psycopg.sql import SQL

from engine.store import postgres_schema
from engine.store.chain import GENESIS, link
from engine.store.log import Marked
from engine.store.postgres_pool import Pool

SCHEMA = "pmo_log"
CHANNEL = "pmo_log"
LOCK = "SELECT pmo_log.lock()"
_APPEND = "SELECT pmo_log.append(%b, %b, %b, %b, %b, %b, %b, %b, %b, %b)"
_LAST = "SELECT position, chain FROM pmo_log.events ORDER BY position DESC LIMIT 1"


class Datastore(stock.PostgresDatastore):
    """The ledger at an address, made where there is none.

    Raises ``StoreFailed`` or ``psycopg.Error`` where it cannot be opened.
    """

    def __init__(self, address: str, originator_id_type: Literal["uuid", "text"] = "text") -> None:
        super().__init__("", "", "", "", "", schema=SCHEMA, originator_id_type=originator_id_type)
        self.pool: Pool = Pool(address)  # type: ignore[assignment]
        with self.pool.connection() as connection, connection.unhurried():
            postgres_schema.prepare(connection)


def write(
    c: Cursor[Any],
    after: int,
    chain: bytes,
    stored_events: Iterable[persistence.StoredEvent],
    markers: dict[str, Marked],
) -> bytes:
    """Add events at the end of the log, which is known under the lock; the chain after them."""
    streams, versions, topics, states, chains = [], [], [], [], []
    for event in stored_events:
        stream = event.originator_id
        streams.append(stream.hex if isinstance(stream, UUID) else stream)
        versions.append(event.originator_version)
        topics.append(event.topic)
        states.append(event.state)
        chain = link(chain, event.state)
        chains.append(chain)
    c.execute(
        _APPEND,
        (
            after,
            *(streams, versions, topics, states, chains),
            list(markers),
            [marked.first_position for marked in markers.values()],
            [marked.count for marked in markers.values()],
            [marked.fingerprint for marked in markers.values()],
        ),
        prepare=True,
    )
    return chain


class Recorder(stock.PostgresApplicationRecorder):
    """Writes through the ledger's own function, so under its lock and into its chain.

    The stock recorder's ids have gaps, and its retries turn a lost answer into a false conflict.
    """

    datastore: Datastore

    def __init__(self, datastore: Datastore, **_: Any) -> None:
        """Whatever table is asked for: there is one ledger in a database."""
        super().__init__(datastore, events_table_name="events")
        self.channel_name = CHANNEL
        self.sql_create_statements.clear()  # the migrations have been run already

    def insert_events(
        self, stored_events: Sequence[persistence.StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        with self.datastore.transaction(commit=True) as c:
            self._insert_events(c, stored_events, **kwargs)
            if not stored_events:
                return []
            c.execute(LOCK)
            last = c.execute(_LAST).fetchone() or {"position": 0, "chain": GENESIS}
            write(c, last["position"], last["chain"], stored_events, {})
        return [last["position"] + n for n in range(1, len(stored_events) + 1)]

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[persistence.StoredEvent]:
        statement = "SELECT * FROM pmo_log.events WHERE originator_id = %s"
        stream = originator_id.hex if isinstance(originator_id, UUID) else originator_id
        params: list[Any] = [stream]
        for condition, value in (("> %s", gt), ("<= %s", lte)):
            if value is not None:
                statement += f" AND originator_version {condition}"
                params.append(value)
        statement += f" ORDER BY originator_version {'DESC' if desc else 'ASC'} LIMIT %s"
        rows = self._select(statement, [*params, limit])
        return [
            persistence.StoredEvent(
                originator_id, row["originator_version"], row["topic"], row["state"]
            )
            for row in rows
        ]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[persistence.Notification]:
        statement = "SELECT * FROM pmo_log.events WHERE position > %s"
        params: list[Any] = [0 if start is None else start - inclusive_of_start]
        if stop is not None:
            statement += " AND position <= %s"
            params.append(stop)
        if topics:
            statement += " AND topic = ANY(%s)"
            params.append(list(topics))
        rows = self._select(statement + " ORDER BY position LIMIT %s", [*params, limit])
        return [
            persistence.Notification(
                UUID(row["originator_id"])
                if self.datastore.originator_id_type == "uuid"
                else row["originator_id"],
                row["originator_version"],
                row["topic"],
                row["state"],
                row["position"],
            )
            for row in rows
        ]

    def max_notification_id(self) -> int | None:
        (row,) = self._select("SELECT max(position) FROM pmo_log.events", [])
        last: int | None = row["max"]
        return last

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> persistence.Subscription[persistence.ApplicationRecorder]:
        return Subscription(recorder=self, gt=gt, topics=topics)

    def _select(self, statement: str, params: list[Any]) -> list[DictRow]:
        with self.datastore.get_connection() as connection, connection.cursor(binary=True) as c:
            c.execute(SQL(statement), params, prepare=True)
            return c.fetchall()


class Subscription(stock.PostgresSubscription):
    """Looks once more when it has begun to listen: the stock one misses what was committed just
    before, until something else is."""

    def _listen(self) -> None:
        try:
            with self._recorder.datastore.get_connection() as connection:
                connection.execute("LISTEN pmo_log")
                self._has_been_notified.set()
                while not self._has_been_stopped and not self._thread_error:
                    for _ in connection.notifies(timeout=0.1, stop_after=1):
                        self._has_been_notified.set()
                connection.execute("UNLISTEN *")
        except BaseException as error:  # noqa: BLE001  raised again by the thread that iterates
            self._thread_error = self._thread_error or error
            self.stop()


class ProcessRecorder(stock.PostgresProcessRecorder, Recorder):
    """With a downstream position kept in the same transaction."""


class Factory(stock.PostgresFactory):
    """Recorders on the ledger in the database that ``POSTGRES_DBNAME`` and the others name."""

    application_recorder_class: type[stock.PostgresApplicationRecorder] = Recorder
    process_recorder_class: type[stock.PostgresProcessRecorder] = ProcessRecorder

    def __init__(self, env: utils.Environment | utils.EnvType | None) -> None:
        super().__init__(env)
        named = {
            "dbname": self.POSTGRES_DBNAME,
            "host": self.POSTGRES_HOST,
            "port": self.POSTGRES_PORT,
            "user": self.POSTGRES_USER,
            "password": self.POSTGRES_PASSWORD,
        }
        found = {part: self.env.get(name) for part, name in named.items()}
        address = conninfo.make_conninfo("", **{k: v for k, v in found.items() if v})
        self.datastore = Datastore(address, self.datastore.originator_id_type)  # type: ignore[arg-type]
