"""The promises about deciding, each on every store that ships."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.clock import HandClock
from engine.commands import Fact, PullTrigger, StartCase
from engine.errors import BadInput, CommandIdReused, Refused
from engine.service import Receipt, Service
from engine.store.log import Log
from tests.deciding.asking import (
    from_fifty_threads,
    in_review,
    observed,
    pull,
    start,
)
from tests.deciding.conftest import BOTH, PAT, SAM


def test_promise_4_once(log: Log, service: Service) -> None:
    case = in_review(service)
    command = PullTrigger(command_id="once", actor=SAM, case=case, trigger="approve")
    receipts = from_fifty_threads(service, command)
    after = log.head()
    restarted = Service(log, HandClock("2026-03-09T00:00:00.000000Z"))
    receipts.append(restarted.handle(command))
    assert len(set(receipts)) == 1
    assert log.head() == after
    assert service.case(case).version == receipts[0].version
    assert set(restarted.handle_many([command] * 200)) == set(receipts)
    with pytest.raises(CommandIdReused):
        restarted.handle(command.model_copy(update={"reason": "another content"}))


def test_promise_5_a_refusal_explains_itself(service: Service) -> None:
    case = in_review(service, amount="250000")
    before = service.case(case)
    with pytest.raises(Refused) as refusal:
        pull(service, case, "approve", BOTH, data={"title": "another"})
    told = {verdict.rule: verdict.held for verdict in refusal.value.verdicts}
    assert told == {
        "takes": False,
        "by": True,
        "not_by": False,
        "conflict": True,
        "refs": True,
        "data.amount <= 100000": False,
        'objective.state == "active" && objective.data.due > now': True,
    }
    assert len(refusal.value.reasons) == 3
    assert all(refusal.value.reasons)
    after = service.case(case)
    assert (after.state, after.data, after.evidence) == (before.state, before.data, before.evidence)


def test_promise_7_history_that_broke_the_rules_is_kept(service: Service) -> None:
    case = start(service)
    with pytest.raises(Refused):
        pull(service, case, "approve", SAM)
    fact = Fact(name="DecisionTaken", state="approved")
    event = observed(service, "decision", case, fact)
    assert service.case(case).state == "approved"
    assert event.conformance.verdict == "violates"
    assert event.conformance.rules == ("from: nothing leads from draft to approved",)


def test_promise_7_a_step_that_its_guards_forbade_is_reported_with_every_one_of_them(
    service: Service,
) -> None:
    """The limit is told as for a command; what was so before the state it is in is not judged."""
    case = in_review(service, amount="250000")
    approved = observed(service, "decision", case, Fact(name="DecisionTaken", state="approved"))
    earlier = Fact(name="DecisionTaken", state="rejected")
    rejected = observed(service, "decision", case, earlier, occurred_at="2026-01-01")
    assert approved.conformance.verdict == "violates"
    assert any("data.amount <= 100000" in rule for rule in approved.conformance.rules)
    assert rejected.conformance.verdict == "not_evaluable"


PAPER = {"kind": "business-case", "as_of": "2026-01-31", "sha256": "0" * 64}
_numbers = count()
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[*HealthCheck], max_examples=60)
@given(
    data=st.dictionaries(
        st.sampled_from(["title", "amount", "objective", "rationale"]) | st.text(), anything
    ),
    trigger=st.sampled_from(["submit", "approve"])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
def test_promise_12_bad_input(service: Service, data: dict[str, Any], trigger: str) -> None:
    """Whatever is sent is done, refused with reasons, or told what is wrong and where."""
    number = next(_numbers)
    case = "DEC-0001"
    begin = StartCase(command_id=f"s{number}", actor=PAT, workflow="decision", data=data)
    step = PullTrigger(command_id=f"p{number}", actor=PAT, case=case, trigger=trigger, data=data)
    before = service.log.head()
    answers = service.handle_many([begin, step])
    written = 0
    for answer in answers:
        if isinstance(answer, BadInput):
            assert all(p.where and p.what and p.mend for p in answer.problems)
        elif isinstance(answer, Refused):
            assert all(answer.reasons)
            written += answer.what.startswith(case)  # this workflow records refused attempts
        else:
            assert isinstance(answer, Receipt)
            written += 1
    assert service.log.head() == before + written
    service.log.check(before)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"occurred_at": "soon"}, "/occurred_at"),
        ({"occurred_at": "2099-01-01"}, "/occurred_at"),
        ({"evidence": [PAPER | {"sha256": "f00"}]}, "/evidence/0/sha256"),
        ({"evidence": [PAPER | {"as_of": "lately"}]}, "/evidence/0/as_of"),
        ({"evidence": [PAPER | {"as_of": "2099-01-01"}]}, "/evidence/0/as_of"),
        ({"evidence": [PAPER | {"kind": "A paper"}]}, "/evidence/0/kind"),
    ],
)
def test_promise_12_bad_input_beside_the_data(
    service: Service, change: dict[str, Any], where: str
) -> None:
    """Where, what, and how to mend it."""
    step = {"command_id": "p", "actor": PAT, "case": start(service), "trigger": "submit"}
    with pytest.raises(BadInput) as error:
        service.handle(PullTrigger.model_validate(step | change))
    (problem,) = error.value.problems
    assert problem.where == where
    assert problem.what
    assert problem.mend


def test_promise_12_a_field_of_ten_megabytes(service: Service) -> None:
    head = service.log.head()
    with pytest.raises(BadInput, match="10,000,000 characters, at most 200 fit"):
        start(service, title="x" * 10_000_000)
    with pytest.raises(BadInput) as error:
        start(service, **{f"field_{n}": 1 for n in range(10_000)})
    assert len(str(error.value)) < 20_000
    assert service.log.head() == head
