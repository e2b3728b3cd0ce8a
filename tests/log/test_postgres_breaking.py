"""The log on PostgreSQL under bad conditions: clear words, nothing half done, usable afterwards."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from engine.errors import StoreFailed, StoreStarting
from engine.store import postgres_pool
from engine.store.log import Appended, Conflict, Marked
from engine.store.opening import open_log
from engine.store.postgres import PostgresLog
from engine.store.postgres_errors import failed
from engine.store.tail import tail
from tests.log.conftest import append
from tests.patience import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledger(database):
    with closing(PostgresLog(database)) as log:
        yield log


@pytest.fixture
def other(database):
    """Another process's connection, as far as the server can tell."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def waits_for_lock(connection):
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return connection.execute(query).fetchone() != (0,)


def test_opening_makes_a_ledger_and_finds_it_again(database):
    for expected in (0, 1, 2):
        with closing(open_log(database)) as log:
            assert isinstance(log, PostgresLog)
            assert log.head() == expected
            log.append([append("A", expected + 1)])


def test_who_opens_no_postgresql_pays_for_none(tmp_path):
    program = (
        "import sys; from engine.store.opening import open_log; open_log(sys.argv[1]).close();"
        "assert not [name for name in sys.modules if name.startswith('psycopg')]"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "ledger.db")]
    subprocess.run(command, check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda address: address.replace("/pmo_test", "/no_test"), "does not exist.*createdb"),
        (
            lambda address: address.replace("postgres@", "nobody@"),
            "password authentication failed.*PGPASSWORD",
        ),
        (lambda address: address.replace("127.0.0.1", "no.such.host.invalid"), "invalid"),
        (lambda address: address.rsplit(":", 1)[0] + ":1/x", "connection refused.*check the host"),
    ],
)
def test_what_cannot_be_opened_is_told_in_plain_words(database, change, told):
    address = change(database)
    with pytest.raises(StoreFailed, match=rf"(?i)^postgresql://.*{told}"):
        PostgresLog(address)


def test_a_password_in_the_address_is_never_shown(database):
    address = database.replace("postgres@", "nobody:secret@")
    with pytest.raises(StoreFailed) as caught:
        PostgresLog(address)
    assert "secret" not in str(caught.value)


def test_commits_are_durable_even_where_the_database_says_otherwise(other, database):
    name = database.rsplit("/", 1)[1]
    other.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with closing(PostgresLog(database)) as log, log._datastore.pool.connection() as connection:
        (row,) = connection.execute("SHOW synchronous_commit").fetchall()
        assert row == {"synchronous_commit": "on"}


def test_a_log_that_stays_locked_is_told_so(database, other, monkeypatch):
    patient = f"{postgres_pool.WAIT_SECONDS}s"
    monkeypatch.setattr(
        postgres_pool, "_PREPARE", postgres_pool._PREPARE.replace(patient, "50ms", 1)
    )
    with closing(PostgresLog(database)) as log, other.transaction():
        other.execute("SELECT pmo_log.lock()")
        with pytest.raises(StoreFailed, match="another process kept it locked"):
            log.append([append("A")])
        assert log.head() == 0, "who reads is not held up"
    with closing(PostgresLog(database)) as log:
        assert isinstance(log.append([append("A")])[0], Appended)


def test_who_stops_while_holding_the_lock_is_cut_off(database, monkeypatch):
    """The first log stands still between its look and its write, under the lock."""
    quick = postgres_pool._PREPARE.replace(
        f"idle_in_transaction_session_timeout', '{postgres_pool.WAIT_SECONDS}s'",
        "idle_in_transaction_session_timeout', '2s'",  # who is only slow is not cut off
    )
    assert quick != postgres_pool._PREPARE
    with closing(PostgresLog(database)) as log:
        monkeypatch.setattr(postgres_pool, "_PREPARE", quick)
        stopped = PostgresLog(database)
        write, answers = stopped._write, []

        def stand_still(c, group):
            answers.extend(log.append([append("B")]))
            write(c, group)

        stopped._alone, stopped._write = False, stand_still
        with pytest.raises(StoreFailed):
            stopped.append([append("A")])
        assert isinstance(answers[0], Appended)
        stopped._write = write
        assert isinstance(stopped.append([append("A")])[0], Appended)
        assert log.check() == 2
        stopped.close()


def test_when_all_connections_are_in_use_it_is_told(ledger, monkeypatch):
    monkeypatch.setattr(postgres_pool, "WAIT_SECONDS", 0.05)
    pool = ledger._datastore.pool
    holding = [pool.connection() for _ in range(postgres_pool.MOST)]
    for one in holding:
        one.__enter__()
    with pytest.raises(StoreFailed, match="all 10 connections of this process"):
        ledger.head()
    for one in holding:
        one.__exit__(None, None, None)
    assert ledger.head() == 0


