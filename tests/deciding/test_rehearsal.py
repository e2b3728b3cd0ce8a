"""What a changed definition would have decided: every past step is asked for again, on what was so
when it was taken."""

from __future__ import annotations

from typing import Any

import pytest

from engine.clock import HandClock
from engine.commands import Fact, Requester
from engine.definition import Definition
from engine.errors import BadInput, NotFound, Refused
from engine.events import CommandRefused
from engine.loading import load_definition
from engine.past import Past
from engine.rehearsal import Judged, rehearse
from engine.service import Service
from engine.store.log import Log
from tests.deciding.asking import in_review, observation, pull, start
from tests.deciding.conftest import BOTH, DECISION, SAM, publish


def edit(*changes: tuple[str, str]) -> str:
    text = DECISION
    for old, new in (("version: 1", "version: 2"), *changes):
        assert old in text
        text = text.replace(old, new)
    return text


def changed(*changes: tuple[str, str]) -> Definition:
    return load_definition(edit(*changes), "changed.yaml")


def differing(log: Log, *changes: tuple[str, str], **given: Any) -> list[Judged]:
    judged = rehearse(log, changed(*changes), **given)
    return [one for one in judged if one.finding != "as it was"]


def told(judged: list[Judged]) -> list[tuple[str, str | None, str, tuple[str, ...]]]:
    return [
        (one.event.stream, getattr(one.event, "trigger", None), one.finding, one.now.reasons)
        for one in judged
    ]


@pytest.fixture
def history(service: Service, clock: HandClock) -> Service:
    """Three decisions: approved after two refusals, rejected, approved; and the objective of the
    first is closed since."""
    first = in_review(service)
    with pytest.raises(Refused):
        pull(service, first, "approve", BOTH, data={"rationale": "mine"})
    with pytest.raises(Refused):
        pull(service, first, "reject", SAM)
    pull(service, first, "approve", SAM, data={"rationale": "in the plan"})
    second = in_review(service, "100000")
    clock.advance(days=1)
    pull(service, second, "reject", SAM, data={"rationale": "too dear"})
    third = in_review(service, "10000")
    pull(service, third, "approve", SAM)
    pull(service, third, "close")
    pull(service, "OBJ-0001", "close")
    return service


def test_under_the_definition_that_was_in_force_everything_comes_out_as_it_was(
    history: Service,
) -> None:
    before = history.log.read(0, 100)
    judged = list(rehearse(history.log, load_definition(DECISION, "same.yaml")))
    assert [one.finding for one in judged] == ["as it was"] * 12
    taken = [one for one in judged if not isinstance(one.event, CommandRefused)]
    assert [one.now for one in taken] == [one.then for one in taken]
    assert history.log.read(0, 100) == before, "a rehearsal writes nothing"


def test_a_step_is_judged_on_the_other_cases_as_they_were_then(history: Service) -> None:
    # The objective of DEC-0001 is closed by now, and that of none was proposed any more.
    judged = list(rehearse(history.log, changed(), cases=["DEC-0001"]))
    assert {one.finding for one in judged} == {"as it was"}
    never = differing(history.log, ('objective.state == "active"', 'objective.state == "closed"'))
    assert [one.event.stream for one in never] == ["DEC-0001", "DEC-0003"]


def test_what_would_be_refused_now_is_told_with_every_reason(history: Service) -> None:
    found = differing(
        history.log,
        ("accepts: rationale", "needs: rationale"),
        ("data.amount <= 100000", "data.amount <= 5000"),
    )
    limit = "not so: data.amount <= 5000 (amount is GBP 90,000)"
    assert told(found) == [
        ("DEC-0001", "approve", "otherwise", (limit,)),
        (
            "DEC-0003",
            "approve",
            "otherwise",
            ("needs more: rationale is missing", limit.replace("90,000", "10,000")),
        ),
    ]
    assert [one.then.state for one in found] == ["approved", "approved"]


def test_after_a_step_that_comes_out_otherwise_the_next_is_judged_on_what_really_was(
    history: Service,
) -> None:
    found = differing(history.log, ("accepts: rationale", "needs: rationale"))
    assert told(found) == [
        ("DEC-0003", "approve", "otherwise", ("needs more: rationale is missing",))
    ]


