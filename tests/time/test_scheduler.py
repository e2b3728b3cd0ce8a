"""What is due is done: once, in order, whatever the clock, the process or a second scheduler do."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.clock import HandClock, instant, to_datetime
from engine.commands import MigrateCase
from engine.errors import Refused, StoreFailed
from engine.service import Service
from engine.store.memory import MemoryLog
from projections.deadlines import deadlines
from tests.time.conftest import CALENDAR, GOAL, OPERATOR, REVIEW, ROUTINE, TASK, World

MONTHLY = "FREQ=MONTHLY;BYMONTHDAY=5"


def outcomes(world, key):
    world.home.catch_up()
    rows, _ = deadlines(world.home.views, case=key, settled=True)
    return [(row["share"], row["pulls"], row["outcome"]) for row in rows]


def test_a_year_of_monthly_routines_passes_in_seconds_by_a_clock_in_the_hand(world, clock):
    key = world.start("routine", rule=MONTHLY)
    for _ in range(365):
        clock.advance(days=1)
        world.home.scheduler.work()
    begun = [e.occurred_at for e in world.events(key) if e.name == "RoutineBegun"]
    # On London's wall clock; the 5th of April and of July 2026 are Sundays, and so on.
    assert begun == [
        "2026-03-05T00:00:00.000000Z",
        "2026-04-05T23:00:00.000000Z",
        "2026-05-04T23:00:00.000000Z",
        "2026-06-04T23:00:00.000000Z",
        "2026-07-05T23:00:00.000000Z",
        "2026-08-04T23:00:00.000000Z",
        "2026-09-06T23:00:00.000000Z",
        "2026-10-04T23:00:00.000000Z",
        "2026-11-05T00:00:00.000000Z",
        "2026-12-07T00:00:00.000000Z",
        "2027-01-05T00:00:00.000000Z",
        "2027-02-05T00:00:00.000000Z",
    ]


def test_reminders_escalation_and_lapse_come_in_their_order(world, clock):
    key = world.start("review")
    for _ in range(30):
        clock.advance(days=1)
        world.home.scheduler.work()
    assert world.names(key) == [
        "ReviewStarted",
        "DeadlineReminded",
        "DeadlineReminded",
        "ReviewEscalated",
        "ReviewLapsed",
    ]
    assert outcomes(world, key) == [
        ("50%", None, "reminded"),
        ("80%", None, "reminded"),
        ("100%", "escalate", "fired"),
        ("150%", "lapse", "fired"),
    ]
    timer = world.events(key)[-1]
    assert (timer.actor.kind, timer.role) == ("timer", "timer")
    assert timer.command_id == f"deadline:{key}:1:0:150%:2026-03-23T23:59:59.999999Z"


def test_who_is_in_time_has_met_the_deadline_and_hears_nothing_of_it(world, clock):
    key = world.start("review")
    world.pull(key, "answer")
    clock.advance(days=100)
    assert world.home.scheduler.work().done == 0
    assert {outcome for *_, outcome in outcomes(world, key)} == {"met"}


def test_a_clock_that_jumps_ahead_fires_everything_in_the_order_in_which_it_fell_due(world, clock):
    review, routine = world.start("review"), world.start("routine", rule=MONTHLY)
    clock.advance(days=100)
    report = world.home.scheduler.work()
    assert (report.fired, report.reminded) == (2 + 4, 2)
    assert world.names(review)[-2:] == ["ReviewEscalated", "ReviewLapsed"]
    for key in (review, routine):
        assert [e.occurred_at for e in world.events(key)] == sorted(
            e.occurred_at for e in world.events(key)
        )
    assert world.home.scheduler.work().done == 0


def test_a_clock_that_steps_back_fires_nothing_twice(world, clock):
    key = world.start("routine", rule=MONTHLY)
    clock.advance(days=10)
    assert world.home.scheduler.work().fired == 1
    for _ in range(9):
        clock.advance(days=-1)
        assert world.home.scheduler.work().done == 0
    for _ in range(15):
        clock.advance(days=1)
        world.home.scheduler.work()
    assert world.names(key).count("RoutineBegun") == 1


def test_a_scheduler_that_stops_in_the_middle_is_taken_over_where_it_stopped(
    open_world, world, clock
):
    keys = [world.start("review") for _ in range(10)]
    clock.advance(days=60)
    handle, left = world.service.handle_many, [2]

    def die_after_some(commands):
        answers = handle(list(commands)[:7])
        left[0] -= 1
        raise KeyboardInterrupt(answers)

    world.service.handle_many = die_after_some
    with pytest.raises(KeyboardInterrupt):
        world.home.scheduler.work()
    world.close()
    again = open_world()
    again.home.scheduler.work()
    for key in keys:
        names = again.names(key)
        assert names.count("ReviewEscalated") == names.count("ReviewLapsed") == 1
        assert names.count("DeadlineReminded") == 2


def test_two_schedulers_at_once_have_one_effect(open_world, world, clock):
    keys = [world.start("review") for _ in range(40)]
    keys += [world.start("routine", rule=MONTHLY) for _ in range(40)]
    clock.advance(days=100)
    others = [open_world() for _ in range(2)]
    together = threading.Barrier(len(others))
    failures = []

    def work(home):
        together.wait()
        try:
            home.scheduler.work()
        except BaseException as error:  # noqa: BLE001  the thread must tell
            failures.append(error)

    threads = [threading.Thread(target=work, args=(other.home,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for key in keys:
        names = world.names(key)
        assert names.count("ReviewEscalated") == names.count("ReviewLapsed") <= 1
        assert names.count("RoutineBegun") in (0, 4)
        assert len({e.command_id for e in world.events(key)}) == len(names)
    assert others[0].home.refusals.all() == ()


def test_what_is_due_and_refused_is_kept_with_its_reason_and_tried_when_the_case_changes(
    open_world, world, clock
):
    key = world.start("task", due="2026-03-09")
    clock.advance(days=10)
    report = world.home.scheduler.work()
    (waiting,) = report.waiting
    assert (waiting.case_key, waiting.pulls, waiting.attempts) == (key, "chase", 1)
    assert "plan is missing" in waiting.reason
    tries = world.names(key).count("CommandRefused")
    for _ in range(50):
        clock.advance(seconds=1)
        world.home.scheduler.work()
    assert world.names(key).count("CommandRefused") == tries == 1, "not every second"
    world.close()
    again = open_world()
    again.observe("task", key, None, plan="as agreed")
    report = again.home.scheduler.work()
    assert (report.fired, report.waiting) == (1, ())
    assert again.case(key).state == "chased"


def test_what_stays_refused_is_tried_ever_more_rarely_and_at_least_once_a_day(world, clock):
    key = world.start("task", due="2026-03-09")
    clock.advance(days=8)
    tries = []
    for _ in range(60 * 24 * 4):
        clock.advance(minutes=1)
        world.home.scheduler.work()
        tries.append(world.names(key).count("CommandRefused"))
        if len(tries) == 60:
            assert 5 <= tries[-1] <= 7
        if tries[-1] > 12:
            break
    assert 12 <= tries[-1] <= 14
    (waiting,) = world.home.refusals.all()
    gap = to_datetime(waiting.next_try_at) - to_datetime(waiting.refused_at)
    assert gap.days == 1


def test_what_is_refused_and_left_is_forgotten(world, clock):
    key = world.start("task", due="2026-03-09")
    clock.advance(days=10)
    assert len(world.home.scheduler.work().waiting) == 1
    world.pull(key, "finish")
    assert world.home.scheduler.work().waiting == ()


def test_without_its_memory_of_refusals_a_scheduler_only_tries_anew(open_world, world, clock):
    key = world.start("task", due="2026-03-09")
    clock.advance(days=10)
    world.home.scheduler.work()
    if isinstance(world.address, Path):
        world.close()
        (world.address / "scheduler.db").unlink()
    else:
        world.home.refusals._memory.run("DELETE FROM refused")
    again = open_world()
    assert len(again.home.scheduler.work().waiting) == 1
    again.observe("task", key, None, plan="as agreed")
    assert again.home.scheduler.work().fired == 1


def test_a_fact_that_leaves_the_case_where_it_was_does_not_keep_a_deadline_from_firing(
    world, clock
):
    key = world.start("task", due="2026-03-09", plan="as agreed")
    clock.advance(days=10)
    world.observe("task", key, "open", plan="as agreed before")
    assert world.home.scheduler.work().fired == 1
    assert world.case(key).state == "chased"


def test_steps_that_stay_leave_what_falls_due_as_it_is_but_for_what_they_are_about(world, clock):
    world.publish(GOAL)
    key = world.start("goal", due="2026-04-30")
    clock.advance(days=3)
    before = world.case(key).deadlines
    world.pull(key, "report", actual=7)
    assert world.case(key).deadlines == before
    world.pull(key, "move", due="2026-12-31")
    after = world.case(key).deadlines
    assert [due for due in after if due.of] == [due for due in before if due.of]
    assert [due.at[:10] for due in after if due.then == "miss"] == ["2026-12-31"]
    with pytest.raises(Refused, match="which is past"):
        world.pull(key, "move", due="2026-03-04")
    assert ("100%", "miss", "moved") in outcomes(world, key)


def test_a_day_that_is_first_named_by_a_step_that_stays_falls_due(world, clock):
    world.publish(TASK.replace("version: 1", "version: 2").replace("to: open, needs", "needs"))
    key = world.start("task", plan="as agreed")
    assert world.case(key).deadlines == ()
    world.pull(key, "replan", due="2026-03-09")
    clock.advance(days=10)
    report = world.home.scheduler.work()
    assert (report.fired, report.reminded) == (1, 1)
    assert world.case(key).state == "chased"


def test_what_falls_due_goes_on_by_the_version_that_a_case_is_migrated_to(world, clock):
    kept, moved = (world.start("task", due="2026-03-09", plan="as agreed") for _ in range(2))
    second = TASK.replace("version: 1", "version: 2")
    world.publish(second, second.replace("2\n", "3\n", 1).replace("[50%]", "[20%]"))
    for key, to in ((kept, 2), (moved, 3)):
        said = {"command_id": f"to {to}", "actor": OPERATOR, "case": key, "reason": "new"}
        world.service.handle(MigrateCase(**said, to=to))
    assert [due.share for due in world.case(moved).deadlines] == ["20%", "100%"]
    clock.advance(days=10)
    report = world.home.scheduler.work()
    assert (report.fired, report.reminded) == (2, 2)
    assert [world.case(key).state for key in (kept, moved)] == ["chased", "chased"]


def test_what_fires_and_stays_fires_once_and_everything_else_goes_on(world, clock):
    world.publish(GOAL)
    key = world.start("goal", due="2026-03-20")
    for _ in range(64):
        clock.advance(days=1)
        world.home.scheduler.work()
        world.home.scheduler.work()
    assert world.case(key).state == "done"
    names = world.names(key)
    assert (names.count("GoalMissed"), names.count("GoalChased")) == (1, 1)
    assert names.count("DeadlineReminded") == 1
    assert names[-1] == "GoalGivenUp"
    counted = [e.occurred_at[:10] for e in world.events(key) if e.name == "GoalCounted"]
    assert counted[0] == "2026-03-09"
    assert len(counted) == 8
    assert outcomes(world, key)[0] == ("100%", "count", "fired")


def test_a_step_back_to_where_a_day_is_over_is_not_refused_for_it(world, clock):
    key = world.start("task", due="2026-03-09")
    clock.advance(days=10)
    world.pull(key, "note", plan="none yet")
    assert world.case(key).deadlines == ()
    with pytest.raises(Refused, match="which is past"):
        world.pull(key, "replan", due="2026-03-10")


def test_a_failing_store_is_told_and_nothing_is_lost(world, clock, monkeypatch):
    key = world.start("routine", rule=MONTHLY)
    clock.advance(days=10)

    def full(commands):
        return [StoreFailed("disk full") for _ in commands]

    with monkeypatch.context() as broken:
        broken.setattr(world.service, "handle_many", full)
        with pytest.raises(StoreFailed, match="disk full"):
            world.home.scheduler.work()
    assert world.home.scheduler.work().fired == 1
    assert world.names(key).count("RoutineBegun") == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[*HealthCheck])
@given(st.lists(st.integers(1, 60 * 24 * 40), min_size=1, max_size=12))
def test_how_often_and_when_schedulers_run_changes_nothing_but_when_it_is_recorded(
    tmp_path_factory, steps
):
    """A scheduler that looks every day, and one that is down for weeks, leave the same cases."""
    told = []
    for punctual in (True, False):
        clock = HandClock("2026-03-02T09:00:00.000000Z")
        end = instant(to_datetime(clock.at).replace(year=2027))
        world = World(tmp_path_factory.mktemp("world"), clock)
        world.publish(CALENDAR, REVIEW, ROUTINE)
        world.start("calendar", name="standard", zone="America/New_York")
        keys = [world.start("review"), world.start("routine", rule="FREQ=WEEKLY;BYDAY=FR")]
        moves = [60 * 24 * 3] * 122 if punctual else steps
        for minutes in moves:
            clock.advance(minutes=minutes)
            clock.at = min(clock.at, end)
            world.home.scheduler.work()
        clock.at = end
        world.home.scheduler.work()
        told.append([[(e.name, e.occurred_at) for e in world.events(key)] for key in keys])
        world.close()
    assert told[0] == told[1]


def test_a_service_on_the_memory_store_computes_the_same_deadlines(world):
    service = Service(MemoryLog(), world.clock)
    other = World.__new__(World)
    other.service = service
    other.publish(CALENDAR, REVIEW)
    other.start("calendar", name="standard", zone="Europe/London", holidays=["2026-04-03"])
    assert (
        other.case(other.start("review")).deadlines == world.case(world.start("review")).deadlines
    )