def test_when_the_server_has_no_connection_left_it_is_told(other, database):
    name = database.rsplit("/", 1)[1]
    PostgresLog(database).close()
    other.execute(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 0 PASSWORD 'x'")
    address = database.replace("postgres@", f"{name}:x@")
    with pytest.raises(StoreFailed, match=r"too many connections.*max_connections"):
        PostgresLog(address)
    other.execute(f"DROP ROLE {name}")


class Losing(PostgresLog):
    """Loses its connection once, ``before`` or ``after`` the server has done what it was asked."""

    when = ""

    def _write(self, c, group):
        when, self.when = self.when, ""
        if when == "before":
            c.connection.close()
        super()._write(c, group)
        if when == "after":
            c.connection.close()


@pytest.fixture
def losing(database):
    with closing(Losing(database)) as log:
        yield log


@pytest.mark.parametrize("alone", [True, False])
def test_a_commit_that_happened_although_no_answer_came_is_an_answer(losing, alone):
    losing.append([append("A")])
    losing.when, losing._alone = "after", alone
    command = append("A", 2, count=2)
    if alone:
        (answer,) = losing.append([command])
        assert [r.position for r in answer.events] == [2, 3]
    else:  # under the lock the commit is a message of its own, and was never sent
        with pytest.raises(StoreFailed):
            losing.append([command])
        assert losing.head() == 1
        assert isinstance(losing.append([command])[0], Appended)
    assert losing.append([command]) == [Marked(2, 2, command.fingerprint)]
    assert losing.check() == 3


@pytest.mark.parametrize("alone", [True, False])
def test_a_commit_that_never_happened_leaves_nothing_and_can_be_tried_again(losing, alone):
    losing.append([append("A", at="2026-01-01T11:00:00.000000Z")])
    losing.when, losing._alone = "before", alone
    command = append("A", 2, at="2026-01-01T12:00:00.000000Z")
    with pytest.raises(StoreFailed):
        losing.append([command])
    assert (losing.head(), losing.marked([command.command_id])) == (1, {})
    (answer,) = losing.append([append("B", at="2026-01-01T10:59:59.000000Z")])
    assert answer.events[0].event.recorded_at == "2026-01-01T11:00:00.000000Z"
    assert losing.check() == 2


def test_a_command_that_was_told_to_have_failed_is_not_done_afterwards(ledger, other):
    """Its session waits at the server for the lock when the network is cut, and must not go on."""
    ledger.append([append("A")])
    told = []

    def send():
        try:
            ledger.append([append("B")])
        except StoreFailed as error:
            told.append(error)

    sending = threading.Thread(target=send)
    with other.transaction():
        other.execute("SELECT pmo_log.lock()")
        idle = list(ledger._datastore.pool._idle)
        sending.start()
        wait_until(lambda: waits_for_lock(other))
        with socket.socket(fileno=os.dup(idle[-1].fileno())) as cut:
            cut.shutdown(socket.SHUT_RDWR)
        sending.join(PATIENCE)
        assert told
        assert not waits_for_lock(other)
    assert (ledger.head(), ledger.version("B"), ledger.check()) == (1, 0, 1)


def test_who_judged_by_what_is_outrun_judges_again(database, ledger):
    """The other log appends between the look and the write of this one, each time."""
    other = PostgresLog(database)
    write = ledger._write

    def outrun(c, group):
        ledger._write = write
        other.append([append("A", other.version("A") + 1)])
        write(c, group)

    ledger._write = outrun
    assert ledger.append([append("A")]) == [Conflict("A", 1)]
    ledger._alone, ledger._write = True, outrun
    (answer,) = ledger.append([append("B", reads={"Z": 0})])
    assert [r.position for r in answer.events] == [3]
    assert not ledger._alone
    (answer,) = ledger.append([append("B", 2)])
    assert ledger._alone, "nobody has appended since, so the short way is tried again"
    assert ledger.check() == other.check() == 4
    other.close()


def test_waiting_notices_what_another_connection_commits(database, ledger):
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(ledger.wait(0, 2 * PATIENCE)))
    waiting.start()
    with closing(PostgresLog(database)) as other:
        other.append([append("A")])
    waiting.join(PATIENCE)
    assert answers == [True]


