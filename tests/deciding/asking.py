"""Cases of the two small workflows, and what is asked of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from engine.commands import Command, Fact, Observe, PullTrigger, Requester, StartCase
from engine.errors import Refused
from engine.events import CaseObserved, CaseTransitioned, Evidence, Source
from engine.service import Receipt, Service
from tests.deciding.conftest import PAT

_numbers = count()

IMPORTER = Requester(id="importer", kind="import")
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


def taken(
    service: Service, case: str, trigger: str, actor: Requester = PAT, **given: Any
) -> CaseTransitioned:
    """The event of a step that is taken."""
    receipt = pull(service, case, trigger, actor, **given)
    event = service.log.stream(case, receipt.version - 1)[0].event
    assert isinstance(event, CaseTransitioned)
    return event


def observation(workflow: str, case: str, *facts: Fact, **said: Any) -> Observe:
    """What an importer has read of a case."""
    known = {
        "command_id": f"seen-{next(_numbers)}",
        "actor": IMPORTER,
        "origin": Source(name="report"),
    }
    return Observe(**known | said, workflow=workflow, case=case, facts=facts)


def observed(service: Service, workflow: str, case: str, *facts: Fact, **said: Any) -> CaseObserved:
    """The event of the last fact of an observation."""
    receipt = service.handle(observation(workflow, case, *facts, **said))
    event = service.log.stream(case, receipt.version - 1)[0].event
    assert isinstance(event, CaseObserved)
    return event


def from_fifty_threads(service: Service, command: Command) -> list[Receipt]:
    """What each is answered that sends this command, all of them at one moment."""
    gate = threading.Barrier(50)

    def send(_: int) -> Receipt:
        gate.wait()
        return service.handle(command)

    with ThreadPoolExecutor(50) as pool:
        return list(pool.map(send, range(50)))


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
