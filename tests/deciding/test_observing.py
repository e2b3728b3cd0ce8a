"""Facts, recorded without asking: each is kept, judged, and told from the others."""

from __future__ import annotations

from typing import Any

import pytest

from engine.commands import Fact
from engine.errors import BadInput, Refused
from engine.events import CaseObserved
from engine.service import Receipt, Service
from tests.deciding.asking import active_objective, observation, observed, start
from tests.deciding.conftest import OPERATOR, publish

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
    return service.handle(observation("decision", "DEC-0900", *facts, actor=OPERATOR))


def test_an_observation_is_kept_and_judged(service: Service) -> None:
    def observe(state: str | None, at: str, **data: Any) -> CaseObserved:
        fact = Fact(name="StatusReported", state=state, data=data)
        return observed(service, "objective", "OBJ-X", fact, occurred_at=at)

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
        said = Fact(name="GoalReported", state=state, data=data)
        return observed(service, "goal", "GOAL-1", said, occurred_at=at)

    fact("2026-01-01", "open", title="Clients")
    fact("2026-01-10", "agreed", target=90)
    conformance = fact(on, None, **data).conformance
    assert conformance.rules == broken
    assert conformance.verdict == ("violates" if broken else "conforms")


def test_facts_can_be_bound_to_the_case_the_sender_saw(service: Service) -> None:
    def observe(version: int) -> Receipt:
        fact = Fact(name="Reported", data={"title": "x"})
        said = {"actor": OPERATOR, "expected_version": version}
        return service.handle(observation("objective", "OBJ-X", fact, **said))

    assert observe(0).version == 1
    with pytest.raises(Refused, match="OBJ-X is at version 1, not 0"):
        observe(0)
    assert observe(1).version == 2


def test_bad_facts_are_all_named_and_none_is_kept(service: Service) -> None:
    head = service.log.head()
    facts = (
        Fact(name="Reported", state="flying"),
        Fact(name="Reported", data={"due": "31/12/2026", "colour": "red"}),
    )
    command = observation("objective", "OBJ-X", *facts, actor=OPERATOR)
    with pytest.raises(BadInput) as error:
        service.handle(command)
    wheres = [problem.where for problem in error.value.problems]
    assert wheres == ["/facts/0/state", "/facts/1/data/due", "/facts/1/data/colour"]
    assert service.log.head() == head


def test_an_observed_beginning_is_judged_by_the_rules_of_starting(service: Service) -> None:
    fact = Fact(name="Reported", state="proposed")
    event = observed(service, "objective", "OBJ-X", fact, actor=OPERATOR)
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
        observation("decision", f"DEC-{number:04}", Fact(name="Seen"), actor=OPERATOR)
        for number in range(1, 200)
    )
    assert [answer.version for answer in answers if isinstance(answer, Receipt)] == [2, *[1] * 198]
    assert sorted(asked) == ["DEC-0001", "definition/decision"]
