"""A server that is lost, and a standby in its place: found by itself, nothing acknowledged lost.

And where the standby lacked the end of the log, as an asynchronous one may: whoever has read that
end says so and stops, however many events have been written since in its place.
"""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from consumers.postgres import PostgresMemories
from engine.errors import LogDiverged, StoreFailed
from engine.store import postgres_connection
from engine.store.log import Appended, Marked
from engine.store.postgres import PostgresLog
from engine.store.tail import tail
from projections.postgres import PostgresPlace
from tests.log.conftest import append, impatience
from tests.patience import PATIENCE, wait_until


class Pair:
    """A primary and its standby; ``address`` names both."""

    def __init__(self, primary, standby, database):
        self.primary, self.standby, self.name = primary, standby, database.rsplit("/", 1)[1]
        self.address = (
            f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{self.name}"
        )

    def replicate(self, *, synchronous):
        names = "standby" if synchronous else ""
        self.primary.set(synchronous_standby_names=names)
        wanted = "sync" if synchronous else "async"
        with self.primary.connect() as c:
            query = "SELECT sync_state FROM pg_stat_replication"
            wait_until(lambda: c.execute(query).fetchall() == [(wanted,)])

    def leave_behind(self):
        """From here on the standby gets nothing more, as one whose network is cut."""
        with self.primary.connect() as c:
            (at,) = c.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
            wait_until(
                lambda: (
                    c.execute("SELECT flush_lsn >= %s FROM pg_stat_replication", (at,)).fetchone()
                    == (True,)
                )
            )
        self.standby.set(primary_conninfo="")
        with self.standby.connect() as c:
            wait_until(lambda: not c.execute("SELECT FROM pg_stat_wal_receiver").fetchall())

    def fail_over(self):
        self.primary.lose()
        self.standby.promote()


@pytest.fixture
def pair(make_postgres):
    primary = make_postgres()
    database = primary.new_database()
    standby = primary.standby()
    yield Pair(primary, standby, database)
    standby.remove()


def test_promise_1_failing_over_to_a_synchronous_standby_loses_nothing_acknowledged(pair):
    """Whoever writes, reads or waits finds it by the address, and only sends again what failed."""
    pair.replicate(synchronous=True)
    acknowledged, stop, seen = {}, threading.Event(), []

    def write(name):
        log, number = PostgresLog(pair.address), 0
        while not stop.is_set():
            command = append(f"{name}-{number}", count=2)
            while command.command_id not in acknowledged:
                try:
                    (answer,) = log.append([command])
                except StoreFailed:
                    threading.Event().wait(0.01)
                    continue
                first = answer if isinstance(answer, Marked) else answer.events[0]
                acknowledged[command.command_id] = (
                    getattr(first, "first_position", 0) or first.position
                )
            number += 1
        log.close()

    def read():
        reader, reached, last = PostgresLog(pair.address), 0, None
        while not stop.is_set():
            try:
                for batch in tail(reader, reached, seen=last, stop=stop):
                    seen.extend(batch)
                    reached, last = batch[-1][0], batch[-1][1]["event_id"]
            except LogDiverged:
                break
            except StoreFailed:
                threading.Event().wait(0.01)
        reader.close()

    threads = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(3)]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    wait_until(lambda: len(acknowledged) > 60)
    pair.fail_over()
    before = len(acknowledged)
    wait_until(lambda: len(acknowledged) > before + 60)
    with closing(PostgresLog(pair.address)) as log:
        wait_until(lambda: seen[-1][0] >= log.head() - 5)
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        marked = log.marked(list(acknowledged))
        assert {m: at.first_position for m, at in marked.items()} == acknowledged
        assert log.check() == log.head()
        everything = [(r.position, r.event.event_id) for r in log.read(0, len(seen))]
        assert [(position, body["event_id"]) for position, body in seen] == everything


def written(log, stream, count):
    (answer,) = log.append([append(stream, log.version(stream) + 1, count=count)])
    assert isinstance(answer, Appended)


def test_a_primary_that_was_stopped_and_comes_back_acknowledges_nothing(pair):
    """Both take writes then. But the old one has nobody any more who confirms them."""
    pair.replicate(synchronous=True)
    stale = PostgresLog(f"postgresql://postgres@127.0.0.1:{pair.primary.port}/{pair.name}")
    written(stale, "A", 3)
    pair.primary.pause()
    pair.standby.promote()
    try:
        with closing(PostgresLog(f"{pair.address}?connect_timeout=5")) as log:
            written(log, "A", 2)
    finally:
        pair.primary.go_on()
    with impatience(), pytest.raises(StoreFailed, match="standby"):
        stale.append([append("A", 4, count=2)])
    assert stale.head() == 3
    stale.close()


