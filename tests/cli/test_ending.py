"""Who is told to end ends, wherever it is just then, and leaves no connection that is stuck."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing

import psycopg
import pytest

from app.cli.ending import told_to_end
from consumers.postgres import PostgresMemories
from engine.store.postgres_connection import PatientConnection, connect
from engine.store.postgres_pool import Pool
from projections.postgres import PostgresPlace
from tests.cli.conftest import process_environment
from tests.patience import PATIENCE, wait_until

LOSES_THE_INTERRUPT = """
import os, signal
from app.cli import main, work
from engine.errors import StoreFailed

def fail_while_tidying_up(home):
    try:
        os.kill(os.getpid(), signal.{how})
    finally:
        raise StoreFailed("the store is away")

work._do_what_is_due = fail_while_tidying_up
main(["work"])
"""


def cut_off(connection):
    """Ctrl-C in the middle of a statement, at the worst moment: it is sent and nobody listens."""

    def statement():
        connection.pgconn.send_query(b"SELECT 1 FROM pg_sleep(30)")
        raise KeyboardInterrupt
        yield

    connection.wait(statement())


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM"])
def test_being_told_to_end_is_remembered_where_the_interrupt_is_lost(pmo, how):
    answer = subprocess.run(
        [sys.executable, "-c", LOSES_THE_INTERRUPT.format(how=how)],
        capture_output=True,
        text=True,
        env=process_environment(pmo.home),
        timeout=PATIENCE,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == "warning: the store is away\n"


def test_an_interrupt_that_nobody_told_goes_on():
    with pytest.raises(KeyboardInterrupt), told_to_end() as told:
        raise KeyboardInterrupt
    assert not told.is_set()


def test_the_handlers_of_before_are_back_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with told_to_end():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_statement_that_was_cut_off_takes_its_connection_with_it(database):
    connection = connect(PatientConnection, database, "pmo")
    with pytest.raises(KeyboardInterrupt):
        cut_off(connection)
    assert connection.closed


def test_who_is_killed_in_a_statement_leaves_no_lock_to_the_others(database):
    """And does not ask the server to cancel anything."""
    killed = connect(PatientConnection, database, "pmo")
    killed.execute("SELECT pg_advisory_lock(7)")
    killed.pgconn.send_query(f"SELECT pg_sleep({2 * PATIENCE})".encode())
    with closing(connect(PatientConnection, database, "pmo")) as other:

        def running():
            question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            return other.execute(question).fetchone() == (1,)

        wait_until(running)
        assert other.execute("SELECT pg_try_advisory_lock(7)").fetchone() == (False,)
        killed.pgconn.finish()
        wait_until(lambda: other.execute("SELECT pg_try_advisory_lock(7)").fetchone() == (True,))


def test_a_statement_that_fails_does_not(database):
    with closing(connect(PatientConnection, database, "pmo")) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nothing")
        assert not connection.closed


def test_the_views_let_the_interrupt_out_and_go_on_with_a_new_connection(database):
    with closing(PostgresPlace(database).open_for_writing()) as tables:
        with pytest.raises(KeyboardInterrupt), tables.transaction(), tables.attempt():
            cut_off(tables._session._connection)
        with tables.transaction():
            assert tables.run("SELECT 1") == [(1,)]


def test_so_does_what_consumers_remember(database):
    with closing(PostgresMemories(database).open(reading=False)) as memory:
        with pytest.raises(KeyboardInterrupt), memory.transaction():
            cut_off(memory._connection)
        assert memory.run("SELECT 1") == [(1,)]


def test_the_pool_of_the_log_gives_such_a_connection_to_nobody(database):
    with Pool(database) as pool:
        with pytest.raises(KeyboardInterrupt), pool.connection() as connection:
            cut_off(connection)
        with pool.connection() as another:
            assert another is not connection
            assert another.execute("SELECT 1 AS one").fetchone() == {"one": 1}
