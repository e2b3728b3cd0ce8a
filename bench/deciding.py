"""Deciding: five commands a case (start, submit, review, approve, close), each with a role guard, a
CEL condition and validated data, the full envelope, durable before it is acknowledged.

    .venv/bin/python -m bench.deciding
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from bench.peers import STEPS, stock_application, stock_case
from bench.report import Row, write
from engine.commands import PublishDefinition, PullTrigger, Requester, StartCase
from engine.loading import load_definition
from engine.service import Service
from engine.store.sqlite import SQLiteLog

DEFINITION = """
workflow: decision
version: 1
title: Governance decision
key: DEC
roles: {clerk: , manager: }
data:
  title:  {type: text, required: true}
  amount: {type: money, currency: GBP}
  note:   {type: text}
states:
  draft:     {initial: true}
  submitted:
  reviewed:
  approved:
  closed:    {final: true}
start: {by: clerk, when: size(data.title) > 3}
transitions:
  - {trigger: submit, from: draft, to: submitted, by: clerk, needs: amount,
     when: data.amount <= 100000}
  - {trigger: review, from: submitted, to: reviewed, by: manager, when: data.amount <= 100000}
  - {trigger: approve, from: reviewed, to: approved, by: manager, accepts: note,
     when: data.amount <= 100000}
  - {trigger: close, from: approved, to: closed, by: manager, when: data.amount <= 100000}
"""
DATA = {"submit": {"amount": "90000"}, "approve": {"note": "in the plan"}}
CLERK = Requester(id="pat", roles=("clerk",))
MANAGER = Requester(id="sam", roles=("manager",))


class SlowLog(SQLiteLog):
    """A log on a disk whose fsync takes ``slower_by`` seconds longer."""

    slower_by = 0.0

    def _commit(self) -> None:
        time.sleep(self.slower_by)
        super()._commit()


def open_service(folder: Path, slower_by: float = 0.0) -> Service:
    log = SlowLog(folder / "ledger.db")
    log.slower_by = slower_by
    service = Service(log)
    definition = load_definition(DEFINITION, "bench")
    service.handle(
        PublishDefinition(
            command_id="publish", actor=MANAGER, body=definition.body, text=DEFINITION
        )
    )
    return service


def run_case(service: Service, number: int) -> None:
    start = StartCase(
        command_id=f"{number}-start",
        actor=CLERK,
        workflow="decision",
        data={"title": "Replace the signalling"},
    )
    case = service.handle(start).stream
    for trigger in STEPS:
        service.handle(
            PullTrigger(
                command_id=f"{number}-{trigger}",
                actor=CLERK if trigger == "submit" else MANAGER,
                case=case,
                trigger=trigger,
                data=DATA.get(trigger, {}),
            )
        )


def rate(case: Callable[[int], None], callers: int, seconds: float) -> float:
    """Transitions a second: ``callers`` threads, each running whole cases until time is up."""
    numbers, done = count(), []
    stop = time.perf_counter() + seconds

    def call() -> None:
        cases = 0
        while time.perf_counter() < stop:
            case(next(numbers))
            cases += 1
        done.append(cases)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) * (1 + len(STEPS)) / (time.perf_counter() - started)


def compare(callers: int, slower_by: float = 0.0, seconds: float = 4.0) -> tuple[float, float]:
    """Our rate and the stock library's, on fresh files in the same folder, one after the other."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        folder = Path(name)
        service = open_service(folder, slower_by)
        ours = rate(lambda number: run_case(service, number), callers, seconds)
        service.log.close()
        stock = stock_application(folder, slower_by)
        theirs = rate(lambda _: stock_case(stock), callers, seconds)
        stock.close()
    return ours, theirs


def main() -> None:
    rows = []
    for title, callers, slower_by in (
        ("32 callers", 32, 0.0),
        ("1 caller", 1, 0.0),
        ("32 callers, every fsync 2 ms slower", 32, 0.002),
    ):
        ours, theirs = compare(callers, slower_by)
        rows.append(Row(title, f"{ours:,.0f}/s", f"{theirs:,.0f}/s", f"{ours / theirs:.1f}"))
    write("Deciding, SQLite, synchronous=FULL", __doc__ or "", "stock eventsourcing", rows)


if __name__ == "__main__":
    main()