def test_notifications_that_are_not_ours_are_passed_over(database, ledger, other):
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(ledger.wait(0, 2 * PATIENCE)))
    waiting.start()
    wait_until(lambda: ledger._listener._thread)
    for payload in ("", "soon", "-1"):
        other.execute("SELECT pg_notify('pmo_log', %s)", (payload,))
    with closing(PostgresLog(database)) as log:
        log.append([append("A")])
    waiting.join(PATIENCE)
    assert answers == [True]
    assert ledger._listener._thread.is_alive()


def test_waiting_works_without_notifications(database, ledger, monkeypatch):
    """As on a standby, where nobody can LISTEN: the log is looked at once a second."""
    monkeypatch.setattr(
        "engine.store.postgres_listener.connect", lambda _: psycopg.connect("host=/nowhere")
    )
    monkeypatch.setattr("engine.store.postgres._GLANCE", 0.01)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(ledger.wait(0, 2 * PATIENCE)))
    waiting.start()
    with closing(PostgresLog(database)) as other:
        other.append([append("A")])
    waiting.join(PATIENCE)
    assert answers == [True]


def test_closing_while_others_read_and_wait_ends_in_an_error(database):
    log = PostgresLog(database)
    log.append([append(f"N-{i}", count=5) for i in range(100)])
    started, errors = threading.Barrier(4), []

    def use(work):
        started.wait()
        try:
            while True:
                work()
        except StoreFailed as error:
            errors.append(str(error))

    works = [
        lambda: log.read(0, 500),
        lambda: log.bodies(0, 500),
        lambda: log.wait(500, 2 * PATIENCE),
    ]
    threads = [threading.Thread(target=use, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    started.wait()
    log.close()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(errors) == 3
    assert all("the log is closed" in error for error in errors)
    with pytest.raises(StoreFailed, match="closed"):
        log.append([append("A")])


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_server_that_restarts_is_found_again(own_postgres, end):
    address = own_postgres.new_database()
    log, reader = PostgresLog(address), PostgresLog(address)
    log.append([append("A")])
    assert reader.wait(0, PATIENCE)
    getattr(own_postgres, end)()
    with pytest.raises(StoreFailed, match=r"(?i)refused|stopp|closed"):
        log.append([append("B")])
    with pytest.raises(StoreFailed):
        reader.head()
    own_postgres.start()
    waiting = threading.Thread(target=lambda: [None for _ in tail(reader, 1, until=2)])
    waiting.start()
    assert isinstance(log.append([append("B")])[0], Appended)
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    assert log.check() == 2
    log.close()
    reader.close()


def test_promise_1_a_server_killed_under_load_loses_nothing_acknowledged(own_postgres):
    """And who writes needs nothing but to send again, as the same command, what failed."""
    address = own_postgres.new_database()
    acknowledged, stop = {}, threading.Event()

    def write(name):
        log, number = PostgresLog(address), 0
        while not stop.is_set():
            command = append(f"{name}-{number}", count=2)
            while command.command_id not in acknowledged:
                try:
                    (answer,) = log.append([command])
                except StoreFailed:
                    threading.Event().wait(0.01)
                    continue
                if isinstance(answer, Marked):
                    acknowledged[command.command_id] = answer.first_position
                else:
                    acknowledged[command.command_id] = answer.events[0].position
            number += 1
        log.close()

    writers = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(3)]
    for writer in writers:
        writer.start()
    for wanted in (30, 60, 90):
        wait_until(lambda wanted=wanted: len(acknowledged) > wanted)
        own_postgres.kill()
        own_postgres.start()
    stop.set()
    for writer in writers:
        writer.join(PATIENCE)
    with closing(PostgresLog(address)) as log:
        marked = log.marked(list(acknowledged))
        assert {m: at.first_position for m, at in marked.items()} == acknowledged
        assert log.check() == log.head() == 2 * len(acknowledged)


def test_what_is_told_while_the_listener_looks_is_heard_at_once(ledger, monkeypatch):
    """It comes along with the answer, so that the socket has nothing more to say."""

    def connect(address):
        connection = postgres_pool.connect(address)
        execute = connection.execute

        def look(query):
            answer = execute(query)
            if query.startswith("SELECT"):
                execute("SELECT pg_notify('pmo_log', '7')")
            return answer

        connection.execute = look
        return connection

    monkeypatch.setattr("engine.store.postgres_listener.connect", connect)
    assert ledger._listener.wait(6, PATIENCE)


@pytest.mark.parametrize(
    "kind", [errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow]
)
def test_a_server_that_stops_or_starts_may_be_asked_again(kind):
    assert isinstance(failed("postgresql://one/x", kind()), StoreStarting)
    assert not isinstance(failed("postgresql://one/x", errors.DiskFull()), StoreStarting)
