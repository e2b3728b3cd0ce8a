"""A service whose registers say who may decide what, on every store that ships."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from engine.clock import HandClock
from engine.commands import (
    DeclareConflict,
    Fact,
    Observe,
    PullTrigger,
    Requester,
    Sign,
    StartCase,
)
from engine.errors import Refused
from engine.events import CaseTransitioned, Evidence, Source
from engine.service import Receipt, Service
from engine.store.log import Log
from tests.deciding.conftest import publish

APPOINTMENT = """
workflow: appointment
version: 1
title: Appointment
key: APPT-{role}.{unit}.{person}
register: appointment
in_force: [active]
data:
  role: {type: text, required: true}
  unit: {type: text, required: true}
  person: {type: person, required: true}
  from: {type: date}
  until: {type: date}
states: {active: {initial: true}, ended: {final: true}}
transitions: [{trigger: end, from: active, to: ended}]
"""

REGISTERS = (
    f"{APPOINTMENT}---\n"
    """\
workflow: body
version: 1
title: Body
key: BODY-{name}
register: body
in_force: [active]
data:
  name: {type: text, required: true}
  members: {type: list, of: person}
  chair: {type: person}
  quorum: {type: number}
  least: {type: number}
  weights: {type: list, of: number}
states: {active: {initial: true}, dissolved: {final: true}}
transitions:
  - {trigger: change, from: active, to: active, accepts: [members, chair, quorum, least, weights]}
  - {trigger: dissolve, from: active, to: dissolved}
---
workflow: authority
version: 1
title: Authority
key: AUTH-{category}.{unit}.{level}
register: authority
in_force: [active]
data:
  category: {type: text, required: true}
  unit: {type: text, required: true}
  level: {type: number, required: true}
  limit: {type: money, currency: GBP}
  holder: {type: text}
  held_by: {type: choice, of: [role, body]}
  holder_unit: {type: text}
  rule: {type: choice, of: [simple, two thirds, unanimous, weighted]}
  from: {type: date}
  until: {type: date}
states: {active: {initial: true}, revoked: {final: true}}
transitions: [{trigger: revoke, from: active, to: revoked}]
---
workflow: delegation
version: 1
title: Delegation
key: DEL
register: delegation
in_force: [active]
data:
  giver: {type: person}
  receiver: {type: person}
  role: {type: text}
  unit: {type: text}
  category: {type: text}
  limit: {type: money, currency: GBP}
  from: {type: date}
  until: {type: date}
states: {active: {initial: true}, revoked: {final: true}}
transitions: [{trigger: revoke, from: active, to: revoked}]
"""
)

DECISION = """
workflow: decision
version: 1
title: Decision
key: DEC
roles:
  requester:
  finance: {appointed_in: data.unit}
  assurer: {appointed_in: data.unit}
  sponsor: {appointed_in: data.unit}
data:
  category: {type: text}
  unit: {type: text}
  amount: {type: money, currency: GBP}
states:
  draft: {initial: true}
  ready:
  approved:
  endorsed: {final: true}
  done: {final: true}
start: {by: requester}
transitions:
  - {trigger: submit, from: draft, to: ready, accepts: [category, unit, amount]}
  - trigger: approve
    from: ready
    to: approved
    by: {authority: {category: data.category, value: data.amount, unit: data.unit}}
    not_by: requester
    evidence: [{kind: business-case, newer_than: 90 days, unchanged: true}]
    emits: DecisionTaken
  - trigger: endorse
    from: ready
    to: endorsed
    by: requester
    agreed_by: [finance, assurer]
  - trigger: finish
    from: approved
    to: done
    by: sponsor
    needs: amount
    evidence: report
    should: {not_by: requester, when: {check: "data.amount < 1000000", otherwise: it is a lot}}
    override: {by: sponsor, of: evidence}
