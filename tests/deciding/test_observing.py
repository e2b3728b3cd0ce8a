"""Facts, recorded without asking: each is kept, judged, and told from the others."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from engine.commands import (
    Fact,
    Observe,
    Requester,
)
from engine.errors import BadInput, Refused
from engine.events import CaseObserved, Source
from engine.service import Receipt, Service
from tests.deciding.asking import (
    active_objective,
    start,
)
from tests.deciding.conftest import OPERATOR, publish

_numbers = count()

LOCKED = """
workflow: goal
version: 1
title: Goal
key: GOAL
data:
  title: {type: text, required: true}
  target: {type: number}
  actual: {type: number}
states:
  open: {initial: true}
  agreed:
  met: {final: true}
transitions:
  - {trigger: agree, from: open, to: agreed, needs: target}
  - {trigger: report, from: agreed, needs: actual}
  - {trigger: renew, from: agreed, to: open, needs: target}
  - {trigger: meet, from: agreed, to: met, accepts: actual}
"""


def observe(service: Service, *facts: Fact) -> Receipt:
    return service.handle(
        Observe(
            command_id="seen",
            actor=OPERATOR,
            workflow="decision",
            case="DEC-0900",
            facts=facts,
            origin=Source(name="minutes"),
        )
    )


def test_an_observation_is_kept_and_judged(service: Service) -> None:
    def observe(state: str | None, at: str, **data: Any) -> CaseObserved:
        receipt = service.handle(
            Observe(
                command_id=f"o{next(_numbers)}",
                actor=Requester(id="importer", kind="import"),
                workflow="objective",
                case="OBJ-X",
                occurred_at=at,
                facts=(Fact(name="StatusReported", state=state, data=data),),
                origin=Source(name="report"),
            )
        )
        event = service.log.stream("OBJ-X", receipt.version - 1)[0].event
        assert isinstance(event, CaseObserved)
        return event

    assert observe("proposed", "2025-01-01", title="x").conformance.verdict == "conforms"
    broken = observe("active", "2025-02-01").conformance
    assert (broken.verdict, broken.rules) == ("violates", ("needs: needs more: due is missing",))
    assert observe("active", "2025-03-01", due="2026-01-01").conformance.verdict == "conforms"
    assert observe("proposed", "2025-04-01").conformance.rules == (
        "from: nothing leads from active to proposed",
    )
    late = observe("closed", "2025-01-15", title="as it was first called")
    assert late.conformance.verdict == "not_evaluable"
    case = service.case("OBJ-X")
    assert (case.state, case.data["due"]) == ("proposed", "2026-01-01")
    assert case.data["title"] == "as it was first called"
    earlier = observe(None, "2025-01-10", title="an even earlier name")
    assert earlier.version == case.version + 1
    assert service.case("OBJ-X").data["title"] == "as it was first called"


@pytest.mark.parametrize(
    ("data", "on", "broken"),
    [
        ({"target": 90}, "2026-01-20", ()),
        ({"target": 95}, "2026-01-20",
         ("takes: target changes by renew alone, and not while it stays in agreed",)),
        ({"target": {"withheld": "a contract"}}, "2026-01-20",
         ("takes: target changes by renew alone, and not while it stays in agreed",)),
        ({"actual": 84}, "2026-01-20", ()),
        ({"title": "More clients"}, "2026-01-20", ()),
        ({"target": 95}, "2026-01-02", ()),
    ],
    ids=["the same", "moved", "hidden", "in its step", "left open", "before what stands"],
)  # fmt: skip
def test_a_fact_that_moves_what_is_locked_is_kept_and_said_to_break_the_rule(
    service: Service, data: dict[str, Any], on: str, broken: tuple[str, ...]
) -> None:
    publish(service, LOCKED)

    def fact(at: str, state: str | None, **data: Any) -> CaseObserved:
        facts = (Fact(name="GoalReported", state=state, data=data),)
        service.handle(
            Observe(
                command_id=f"l{next(_numbers)}",
                actor=Requester(id="importer", kind="import"),
                workflow="goal",
                case="GOAL-1",
                occurred_at=at,
                facts=facts,
                origin=Source(name="report"),
            )
        )
        event = service.log.stream("GOAL-1")[-1].event
        assert isinstance(event, CaseObserved)
        return event

    fact("2026-01-01", "open", title="Clients")
    fact("2026-01-10", "agreed", target=90)
    conformance = fact(on, None, **data).conformance
    assert conformance.rules == broken
    assert conformance.verdict == ("violates" if broken else "conforms")


def test_facts_can_be_bound_to_the_case_the_sender_saw(service: Service) -> None:
    def observe(version: int) -> Receipt:
        return service.handle(
            Observe(
                command_id=f"v{version}-{next(_numbers)}",
                actor=OPERATOR,
                workflow="objective",
                case="OBJ-X",
                facts=(Fact(name="Reported", data={"title": "x"}),),
                origin=Source(name="report"),
                expected_version=version,
            )
        )

    assert observe(0).version == 1
    with pytest.raises(Refused, match="OBJ-X is at version 1, not 0"):
        observe(0)
    assert observe(1).version == 2


def test_bad_facts_are_all_named_and_none_is_kept(service: Service) -> None:
    head = service.log.head()
    command = Observe(
        command_id="bad",
        actor=OPERATOR,
        workflow="objective",
        case="OBJ-X",
        facts=(
            Fact(name="Reported", state="flying"),
            Fact(name="Reported", data={"due": "31/12/2026", "colour": "red"}),
        ),
        origin=Source(name="report"),
    )
    with pytest.raises(BadInput) as error:
        service.handle(command)
    wheres = [problem.where for problem in error.value.problems]
    assert wheres == ["/facts/0/state", "/facts/1/data/due", "/facts/1/data/colour"]
    assert service.log.head() == head


def test_an_observed_beginning_is_judged_by_the_rules_of_starting(service: Service) -> None:
    receipt = service.handle(
        Observe(
            command_id="bare",
            actor=OPERATOR,
            workflow="objective",
            case="OBJ-X",
            facts=(Fact(name="Reported", state="proposed"),),
            origin=Source(name="report"),
        )
    )
    event = service.log.stream(receipt.stream)[0].event
    assert isinstance(event, CaseObserved)
    assert event.conformance.rules == ("needs: needs more: title is missing",)


def test_a_fact_names_the_cases_that_it_was_judged_by(service: Service) -> None:
    objective = active_objective(service)
    fact = Fact(name="DecisionSeen", data={"objective": objective, "amount": "1"})
    observe(service, fact)
    (recorded,) = service.log.stream("DEC-0900")
    assert recorded.event.reads == {objective: 2}


def test_facts_of_one_observation_differ_only_in_what_each_says(service: Service) -> None:
    said = [Fact(name="Seen", data={"amount": "1"}), Fact(name="Changed", data={"amount": "2.50"})]
    observe(service, *said)
    first, second = [recorded.event for recorded in service.log.stream("DEC-0900")]
    assert (first.version, second.version) == (1, 2)
    assert first.event_id < second.event_id
    assert (first.data["amount"]["amount"], second.data["amount"]["amount"]) == ("1", "2.50")
    own = {"event_id", "version", "name", "data", "state", "conformance"}
    assert [first.__dict__[n] for n in first.__dict__.keys() - own] == [
        second.__dict__[n] for n in first.__dict__.keys() - own
    ]


def test_which_of_many_observed_cases_are_new_is_asked_once(service: Service) -> None:
    start(service)  # DEC-0001, which another service knows nothing of yet
    other, asked = Service(service.log, service._clock), []
    stream = service.log.stream
    service.log.stream = lambda key, after=0: asked.append(key) or stream(key, after)  # type: ignore[method-assign]
    answers = other.handle_many(
        Observe(
            command_id=f"seen {number}",
            actor=OPERATOR,
            workflow="decision",
            case=f"DEC-{number:04}",
            facts=(Fact(name="Seen"),),
            origin=Source(name="minutes"),
        )
        for number in range(1, 200)
    )
    assert [answer.version for answer in answers if isinstance(answer, Receipt)] == [2, *[1] * 198]
    assert sorted(asked) == ["DEC-0001", "definition/decision"]
