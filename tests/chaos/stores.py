"""Where the log of a storm is, what can be done to it, and who else is at work there."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg
from kafka import KafkaConsumer

from consumers.kafka_network import connect
from tests.chaos.checker import Note, Row, delivery_faults, unanswered_faults
from tests.chaos.history import read
from tests.chaos.programs import PMO, PYTHON, Program, killed, wait_until
from tests.kafka_broker import OwnBroker, own_broker
from tests.postgres import own_server
from tests.postgres_server import OwnServer

TOPIC, COMMANDS, REPLIES = "storm.events", "storm.commands", "storm.replies"
ASKER = 9
"""The seed of what is asked over Kafka. No writer's, so that no command is theirs, too."""


class Store(Protocol):
    """Where the log is: ``address`` for a log, ``home`` for ``pmo``. Beside writers, readers and
    workers nothing is at work there, unless it says so."""

    address: str
    home: str

    def rows(self) -> list[Row]:
        """The log, past all of our own code."""

    def is_busy(self, rows: list[Row]) -> bool:
        """Whether everybody who asks has begun to, so that the storm can."""
        return len(rows) > 50

    def blows(self) -> dict[str, Callable[[], object]]:
        """What can be done to it, by name; each leaves it as able to serve as before."""
        return {}

    def programs(self, folder: Path) -> list[Program]:
        """What runs beside writers, readers and workers."""
        return []

    def has_answered(self) -> bool:
        """Whether whoever asked for something beside the writers was answered."""
        return True

    def asked(self) -> list[list[Note]]:
        """What these noted, as writers do."""
        return []

    def has_settled(self, rows: list[Row]) -> bool:
        """Whether the others have come to the end."""
        return True

    def faults(self, rows: list[Row]) -> Iterator[str]:
        """What is wrong with what these have done."""
        yield from ()


@dataclass
class SQLiteStore(Store):
    folder: Path
    home: str = field(init=False)
    address: str = field(init=False)

    def __post_init__(self) -> None:
        self.home = str(self.folder / "home")
        self.address = f"{self.home}/ledger.db"

    def rows(self) -> list[Row]:
        with closing(sqlite3.connect(self.address)) as ledger:
            found = ledger.execute("SELECT position, state, chain FROM events ORDER BY position")
            return [Row(*row) for row in found]


@dataclass
class PostgresStore(Store):
    """A server that is killed, too, and started again."""

    server: OwnServer
    address: str

    @property
    def home(self) -> str:
        return self.address

    def rows(self) -> list[Row]:
        with psycopg.connect(self.address, target_session_attrs="read-write") as connection:
            found = connection.execute(
                "SELECT position, state, chain FROM pmo_log.events ORDER BY position"
            )
            return [Row(*row) for row in found]

    def blows(self) -> dict[str, Callable[[], object]]:
        return {"server killed": lambda: killed(self.server)}


@dataclass
class ReplicatedStore(PostgresStore):
    """With a synchronous standby in the place of which each may stand."""

    standby: OwnServer

    def blows(self) -> dict[str, Callable[[], object]]:
        return super().blows() | {"failed over": self.fail_over}

    def fail_over(self) -> None:
        """The standby is one that has all, as whatever fails over has to know; the next one is made
        where the lost one was."""
        self.replicates()
        self.server.lose()
        self.standby.promote()
        self.server.remove()
        lost, self.server = self.server, self.standby
        self.standby = self.server.standby(lost.port)

    def replicates(self) -> None:
        with self.server.connect() as c:
            query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
            wait_until(lambda: c.execute(query).fetchone() == (1,), "the standby follows")