def test_a_primary_that_was_replaced_and_is_back_is_refused_by_whoever_sees_both(pair, monkeypatch):
    """It comes first in the address, and would take writes that nobody else ever sees."""
    monkeypatch.setattr(postgres_connection, "_LOOK_SECONDS", int(PATIENCE))
    pair.replicate(synchronous=False)
    with closing(PostgresLog(pair.address)) as log:
        written(log, "A", 3)
        pair.leave_behind()
        pair.primary.stop()
        pair.standby.promote()
        wait_until(lambda: can_append(log, "B"))
        pair.primary.start()
        told = rf"the server at 127\.0\.0\.1:{pair.primary.port} takes writes, but was replaced"
        assert can_append(log, "B"), "over the connection that it has"
        while idle := log._datastore.pool._idle:
            idle.pop().close()
        for _ in range(2):
            with pytest.raises(StoreFailed, match=told):
                log.append([append("A", 4)])
        postgres_connection._newest.clear()  # as in a process that has only just started
        for open_another in (
            lambda: PostgresLog(pair.address),
            lambda: PostgresPlace(pair.address).open_for_writing(),
            lambda: PostgresMemories(pair.address).open(reading=False),
        ):
            with pytest.raises(StoreFailed, match=told):
                open_another()
        pair.primary.stop()
        wait_until(lambda: can_append(log, "B"))
        with closing(PostgresLog(pair.address)) as fresh:
            assert fresh.check() == fresh.head() == 6


def can_append(log, stream):
    try:
        return written(log, stream, 1) is None
    except StoreFailed:
        return False


def test_who_has_seen_what_an_asynchronous_standby_lacked_says_so_and_stops(pair):
    pair.replicate(synchronous=False)
    with closing(PostgresLog(pair.address)) as log, closing(PostgresLog(pair.address)) as reader:
        written(log, "A", 3)
        reading = tail(reader, 0)
        assert [position for position, _ in next(reading)] == [1, 2, 3]
        pair.leave_behind()
        written(log, "A", 2)
        assert [position for position, _ in next(reading)] == [4, 5]
        pair.fail_over()
        with closing(PostgresLog(pair.address)) as other:
            written(other, "A", 3)
        with pytest.raises(LogDiverged, match=r"position 5: this process .*postgresql\.md"):
            log.append([append("A", 6)])
        with pytest.raises(LogDiverged):
            next(reading)


class Restored:
    """A log that is put back to what it was when this was made, and goes on from there."""

    def __init__(self, postgres, address):
        self._postgres, self._address = postgres, address
        self._name = address.rsplit("/", 1)[1]
        self._run(f"CREATE DATABASE {self._name}_before TEMPLATE {self._name}")

    def put_back(self, then=0):
        self._run(f"DROP DATABASE {self._name} WITH (FORCE)")
        self._run(f"ALTER DATABASE {self._name}_before RENAME TO {self._name}")
        with closing(PostgresLog(self._address)) as other:
            if then:
                written(other, "A", then)

    def _run(self, statement):
        with self._postgres.connect() as c:
            c.execute(statement)


@pytest.fixture
def filled(database):
    with closing(PostgresLog(database)) as log:
        written(log, "A", 3)


@pytest.mark.parametrize("others", [0, 1, 2, 5])
def test_a_process_does_not_judge_by_what_is_no_more(postgres, database, filled, others):
    """Versions may well be the same as those that it keeps, and mean something else."""
    restored = Restored(postgres, database)
    with closing(PostgresLog(database)) as log:
        written(log, "A", 2)
        restored.put_back(then=others)
        told = r"position 5: this process has read .* Start it anew"
        for ask in (
            lambda: log.append([append("A", 6)]),
            lambda: log.stream("A"),
            lambda: log.wait(5, 0.01),
            log.head,
        ):
            with pytest.raises((LogDiverged, StoreFailed)):
                ask()
            with pytest.raises(LogDiverged, match=told):
                ask()
    with closing(PostgresLog(database)) as fresh:
        assert fresh.check() == fresh.head() == 3 + others


def test_a_process_that_has_seen_nothing_that_was_lost_goes_on(postgres, database, filled):
    restored = Restored(postgres, database)
    with closing(PostgresLog(database)) as log:
        assert len(log.bodies(0, 10)) == 3
        restored.put_back(then=2)
        assert len(log.stream("A")) == 5


@pytest.mark.parametrize("others", [0, 1, 2, 5])
def test_who_comes_back_with_a_position_and_the_id_it_saw_there_is_told(
    postgres, database, filled, others
):
    restored = Restored(postgres, database)
    with closing(PostgresLog(database)) as log:
        written(log, "A", 2)
        ((position, body),) = log.bodies(4, 1)
    restored.put_back(then=others)
    with closing(PostgresLog(database)) as fresh:
        with pytest.raises(LogDiverged, match="position 5: a reader"):
            next(tail(fresh, position, seen=body["event_id"]))
        if others < 2:
            with pytest.raises(LogDiverged, match="position 5: a reader"):
                next(tail(fresh, position))
        ((_, body),) = fresh.bodies(2, 1)
        assert sum(map(len, tail(fresh, 3, seen=body["event_id"], until=fresh.head()))) == others


def test_who_waits_is_not_woken_by_what_was_heard_of_a_log_that_is_no_more(
    postgres, database, filled
):
    restored = Restored(postgres, database)
    with closing(PostgresLog(database)) as log, closing(PostgresLog(database)) as writer:
        assert not log.wait(3, 0.01)
        written(writer, "A", 2)
        wait_until(lambda: log._listener._head == 5)
        restored.put_back()
        wait_until(lambda: log._listener._head == 3)
        assert not log.wait(3, 0.01)
