"""Real ledgers and real memories of consumers, in a folder or a database of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.memory import Place
from consumers.postgres import PostgresMemories
from consumers.reactions import Reactions
from consumers.runner import Runner
from consumers.store import Store
from engine import ids
from engine.clock import HandClock
from engine.commands import Fact, Observe, PublishDefinition, PullTrigger, Requester, StartCase
from engine.definition import Definition
from engine.events import ActorKind, Source
from engine.loading import load_definition
from engine.service import Receipt, Service
from engine.store.log import Log
from engine.store.opening import open_log

PLAN = """
workflow: plan
version: 1
title: Plan
key: PLAN
roles: {requester: }
data:
  title: {type: text}
  decision: {type: text}
  under: {type: ref, to: decision, parent: true}
  budget: {type: money, currency: GBP}
states:
  draft: {initial: true}
  baselined:
  closed: {final: true}
start: {emits: PlanStarted}
transitions:
  - {trigger: issue-baseline, from: draft, to: baselined, by: [service, requester],
     accepts: [decision, budget], emits: BaselineIssued}
  - {trigger: close, from: [draft, baselined], to: closed, emits: PlanClosed}
"""

DECISION = """
workflow: decision
version: 1
title: Decision
key: DEC
data:
  title: {type: text, required: true}
  category: {type: choice, of: [schedule, scope]}
  amount: {type: money, currency: GBP}
  plan: {type: ref, to: plan}
states:
  draft: {initial: true}
  approved:
  closed: {final: true}
start: {emits: DecisionDrafted}
transitions:
  - {trigger: approve, from: draft, to: approved, accepts: [plan, category], emits: DecisionTaken}
  - {trigger: close, from: approved, to: closed, emits: DecisionClosed}
reactions:
  - on: DecisionTaken
    where: data.category == "schedule"
    do: {trigger: issue-baseline, of: data.plan, with: {decision: key, budget: data.amount}}
"""

PAT = Requester(id="pat", roles=("requester",))


class House:
    """A ledger, a service, and the reactions to it."""

    def __init__(self, ledger: Path | str, memories: Path | Place) -> None:
        self.ledger = str(ledger)
        self.memories = memories
        self.clock = HandClock("2026-03-01T09:00:00.000000Z")
        self.log: Log = open_log(ledger)
        self.service = Service(self.log, self.clock)
        self.store = Store(memories)
        self.waits: list[float] = []
        self.reactions = Reactions(self.log, self.service)
        self.runner = self.another(self.store)

    def another(self, store: Store, consumer: Any = None) -> Runner:
        return Runner(
            self.log,
            store,
            consumer or self.reactions,
            clock=self.clock,
            pause=self.waits.append,
            chance=lambda: 1.0,
        )

    def publish(self, *texts: str) -> list[Definition]:
        definitions = [load_definition(text, "test.yaml") for text in texts]
        for text, definition in zip(texts, definitions, strict=True):
            self.service.handle(
                PublishDefinition(
                    command_id=ids.derived_id("publish", text),
                    actor=Requester(id="operator", kind="service"),
                    body=definition.body,
                    text=text,
                )
            )
        return definitions

    def start(self, workflow: str, actor: Requester = PAT, **data: Any) -> Receipt:
        return self.service.handle(
            StartCase(command_id=ids.new_id(), actor=actor, workflow=workflow, data=data)
        )

    def do(self, case: str, trigger: str, **data: Any) -> Receipt:
        return self.service.handle(
            PullTrigger(command_id=ids.new_id(), actor=PAT, case=case, trigger=trigger, data=data)
        )

    def approved(self, plan: str, category: str = "schedule") -> Receipt:
        decision = self.start("decision", title="Extend", amount="1.25m").stream
        return self.do(decision, "approve", plan=plan, category=category)

    def observed(self, decision: str, plan: str, kind: ActorKind) -> None:
        """That a decision about a plan was taken, as somebody or something reports it."""
        data = {"title": "Old", "category": "schedule", "plan": plan}
        self.service.handle(
            Observe(
                command_id=ids.new_id(),
                actor=Requester(id="reports", kind=kind),
                workflow="decision",
                case=decision,
                facts=(Fact(name="DecisionTaken", state="approved", data=data),),
                origin=Source(name="report"),
            )
        )

    def names(self, key: str) -> list[str]:
        return [recorded.event.name for recorded in self.log.stream(key)]

    def state(self, key: str) -> str:
        return self.service.case(key).state

    def reasons(self) -> list[str]:
        return [incident.reason for incident in self.store.incidents()]

    def close(self) -> None:
        self.store.close()
        self.log.close()


@pytest.fixture(params=["sqlite", "postgres"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    if request.param == "postgres":
        address = request.getfixturevalue("database")
        house = House(address, PostgresMemories(address))
    else:
        house = House(tmp_path / "ledger.db", tmp_path / "consumers.db")
    yield house
    house.close()


@pytest.fixture
def house(bare: House) -> House:
    """Plans and decisions are published, and reactions are switched on."""
    bare.publish(PLAN, DECISION)
    bare.runner.switch_on()
    return bare


@pytest.fixture
def another_store(house: House) -> Iterator[Callable[[], Store]]:
    opened: list[Store] = []

    def another() -> Store:
        opened.append(Store(house.memories))
        return opened[-1]

    yield another
    for store in opened:
        store.close()