"""

NOW = "2026-03-02T09:00:00.000000Z"
REQUESTER = Requester(id="analyst", roles=("requester",))


class Office:
    """Commands in a line each, for tests to read like minutes."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._ids = count()

    def _common(self, actor: str | Requester, **more: Any) -> dict[str, Any]:
        who = Requester.read(actor) if isinstance(actor, str) else actor
        return {"command_id": f"c{next(self._ids)}", "actor": who, **more}

    def start(self, workflow: str, actor: str | Requester = "clerk", **data: Any) -> str:
        common = self._common(actor)
        return self.service.handle(StartCase(**common, workflow=workflow, data=data)).stream

    def do(
        self,
        case: str,
        trigger: str,
        actor: str | Requester = "clerk",
        data: dict[str, Any] | None = None,
        evidence: tuple[Evidence, ...] = (),
        **more: Any,
    ) -> Receipt:
        return self.service.handle(self.command(case, trigger, actor, data, evidence, **more))

    def command(
        self,
        case: str,
        trigger: str,
        actor: str | Requester = "clerk",
        data: dict[str, Any] | None = None,
        evidence: tuple[Evidence, ...] = (),
        **more: Any,
    ) -> PullTrigger:
        return PullTrigger(
            **self._common(actor, **more),
            case=case,
            trigger=trigger,
            data=data or {},
            evidence=evidence,
        )

    def sign(self, case: str, actor: str, of: str, answer: str = "for") -> Receipt:
        command = Sign(**self._common(actor), case=case, of=of, answer=answer)
        return self.service.handle(command)

    def declare(self, case: str, actor: str) -> Receipt:
        return self.service.handle(DeclareConflict(**self._common(actor), case=case))

    def observe(self, workflow: str, case: str, state: str, **data: Any) -> Receipt:
        return self.observe_all(workflow, case, Fact(name="Observed", state=state, data=data))

    def observe_all(self, workflow: str, case: str, *facts: Fact) -> Receipt:
        return self.service.handle(
            Observe(
                **self._common("importer"),
                workflow=workflow,
                case=case,
                facts=facts,
                origin=Source(name="minutes"),
            )
        )

    def appoint(self, role: str, person: str, unit: str = "transport", **data: Any) -> str:
        return self.start("appointment", role=role, unit=unit, person=person, **data)

    def body(self, name: str, members: list[str], **data: Any) -> str:
        return self.start("body", name=name, members=members, **data)

    def authorise(self, level: int, holder: str, held_by: str = "role", **data: Any) -> str:
        known = {"category": "funding", "unit": "transport"} | data
        return self.start("authority", level=level, holder=holder, held_by=held_by, **known)

    def ready(self, amount: str = "50000", **data: Any) -> str:
        """A decision that waits to be taken, with its business case."""
        case = self.start("decision", REQUESTER)
        given = {"category": "funding", "unit": "transport", "amount": amount} | data
        self.do(case, "submit", data=given, evidence=(paper("business-case"),))
        return case


def paper(kind: str, as_of: str = "2026-02-20", mark: str = "a") -> Evidence:
    return Evidence(kind=kind, as_of=as_of, sha256=mark * 64)


def refused(office: Office, case: str, trigger: str, actor: str, **more: object) -> str:
    """The reasons why not; and nothing has changed."""
    before = office.service.log.head()
    with pytest.raises(Refused) as refusal:
        office.do(case, trigger, actor, **more)  # type: ignore[arg-type]
    assert office.service.log.head() == before
    return "; ".join(refusal.value.reasons)


def taken(office: Office, case: str) -> CaseTransitioned:
    event = office.service.log.stream(case)[-1].event
    assert isinstance(event, CaseTransitioned)
    return event


@pytest.fixture
def clock() -> HandClock:
    return HandClock(NOW)


@pytest.fixture
def office(log: Log, clock: HandClock) -> Office:
    service = Service(log, clock)
    for text in [*REGISTERS.split("---\n"), DECISION]:
        publish(service, text)
    return Office(service)
