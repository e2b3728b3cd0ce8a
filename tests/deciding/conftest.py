"""A service on every store that ships, with two small workflows that refer to each other."""

from __future__ import annotations

import pytest

from engine import ids
from engine.clock import HandClock
from engine.commands import PublishDefinition, Requester
from engine.definition import Definition
from engine.loading import load_definition
from engine.service import Service
from engine.store.log import Log

OBJECTIVE = """
workflow: objective
version: 1
title: Objective
key: OBJ
data:
  title: {type: text, required: true}
  due: {type: date}
states:
  proposed: {initial: true}
  active:
  closed: {final: true}
start: {emits: ObjectiveProposed}
transitions:
  - {trigger: activate, from: proposed, to: active, needs: due, emits: ObjectiveActivated}
  - {trigger: close, from: [proposed, active], to: closed, emits: ObjectiveClosed}
"""

DECISION = """
workflow: decision
version: 1
title: Governance decision
key: DEC
record_refusals: true
roles: {requester: , approver: }
data:
  title: {type: text, required: true, longest: 200}
  amount: {type: money, currency: GBP}
  objective: {type: ref, to: objective}
  rationale: {type: text}
states:
  draft: {initial: true}
  in_review:
  approved:
  rejected: {final: true}
  closed: {final: true}
start: {by: requester, emits: DecisionDrafted}
transitions:
  - trigger: submit
    from: draft
    to: in_review
    by: requester
    needs: [amount, objective]
    evidence: [{kind: business-case, newer_than: 90 days}]
    emits: DecisionRequested
  - trigger: approve
    from: in_review
    to: approved
    by: approver
    not_by: requester
    accepts: rationale
    when:
      - data.amount <= 100000
      - check: objective.state == "active" && objective.data.due > now
        otherwise: the objective must be active and not yet due
    emits: DecisionTaken
  - {trigger: reject, from: in_review, to: rejected, by: approver, needs: rationale,
     emits: DecisionTaken}
  - {trigger: close, from: approved, to: closed, by: requester}
"""

PAT = Requester(id="pat", roles=("requester",))
SAM = Requester(id="sam", roles=("approver",))
BOTH = Requester(id="pat", roles=("requester", "approver"))
OPERATOR = Requester(id="operator", kind="service")


@pytest.fixture
def clock() -> HandClock:
    return HandClock("2026-03-01T09:00:00.000000Z")


@pytest.fixture
def service(log: Log, clock: HandClock) -> Service:
    service = Service(log, clock)
    publish(service, OBJECTIVE)
    publish(service, DECISION)
    return service


def publish(service: Service, text: str) -> Definition:
    definition = load_definition(text, "test.yaml")
    service.handle(
        PublishDefinition(
            command_id=ids.derived_id("publish", text),
            actor=OPERATOR,
            body=definition.body,
            text=text,
        )
    )
    return definition
