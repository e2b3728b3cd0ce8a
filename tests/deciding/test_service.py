"""The service: what commands bring about, and what they are refused for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.case import fold
from engine.clock import HandClock
from engine.commands import (
    AttachEvidence,
    Fact,
    StartCase,
)
from engine.errors import BadInput, NotFound, Refused
from engine.events import CaseTransitioned, CommandRefused
from engine.service import Service
from engine.store.log import Log
from tests.deciding.asking import (
    BUSINESS_CASE,
    active_objective,
    in_review,
    observation,
    pull,
    rules,
    start,
)
from tests.deciding.conftest import BOTH, OPERATOR, PAT, SAM, publish


def test_a_decision_goes_from_draft_to_approved_and_every_step_is_an_event(
    service: Service,
) -> None:
    case = in_review(service)
    receipt = pull(service, case, "approve", SAM, data={"rationale": "in the plan"})
    assert (receipt.state, receipt.version, receipt.names) == ("approved", 3, ("DecisionTaken",))
    event = service.log.stream(case)[-1].event
    assert isinstance(event, CaseTransitioned)
    assert event.role == "approver"
    assert event.reads == {"OBJ-0001": 2}
    assert all(verdict.held for verdict in event.verdicts)
    assert service.case(case).data["amount"] == {"amount": "90000", "currency": "GBP"}


def test_every_guard_is_evaluated_and_every_reason_given(service: Service) -> None:
    case = in_review(service, amount="250000")
    pull(service, "OBJ-0001", "close")
    with pytest.raises(Refused) as refusal:
        pull(service, case, "approve", BOTH, data={"amount": "1"})
    assert rules(refusal) == {
        "takes",
        "not_by",
        'objective.state == "active" && objective.data.due > now',
    }
    with pytest.raises(Refused) as refusal:
        pull(service, case, "approve", SAM)
    assert "the objective must be active and not yet due" in str(refusal.value)
    assert service.case(case).state == "in_review"


def test_a_refusal_changes_nothing_but_is_recorded_where_the_workflow_asks(
    service: Service,
) -> None:
    case = start(service)
    before = service.case(case)
    with pytest.raises(Refused) as refusal:
        pull(service, case, "submit", SAM, command_id="try")
    after = service.case(case)
    assert (after.state, after.data) == (before.state, before.data)
    event = service.log.stream(case)[-1].event
    assert isinstance(event, CommandRefused)
    assert event.verdicts == refusal.value.verdicts
    with pytest.raises(Refused) as again:
        pull(service, case, "submit", SAM, command_id="try")
    assert again.value.verdicts == refusal.value.verdicts
    assert service.case(case).version == after.version

    objective = start(service, "objective")
    head = service.log.head()
    with pytest.raises(Refused):
        pull(service, objective, "activate")
    assert service.log.head() == head


def test_evidence_must_be_there_and_young_enough(service: Service, clock: HandClock) -> None:
    case = start(service, objective=active_objective(service), amount="1")
    with pytest.raises(Refused, match="needs a business-case as evidence"):
        pull(service, case, "submit")
    attach = AttachEvidence(command_id="e", actor=PAT, case=case, evidence=BUSINESS_CASE)
    service.handle(attach)
    clock.advance(days=70)
    with pytest.raises(Refused, match="of 2026-02-01, older than 90 days"):
        pull(service, case, "submit")
    young = replace(BUSINESS_CASE, as_of="2026-04-20")
    assert pull(service, case, "submit", evidence=(young,)).state == "in_review"


def test_a_reference_must_name_a_case_of_the_right_workflow(service: Service) -> None:
    with pytest.raises(Refused, match="there is no case OBJ-0404"):
        start(service, objective="OBJ-0404")
    other = start(service)
    with pytest.raises(Refused, match="is a case of decision, not objective"):
        start(service, objective=other)


def test_withheld_is_not_missing_and_not_zero(service: Service) -> None:
    case = start(service, amount={"withheld": "commercial interests"})
    with pytest.raises(Refused, match=r"amount is withheld \(commercial interests\)"):
        pull(service, case, "submit")
    zero = start(service, amount="0", objective=active_objective(service))
    assert pull(service, zero, "submit", evidence=(BUSINESS_CASE,)).state == "in_review"


TARGET = """
workflow: target
version: 1
title: Target
key: TGT
data:
  title: {type: text, required: true}
  measure: {type: text}
  value: {type: number}
  note: {type: text}
states:
  open: {initial: true}
  met: {final: true}
transitions:
  - trigger: move
    from: open
    needs: value
    accepts: note
    tells: [measure, value, note]
    emits: TargetMoved
  - {trigger: meet, from: open, to: met, emits: TargetMet}
