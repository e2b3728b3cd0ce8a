"""Reactions catching up with 10,000 events that each ask something of another case: read, fold,
condition, command, durable effect, checkpoint. The limit beside it: the service handling the same
commands when it is simply handed them. Events that nothing reacts to are only passed over.

    .venv/bin/python -m bench.reacting
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.report import Row, write
from consumers.reactions import Reactions
from consumers.runner import Runner
from consumers.store import Store
from engine.commands import Command, PublishDefinition, PullTrigger, Requester, StartCase
from engine.errors import PmoError
from engine.loading import load_definition
from engine.reactions import ACTOR
from engine.service import Service
from engine.store.sqlite import SQLiteLog

EVENTS = 10_000
PLANS = 1_000
PAT = Requester(id="pat")

PLAN = """
workflow: plan
version: 1
title: Plan
key: PLAN
data: {decision: {type: text}, amount: {type: money, currency: GBP}}
states: {open: {initial: true}, closed: {final: true}}
transitions:
  - {trigger: note, from: open, to: open, accepts: [decision, amount], emits: DecisionNoted}
  - {trigger: close, from: open, to: closed}
"""

DECISION = """
workflow: decision
version: 1
title: Decision
key: DEC
data:
  category: {type: choice, of: [schedule, scope]}
  amount: {type: money, currency: GBP}
  plan: {type: ref, to: plan}
states: {draft: {initial: true}, closed: {final: true}}
start: {emits: DecisionTaken}
transitions:
  - {trigger: close, from: draft, to: closed}
reactions:
  - on: DecisionTaken
    where: data.category == "schedule" && data.amount > 1000
    do: {trigger: note, of: data.plan, with: {decision: key, amount: data.amount}}
"""


def main() -> None:
    reacted, limit = min(run() for _ in range(3))
    passed = min(pass_over() for _ in range(3))
    write(
        "Reacting",
        __doc__ or "",
        "handed to the service",
        [
            Row(
                f"{EVENTS:,} events that ask for something",
                f"{EVENTS / reacted:,.0f}/s",
                f"{EVENTS / limit:,.0f}/s",
                f"{limit / reacted:.2f}",
            ),
            Row(f"{EVENTS:,} events that ask for nothing", f"{EVENTS / passed:,.0f}/s", "", ""),
        ],
    )


def run() -> tuple[float, float]:
    """Seconds of catching up, and of the same commands without it."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        folder = Path(name)
        with closing(SQLiteLog(folder / "ledger.db")) as log:
            service = Service(log)
            fill(service, "schedule")
            reacted = timed(lambda: catch_up(log, folder))
            assert log.head() == 2 + PLANS + 2 * EVENTS
            commands = [
                PullTrigger(
                    command_id=f"again-{number}",
                    actor=ACTOR,
                    case=plan(number),
                    trigger="note",
                    data={"decision": f"DEC-{number}", "amount": "1250000"},
                )
                for number in range(EVENTS)
            ]
            limit = timed(lambda: handle(Service(log), commands))
    return reacted, limit


def pass_over() -> float:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        folder = Path(name)
        with closing(SQLiteLog(folder / "ledger.db")) as log:
            fill(Service(log), "scope", DECISION.partition("reactions:")[0])
            return timed(lambda: catch_up(log, folder))


def catch_up(log: SQLiteLog, folder: Path) -> None:
    with closing(Store(folder / "consumers.db")) as store:
        store.begin("reactions", 0)
        Runner(log, store, Reactions(log, Service(log))).catch_up()
        assert store.incidents() == []


def timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def fill(service: Service, category: str, decision: str = DECISION) -> None:
    for text in (PLAN, decision):
        body = load_definition(text, "bench.yaml").body
        command = PublishDefinition(command_id=text[:20], actor=PAT, body=body, text=text)
        service.handle(command)
    handle(service, [start(f"plan-{n}", "plan") for n in range(PLANS)])
    data = {"category": category, "amount": "1250000"}
    handle(
        service,
        [start(f"dec-{n}", "decision", **data, plan=plan(n)) for n in range(EVENTS)],
    )


def start(command_id: str, workflow: str, **data: str) -> StartCase:
    return StartCase(command_id=command_id, actor=PAT, workflow=workflow, data=data)


def plan(number: int) -> str:
    return f"PLAN-{number % PLANS + 1:04}"


def handle(service: Service, commands: list[Command] | list[PullTrigger] | list[StartCase]) -> None:
    for first in range(0, len(commands), 500):
        answers = service.handle_many(commands[first : first + 500])
        assert not any(isinstance(answer, PmoError) for answer in answers), answers[:1]


if __name__ == "__main__":
    main()
