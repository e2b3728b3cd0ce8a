"""Four versions of one workflow, and its cases under way: what is migrated."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from engine.commands import (
    AttachEvidence,
    Command,
    MigrateCase,
    PullTrigger,
    Requester,
    Sign,
    StartCase,
)
from engine.deadlines import command_for
from engine.errors import Refused
from engine.events import CaseMigrated, Evidence
from engine.service import Receipt, Service
from tests.deciding.conftest import publish

FIRST = """
workflow: plan
version: 1
title: Plan
key: PLAN
roles: {lead: , finance: }
data:
  unit: {type: text, required: true}
  goal: {type: text}
  size: {type: number}
  kind: {type: choice, of: [big, small]}
  after: {type: ref, to: plan}
  due: {type: date}
states:
  drafted: {initial: true}
  checked: {deadline: {within: 10 days, remind: [50%], then: lapse}}
  running: {deadline: {within: 20 days, then: stop}}
  stopped: {final: true}
start: {by: lead}
transitions:
  - {trigger: check, from: drafted, to: checked, by: lead}
  - {trigger: lapse, from: checked, to: stopped}
  - {trigger: run, from: checked, to: running, by: lead, agreed_by: finance}
  - {trigger: stop, from: [drafted, running], to: stopped}
"""
SECOND = """
workflow: plan
version: 2
title: Plan
key: PLAN
roles: {lead: , finance: }
only_one: {per: [unit, kind], in: running}
data:
  unit: {type: text, required: true}
  size: {type: number, most: 100}
  kind: {type: choice, of: [small]}
  after: {type: ref, to: plan, parent: true}
  due: {type: date}
states:
  drafted: {initial: true}
  reviewed: {deadline: {within: 3 days, then: lapse}}
  running: {deadline: {within: 20 days, then: stop}}
  ended: {final: true}
  stopped: {final: true}
start: {by: lead}
transitions:
  - {trigger: review, from: drafted, to: reviewed, by: lead}
  - {trigger: lapse, from: reviewed, to: stopped}
  - {trigger: run, from: reviewed, to: running, by: lead}
  - {trigger: stop, from: running, to: stopped}
  - {trigger: end, from: running, to: ended}
"""
THIRD = (
    FIRST.replace("version: 1", "version: 3")
    .replace("checked: {deadline: {within: 10", "checked: {deadline: {within: 30")
    .replace("running: {deadline: {within: 20 days,", "running: {deadline: {on: data.due,")
    .replace("drafted: {initial: true}", "drafted: {initial: true, title: Draft}")
)
FOURTH = THIRD.replace("version: 3", "version: 4").replace(
    "from: [drafted, running], to: stopped}",
    "from: [drafted, running], to: stopped, evidence: [{kind: paper, unchanged: true}]}",
)
LENA = Requester(id="lena", roles=("lead",))
FIN = Requester(id="fin", roles=("finance",))
OLAF = Requester(id="olaf", roles=("operator",))


class Plans:
    """Commands in a line each, on one service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._ids = count()

    def start(self, state: str = "drafted", **data: Any) -> str:
        common = {"command_id": f"s{next(self._ids)}", "actor": LENA}
        key = self.service.handle(StartCase(**common, workflow="plan", data=data)).stream
        way = ["check", "run"] if state in ("running", "stopped") else ["check"]
        for trigger in way if state != "drafted" else []:
            if trigger == "run":
                self.sign(key)
            self.pull(key, trigger)
        if state == "stopped":
            self.pull(key, "stop")
        return key

    def pull(self, case: str, trigger: str) -> Receipt:
        return self.service.handle(self.step(case, trigger))

    def step(self, case: str, trigger: str) -> PullTrigger:
        return PullTrigger(command_id=f"p{next(self._ids)}", actor=LENA, case=case, trigger=trigger)

    def sign(self, case: str) -> Receipt:
        said = {"case": case, "of": "finance", "answer": "for"}
        return self.service.handle(Sign(command_id=f"v{next(self._ids)}", actor=FIN, **said))

    def attach(self, case: str) -> Receipt:
        paper = Evidence(kind="paper", as_of="2026-03-01", sha256="0" * 64)
        command_id = f"a{next(self._ids)}"
        return self.service.handle(
            AttachEvidence(command_id=command_id, actor=LENA, case=case, evidence=paper)
        )

    def due(self, case: str) -> Command:
        """What a timer sends when the last of what is open falls due."""
        found = self.service.case(case)
        return command_for(case, found.entered, found.deadlines[-1])

    def migration(self, case: str, to: int, **more: Any) -> MigrateCase:
        said = {"command_id": f"m{next(self._ids)}", "actor": OLAF, "reason": "one rule for all"}
        return MigrateCase(**{**said, **more}, case=case, to=to)

    def migrate(self, case: str, to: int, **more: Any) -> CaseMigrated:
        self.service.handle(self.migration(case, to, **more))
        event = self.service.log.stream(case)[-1].event
        assert isinstance(event, CaseMigrated)
        return event

    def reasons(self, case: str, to: int, **more: Any) -> tuple[str, ...]:
        """Why it is refused; and nothing of it is written."""
        head = self.service.log.head()
        with pytest.raises(Refused) as refused:
            self.service.handle(self.migration(case, to, **more))
        assert self.service.log.head() == head
        assert refused.value.what == f"{case} cannot be migrated"
        return refused.value.reasons


def publish_all(plans: Plans) -> None:
    publish(plans.service, SECOND)
    publish(plans.service, THIRD)
