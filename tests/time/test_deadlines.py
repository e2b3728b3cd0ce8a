"""Deadlines are computed when a state is entered, recorded, and never computed again."""

from __future__ import annotations

import pytest

from engine import ids
from engine.commands import PullTrigger, Remind, StartCase
from engine.deadlines import SCHEDULER
from engine.errors import Refused
from engine.events import Due
from engine.store.log import Conflict


def dues(world, key):
    return [(due.at, due.share, due.then) for due in world.case(key).deadlines]


def test_what_falls_due_is_recorded_when_the_state_is_entered_with_the_calendar_it_was_counted_by(
    world,
):
    key = world.start("review")
    (started,) = world.events(key)
    assert [(due.at, due.share, due.then) for due in started.deadlines] == [
        ("2026-03-09T23:59:59.999999Z", "50%", None),
        ("2026-03-12T23:59:59.999999Z", "80%", None),
        ("2026-03-16T23:59:59.999999Z", "100%", "escalate"),
        ("2026-03-23T23:59:59.999999Z", "150%", "lapse"),
    ]
    assert started.reads == {"CAL-standard": 1}


def test_a_calendar_that_changes_in_mid_case_moves_only_what_is_entered_from_then_on(world):
    key = world.start("review")
    before = dues(world, key)
    world.pull("CAL-standard", "revise", holidays=["2026-03-10", "2026-03-11", "2026-04-03"])
    assert dues(world, key) == before
    world.pull(key, "ask-again")
    assert dues(world, key)[2][0] == "2026-03-18T23:59:59.999999Z"
    assert world.events(key)[-1].reads == {"CAL-standard": 2}


def test_a_calendar_that_changes_while_a_step_is_decided_makes_it_be_decided_anew(world):
    log = world.service.log
    append, revised = log.append, []

    def append_after_a_revision(appends):
        """As if another process had been quicker."""
        if not revised:
            revised.append(True)
            other = world.home.__class__.open(world.address, world.clock)
            other.service.handle(
                PullTrigger(
                    command_id="revise",
                    actor=SCHEDULER,
                    case="CAL-standard",
                    trigger="revise",
                    data={"holidays": ["2026-03-03"]},
                )
            )
            other.close()
            answers = append(appends)
            assert isinstance(answers[0], Conflict)
            return answers
        return append(appends)

    log.append = append_after_a_revision
    key = world.start("review")
    assert dues(world, key)[2][0] == "2026-03-17T23:59:59.999999Z"
    assert world.events(key)[0].reads == {"CAL-standard": 2}


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda world: world.pull("CAL-standard", "end"), "CAL-standard is ended"),
        (
            lambda world: world.pull("CAL-standard", "revise", zone="Mars/Olympus"),
            "no time zone 'Mars/Olympus'",
        ),
    ],
)
def test_without_a_calendar_to_count_by_a_state_with_deadlines_is_not_entered(
    world, prepare, reason
):
    prepare(world)
    with pytest.raises(Refused, match=reason) as refused:
        world.start("review")
    assert [v.rule for v in refused.value.verdicts if not v.held] == ["deadline"]


ERRAND = """
workflow: errand
version: 1
title: Errand
key: ERR
calendar: {calendar}
data: {{calendar: {{type: text}}}}
states:
  open: {{initial: true, deadline: {{within: 1 working day, then: end}}}}
  done: {{final: true}}
transitions: [{{trigger: end, from: open, to: done}}]
"""


@pytest.mark.parametrize(
    ("calendar", "data"),
    [("standard or usual", {}), ("data.calendar or usual", {"calendar": "standard"})],
)
def test_a_workflow_may_count_by_the_usual_week_where_no_calendar_is_in_force(
    world, clock, calendar, data
):
    world.publish(ERRAND.format(calendar=calendar))
    clock.at = "2026-04-02T09:00:00.000000Z"  # the day before a holiday of the calendar
    key = world.start("errand", **data)
    assert dues(world, key)[0][0] == "2026-04-06T22:59:59.999999Z"
    assert world.events(key)[0].reads == {"CAL-standard": 1}
    world.pull("CAL-standard", "end")
    key = world.start("errand", **data)
    assert dues(world, key)[0][0] == "2026-04-03T23:59:59.999999Z"
    assert world.events(key)[0].reads == {"CAL-standard": 2}, "none may come meanwhile, either"
    if data:
        assert dues(world, world.start("errand"))[0][0] == "2026-04-03T23:59:59.999999Z"


def test_a_calendar_that_is_in_force_and_cannot_be_counted_by_is_not_passed_over(world):
    world.publish(ERRAND.format(calendar="standard or usual"))
    world.pull("CAL-standard", "revise", zone="Mars/Olympus")
    with pytest.raises(Refused, match="no time zone 'Mars/Olympus'"):
        world.start("errand")


def test_a_due_date_in_the_past_is_refused_at_the_step_with_its_reason(world):
    with pytest.raises(Refused, match=r"data.due is 2026-03-01, which is past"):
        world.start("task", due="2026-03-01")
    key = world.start("task", due="2026-03-02")
    with pytest.raises(Refused, match="which is past") as refused:
        world.pull(key, "replan", due="2025-12-31")
    assert [v.rule for v in refused.value.verdicts if not v.held] == ["deadline"]
    assert world.names(key)[-1] == "CommandRefused", "and recorded, where the definition says so"


def test_a_date_that_nobody_has_said_and_one_that_is_withheld_fall_due_on_no_day(world):
    assert dues(world, world.start("task")) == []
    assert dues(world, world.start("task", due={"withheld": "commercial"})) == []


