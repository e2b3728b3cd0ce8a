"""Commands of one call, of one id and of many at once: one effect each, and nobody both wins."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from engine import decide
from engine.clock import HandClock
from engine.commands import (
    Fact,
    Observe,
    PullTrigger,
    StartCase,
)
from engine.errors import CommandIdReused, Faulty, Refused
from engine.service import Receipt, Service
from engine.store.log import Log
from tests.deciding.asking import (
    BUSINESS_CASE,
    active_objective,
    from_fifty_threads,
    in_review,
    observation,
    pull,
)
from tests.deciding.conftest import OPERATOR, PAT, SAM


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
    assert len(set(from_fifty_threads(service, command))) == 1
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


def test_versions_bound_to_zero_and_to_nothing_are_two_commands(service: Service) -> None:
    def observe(version: int | None) -> Observe:
        fact = Fact(name="Reported", data={"title": "x"})
        said = {"command_id": "bound", "actor": OPERATOR, "expected_version": version}
        return observation("objective", "OBJ-X", fact, **said)

    service.handle(observe(0))
    with pytest.raises(CommandIdReused):
        service.handle(observe(None))
