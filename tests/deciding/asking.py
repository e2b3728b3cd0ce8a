"""Cases of the two small workflows, and what is asked of them."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from engine.commands import PullTrigger, Requester, StartCase
from engine.errors import Refused
from engine.events import CaseTransitioned, Evidence
from engine.service import Receipt, Service
from tests.deciding.conftest import PAT

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


def taken(
    service: Service, case: str, trigger: str, actor: Requester = PAT, **given: Any
) -> CaseTransitioned:
    """The event of a step that is taken."""
    receipt = pull(service, case, trigger, actor, **given)
    event = service.log.stream(case, receipt.version - 1)[0].event
    assert isinstance(event, CaseTransitioned)
    return event


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
