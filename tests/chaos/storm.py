"""A storm: writers, readers and workers on one store, all of which are killed at random.

    python -m tests.chaos.storm [--seed N] [--seconds N] [--store sqlite|postgresql|standby|kafka]

On ``standby`` PostgreSQL has a synchronous standby, which takes over whenever the primary is lost,
and gets a new one behind it. On ``kafka`` the log is in PostgreSQL, workers relay it, and a service
of the subscriber's reads it.

The seed decides what is sent, and who is killed in which order; ``make chaos`` takes one storm
after the other. What is left behind stays in a folder that is named where something is wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psycopg
from kafka import KafkaConsumer

from tests.chaos.checker import Row, delivery_faults, faults, reader_faults
from tests.chaos.history import read
from tests.kafka_broker import OwnBroker, own_broker
from tests.postgres import OwnServer, own_server

PATIENCE = 120.0
"""Seconds for what must come about in the end. It never takes that long."""

PYTHON = (sys.executable, "-m")
PMO = str(Path(sys.executable).with_name("pmo"))
TOPIC = "storm.events"

WRITERS, READERS, WORKERS = 3, 2, 2


class Store(Protocol):
    """Where the log is: ``address`` for a log, ``home`` for ``pmo``."""

    address: str
    home: str

    def rows(self) -> list[Row]: ...

    def blows(self) -> dict[str, Callable[[], object]]:
        """What can be done to it, by name; each leaves it as able to serve as before."""

    def programs(self, folder: Path) -> list[Program]:
        """What runs beside writers, readers and workers."""

    def settle(self, rows: list[Row]) -> None:
        """Wait until these have come to the end."""

    def faults(self, rows: list[Row]) -> Iterator[str]:
        """What is wrong with what these have done."""


@dataclass
class SQLiteStore:
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

    def blows(self) -> dict[str, Callable[[], object]]:
        return {}

    def programs(self, folder: Path) -> list[Program]:
        return []

    def settle(self, rows: list[Row]) -> None:
        pass

    def faults(self, rows: list[Row]) -> Iterator[str]:
        yield from ()


@dataclass
class PostgresStore:
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

    def programs(self, folder: Path) -> list[Program]:
        return []

    def settle(self, rows: list[Row]) -> None:
        pass

    def faults(self, rows: list[Row]) -> Iterator[str]:
        yield from ()


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
    """With a broker, to which workers relay the log, and a service that reads it there."""

    broker: OwnBroker
    database: Path

    def blows(self) -> dict[str, Callable[[], object]]:
        return super().blows() | {"broker killed": lambda: killed(self.broker)}

    def programs(self, folder: Path) -> list[Program]:
        words = [self.broker.bootstrap, TOPIC, str(self.database)]
        return [Program("subscriber", [*PYTHON, "tests.chaos.subscriber", *words], folder)]

    def settle(self, rows: list[Row]) -> None:
        wait_until(
            lambda: len(self.effects()) >= len(rows), "the subscriber comes to the end of the log"
        )

    def faults(self, rows: list[Row]) -> Iterator[str]:
        yield from delivery_faults(rows, self.effects(), "subscriber", once=True)
        yield from delivery_faults(rows, self.delivered(), "topic", once=False)

    def effects(self) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(self.database)) as own:
            return own.execute("SELECT case_, id FROM effect ORDER BY number").fetchall()

    def delivered(self) -> list[tuple[str, str]]:
        """Case and event id of every message, as a plain consumer finds them."""
        with closing(
            KafkaConsumer(
                TOPIC,
                bootstrap_servers=self.broker.bootstrap,
                auto_offset_reset="earliest",
                consumer_timeout_ms=5_000,
            )
        ) as consumer:
            return [(one.key.decode(), dict(one.headers)["ce_id"].decode()) for one in consumer]


class Killable(Protocol):
    def kill(self) -> None: ...

    def start(self) -> None: ...


def killed(what: Killable) -> None:
    what.kill()
    what.start()


@dataclass
class Program:
    """One of our programs, started again whenever it is killed."""

    name: str
    words: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.words,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )

    def kill(self) -> None:
        self.end(signal.SIGKILL)
        self.start()

    def pause(self, seconds: float) -> None:
        """It hangs for a while, and does not know it afterwards."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Our own programs end with their standard input, ``pmo`` when it is told to."""
        self.end(signal.SIGTERM if self.words[0] == PMO else None)

    def end(self, how: signal.Signals | None) -> None:
        assert self.process
        assert self.process.stdin
        self.process.stdin.close()
        if how:
            self.process.send_signal(how)
        self.process.wait(PATIENCE)


