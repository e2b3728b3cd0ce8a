"""A server without room or connections left: clear words, nothing half written, and on it goes."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import closing, suppress

import psycopg
import pytest

from consumers.postgres import PostgresMemories
from consumers.store import Store, Trouble
from engine.errors import StoreFailed
from engine.store.log import Appended, Marked
from engine.store.postgres import PostgresLog
from projections.postgres import PostgresPlace
from projections.runner import Runner
from tests.log.conftest import append
from tests.patience import PATIENCE, wait_until

MEGABYTE = 1_000_000


class Copied:
    """A view as large as the log."""

    name, version = "copied", 1

    def __init__(self, tables):
        self._tables = tables

    def create(self):
        self._tables.run("CREATE TABLE $copied (position INTEGER PRIMARY KEY, body TEXT)")

    def apply(self, batch):
        rows = [(position, json.dumps(body)) for position, body in batch]
        self._tables.insert("INSERT INTO $copied (position, body) VALUES (?, ?)", rows)

    def index(self): ...

    def write(self): ...

    def forget(self): ...


def small_server(make_postgres, max_wal_size="4MB", **how):
    if os.geteuid() != 0:
        pytest.skip("only root can make a small file system to fill")
    settings = {"shared_buffers": "4MB", "max_wal_size": max_wal_size, "min_wal_size": "2MB"}
    return make_postgres(settings=settings, **how)


def fill(log, most=600):
    """Append until it fails; the failure, what was acknowledged, and what failed last."""
    acknowledged = {}
    for number in range(most):
        command = append(f"N-{number}", count=40)
        try:
            (answer,) = log.append([command])
        except StoreFailed as failure:
            return failure, acknowledged, command
        acknowledged[command.command_id] = answer.events[0].position
    raise AssertionError("the disk is larger than that")


def take_room(folder, leave):
    """A file of somebody else's, which leaves so many bytes; remove it to make room."""
    room = os.statvfs(folder)
    other = folder / "of-somebody-else"
    with other.open("wb") as file:
        left = room.f_bavail * room.f_frsize - leave
        while left > 0:
            left -= file.write(bytes(min(left, MEGABYTE)))
    return other


def test_a_full_disk_fails_commands_and_nothing_else(make_postgres):
    """The tables' file system, on which log, views and the consumers' memory are."""
    # No checkpoint meanwhile: where it finds no room for a page, the whole server ends.
    server = small_server(make_postgres, max_wal_size="1GB", small=80 * MEGABYTE)
    address = server.new_database()
    with (
        closing(PostgresLog(address)) as log,
        closing(Store(PostgresMemories(address))) as store,
        closing(Runner(log, PostgresPlace(address), [Copied])) as views,
    ):
        store.begin("teller", 0)
        views.catch_up()
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CHECKPOINT")  # of pages that are to be written, some had no room
        other = take_room(server.tables, leave=1_500_000)
        failure, acknowledged, failed = fill(log)
        assert "the disk is full; make room" in str(failure)
        head = log.head()
        assert head == 40 * len(acknowledged)
        assert log.marked([failed.command_id]) == {}
        with pytest.raises(StoreFailed, match="disk is full"):
            views.catch_up()
        trouble = [Trouble(n, f"N-{n}", "x" * 2_000) for n in range(1, 3_000)]
        with pytest.raises(StoreFailed, match="disk is full"):
            store.finish("teller", head, trouble, "2026-01-01T09:00:00.000000Z")
        assert (store.position("teller"), store.incidents("teller")) == (0, [])
        other.unlink()
        assert isinstance(log.append([failed])[0], Appended)
        assert views.catch_up() == log.head() == log.check()
        store.finish("teller", head, trouble[:5], "2026-01-01T09:00:00.000000Z")
        assert store.position("teller") == head
        marked = log.marked(list(acknowledged))
        assert {m: at.first_position for m, at in marked.items()} == acknowledged


def test_a_full_disk_of_the_journal_loses_nothing_acknowledged(make_postgres):
    """PostgreSQL then ends itself rather than go on: whoever looks after it makes room, and starts
    it again if it has not come back by itself."""
    server = small_server(make_postgres, "1GB", small_wal=10 * MEGABYTE)
    with closing(PostgresLog(server.new_database())) as log:
        log.append([append("A")])
        other = take_room(server.wal, leave=0)
        failure, acknowledged, failed = fill(log, most=1_000)
        assert isinstance(failure, StoreFailed)
        assert "\n" not in str(failure)
        other.unlink()
        give_up = time.monotonic() + PATIENCE
        while True:
            with suppress(StoreFailed):
                (answer,) = log.append([failed])
                break
            assert time.monotonic() < give_up
            if not server.runs():
                server.start_again()
            threading.Event().wait(0.1)
        assert isinstance(answer, Appended | Marked)
        marked = log.marked(list(acknowledged))
        assert {m: at.first_position for m, at in marked.items()} == acknowledged
        assert log.check() == log.head() == 40 * (len(acknowledged) + 1) + 1


def test_without_a_connection_left_it_is_told_and_goes_on_when_there_is_one(make_postgres):
    server = make_postgres(settings={"max_connections": 8, "superuser_reserved_connections": 0})
    address = server.new_database()
    PostgresLog(address).close()
    held = []
    while True:
        try:
            held.append(psycopg.connect(address))
        except psycopg.OperationalError:
            break
    told = r"too many clients.*max_connections"
    for _ in range(30):  # more than the pool has: a connection that failed is none that is in use
        with pytest.raises(StoreFailed, match=told):
            PostgresLog(address)
    held.pop().close()
    wait_until(lambda: can_open(address))
    with closing(PostgresLog(address)) as log:
        log.append([append("A")])
        with pytest.raises(StoreFailed, match=told):
            Store(PostgresMemories(address))
        with pytest.raises(StoreFailed, match="too many clients"):
            PostgresPlace(address).open_for_writing()
        with log._datastore.pool.connection():
            for _ in range(30):
                with pytest.raises(StoreFailed, match=told):
                    log.append([append("B")])
        assert isinstance(log.append([append("B")])[0], Appended)
        while held:
            held.pop().close()
        with log._datastore.pool.connection():
            wait_until(lambda: succeeds(lambda: log.append([append("C")])))
        assert log.check() == 3


def can_open(address):
    return succeeds(lambda: PostgresLog(address).close())


def succeeds(act):
    with suppress(StoreFailed):
        act()
        return True
    return False