def test_what_is_observed_gets_no_deadlines_and_is_never_refused_for_one(world):
    world.observe("task", "TSK-0900", "open", due="2001-01-01")
    assert dues(world, "TSK-0900") == []
    key = world.start("task", due="2026-03-09")
    world.observe("task", key, None, due="2001-01-01")
    assert dues(world, key)[-1][2] == "chase"
    world.observe("task", key, "chased")
    assert dues(world, key) == []


def test_a_rule_that_cannot_be_read_is_refused_and_one_that_has_ended_falls_due_no_more(world):
    with pytest.raises(Refused, match="days that never come"):
        world.start("routine", rule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")
    with pytest.raises(Refused, match="nothing recurs more often"):
        world.start("routine", rule="FREQ=SECONDLY")
    assert dues(world, world.start("routine", rule="FREQ=DAILY;UNTIL=20260101")) == []


def test_a_timer_comes_neither_too_early_nor_too_late(world, clock):
    key = world.start("review")
    with pytest.raises(Refused, match="escalate is due at 2026-03-16"):
        world.time_out(key, "escalate")
    with pytest.raises(Refused, match="no deadline of REV-0001 in waiting is for answer"):
        world.time_out(key, "answer")
    clock.advance(days=20)
    stale = PullTrigger(command_id="late", actor=SCHEDULER, case=key, trigger="escalate", entered=1)
    world.pull(key, "ask-again")
    with pytest.raises(Refused, match="entered"):
        world.service.handle(stale)


def test_an_escalation_that_leads_back_goes_on_to_what_comes_later(world, clock):
    key = world.start("review")
    later = dues(world, key)[-1]
    clock.advance(days=15)
    world.time_out(key, "escalate")
    assert dues(world, key) == [later], "the same instant, not one counted anew"
    clock.advance(days=10)
    assert world.time_out(key, "lapse").state == "lapsed"


def test_whoever_asks_again_begins_the_deadline_anew(world, clock):
    key = world.start("review")
    clock.advance(days=1)
    world.pull(key, "ask-again")
    assert len(dues(world, key)) == 4
    assert dues(world, key)[2][0] == "2026-03-17T23:59:59.999999Z"


def test_a_reminder_is_recorded_once_it_is_due_while_the_case_is_there(world, clock):
    key = world.start("review")
    first = world.case(key).deadlines[0]
    said = {"actor": SCHEDULER, "case": key, "entered": 1}
    with pytest.raises(Refused, match="the reminder is due at"):
        world.service.handle(Remind(command_id="r1", due=first, **said))
    clock.advance(days=8)
    with pytest.raises(Refused, match="no such deadline"):
        world.service.handle(Remind(command_id="r2", due=Due(at=first.at, share="7%"), **said))
    receipt = world.service.handle(Remind(command_id="r3", due=first, **said))
    assert (receipt.names, world.case(key).state) == (("DeadlineReminded",), "waiting")
    world.pull(key, "answer")
    with pytest.raises(Refused, match="has left the state"):
        world.service.handle(Remind(command_id="r4", due=first, **said))


def test_a_step_recorded_late_is_due_as_of_when_it_was_so(world, clock):
    clock.advance(days=40)
    command = StartCase(
        command_id=ids.new_id(), actor=SCHEDULER, workflow="review", occurred_at="2026-03-02"
    )
    key = world.service.handle(command).stream
    assert dues(world, key)[2][0] == "2026-03-16T23:59:59.999999Z"


PETITION = """
workflow: petition
version: 1
title: Petition
key: PET
calendar: standard
data:
  kind: {type: choice, of: [plain, urgent]}
  note: {type: text}
states:
  asked:
    initial: true
    deadline: {per: data.kind, within: {plain: 10 working days, urgent: 2 working days},
               remind: 50%, then: chase}
  answered: {final: true}
transitions:
  - {trigger: sort, from: asked, needs: kind, accepts: note}
  - {trigger: chase, from: asked, by: timer}
  - {trigger: answer, from: asked, to: answered}
"""


def test_how_long_it_is_goes_by_a_choice_and_is_recorded_like_every_deadline(world):
    world.publish(PETITION)
    assert dues(world, world.start("petition", kind="urgent")) == [
        ("2026-03-03T23:59:59.999999Z", "50%", None),
        ("2026-03-04T23:59:59.999999Z", "100%", "chase"),
    ]
    assert dues(world, world.start("petition", kind="plain")) == [
        ("2026-03-09T23:59:59.999999Z", "50%", None),
        ("2026-03-16T23:59:59.999999Z", "100%", "chase"),
    ]


def test_another_choice_has_its_own_period_from_then_on_and_the_same_one_changes_nothing(
    world, clock
):
    world.publish(PETITION)
    key = world.start("petition", kind="plain")
    before = dues(world, key)
    clock.advance(days=2)
    world.pull(key, "sort", kind="plain", note="Looked at.")
    assert dues(world, key) == before
    world.pull(key, "sort", kind="urgent")
    assert dues(world, key)[-1] == ("2026-03-06T23:59:59.999999Z", "100%", "chase")


@pytest.mark.parametrize("said", [{}, {"kind": {"withheld": "secret"}}])
def test_where_nobody_knows_the_choice_the_state_is_not_entered(world, said):
    world.publish(PETITION)
    with pytest.raises(Refused, match="how long a case is in asked goes by it") as refused:
        world.start("petition", **said)
    assert [v.rule for v in refused.value.verdicts if not v.held] == ["deadline"]