"""


def test_an_event_tells_what_fields_held_before_and_leaves_out_what_was_missing(
    service: Service,
) -> None:
    publish(service, TARGET)
    case = start(service, "target", measure={"withheld": "a contract"}, value=82.5)
    pull(service, case, "move", data={"value": 90})
    event = service.log.stream(case)[-1].event
    assert isinstance(event, CaseTransitioned)
    assert event.before == {"measure": {"withheld": "a contract"}, "value": 82.5}
    assert event.data == {"value": 90}
    assert service.case(case).data["value"] == 90
    pull(service, case, "meet")
    told_nothing = service.log.stream(case)[-1].event
    assert isinstance(told_nothing, CaseTransitioned)
    assert told_nothing.before is None


def test_what_happened_before_the_state_was_reached_cannot_be_commanded(service: Service) -> None:
    case = in_review(service)
    with pytest.raises(Refused) as refusal:
        pull(service, case, "approve", SAM, occurred_at="2026-02-01")
    assert rules(refusal) == {"occurred_at"}
    with pytest.raises(BadInput, match="still to come"):
        pull(service, case, "approve", SAM, occurred_at="2027-01-01")


def test_a_step_dated_with_today_moves_the_case_and_only_once(service: Service) -> None:
    case = in_review(service)
    assert pull(service, case, "approve", SAM, occurred_at="2026-03-01").state == "approved"
    assert service.case(case).state == "approved"
    with pytest.raises(Refused, match="has no approve"):
        pull(service, case, "approve", SAM, occurred_at="2026-03-01")


def test_a_step_is_not_judged_on_a_value_that_the_case_would_not_keep(
    service: Service, clock: HandClock
) -> None:
    case = start(service, objective=active_objective(service))
    clock.advance(hours=4)
    fact = Fact(name="Reported", data={"amount": "5000"})
    service.handle(observation("decision", case, fact, actor=OPERATOR))
    early = {"occurred_at": "2026-03-01T10:00:00.000000Z", "evidence": (BUSINESS_CASE,)}
    with pytest.raises(Refused) as refusal:
        pull(service, case, "submit", data={"amount": "50"}, **early)
    assert rules(refusal) == {"occurred_at"}
    pull(service, case, "submit", data={"amount": "50"}, evidence=(BUSINESS_CASE,))
    assert service.case(case).data["amount"]["amount"] == "50"


def test_a_stale_reader_is_told_to_look_again(service: Service) -> None:
    case = in_review(service)
    with pytest.raises(Refused, match="at version 2, not 1"):
        pull(service, case, "approve", SAM, expected_version=1)


def test_keys_are_numbered_densely_and_natural_keys_are_unique(service: Service) -> None:
    assert [start(service) for _ in range(3)] == ["DEC-0001", "DEC-0002", "DEC-0003"]
    publish(
        service,
        "{workflow: site, version: 1, title: Site, key: 'SITE-{code}', "
        "data: {code: {type: text, required: true}, title: {type: text}}, "
        "states: {open: {initial: true, final: true}}}",
    )
    assert start(service, "site", code="LEEDS") == "SITE-LEEDS"
    with pytest.raises(Refused, match="SITE-LEEDS exists already"):
        start(service, "site", code="LEEDS")
    with pytest.raises(BadInput, match="cannot be the key"):
        start(service, "site", code="a/b c")


def test_numbers_go_on_after_a_restart_and_beyond_the_padding(log: Log, service: Service) -> None:
    commands = [
        StartCase(command_id=f"c{n}", actor=PAT, workflow="objective", data={"title": "x"})
        for n in range(40)
    ]
    service.handle_many(commands)
    again = Service(log, HandClock("2026-03-02T00:00:00.000000Z"))
    assert start(again, "objective") == "OBJ-0041"


def test_unknown_things_are_named(service: Service) -> None:
    with pytest.raises(NotFound, match="there is no case 'DEC-9999'"):
        pull(service, "DEC-9999", "submit")
    with pytest.raises(NotFound, match="no workflow 'decsion'"):
        start(service, "decsion")
    with pytest.raises(Refused, match="has no fly; from here: submit"):
        pull(service, start(service), "fly")
    with pytest.raises(BadInput, match="/data/amuont: no field 'amuont'"):
        pull(service, start(service), "submit", data={"amuont": 1})


def test_live_folds_are_the_folds_of_the_log(service: Service) -> None:
    case = in_review(service)
    pull(service, case, "approve", SAM)
    kept = service._folds.find(case)
    replayed = fold(recorded.event for recorded in service.log.stream(case))
    assert replayed is not None
    assert kept.digest() == replayed.digest()
    assert kept == replayed


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"as_of": "zzzz"}, "/evidence/0/as_of"),
        ({"as_of": "2999-01-01"}, "/evidence/0/as_of"),
        ({"sha256": "nope"}, "/evidence/0/sha256"),
        ({"kind": "a\x1bb\n"}, "/evidence/0/kind"),
    ],
)
def test_what_cannot_be_evidence_satisfies_no_guard(
    service: Service, wrong: dict[str, str], where: str
) -> None:
    case = start(service, objective=active_objective(service), amount="1")
    with pytest.raises(BadInput) as error:
        pull(service, case, "submit", evidence=(replace(BUSINESS_CASE, **wrong),))
    assert [problem.where for problem in error.value.problems] == [where]