@dataclass
class Storm:
    store: Store
    folder: Path
    seed: int
    programs: list[Program] = field(default_factory=list)
    blown: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        where = self.folder
        for number in range(WRITERS):
            words = [
                self.store.address,
                str(where / f"writer-{number}"),
                f"{self.seed * 10 + number}",
            ]
            self._add(f"writer-{number}", "tests.chaos.writer", *words)
        for number in range(READERS):
            history = str(where / f"reader-{number}")
            self._add(f"reader-{number}", "tests.chaos.reader", self.store.address, history)
        for number in range(WORKERS):
            self._add(f"worker-{number}", "work", "--home", self.store.home, program=[PMO])
        self.programs += self.store.programs(where)

    def _add(self, name: str, *words: str, program: Sequence[str] = PYTHON) -> None:
        self.programs.append(Program(name, [*program, *words], self.folder))

    def blow(self, seconds: float) -> None:
        """Kill and pause, in an order that the seed decides, until the time is up."""
        chance = random.Random(self.seed)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(chance.uniform(0.1, 1.2))
            against_store = self.store.blows()
            if against_store and chance.random() < 0.15:
                name = chance.choice(sorted(against_store))
                against_store[name]()
            else:
                program = chance.choice(self.programs)
                if chance.random() < 0.2:
                    program.pause(chance.uniform(0.1, 2))
                    name = f"{program.name} paused"
                else:
                    program.kill()
                    name = f"{program.name} killed"
            self.blown[name] += 1

    def notes(self, kind: str, count: int) -> list[list[dict[str, object]]]:
        return [list(read(self.folder / f"{kind}-{number}")) for number in range(count)]

    def settle(self) -> list[Row]:
        """Writers end, everybody else comes to the end of the log; the log."""
        for program in self.programs[:WRITERS]:
            program.stop()
        rows = self.store.rows()
        wait_until(
            lambda: all(
                notes and notes[-1]["saw"] >= len(rows) for notes in self.notes("reader", READERS)
            ),
            "the readers come to the end of the log",
        )
        self.store.settle(rows)
        for program in self.programs[WRITERS:]:
            program.stop()
        return self.store.rows()

    def faults(self, rows: list[Row]) -> Iterator[str]:
        yield from faults(rows, self.notes("writer", WRITERS))
        for number, notes in enumerate(self.notes("reader", READERS)):
            yield from reader_faults(rows, notes, f"reader-{number}")
        yield from self.store.faults(rows)
        told = pmo("verify", "--home", self.store.home)
        if told.returncode:
            yield f"pmo verify: {told.stdout.decode()}{told.stderr.decode()}"


def wait_until(holds: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > give_up:
            raise TimeoutError(f"{PATIENCE:.0f} seconds have not been enough: {what}")
        time.sleep(0.05)


def pmo(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([PMO, *words], capture_output=True, timeout=PATIENCE, check=False)


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
    )
    os.environ["PMO_SETTINGS"] = str(settings)
    try:
        yield RelayedStore(server, server.new_database(), broker, folder / "subscriber.db")
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


def run(kind: str, seed: int, seconds: float, folder: Path) -> tuple[Storm, list[Row], list[str]]:
    """A whole storm: what happened, the log it left, and what is wrong with it."""
    with STORES[kind](folder) as store:
        made = pmo("init", "--home", store.home)
        assert made.returncode == 0, made.stderr.decode()
        storm = Storm(store, folder, seed)
        try:
            for program in storm.programs:
                program.start()
            wait_until(lambda: len(store.rows()) > 50, "the writers begin")
            storm.blow(seconds)
            rows = storm.settle()
            return storm, rows, list(storm.faults(rows))
        finally:
            for program in storm.programs:
                if program.process and program.process.poll() is None:
                    program.end(signal.SIGKILL)


def main() -> int:
    options = argparse.ArgumentParser(prog="make chaos")
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--store", choices=STORES, action="append")
    said = options.parse_args()
    for kind in said.store or STORES:
        print(f"{kind}: seed {said.seed}, {said.seconds:.0f} seconds", flush=True)
        folder = Path(tempfile.mkdtemp(prefix=f"pmo-chaos-{kind}-"))
        storm, rows, wrong = run(kind, said.seed, said.seconds, folder)
        blows = ", ".join(f"{count} x {name}" for name, count in sorted(storm.blown.items()))
        print(f"  {len(rows):,} events; {blows}")
        for fault in wrong[:20]:
            print(f"  WRONG: {fault}")
        if wrong:
            print(f"  what was left behind: {folder}")
            return 1
        shutil.rmtree(folder)
        print("  nothing lost, nothing twice, order kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
