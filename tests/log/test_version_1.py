"""Ledgers of the first version of the schema, which knew commands by a hash of their ids."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from engine.commands import PublishDefinition, StartCase
from engine.errors import CommandIdReused, LogDamaged, StoreFailed
from engine.ids import COMMAND_NAMESPACE
from engine.loading import load_definition
from engine.service import Service
from engine.store import postgres_schema
from engine.store.commands import check_commands
from engine.store.opening import open_log
from engine.store.postgres import PostgresLog
from engine.store.sqlite import SQLiteLog
from tests.log.test_markers import NOTE, PAT
from tests.patience import PATIENCE

COMMANDS = [
    PublishDefinition(
        command_id="publish", actor=PAT, body=load_definition(NOTE, "note").body, text=NOTE
    ),
    StartCase(command_id="é 'first'", actor=PAT, workflow="note"),
    StartCase(command_id="second", actor=PAT, workflow="note"),
]

FILE_OF_VERSION_1 = """
DROP TABLE command_markers;
CREATE TABLE command_markers (
    marker         BLOB PRIMARY KEY,
    first_position INTEGER NOT NULL,
    count          INTEGER NOT NULL,
    fingerprint    BLOB    NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER markers_are_added BEFORE INSERT ON command_markers
WHEN EXISTS (SELECT 1 FROM command_markers WHERE marker = NEW.marker)
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a command marker is added once'); END;

CREATE TRIGGER markers_stay_as_written BEFORE UPDATE ON command_markers
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a command marker is never changed'); END;

CREATE TRIGGER markers_stay BEFORE DELETE ON command_markers
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a command marker is never removed'); END;

PRAGMA user_version = 1;
"""


def hashed(command_id: str) -> bytes:
    """What version 1 knew a command by: the UUIDv5 of its id (RFC 9562, 5.5)."""
    return uuid.uuid5(COMMAND_NAMESPACE, command_id).bytes


@pytest.fixture
def file(path):
    """A file as version 1 left it."""
    with closing(SQLiteLog(path)) as log:
        for command in COMMANDS:
            Service(log).handle(command)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        rows = other.execute("SELECT * FROM command_markers").fetchall()
        other.executescript(FILE_OF_VERSION_1)
        other.executemany(
            "INSERT INTO command_markers VALUES (?, ?, ?, ?)",
            [(hashed(command_id), *rest) for command_id, *rest in rows],
        )
    return str(path)


@pytest.fixture
def server(database):
    """A database as version 1 left it."""
    with closing(PostgresLog(database)) as log:
        for command in COMMANDS:
            Service(log).handle(command)
        events, rows = log.rows(0, 9), log.markers("", 9)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("DROP SCHEMA pmo_log CASCADE")
        other.execute(postgres_schema.migrations()[1].read_bytes())
        other.execute("INSERT INTO pmo_log.schema_version VALUES (1)")
        other.execute(
            "SELECT pmo_log.append(0, %b, %b, %b, %b, %b, %b, %b, %b, %b)",
            (
                [row.stream for row in events],
                [row.version for row in events],
                [row.type for row in events],
                [row.state for row in events],
                [row.chain for row in events],
                [hashed(command_id) for command_id in rows],
                [marked.first_position for marked in rows.values()],
                [marked.count for marked in rows.values()],
                [marked.fingerprint for marked in rows.values()],
            ),
        )
    return database


@pytest.fixture(params=["file", "server"])
def address(request):
    return request.getfixturevalue(request.param)


def test_it_is_brought_up_to_date_and_every_command_had_its_effect(address):
    for _ in range(2):
        with closing(open_log(address)) as log:
            assert (log.check(), log.head()) == (3, 3)
            check_commands(log)
            assert sorted(log.markers("", 9)) == sorted(c.command_id for c in COMMANDS)
            service = Service(log)
            assert [service.handle(command).position for command in COMMANDS] == [1, 2, 3]
            with pytest.raises(CommandIdReused):
                service.handle(COMMANDS[2].model_copy(update={"workflow": "other"}))
    with closing(open_log(address)) as log:
        Service(log).handle(StartCase(command_id="third", actor=PAT, workflow="note"))
        assert log.check() == 4


def test_of_several_that_open_it_at_once_one_brings_it_up_to_date(address):
    with ThreadPoolExecutor(4) as threads:
        logs = list(threads.map(open_log, [address] * 4))
    for log in logs:
        with closing(log):
            check_commands(log)
            assert sorted(log.markers("", 9)) == sorted(c.command_id for c in COMMANDS)


KILLED_IN_BETWEEN = """
import os, sys
from engine.store import sqlite_file
sqlite_file._statements = lambda script: os.kill(os.getpid(), 9)  # the old table is gone by then
sqlite_file.connect(sys.argv[1])
"""


def test_one_that_is_killed_in_between_leaves_it_as_it_was(file):
    command = [sys.executable, "-c", KILLED_IN_BETWEEN, file]
    assert subprocess.run(command, check=False, timeout=PATIENCE).returncode == -signal.SIGKILL
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (1,)
        known = {marker for (marker,) in other.execute("SELECT marker FROM command_markers")}
    assert known == {hashed(command.command_id) for command in COMMANDS}
    with closing(SQLiteLog(file)) as log:
        check_commands(log)


APPENDED_BY_VERSION_1 = (
    "INSERT INTO events VALUES (4, 'NOTE-0003', 1, 'pmo.case.started.v1', X'00', X'00')",
    "INSERT INTO command_markers VALUES (X'00', 4, 1, X'00')",
)


def test_a_program_of_version_1_that_still_has_the_file_open_appends_nothing_more(file):
    with closing(sqlite3.connect(file)) as old:
        SQLiteLog(file).close()
        event, marker = APPENDED_BY_VERSION_1
        old.execute(event)
        with pytest.raises(sqlite3.IntegrityError, match="the log is append-only"):
            old.execute(marker)


def test_a_program_of_version_1_that_is_still_connected_appends_nothing_more(server):
    with psycopg.connect(server) as old:
        PostgresLog(server).close()
        with pytest.raises(psycopg.errors.UndefinedFunction, match="append"):
            old.execute(
                "SELECT pmo_log.append(3, '{NOTE-0003}', '{1}', '{pmo.case.started.v1}',"
                " %b, %b, %b, '{4}', '{1}', %b)",
                ([b"{}"], [b"0"], [hashed("third")], [b"0"]),
            )


@pytest.mark.parametrize(
    ("state", "hidden"),
    [("not JSON", "bytes"), ('{"command_id": "another"}', "bytes"), ("{}", "bytes")],
)
def test_damage_does_not_keep_it_from_being_opened_and_told(file, state, hidden):
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        (trigger,) = other.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'events_stay_as_written'"
        ).fetchone()
        other.execute("DROP TRIGGER events_stay_as_written")
        other.execute("UPDATE events SET state = CAST(? AS BLOB) WHERE position = 2", (state,))
        other.execute(trigger)
    with (
        closing(SQLiteLog(file)) as log,
        pytest.raises(LogDamaged, match=f"position 2: .*{hidden}"),
    ):
        log.check()


def test_damage_on_a_server_does_not_keep_it_from_being_opened_and_told(server):
    with psycopg.connect(server, autocommit=True) as other:
        other.execute("ALTER TABLE pmo_log.events DISABLE TRIGGER events_stay_as_written")
        other.execute("UPDATE pmo_log.events SET state = '\\xff' WHERE position = 2")
        other.execute("ALTER TABLE pmo_log.events ENABLE ALWAYS TRIGGER events_stay_as_written")
    with (
        closing(PostgresLog(server)) as log,
        pytest.raises(LogDamaged, match=r"position 2: .*bytes"),
    ):
        log.check()


@pytest.mark.parametrize("stray", ["stray", "extra"])
def test_of_several_rows_at_one_event_one_is_taken_and_the_others_are_left(address, stray):
    """Somebody wrote them by hand, which no check had told; by its hash one comes before it."""
    row = (hashed(stray), 2, 1, bytes(32))
    if "://" in address:
        with psycopg.connect(address, autocommit=True) as other:
            other.execute("INSERT INTO pmo_log.command_markers VALUES (%b, %b, %b, %b)", row)
    else:
        with closing(sqlite3.connect(address, isolation_level=None)) as other:
            other.execute("INSERT INTO command_markers VALUES (?, ?, ?, ?)", row)
    with closing(open_log(address)) as log:
        known = log.markers("", 9)
        assert len(known) == 4
        assert {command.command_id for command in COMMANDS} < set(known)
        check_commands(log)


def test_a_file_that_may_not_be_written_is_refused_with_the_way_out(file, monkeypatch):
    monkeypatch.setattr("engine.store.sqlite_file.is_read_only", lambda _: True)
    with pytest.raises(StoreFailed, match="version 1; open it once where it may be written"):
        SQLiteLog(file)


def test_who_may_only_append_is_told_whose_work_it_is_and_may_append_after(
    server, postgres, monkeypatch
):
    role = server.rsplit("/", 1)[1] + "_app"
    with psycopg.connect(server, autocommit=True) as owner:
        monkeypatch.setenv("PGPASSWORD", "another")
        owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'another'")
        owner.execute("SELECT pmo_log.admit(%s)", (role,))
        try:
            app = postgres.address(server.rsplit("/", 1)[1], user=role)
            with pytest.raises(StoreFailed, match="version 1; its owner brings it to version 2"):
                PostgresLog(app)
            monkeypatch.undo()
            PostgresLog(server).close()
            monkeypatch.setenv("PGPASSWORD", "another")
            with closing(PostgresLog(app)) as log:
                Service(log).handle(StartCase(command_id="third", actor=PAT, workflow="note"))
                assert log.check() == 4
        finally:
            owner.execute(f"DROP OWNED BY {role}")
            owner.execute(f"DROP ROLE {role}")
