"""The promises of the README that the log keeps."""

from __future__ import annotations

import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import StoreFailed
from engine.store.log import Append, Appended, Conflict
from engine.store.memory import MemoryLog
from engine.store.opening import open_log
from engine.store.sqlite import SQLiteLog
from engine.store.tail import tail
from tests.log.conftest import append, event
from tests.log.racing import UnreliablePostgres
from tests.patience import PATIENCE
from tests.stores import STORES

ROOT = Path(__file__).parents[2]
KILLS = 200


@pytest.fixture
def appending():
    """``tests/log/appending.py``, ready to make processes that append."""
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.log.appending"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    yield program
    program.stdin.close()
    program.wait(PATIENCE)
    program.stdout.close()


def run_and_kill(program, address, seed, choose):
    """A process that appends, killed at a random moment: the (position, command id) it answered."""
    program.stdin.write(f"{address} {seed}\n".encode())
    program.stdin.flush()
    pid, acknowledged, patience = None, [], choose.randint(0, 30)
    while (line := program.stdout.readline()) != b"dead\n":
        if line.startswith(b"started"):
            pid = int(line.split()[1])
        else:
            position, command_id = line.decode().split()
            acknowledged.append((int(position), command_id))
        if pid and len(acknowledged) >= patience:
            # Anywhere in the next group: nobody reads the pipe for a random moment up to 2 ms.
            select.select([], [], [], choose.random() * 0.002)
            os.kill(pid, signal.SIGKILL)
            pid, patience = None, sys.maxsize
    return acknowledged


ON_DISK = pytest.mark.parametrize("address", ["sqlite", "postgres"], indirect=True)


@ON_DISK
def test_promise_1_acknowledged_means_durable(appending, address):
    """kill -9 at random points, hundreds of times: nothing is lost, nothing is half there."""
    choose, checked, acknowledged_in_all = random.Random(1), 0, 0
    for round_ in range(KILLS):
        acknowledged = run_and_kill(appending, address, f"r{round_}", choose)
        log = open_log(address)
        # A server may still be at work for a client that is dead; the next append waits for it.
        log.append([append(f"fence-{round_}", count=2)])
        marked = log.marked([command_id for _, command_id in acknowledged])
        assert [marked[command_id].first_position for _, command_id in acknowledged] == [
            position for position, _ in acknowledged
        ]
        new = [body for batch in tail(log, checked, until=log.head()) for _, body in batch]
        pairs = list(zip(new[::2], new[1::2], strict=True))
        assert all(a["stream"] == b["stream"] for a, b in pairs)
        assert all((a["version"], b["version"]) == (1, 2) for a, b in pairs)
        assert log.check(checked) == len(new)
        checked = log.head()
        acknowledged_in_all += len(acknowledged)
        log.close()
    log = open_log(address)
    assert log.check() == checked >= 2 * acknowledged_in_all > KILLS
    log.close()


def test_promise_1_an_append_that_fails_in_the_middle_leaves_nothing(log):
    log.append([append("A")])
    unwritable = Append((event("C", 1, what=object()),), {"C": 0}, "m", b"f" * 32)
    with pytest.raises((TypeError, ValueError)):
        log.append([append("B", count=2), unwritable])
    assert (log.head(), log.version("B"), log.marked(["m"])) == (1, 0, {})
    assert isinstance(log.append([append("B", count=2)])[0], Appended)
    assert log.check() == 3


class Unreliable:
    """Commits that are slow, and now and then fail."""

    choose = random.Random(2)

    def _commit(self):
        select.select([], [], [], self.choose.random() * 0.001)
        if self.choose.random() < 0.2:
            raise sqlite3.OperationalError("disk I/O error")
        super()._commit()


class UnreliableLog(Unreliable, SQLiteLog):
    pass


@pytest.mark.parametrize("address", STORES, indirect=True)
def test_promise_2_nothing_is_skipped(address):
    """Writers race, conflict, roll back, commit slowly; readers see each position once, in turn."""
    kinds = {"postgresql": UnreliablePostgres, ":memory:": lambda _: MemoryLog()}
    log = kinds.get(address.split("://")[0], UnreliableLog)(address)
    seen, written = [[] for _ in range(5)], []
    stop = threading.Event()

    def write(name):
        for number in range(60):
            group = [
                append(f"{name}-{number}", count=2),
                append("shared", log.version("shared") + 1),
            ]
            try:
                answers = log.append(group)
            except StoreFailed:
                continue
            written.extend(a for a in answers if isinstance(a, Appended))

    def read(into):
        for batch in tail(log, 0, batch=7, stop=stop):
            into.extend(batch)

    readers = [threading.Thread(target=read, args=(into,)) for into in seen]
    writers = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(4)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    if isinstance(log, UnreliablePostgres):
        log.mend()
    log.append([append("last")])
    while not all(into and into[-1][1]["stream"] == "last" for into in seen):
        assert all(thread.is_alive() for thread in readers)
        log.wait(log.head(), 0.01)
    stop.set()
    for thread in readers:
        thread.join()
    everything = [(r.position, r.event.event_id) for r in log.read(0, 10_000)]
    assert [position for position, _ in everything] == list(range(1, log.head() + 1))
    for into in seen:
        assert [(position, body["event_id"]) for position, body in into] == everything
    assert {r.position for a in written for r in a.events} | {log.head()} == {
        position for position, _ in everything
    }
    assert log.check() == log.head()
    log.close()


@ON_DISK
def test_promise_2_two_processes_append_to_one_ledger_and_a_third_reads_on(appending, address):
    """The other process appends while this one does; a reader here sees what both wrote, once."""
    mine = open_log(address)
    stop, seen = threading.Event(), []

    def read():
        reading = open_log(address)
        for batch in tail(reading, 0, batch=5, stop=stop):
            seen.extend(batch)
        reading.close()

    reader = threading.Thread(target=read)
    reader.start()
    appending.stdin.write(f"{address} other\n".encode())
    appending.stdin.flush()
    pid = int(appending.stdout.readline().split()[1])
    theirs, ours = [], []
    for number in range(150):
        theirs.append(int(appending.stdout.readline().split()[0]))
        # `shared` is contended by nobody, yet its expected version must be read after theirs.
        (answer,) = mine.append([append("shared", number + 1, count=1)])
        ours.append(answer.events[0].position)
        assert isinstance(mine.append([append("shared", 1)])[0], Conflict)
    os.kill(pid, signal.SIGKILL)
    while (line := appending.stdout.readline()) != b"dead\n":
        theirs.append(int(line.split()[0]))
    mine.append([append("last")])
    while not (seen and seen[-1][1]["stream"] == "last"):
        assert reader.is_alive()
        mine.wait(mine.head(), 0.01)
    stop.set()
    reader.join()
    assert [position for position, _ in seen] == list(range(1, mine.head() + 1))
    assert not set(ours) & set(theirs)
    assert [seen[position - 1][1]["version"] for position in ours] == list(range(1, 151))
    assert all(seen[position - 1][1]["stream"].startswith("other-") for position in theirs)
    assert mine.check() == mine.head()
    mine.close()
