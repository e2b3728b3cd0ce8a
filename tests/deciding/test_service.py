"""The service: what commands bring about, what they are refused for, and who may race whom."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from engine import decide
from engine.case import fold
from engine.clock import HandClock
from engine.commands import (
    AttachEvidence,
    Fact,
    Observe,
    PublishDefinition,
    PullTrigger,
    Requester,
    StartCase,
)
from engine.errors import BadInput, CommandIdReused, Faulty, NotFound, Refused
from engine.events import CaseTransitioned, CommandRefused, Evidence, Source
from engine.service import Receipt, Service
from engine.store.log import Log
from tests.deciding.conftest import BOTH, DECISION, OPERATOR, PAT, SAM, publish

_numbers = count()
BUSINESS_CASE = Evidence(kind="business-case", sha256="ab" * 32, as_of="2026-02-01")


def start(service: Service, workflow: str = "decision", actor: Requester = PAT, **data: Any) -> str:
    command = StartCase(
        command_id=f"start-{next(_numbers)}",
        actor=actor,
        workflow=workflow,
        data={"title": "Replace the signalling", **data},
    )
    return service.handle(command).stream


def pull(
    service: Service, case: str, trigger: str, actor: Requester = PAT, **given: Any
) -> Receipt:
    given.setdefault("command_id", f"pull-{next(_numbers)}")
    return service.handle(PullTrigger(case=case, trigger=trigger, actor=actor, **given))


def active_objective(service: Service, due: str = "2026-12-31") -> str:
    key = start(service, "objective")
    pull(service, key, "activate", data={"due": due})
    return key


def in_review(service: Service, amount: str = "90000") -> str:
    case = start(service)
    data = {"amount": amount, "objective": active_objective(service)}
    pull(service, case, "submit", data=data, evidence=(BUSINESS_CASE,))
    return case


def rules(refusal: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {verdict.rule for verdict in refusal.value.verdicts if not verdict.held}


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
    service.handle(
        Observe(
            command_id="seen",
            actor=OPERATOR,
            workflow="decision",
            case=case,
            facts=(Fact(name="Reported", data={"amount": "5000"}),),
            origin=Source(name="report"),
        )
    )
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


def test_a_case_stays_on_the_definition_it_started_with(service: Service) -> None:
    old = in_review(service, amount="90000")
    publish(service, DECISION.replace("version: 1", "version: 2").replace("100000", "50000"))
    new = in_review(service, amount="90000")
    assert pull(service, old, "approve", SAM).state == "approved"
    with pytest.raises(Refused):
        pull(service, new, "approve", SAM)
    assert service.case(new).definition.version == 2


def test_publishing_twice_changes_nothing_and_a_version_cannot_be_taken_again(
    service: Service,
) -> None:
    head = service.log.head()
    publish(service, DECISION + "# a comment does not change the meaning\n")
    assert service.log.head() == head
    with pytest.raises(BadInput, match="version 1 is already published with other content"):
        publish(service, DECISION.replace("100000", "7"))
    retyped = DECISION.replace("rationale: {type: text}", "rationale: {type: number}")
    with pytest.raises(BadInput, match="/data/rationale: was text"):
        publish(service, retyped.replace("version: 1", "version: 2"))


def test_a_field_that_comes_back_has_the_type_it_had(service: Service) -> None:
    with_note = DECISION.replace(
        "  rationale: {type: text}\n", "  rationale: {type: text}\n  note: {type: number}\n"
    )
    publish(service, with_note.replace("version: 1", "version: 2"))
    publish(service, DECISION.replace("version: 1", "version: 3"))
    other = with_note.replace("note: {type: number}", "note: {type: text}")
    head = service.log.head()
    with pytest.raises(BadInput, match="/data/note: was number in version 2 and cannot become tex"):
        publish(service, other.replace("version: 1", "version: 4"))
    assert service.log.head() == head
    publish(service, with_note.replace("version: 1", "version: 4"))


def test_commands_of_one_call_see_each_other_and_fail_alone(service: Service) -> None:
    objective = active_objective(service)
    data = {"amount": "1", "objective": objective}
    answers = service.handle_many(
        [
            StartCase(command_id="g1", actor=PAT, workflow="decision", data={"title": "a"}),
            PullTrigger(command_id="g2", actor=PAT, case="DEC-0001", trigger="submit", data=data),
            PullTrigger(
                command_id="g3",
                actor=PAT,
                case="DEC-0001",
                trigger="submit",
                data=data,
                evidence=(BUSINESS_CASE,),
            ),
            PullTrigger(command_id="g4", actor=SAM, case="DEC-0001", trigger="approve"),
            StartCase(command_id="g1", actor=PAT, workflow="decision", data={"title": "a"}),
        ]
    )
    first, refused, submitted, approved, again = answers
    assert isinstance(refused, Refused)
    assert isinstance(submitted, Receipt)
    assert isinstance(approved, Receipt)
    assert approved.state == "approved"
    assert again == first


def test_the_same_command_from_fifty_threads_has_one_effect(service: Service) -> None:
    command = StartCase(command_id="only", actor=PAT, workflow="decision", data={"title": "once"})
    gate = threading.Barrier(50)

    def send(_: int) -> Receipt:
        gate.wait()
        return service.handle(command)

    with ThreadPoolExecutor(50) as pool:
        receipts = set(pool.map(send, range(50)))
    assert len(receipts) == 1
    assert service.log.version("DEC-0001") == 1
    assert service.log.version("DEC-0002") == 0


def test_a_command_id_cannot_carry_another_command(service: Service) -> None:
    service.handle(
        StartCase(command_id="id", actor=PAT, workflow="decision", data={"title": "one"})
    )
    with pytest.raises(CommandIdReused):
        service.handle(
            StartCase(command_id="id", actor=PAT, workflow="decision", data={"title": "two"})
        )


def test_two_services_on_one_log_never_both_win(log: Log, service: Service) -> None:
    other = Service(log, HandClock("2026-03-01T10:00:00.000000Z"))
    case = in_review(service)
    assert other.case(case).state == "in_review"
    gate = threading.Barrier(2)
    outcomes: list[str] = []

    def decide(who: Service, trigger: str) -> None:
        gate.wait()
        try:
            data = {"rationale": "because"}
            outcomes.append(pull(who, case, trigger, SAM, data=data).state or "")
        except Refused:
            outcomes.append("refused")

    threads = [
        threading.Thread(target=decide, args=(service, "approve")),
        threading.Thread(target=decide, args=(other, "reject")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("refused") == 1
    assert service.case(case).state in outcomes


def test_a_refusal_never_rests_on_a_fold_that_others_have_outrun(
    log: Log, service: Service
) -> None:
    case = in_review(service)
    other = Service(log, HandClock("2026-03-01T10:00:00.000000Z"))
    assert pull(other, case, "approve", SAM).state == "approved"
    assert pull(service, case, "close").state == "closed"


def test_a_case_read_by_a_guard_cannot_change_before_the_write(log: Log, service: Service) -> None:
    case = in_review(service)
    other = Service(log, HandClock("2026-03-01T10:00:00.000000Z"))
    pull(other, "OBJ-0001", "close")
    with pytest.raises(Refused, match="the objective must be active"):
        pull(service, case, "approve", SAM)


def test_live_folds_are_the_folds_of_the_log(service: Service) -> None:
    case = in_review(service)
    pull(service, case, "approve", SAM)
    kept = service._folds.find(case)
    replayed = fold(recorded.event for recorded in service.log.stream(case))
    assert replayed is not None
    assert kept.digest() == replayed.digest()
    assert kept == replayed


def test_a_definition_that_is_not_one_is_refused(service: Service) -> None:
    unfit = {
        "workflow": "X",
        "version": "1",
        "title": "T",
        "key": "X",
        "states": {"a": {"fnal": 1}},
    }
    with pytest.raises(BadInput) as error:
        service.handle(PublishDefinition(command_id="p", actor=OPERATOR, body=unfit, text=""))
    assert [(problem.where, problem.what) for problem in error.value.problems] == [
        ("/workflow", "'X' cannot stand here"),
        ("/version", "the text '1' where a whole number is needed"),
        ("/states/a/fnal", "there is no key 'fnal' here"),
    ]
    assert error.value.problems[2].mend == "did you mean 'final'?"
    stuck = {
        "workflow": "stuck",
        "version": 1,
        "title": "Nothing leads out",
        "key": "S",
        "states": {"open": {"initial": True}, "island": {}},
    }
    with pytest.raises(BadInput, match="island"):
        service.handle(PublishDefinition(command_id="s", actor=OPERATOR, body=stuck, text=""))


def test_hundreds_of_copies_in_one_group_have_one_effect_and_one_receipt(service: Service) -> None:
    command = StartCase(command_id="copy", actor=PAT, workflow="decision", data={"title": "once"})
    answers = service.handle_many([command] * 300)
    assert len(set(answers)) == 1
    assert isinstance(answers[0], Receipt)
    assert service.log.version("DEC-0002") == 0


def test_a_fault_of_ours_fails_one_command_and_not_its_neighbours(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = in_review(service)
    real = decide.pull

    def faulty(command: PullTrigger, *rest: Any) -> Any:
        if command.reason == "trip":
            raise ZeroDivisionError("a fault")
        return real(command, *rest)

    monkeypatch.setattr(decide, "pull", faulty)
    begin = {"actor": PAT, "workflow": "decision", "data": {"title": "a"}}
    first, fault, last = service.handle_many(
        [
            StartCase(command_id="n1", **begin),
            PullTrigger(command_id="n2", actor=SAM, case=case, trigger="approve", reason="trip"),
            StartCase(command_id="n3", **begin),
        ]
    )
    assert isinstance(fault, Faulty)
    assert isinstance(fault.__cause__, ZeroDivisionError)
    assert isinstance(first, Receipt)
    assert isinstance(last, Receipt)
    assert service.case(case).state == "in_review"


def test_a_definition_that_another_process_published_counts_at_once(
    log: Log, service: Service
) -> None:
    start(service)
    other = Service(log, HandClock("2026-03-01T10:00:00.000000Z"))
    newer = DECISION.replace("version: 1", "version: 2")
    publish(other, newer.replace("data:", "data:\n  extra: {type: text}", 1))
    assert service.case(start(service, extra="known")).data["extra"] == "known"


def test_versions_bound_to_zero_and_to_nothing_are_two_commands(service: Service) -> None:
    def observe(version: int | None) -> Observe:
        return Observe(
            command_id="bound",
            actor=OPERATOR,
            workflow="objective",
            case="OBJ-X",
            facts=(Fact(name="Reported", data={"title": "x"}),),
            origin=Source(name="report"),
            expected_version=version,
        )

    service.handle(observe(0))
    with pytest.raises(CommandIdReused):
        service.handle(observe(None))


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