def test_another_state_or_another_event_is_told(history: Service) -> None:
    found = differing(
        history.log,
        ("emits: DecisionDrafted", "emits: DecisionBegun"),
        ("to: rejected, by: approver", "to: closed, by: approver"),
        (
            "  - {trigger: close,",
            "  - {trigger: drop, from: draft, to: rejected}\n  - {trigger: close,",
        ),
    )
    assert [(one.event.stream, one.now.state, one.now.name) for one in found] == [
        ("DEC-0001", "draft", "DecisionBegun"),
        ("DEC-0002", "draft", "DecisionBegun"),
        ("DEC-0002", "closed", "DecisionTaken"),
        ("DEC-0003", "draft", "DecisionBegun"),
    ]


def test_a_trigger_a_state_or_a_field_that_is_gone_is_a_reason(history: Service) -> None:
    gone = differing(history.log, ("trigger: close,", "trigger: finish,"))
    assert told(gone) == [
        (
            "DEC-0003",
            "close",
            "otherwise",
            ("DEC-0003 is in approved, which has no close; from here: finish",),
        )
    ]
    renamed = differing(history.log, ("in_review", "looked_at"), cases=["DEC-0002"])
    assert [one.now.reasons or one.now.state for one in renamed] == [
        "looked_at",
        ("DEC-0002 is in in_review, a state that this version does not have",),
    ]
    without = differing(history.log, ("rationale", "grounds"), cases=["DEC-0002"])
    assert told(without) == [
        ("DEC-0002", "reject", "otherwise", ("rationale: no field 'rationale'",))
    ]


def test_a_refusal_that_would_be_none_now_is_told(history: Service) -> None:
    found = differing(history.log, ("    not_by: requester\n", ""))
    assert [(one.event.stream, one.finding, one.now.state) for one in found] == [
        ("DEC-0001", "otherwise", None)
    ]
    assert isinstance(found[0].event, CommandRefused)
    assert found[0].then.reasons == (
        "pat has already acted as requester; somebody else must do this",
    )
    assert found[0].now.reasons == ()


def test_of_a_refusal_only_what_is_recorded_is_known(history: Service) -> None:
    """Who was refused for want of a rationale may have had whatever else is asked for now."""
    found = differing(
        history.log, ("by: approver, needs: rationale", "by: [approver, requester], needs: amount")
    )
    assert told(found) == [
        (
            "DEC-0001",
            "reject",
            "not known",
            ("needs approver or requester; sam acts as no role",),
        ),
        (
            "DEC-0002",
            "reject",
            "otherwise",
            ("does not take rationale; it takes amount; rationale comes with approve",),
        ),
    ]


LOOKS_AT_ROLES = """    accepts: rationale
    when:
      - '"auditor" in actor.roles'
"""
AGAIN = """  - trigger: approve
    from: in_review
    to: approved
    by: approver
    {asks}
"""


@pytest.mark.parametrize(
    ("asks", "findings"),
    [
        ("agreed_by: requester", []),
        ("about: Nothing is asked that was not asked before.", ["otherwise"]),
        ("needs: rationale", ["not known"]),
    ],
)
def test_another_way_by_the_same_trigger_may_have_been_open(
    history: Service, asks: str, findings: list[str]
) -> None:
    """The one that there was stays closed to who has acted as requester."""
    close = "  - {trigger: close,"
    way = AGAIN.format(asks=asks)
    found = differing(history.log, (close, way + close), cases=["DEC-0001"])
    assert [one.finding for one in found] == findings


@pytest.mark.parametrize(
    ("close", "findings"),
    [
        ("from: approved, to: closed, by: requester", []),
        ("from: [draft, approved], to: closed, by: requester", ["not known"]),
        ("from: [draft, approved], to: closed", ["otherwise"]),
    ],
)
def test_a_trigger_that_was_not_there_may_be_now(
    service: Service, close: str, findings: list[str]
) -> None:
    with pytest.raises(Refused, match="which has no close"):
        pull(service, start(service), "close")
    found = differing(service.log, ("from: approved, to: closed, by: requester", close))
    assert [one.finding for one in found] == findings