@dataclass
class RelayedStore(PostgresStore):
    """With a broker, to which workers relay the log, a service that reads it there, and one that
    asks there for things."""

    broker: OwnBroker
    folder: Path

    def blows(self) -> dict[str, Callable[[], object]]:
        return super().blows() | {"broker killed": lambda: killed(self.broker)}

    def programs(self, folder: Path) -> list[Program]:
        at = self.broker.bootstrap
        subscriber = ["tests.chaos.subscriber", at, TOPIC, str(self.folder / "subscriber.db")]
        asker = ["tests.chaos.asker", at, COMMANDS, str(self.folder / "asker"), str(ASKER)]
        intake = [PMO, "kafka", "intake", "--home", self.home, "--instance", "storm"]
        return [
            Program("subscriber", [*PYTHON, *subscriber], folder),
            Program("intake", intake, folder),
            Program("asker", [*PYTHON, *asker], folder, asks=True),
        ]

    def is_busy(self, rows: list[Row]) -> bool:
        asked = (row.body["command_id"].startswith(f"{ASKER}:") for row in rows)
        return super().is_busy(rows) and any(asked)

    def has_answered(self) -> bool:
        return not [*self._unanswered()]

    def asked(self) -> list[list[Note]]:
        return [[*read(self.folder / "asker"), *self._answers()]]

    def has_settled(self, rows: list[Row]) -> bool:
        return len(self.effects()) >= len(rows)

    def faults(self, rows: list[Row]) -> Iterator[str]:
        yield from self._unanswered()
        yield from delivery_faults(rows, self.effects(), "subscriber", once=True)
        yield from delivery_faults(rows, self.delivered(), "topic", once=False)

    def effects(self) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(self.folder / "subscriber.db")) as own:
            return own.execute("SELECT case_, id FROM effect ORDER BY number").fetchall()

    def delivered(self) -> list[tuple[str, str]]:
        """Case and event id of every message, as a plain consumer finds them."""
        return [
            (one.key.decode(), dict(one.headers)["ce_id"].decode()) for one in self._read(TOPIC)
        ]

    def _unanswered(self) -> Iterator[str]:
        return unanswered_faults(read(self.folder / "asker"), self._answers())

    def _answers(self) -> list[Note]:
        """The replies, like a writer's notes; when they came is not known."""
        notes: list[Note] = []
        for one in self._read(REPLIES):
            reply = json.loads(one.value)
            if reply["outcome"] == "done":
                receipt = {name: reply["receipt"][name] for name in ("position", "version")}
                notes.append({"at": math.inf, "done": reply["command_id"], **receipt})
            elif reply["outcome"] in ("refused", "bad-input", "not-found"):
                notes.append({"at": math.inf, "refused": reply["command_id"]})
        return notes

    def _read(self, topic: str) -> list[Any]:
        with closing(
            connect(
                KafkaConsumer,
                topic,
                bootstrap_servers=self.broker.bootstrap,
                auto_offset_reset="earliest",
                consumer_timeout_ms=5_000,
            )
        ) as consumer:
            return [*consumer]


@contextmanager
def sqlite_store(folder: Path) -> Iterator[Store]:
    yield SQLiteStore(folder)


@contextmanager
def postgres_store(folder: Path) -> Iterator[Store]:
    server = own_server()
    try:
        yield PostgresStore(server, server.new_database())
    finally:
        server.remove()


@contextmanager
def replicated_store(folder: Path) -> Iterator[Store]:
    server = own_server()
    database = server.new_database().rsplit("/", 1)[1]
    server.set(synchronous_standby_names="standby")
    standby = server.standby()
    hosts = f"127.0.0.1:{server.port},127.0.0.1:{standby.port}"
    store = ReplicatedStore(server, f"postgresql://postgres@{hosts}/{database}", standby)
    try:
        yield store
    finally:
        store.standby.remove()
        store.server.remove()


@contextmanager
def relayed_store(folder: Path) -> Iterator[Store]:
    """The settings are for the workers, and name what is made here."""
    server, (broker, remove) = own_server(), own_broker()
    settings = folder / "settings.yaml"
    settings.write_text(
        f"kafka:\n  bootstrap: {broker.bootstrap}\n  answers_within: 10\n"
        f"  topics: {{events: {TOPIC}, partitions: 3, replication: 1}}\n"
        f"  intake: {{topics: {{{COMMANDS}: {{actors: {{'*': []}}, kinds: [human]}}}},"
        f" replies: {REPLIES}}}\n"
    )
    os.environ["PMO_SETTINGS"] = str(settings)
    try:
        yield RelayedStore(server, server.new_database(), broker, folder)
    finally:
        del os.environ["PMO_SETTINGS"]
        remove()
        server.remove()


STORES = {
    "sqlite": sqlite_store,
    "postgresql": postgres_store,
    "standby": replicated_store,
    "kafka": relayed_store,
}
