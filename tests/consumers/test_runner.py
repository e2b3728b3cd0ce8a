"""The one runner: at least once, in order where it matters, patient, not stopped by poison."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from consumers.runner import BATCH, BEHIND, LONGEST_WAIT, PATIENCE, MayPass, Runner
from consumers.store import Checkpoint, Store, Trouble
from consumers.work import Work
from engine.errors import LogDamaged, LogDiverged, StoreFailed
from tests.consumers.conftest import DECISION, PLAN, House


class Herald:
    """Tells the world of every event, in order; some events it cannot tell of."""

    name = "herald"
    ordered = True
    from_head = False
    batch = BATCH

    def __init__(self) -> None:
        self.told: list[str] = []
        self.poison: set[str] = set()
        self.complaint = "cannot say"
        self.away = 0
        self.batches: list[int] = []

    def consume(self, batch: Sequence[Work]) -> list[Trouble]:
        self.batches.append(len(batch))
        if self.away:
            self.away -= 1
            raise MayPass("the broker is away")
        for work in batch:
            if tell(work) in self.poison:
                raise ValueError(f"{self.complaint} {tell(work)}")
        self.told += map(tell, batch)
        return []

    def retry(self, work: Work, item: str) -> str:
        if tell(work) in self.poison:
            return f"still {self.complaint} it"
        self.told.append(tell(work))
        return ""


def tell(work: Work) -> str:
    return f"{work.stream}/{work.body['version']}"


@pytest.fixture
def herald() -> Herald:
    return Herald()


@pytest.fixture
def runner(house: House, herald: Herald) -> Runner:
    """Three plans with two events each: PLAN-0001/1, PLAN-0002/1, PLAN-0003/1, PLAN-0001/2, ..."""
    for _ in range(3):
        house.start("plan")
    for number in range(1, 4):
        house.do(f"PLAN-000{number}", "close")
    return house.another(house.store, herald)


@pytest.fixture
def logged(house: House, runner: Runner) -> list[str]:
    return [f"{r.event.stream}/{r.event.version}" for r in house.log.read(0, 100)]


def test_a_consumer_of_the_whole_log_is_told_everything_in_order_once(runner, herald, logged):
    assert runner.lag() == 0
    assert runner.catch_up() == len(logged)
    assert herald.told == logged
    assert runner.catch_up() == len(logged)
    assert herald.told == logged


def test_where_a_consumer_began_is_recorded_once_and_outlives_it(house, runner, another_store):
    assert runner.switch_on() == 0
    runner.catch_up()
    other = house.another(another_store())
    began = other.switch_on()
    house.start("plan")
    assert house.another(another_store()).switch_on() == began
    checkpoints = another_store().checkpoints()
    assert checkpoints == [
        Checkpoint("herald", 0, house.log.head() - 1),
        Checkpoint("reactions", 2, 2),
    ]


def test_lag_is_what_is_recorded_and_not_yet_done(house, runner):
    runner.catch_up()
    house.start("plan")
    house.start("plan")
    assert runner.lag() == 2


def test_a_reason_that_a_database_cannot_keep_as_it_is_holds_up_nobody(
    house, runner, herald, logged
):
    """It may be what an endpoint answered, and PostgreSQL keeps no NUL character."""
    herald.poison, herald.complaint = {"PLAN-0002/1"}, "cannot\x00say"
    assert runner.catch_up() == len(logged)
    assert house.store.incidents("herald")[0].reason == "ValueError: cannot\ufffdsay PLAN-0002/1"
    assert runner.retry().left == 2
    assert house.store.incidents("herald")[0].reason == "still cannot\ufffdsay it"


def test_poison_is_parked_with_what_follows_in_its_stream_and_all_else_goes_on(
    house, runner, herald, logged
):
    herald.poison = {"PLAN-0002/1"}
    runner.catch_up()
    assert set(herald.told) == {*logged} - {"PLAN-0002/1", "PLAN-0002/2"}
    parked = [(one.position, one.reason) for one in house.store.incidents("herald")]
    assert parked == [
        (logged.index("PLAN-0002/1") + 1, "ValueError: cannot say PLAN-0002/1"),
        (logged.index("PLAN-0002/2") + 1, BEHIND),
    ]
    assert runner.lag() == 0


def test_what_comes_later_in_a_held_stream_waits_too(house, herald):
    runner = house.another(house.store, herald)
    plan = house.start("plan").stream
    herald.poison = {f"{plan}/1"}
    runner.catch_up()
    house.do(plan, "close")
    other = house.start("plan").stream
    runner.catch_up()
    assert [one.reason for one in house.store.incidents("herald")][1:] == [BEHIND]
    assert herald.told[-1] == f"{other}/1"


def test_parked_work_is_done_in_order_once_it_can_be(house, runner, herald):
    herald.poison = {"PLAN-0002/1"}
    runner.catch_up()
    first, second = (one.number for one in house.store.incidents("herald"))
    assert runner.retry(second).left == 1  # nothing overtakes in its stream
    assert runner.retry().left == 2
    assert [one.tries for one in house.store.incidents("herald")] == [2, 1]
    herald.poison = set()
    assert runner.retry().done == 2
    assert herald.told[-2:] == ["PLAN-0002/1", "PLAN-0002/2"]
    assert house.store.incidents("herald") == []
    assert runner.retry(first).done == 0


def test_what_may_pass_is_waited_for_ever_longer_and_parks_nothing(house, runner, herald, logged):
    herald.away = 5
    runner.catch_up()
    assert house.waits == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert herald.told == logged
    assert house.store.incidents("herald") == []


def test_waiting_has_full_jitter_and_an_end(house, herald):
    chances: Iterator[float] = iter([0.0, 0.5, 1.0])
    runner = Runner(house.log, house.store, herald, chance=lambda: next(chances))
    assert [runner.wait_for(tries) for tries in (3, 3, 500)] == [0.0, 0.2, LONGEST_WAIT]


def test_catching_up_gives_up_after_a_while_and_following_does_not(house, runner, herald, logged):
    herald.away = PATIENCE
    with pytest.raises(MayPass):
        runner.catch_up()
    assert len(house.waits) == PATIENCE - 1
    assert runner.lag() == len(logged)
    herald.away = 3 * PATIENCE
    stop = threading.Event()
    told: list[float] = []
    follower = Runner(
        house.log,
        house.store,
        herald,
        pause=told.append,
        told=lambda error, seconds: None,
    )
    consume = herald.consume

    def consume_and_stop(batch: Sequence[Work]) -> list[Trouble]:
        troubles = consume(batch)
        stop.set()
        return troubles

    herald.consume = consume_and_stop  # type: ignore[method-assign]
    follower.follow(stop)
    assert len(told) == 3 * PATIENCE
    assert herald.told == logged


def test_progress_makes_patience_whole_again(house, runner, herald, logged):
    runner._batch = 1
    consume = herald.consume
    calls: list[int] = []

    def stumbling(batch: Sequence[Work]) -> list[Trouble]:
        calls.append(len(batch))
        herald.away = len(calls) % 2
        return consume(batch)

    herald.consume = stumbling  # type: ignore[method-assign]
    runner.catch_up()
    assert herald.told == logged
    assert house.waits == [0.1] * len(logged)
    assert len(logged) >= PATIENCE


def test_a_damaged_log_is_not_waited_for(house, runner, monkeypatch):
    def damaged(after: int, limit: int) -> list[object]:
        raise LogDamaged(1, "missing")

    monkeypatch.setattr(house.log, "rows", damaged)
    with pytest.raises(LogDamaged):
        runner.catch_up()
    assert house.waits == []


def test_a_log_that_is_shorter_than_what_was_done_is_not_passed_over(house, runner, herald):
    house.store.begin("herald", house.log.head() + 1)
    with pytest.raises(LogDamaged, match="herald has come to"):
        runner.catch_up()
    assert herald.told == []


def test_a_log_that_went_another_way_is_not_passed_over(house, runner, herald, tmp_path):
    """It was restored, or a standby took over that lacked its end, and has grown again since: there
    are events at all those positions, and none of them is one that the herald was told."""
    runner.catch_up()
    told, reached = list(herald.told), house.log.head()
    paths = tmp_path / "another.db", tmp_path / "another-consumers.db"
    with closing(House(*paths)) as elsewhere:
        elsewhere.publish(PLAN, DECISION)
        for _ in range(9):
            elsewhere.start("plan")
        assert elsewhere.log.head() > reached
        other = Runner(elsewhere.log, house.store, herald, clock=house.clock)
        with pytest.raises(
            LogDiverged, match=f"position {reached}: herald has read .*Failing over"
        ):
            other.catch_up()
        with pytest.raises(LogDiverged):
            other.follow(threading.Event())
        with pytest.raises(LogDiverged):
            other.retry()
    assert herald.told == told
    assert house.store.position("herald") == reached
    runner.catch_up()


def test_a_checkpoint_of_an_older_version_without_an_event_is_taken_as_it_is(house, runner, herald):
    runner.catch_up()
    house.store._memory.run("DELETE FROM seen")
    house.start("plan")
    assert runner.catch_up() == house.log.head()
    assert house.store.seen("herald", house.log.head()) is not None
    assert house.store.seen("herald", 1) is None, "it says nothing of another position"


def test_a_checkpoint_never_goes_back(house, runner):
    runner.catch_up()
    head = house.log.head()
    house.store.finish("herald", 1, [Trouble(1, "X", "late")], house.clock.now())
    house.store.finish("herald", 1, [Trouble(1, "X", "later")], house.clock.now())
    assert house.store.position("herald") == head
    assert [one.reason for one in house.store.incidents("herald")] == ["late"]


def test_a_memory_that_is_no_database_is_told_in_plain_words(tmp_path):
    (tmp_path / "consumers.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreFailed, match="it is not a database; restore it"):
        Store(tmp_path / "consumers.db")


def test_a_memory_of_another_form_is_left_alone(house):
    in_file = isinstance(house.memories, Path)
    house.store._memory.run("PRAGMA user_version = 7" if in_file else "UPDATE form SET number = 7")
    with pytest.raises(StoreFailed, match="of form 7"):
        Store(house.memories)


def test_a_memory_of_an_older_form_is_brought_up_to_date(tmp_path):
    """Form 1 knew no leases, form 2 not which event stood where a consumer had come to."""
    store = Store(tmp_path / "consumers.db")
    store.begin("herald", 3)
    store._memory.run("DROP TABLE lease")
    store._memory.run("DROP TABLE seen")
    store._memory.run("PRAGMA user_version = 1")
    store.close()
    store = Store(tmp_path / "consumers.db")
    assert store.position("herald") == 3
    assert store.leaders() == {}
    assert store.seen("herald", 3) is None
    store.close()
