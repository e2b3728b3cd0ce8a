"""A network that says nothing any more, a server that does not answer: nobody waits for ever."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from psycopg import conninfo

from engine.errors import StoreFailed
from engine.store.log import Appended, Marked
from engine.store.postgres import PostgresLog
from engine.store.postgres_connection import PatientConnection, parameters, plain_address
from engine.store.tail import tail
from tests.log.conftest import append, impatience
from tests.network import Wire, cable
from tests.patience import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def wire(database):
    """Between us and the server; ``address`` leads through it."""
    parts = conninfo.conninfo_to_dict(database)
    with closing(Wire(int(parts["port"]))) as wire:
        wire.address = f"postgresql://{parts['user']}@127.0.0.1:{wire.port}/{parts['dbname']}"
        yield wire


def test_every_wait_has_an_end_unless_the_address_says_otherwise():
    told = conninfo.conninfo_to_dict(parameters("postgresql://a@one,two:7/x", "pmo"))
    assert told["target_session_attrs"] == "read-write"
    assert int(told["connect_timeout"]) == 10
    idle, interval, count = (int(told[f"keepalives_{w}"]) for w in ("idle", "interval", "count"))
    assert idle + interval * count == 30
    assert int(told["tcp_user_timeout"]) == 30_000
    assert PatientConnection.patience == 30
    told = parameters("postgresql://a@one,two/x?target_session_attrs=any&connect_timeout=3", "pmo")
    assert "target_session_attrs=any" in told
    assert "connect_timeout=3" in told
    assert "target_session_attrs" not in parameters("postgresql://a@one/x", "pmo")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://a:secret@one:1,two:2/x", "postgresql://a@one:1,two:2/x"),
        ("postgresql://a@one,two/x", "postgresql://a@one,two/x"),
        ("postgresql://a@one,two:7/x", "postgresql://a@one,two:7/x"),
        ("host=one,two dbname=x", "postgresql://one,two/x"),
        ("host=one,two port=7 dbname=x", "postgresql://one:7,two:7/x"),
        ("postgresql:///x", "postgresql:///x"),
    ],
)
def test_an_address_of_several_hosts_is_shown_as_one_writes_it(given, shown):
    assert plain_address(given) == shown


def test_a_cut_network_fails_what_is_asked_and_everything_goes_on_when_it_heals(database, wire):
    with closing(PostgresLog(wire.address)) as log:
        log.append([append("A")])
        write, impatient = log._write, ExitStack()

        def write_into_nothing(c, group):
            impatient.enter_context(impatience())
            wire.cut()
            write(c, group)

        log._write = write_into_nothing
        command = append("B", count=2)
        with impatient:
            with pytest.raises(StoreFailed, match=r"cannot be asked what became of it.*same id"):
                log.append([command])
            with pytest.raises(StoreFailed, match=r"not answered|timeout"):
                log.head()
        log._write = write
        wire.mend()
        (answer,) = log.append([command])
        assert isinstance(answer, Appended | Marked)
        assert log.append([command]) == [Marked(2, 2, command.fingerprint)]
        assert log.check() == 3


def test_idle_connections_that_a_cut_has_left_dead_cost_one_wait_and_not_one_each(database, wire):
    with closing(PostgresLog(wire.address)) as log:
        pool = log._datastore.pool
        held = [pool.connection() for _ in range(5)]
        for one in held:
            one.__enter__()
        for one in held:
            one.__exit__(None, None, None)
        assert len(pool._idle) == 5
        wire.cut()
        with impatience(), pytest.raises(StoreFailed):
            log.head()
        assert len(pool._idle) == 0
        wire.mend()
        assert log.head() == 0


def test_who_follows_over_a_network_that_is_cut_and_heals_misses_nothing(database, wire):
    seen, failed, stop = [], [], threading.Event()

    def follow():
        reader = PostgresLog(wire.address)
        while not stop.is_set():
            try:
                for batch in tail(reader, len(seen), stop=stop):
                    seen.extend(position for position, _ in batch)
            except StoreFailed as error:
                failed.append(str(error))
                stop.wait(0.02)
        reader.close()

    following = threading.Thread(target=follow)
    following.start()
    with closing(PostgresLog(database)) as log:

        def write(count):
            for _ in range(count):
                log.append([append(f"A-{log.head()}")])

        for _ in range(2):
            write(3)
            wait_until(lambda: len(seen) == log.head())
            with impatience():
                before = len(failed)
                wire.cut()
                wait_until(lambda before=before: len(failed) > before)
            write(2)
            wire.mend()
            write(1)
        wait_until(lambda: len(seen) == 12)
    stop.set()
    following.join(PATIENCE)
    assert seen == list(range(1, 13))


def test_a_server_that_hangs_is_given_up_and_found_again(make_postgres):
    server = make_postgres()
    with closing(PostgresLog(server.new_database())) as log:
        log.append([append("A")])
        server.pause()
        try:
            with impatience(), pytest.raises(StoreFailed):
                log.append([append("B")])
        finally:
            server.go_on()
        wait_until(lambda: log.append([append("C")]))
        assert log.check() == log.head()


def test_a_commit_that_waits_for_a_standby_is_no_acknowledgement(make_postgres):
    """The server has it, but would lose it with its machine. Nobody sees it, and nobody else writes
    meanwhile; when the standby is back, or is given up, it is there and has its one effect."""
    server = make_postgres()
    address = server.new_database()
    with closing(PostgresLog(address)) as log:
        log.append([append("A")])
        server.set(synchronous_standby_names="nobody")
        command = append("B")
        told = r"waits for a synchronous standby.*same id"
        with impatience(), pytest.raises(StoreFailed, match=told):
            log.append([command])
        assert log.head() == 1, "who reads is not held up, and does not see it"
        server.set(synchronous_standby_names="")
        wait_until(lambda: log.head() == 2)
        assert log.append([command]) == [Marked(2, 1, command.fingerprint)]


def test_a_session_that_was_ended_while_it_waited_for_a_standby_is_no_acknowledgement(
    make_postgres,
):
    """As ``pg_terminate_backend`` by an operator: then the server shows what no standby has."""
    server = make_postgres()
    with closing(PostgresLog(server.new_database())) as log, server.connect() as operator:
        log.append([append("A")])
        server.set(synchronous_standby_names="nobody")
        command, told = append("B"), []

        def send():
            try:
                told.append(log.append([command]))
            except StoreFailed as error:
                told.append(error)

        sending = threading.Thread(target=send)
        sending.start()
        waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        wait_until(lambda: operator.execute(waits).fetchall())
        with impatience():
            operator.execute(f"SELECT pg_terminate_backend(pid) FROM ({waits}) AS waiting")
            sending.join(PATIENCE)
        assert isinstance(told[0], StoreFailed), told
        server.set(synchronous_standby_names="")
        wait_until(lambda: log.append([command]) == [Marked(2, 1, command.fingerprint)])


# Sends until it is told to stop, and says when each command failed or was acknowledged.
_WRITER = """
import sys, time
from engine.errors import StoreFailed
from engine.store.postgres import PostgresLog
from engine.store.postgres_connection import PatientConnection
from tests.log.conftest import append, impatience
PatientConnection.patience = 2.0
log, number = PostgresLog(sys.argv[1]), 0
while True:
    command = append(f"N-{number}")
    while True:
        try:
            (answer,) = log.append([command])
            print("done", number, flush=True)
            break
        except StoreFailed as error:
            print("failed", number, error, flush=True)
            time.sleep(0.1)
    number += 1
"""


def test_a_real_network_that_is_cut_and_mended(make_postgres):
    """In a network namespace; where none can be made the tests above have to do."""
    with cable() as network:
        server = make_postgres(settings={"listen_addresses": "*"}, trust=f"{network.outside}/30")
        address = server.new_database().replace("127.0.0.1", network.outside)
        words = network.run(sys.executable, "-c", _WRITER, f"{address}?connect_timeout=2")
        writer = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            lines = iter(writer.stdout.readline, "")
            assert any(line.startswith("done") for line in lines)
            network.cut()
            assert any(line.startswith("failed") for line in lines)
            network.mend()
            assert any(line.startswith("done") for line in lines)
        finally:
            writer.kill()
            rest = writer.communicate()[0]
        acknowledged = max((int(w.split()[1]) for w in rest.splitlines() if "done" in w), default=0)
        with closing(PostgresLog(server.address(address.rsplit("/", 1)[1]))) as log:
            assert log.check() == log.head() >= acknowledged
