"""A case that is under way goes on by another version of its workflow, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.case import fold
from engine.clock import HandClock
from engine.commands import Fact, MigrateCase, Observe
from engine.errors import BadInput, CommandIdReused, NotFound, Refused
from engine.events import CaseLinked, ClaimChanged, Source
from engine.service import Receipt, Service
from engine.store.log import Log
from engine.store.memory import MemoryLog
from tests.deciding.conftest import publish
from tests.deciding.plans import FIRST, FOURTH, OLAF, SECOND, Plans, publish_all
from tests.deciding.test_two_services import Outrun


@pytest.fixture
def plans(log: Log, clock: HandClock) -> Plans:
    service = Service(log, clock)
    publish(service, FIRST)
    return Plans(service)


def test_a_running_case_goes_on_by_another_version(plans: Plans) -> None:
    case = plans.start(unit="north", size=7)
    publish_all(plans)
    before = plans.service.case(case)
    event = plans.migrate(case, 2)
    assert (event.former, event.definition.version) == (before.definition, 2)
    assert (event.source, event.state, event.reason) == ("drafted", "drafted", "one rule for all")
    assert (event.actor.id, event.role) == ("olaf", "operator")
    after = plans.service.case(case)
    assert after.definition == plans.service.catalog.version("plan", 2).ref  # type: ignore[union-attr]
    assert (after.state, after.data, after.version) == ("drafted", before.data, 2)
    assert plans.pull(case, "review").state == "reviewed", "a step that the first version has not"
    assert after == fold(r.event for r in plans.service.log.stream(case)[:2])


def test_a_case_that_stays_as_it_is_can_be_told_what_was_so_before(
    plans: Plans, clock: HandClock
) -> None:
    dated, told = plans.start(unit="north"), plans.start(unit="north")
    anew = plans.start("checked", unit="north")
    publish_all(plans)
    clock.at = "2026-05-01T09:00:00.000000Z"
    assert [plans.migrate(case, 3).stays for case in (dated, told, anew)] == [True, True, None]
    stop = plans.step(dated, "stop").model_copy(update={"occurred_at": "2026-04-01"})
    assert plans.service.handle(stop).state == "stopped"
    late = Observe(
        command_id="late",
        actor=OLAF,
        workflow="plan",
        case=told,
        occurred_at="2026-04-02",
        facts=(Fact(name="PlanStopped", state="stopped"),),
        origin=Source(name="minutes", record="7"),
    )
    plans.service.handle(late)
    assert plans.service.case(told).state == "stopped"
    early = plans.step(anew, "lapse").model_copy(update={"occurred_at": "2026-04-01"})
    with pytest.raises(Refused, match="before what it would replace"):
        plans.service.handle(early)  # its deadline counts from the migration on


def test_a_case_moves_only_where_its_state_is_not_there_any_more(plans: Plans) -> None:
    gone, there = plans.start("checked", unit="north"), plans.start(unit="north")
    publish_all(plans)
    told = "version 2 has no state checked; say where it goes on: drafted, reviewed, running"
    assert plans.reasons(gone, 2) == (told,)
    told = "version 2 has neither the state checked nor closed"
    assert plans.reasons(gone, 2, state="closed") == (told,)
    told = "ended is final in version 2, and no case ends by being migrated"
    assert plans.reasons(gone, 2, state="ended") == (told,)
    assert plans.reasons(there, 2, state="reviwed") == ("version 2 has no state reviwed",)
    event = plans.migrate(gone, 2, state="reviewed")
    assert (event.source, event.state) == ("checked", "reviewed")
    assert plans.migrate(there, 2, state="reviewed").state == "drafted"


def test_it_is_taken_back_by_migrating_to_the_version_before(plans: Plans) -> None:
    case = plans.start("checked", unit="north", size=7)
    publish_all(plans)
    before = plans.service.case(case)
    plans.migrate(case, 2, state="reviewed")
    event = plans.migrate(case, 1, state="checked", reason="not yet")
    assert (event.former.version, event.definition) == (2, before.definition)
    after = plans.service.case(case)
    assert (after.state, after.data) == ("checked", before.data)
    plans.sign(case)
    assert plans.pull(case, "run").state == "running"


def test_all_that_stands_against_it_is_told_at_once(plans: Plans) -> None:
    case = plans.start("running", unit="north", goal="win", size=500, kind="big")
    publish_all(plans)
    assert plans.reasons(case, 2) == (
        "goal is not there in version 2, and the case has a value of it",
        "size does not fit version 2: 500 is above 100",
        "kind does not fit version 2: 'big' is not a choice",
    )


def test_a_version_that_is_not_published_and_the_one_it_has_are_refused(plans: Plans) -> None:
    case = plans.start(unit="north")
    told = "no version 2 of plan is published; pmo workflows lists them"
    assert plans.reasons(case, 2) == (told,)
    assert plans.reasons(case, 1) == (f"{case} is of version 1 already",)
    publish_all(plans)
    assert plans.migrate(case, 2).definition.version == 2


def test_what_another_process_has_published_is_found(plans: Plans, log: Log) -> None:
    case = plans.start(unit="north")
    plans.reasons(case, 2)
    publish(Service(log), SECOND)
    assert plans.migrate(case, 2).definition.version == 2


def test_a_case_that_has_ended_stays_as_it_is(plans: Plans) -> None:
    case = plans.start("stopped", unit="north", goal="win")
    publish_all(plans)
    assert plans.reasons(case, 2) == (
        f"{case} has ended (stopped), and stays as it was decided",
        "stopped is final in version 2, and no case ends by being migrated",
        "goal is not there in version 2, and the case has a value of it",
    )
    assert plans.reasons(case, 9)[0] == f"{case} has ended (stopped), and stays as it was decided"


def test_what_is_only_one_at_a_time_there_is_claimed_and_given_back(plans: Plans) -> None:
    first, second, third = (
        plans.start("running", unit="north", **more)
        for more in ({"kind": "small"}, {"kind": "small"}, {})
    )
    publish_all(plans)
    plans.migrate(first, 2)
    told = f"{first} is running for the same unit and kind; there is only one at a time"
    assert plans.reasons(second, 2) == (told,)
    assert plans.reasons(third, 2) == ("needs unit and kind",)
    plans.migrate(first, 1)
    plans.migrate(second, 2)
    claims = [r.event for r in plans.service.log.stream("claim/plan/0/north.small")]
    assert [e.holder for e in claims if isinstance(e, ClaimChanged)] == [first, None, second]


def test_a_case_that_becomes_a_child_is_heard_of_by_its_parent(plans: Plans) -> None:
    parent = plans.start(unit="north")
    child = plans.start(unit="north", after=parent)
    publish_all(plans)
    plans.migrate(child, 2)
    linked = plans.service.log.stream(parent)[-1].event
    assert isinstance(linked, CaseLinked)
    assert (linked.child, plans.service.case(parent).children) == (child, (("plan", child),))


def test_by_the_same_rule_deadlines_stand_and_by_another_they_begin_anew(
    plans: Plans, clock: HandClock
) -> None:
    case = plans.start("running", unit="north", kind="small")
    other = plans.start("checked", unit="north")
    publish_all(plans)
    clock.at = "2026-03-04T09:00:00.000000Z"
    dues = plans.service.case(case).deadlines
    assert plans.migrate(case, 2).deadlines == dues
    assert [due.at for due in dues] == ["2026-03-21T09:00:00.000000Z"]
    assert [(due.at, due.share) for due in plans.migrate(other, 3).deadlines or ()] == [
        ("2026-03-19T09:00:00.000000Z", "50%"),
        ("2026-04-03T09:00:00.000000Z", "100%"),
    ]
    assert plans.migrate(case, 3).deadlines is None, "no day is said, so nothing is due"
    assert plans.service.case(case).deadlines == ()


def test_a_day_that_has_passed_keeps_a_case_with_something_overdue_where_it_is(
    plans: Plans, clock: HandClock
) -> None:
    case = plans.start("running", unit="north", due="2026-03-10")
    publish_all(plans)
    clock.at = "2026-03-12T09:00:00.000000Z"
    plans.migrate(case, 3)
    assert plans.service.case(case).deadlines == (), "nothing is open that could be forgotten"
    plans.migrate(case, 1)
    clock.at = "2026-04-12T09:00:00.000000Z"
    told = (
        "data.due is 2026-03-10, which is past: stop would be due at once"
        " (give a day that is still to come)"
    )
    assert plans.reasons(case, 3) == (told,)


def test_answers_are_asked_for_anew(plans: Plans) -> None:
    case = plans.start("checked", unit="north")
    plans.sign(case)
    publish_all(plans)
    plans.migrate(case, 3)
    assert plans.service.case(case).signatures == ()
    with pytest.raises(Refused, match="finance has not agreed"):
        plans.pull(case, "run")


def test_a_timer_set_under_the_old_rules_pulls_nothing(plans: Plans, clock: HandClock) -> None:
    first, second = plans.start("checked", unit="north"), plans.start("checked", unit="north")
    set_before = [plans.due(first), plans.due(second)]
    publish_all(plans)
    plans.migrate(first, 3)
    plans.migrate(second, 2, state="reviewed")
    clock.at = "2026-03-12T09:00:00.000000Z"
    with pytest.raises(Refused, match="lapse is due at 2026-03-31"):
        plans.service.handle(set_before[0])
    with pytest.raises(Refused, match="is not in the state any more that it entered at 2"):
        plans.service.handle(set_before[1])
    assert plans.service.handle(plans.due(second)).state == "stopped"


def test_a_deadline_that_is_kept_is_still_the_timers(plans: Plans, clock: HandClock) -> None:
    case = plans.start("running", unit="north", kind="small")
    publish_all(plans)
    set_before = plans.due(case)
    plans.migrate(case, 2)
    assert plans.due(case) == set_before
    clock.at = "2026-04-12T09:00:00.000000Z"
    assert plans.service.handle(set_before).state == "stopped"


def test_what_has_changed_since_the_review_is_not_forgotten(plans: Plans) -> None:
    case = plans.start("running", unit="north")
    publish_all(plans)
    plans.attach(case)
    publish(plans.service, FOURTH)
    plans.migrate(case, 4)
    with pytest.raises(Refused, match="a paper has come since"):
        plans.pull(case, "stop")


def test_sent_twice_it_has_one_effect_and_gets_one_receipt(plans: Plans, log: Log) -> None:
    case = plans.start(unit="north")
    publish_all(plans)
    command = plans.migration(case, 2)
    first, again = plans.service.handle_many([command, command])
    assert isinstance(first, Receipt)
    assert (first, first.names, first.state) == (again, ("CaseMigrated",), "drafted")
    assert Service(log).handle(command) == first
    assert plans.service.case(case).version == 2
    with pytest.raises(CommandIdReused):
        plans.service.handle(command.model_copy(update={"to": 3}))


def outrun(log: Log, clock: HandClock, first: Callable[[], Any]) -> Service:
    """A service before whose next append somebody else gets in."""
    raced = Outrun(log)
    raced.first = first
    return Service(raced, clock)  # type: ignore[arg-type]


def test_a_step_that_gets_in_first_is_what_it_is_decided_on(
    plans: Plans, log: Log, clock: HandClock
) -> None:
    case = plans.start(unit="north")
    publish_all(plans)
    ours = outrun(log, clock, lambda: plans.pull(case, "check"))
    with pytest.raises(Refused, match="version 2 has no state checked"):
        ours.handle(plans.migration(case, 2))
    assert plans.service.case(case).state == "checked"


def test_a_step_that_comes_second_is_judged_by_the_new_version(
    plans: Plans, log: Log, clock: HandClock
) -> None:
    case = plans.start(unit="north")
    publish_all(plans)
    ours = outrun(log, clock, lambda: plans.migrate(case, 2))
    with pytest.raises(Refused, match="drafted, which has no check; from here: review"):
        ours.handle(plans.step(case, "check"))
    assert plans.service.case(case).definition.version == 2


def test_what_cannot_be_read_is_bad_input(plans: Plans) -> None:
    case = plans.start(unit="north")
    publish_all(plans)
    with pytest.raises(BadInput, match="from the moment that is recorded"):
        plans.migrate(case, 2, occurred_at="2026-02-01")
    with pytest.raises(NotFound, match="there is no case 'PLAN-0900'"):
        plans.migrate("PLAN-0900", 2)
    with pytest.raises(ValueError, match="reason"):
        MigrateCase(command_id="x", actor=OLAF, case=case, to=2)  # type: ignore[call-arg]


def test_a_group_decides_one_after_the_other(clock: HandClock) -> None:
    plans = Plans(Service(MemoryLog(), clock))
    publish(plans.service, FIRST)
    case = plans.start(unit="north")
    publish_all(plans)
    there, back = plans.service.handle_many([plans.migration(case, 2), plans.migration(case, 1)])
    assert isinstance(there, Receipt)
    assert isinstance(back, Receipt)
    assert plans.service.case(case).definition.version == 1