def test_what_no_definition_could_have_let_through_stays_refused(service: Service) -> None:
    case = in_review(service)
    with pytest.raises(Refused):
        pull(service, case, "reject", SAM, data={"rationale": "no"}, expected_version=1)
    found = differing(service.log, ("by: approver, needs: rationale", "accepts: rationale"))
    assert found == []


def test_a_step_that_its_own_version_would_not_take_again_is_not_known(service: Service) -> None:
    """Of two roles that somebody acted in, the event has one."""
    changes = (("    accepts: rationale\n    when:\n", LOOKS_AT_ROLES),)
    publish(service, edit(*changes))
    case = in_review(service)
    both = Requester(id="sam", roles=("approver", "auditor"))
    pull(service, case, "approve", both)
    found = differing(service.log, *changes)
    assert told(found) == [
        (
            case,
            "approve",
            "not known",
            ('not so: "auditor" in actor.roles',),
        )
    ]


def test_facts_are_no_steps_but_what_follows_is_judged_on_them(service: Service) -> None:
    case = start(service)
    fact = Fact(name="Told", state="approved", data={"amount": "90000"})
    service.handle(observation("decision", case, fact))
    pull(service, case, "close")
    judged = list(rehearse(service.log, changed()))
    assert [(one.event.name, one.finding) for one in judged] == [
        ("DecisionDrafted", "as it was"),
        ("DecisionClosed", "as it was"),
    ]


def test_each_step_is_asked_of_every_version_alike(history: Service) -> None:
    """Cases of an older version, and those of a newer one, in the order of the log."""
    newer = DECISION.replace("version: 1", "version: 2").replace(
        "data.amount <= 100000", "true == has(data.amount)"
    )
    publish(history, newer)
    fourth = in_review(history, "5m")
    pull(history, fourth, "approve", SAM)
    found = differing(history.log, ("version: 2", "version: 3"))
    assert [(one.event.stream, one.finding) for one in found] == [("DEC-0004", "otherwise")]
    assert [one.finding for one in rehearse(history.log, load_definition(newer, "newer.yaml"))] == [
        "as it was"
    ] * 15


def test_only_the_cases_and_days_that_were_asked_for(history: Service) -> None:
    one = list(rehearse(history.log, changed(), cases=["DEC-0003", "DEC-0002", "DEC-0003"]))
    assert [judged.event.stream for judged in one] == ["DEC-0002"] * 3 + ["DEC-0003"] * 4
    assert [j.position for j in one] == sorted(j.position for j in one)
    late = list(rehearse(history.log, changed(), since="2026-03-02"))
    assert {judged.event.recorded_at[:10] for judged in late} == {"2026-03-02"}
    assert len(late) == 5


def test_a_case_that_is_none_of_the_workflow_is_told(history: Service) -> None:
    with pytest.raises(NotFound, match="no case 'DEC-0099'"):
        list(rehearse(history.log, changed(), cases=["DEC-0099"]))
    with pytest.raises(BadInput, match="OBJ-0001 is a case of objective, not of decision"):
        list(rehearse(history.log, changed(), cases=["OBJ-0001"]))


def test_it_tells_how_far_it_is(history: Service) -> None:
    seen: list[tuple[int, int]] = []
    list(rehearse(history.log, changed(), progress=lambda done, of: seen.append((done, of))))
    head = history.log.head()
    assert seen[-1] == (head, head)


def test_the_past_is_folded_forward_however_little_of_it_is_kept(history: Service) -> None:
    wide, narrow = Past(history.log), Past(history.log, most=1)
    recorded = history.log.read(0, history.log.head())
    for one in recorded:
        wide.go_to(one)
        narrow.go_to(one)
        for key in ("DEC-0001", "OBJ-0001", one.event.stream):
            assert narrow.find(key) == wide.find(key)
            assert (case.version if (case := wide.find(key)) else 0) == sum(
                other.position < one.position and other.event.stream == key for other in recorded
            ) or one.event.type == "pmo.definition.published.v1"
