"""Deciding: five commands a case (start, submit, review, approve, close), each with a role guard, a
CEL condition and validated data, the full envelope, durable before it is acknowledged. Both have
run for a while: SQLite's journals are as long as they get, for a disk takes longer over a commit
that makes a file longer.

    .venv/bin/python -m bench.deciding
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from app.garbage import collect_seldom
from bench.peers import (
    STEPS,
    STOCK_CHECKPOINT_PAGES,
    grow_journal,
    stock_application,
    stock_case,
)
from bench.report import Row, write
from engine.asking import AsyncService
from engine.commands import Command, PublishDefinition, PullTrigger, Requester, StartCase
from engine.loading import load_definition
from engine.service import Service
from engine.store.sqlite import SQLiteLog
from engine.store.sqlite_file import CHECKPOINT_PAGES

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
start: {by: clerk, when: data.title != ""}
transitions:
  - {trigger: submit, from: draft, to: submitted, by: clerk, needs: amount,
     when: data.amount <= 100000}
  - {trigger: review, from: submitted, to: reviewed, by: manager, when: data.amount <= 100000}
  - {trigger: approve, from: reviewed, to: approved, by: manager, accepts: note,
     when: data.amount <= 100000}
  - {trigger: close, from: approved, to: closed, by: manager, when: data.amount <= 100000}
"""
DATA = {"submit": {"amount": "90000"}, "approve": {"note": "in the plan"}}
SECONDS = 3.0
CLERK = Requester(id="pat", roles=("clerk",))
MANAGER = Requester(id="sam", roles=("manager",))


class SlowLog(SQLiteLog):
    """A log on a disk whose fsync takes ``slower_by`` seconds longer."""

    slower_by = 0.0

    def _commit(self) -> None:
        if self.slower_by:
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


def steps(number: int) -> Iterator[Callable[[str], Command]]:
    """The five commands of one case; each needs the case's key, which the first brings about."""
    yield lambda _: StartCase(
        command_id=f"{number}-start",
        actor=CLERK,
        workflow="decision",
        data={"title": "Replace the signalling"},
    )
    for trigger in STEPS:
        yield partial(pull, number, trigger)


def pull(number: int, trigger: str, case: str) -> PullTrigger:
    return PullTrigger(
        command_id=f"{number}-{trigger}",
        actor=CLERK if trigger == "submit" else MANAGER,
        case=case,
        trigger=trigger,
        data=DATA.get(trigger, {}),
    )


def run_case(service: Service, number: int) -> None:
    key = ""
    for step in steps(number):
        key = service.handle(step(key)).stream


async def run_case_async(service: AsyncService, number: int) -> None:
    key = ""
    for step in steps(number):
        key = (await service.handle(step(key))).stream


def thread_rate(case: Callable[[int], None], callers: int) -> float:
    """Transitions a second: ``callers`` threads, each running whole cases until time is up."""
    numbers, done = count(), []
    stop = time.perf_counter() + SECONDS

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


def task_rate(service: Service, callers: int, process: int = 0) -> float:
    """As ``thread_rate``, the callers being tasks on one event loop; one of several processes."""
    numbers = count((process + 1) * 10**9)

    async def call(door: AsyncService, stop: float) -> int:
        cases = 0
        while time.perf_counter() < stop:
            await run_case_async(door, next(numbers))
            cases += 1
        return cases

    async def run() -> int:
        door = AsyncService(service)
        stop = time.perf_counter() + SECONDS
        done = await asyncio.gather(*[call(door, stop) for _ in range(callers)])
        door.close()
        return sum(done)

    started = time.perf_counter()
    cases = asyncio.run(run())
    return cases * (1 + len(STEPS)) / (time.perf_counter() - started)


def compare(callers: int, slower_by: float = 0.0) -> tuple[float, float, float]:
    """Medians of three rounds on fresh files, all ways in turn: our tasks, our threads, stock."""
    rounds = [_round(callers, slower_by) for _ in range(3)]
    tasks, threads, theirs = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    return tasks, threads, theirs


def _round(callers: int, slower_by: float) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        folder = Path(name)
        service = open_service(folder, slower_by)
        stock = stock_application(folder, slower_by)
        try:
            grow_journal(folder / "ledger.db", CHECKPOINT_PAGES)
            grow_journal(folder / "stock.db", STOCK_CHECKPOINT_PAGES)
            return (
                task_rate(service, callers),
                thread_rate(lambda number: run_case(service, number), callers),
                thread_rate(lambda _: stock_case(stock), callers),
            )
        finally:
            stock.close()
            service.log.close()


def tune() -> None:
    """As ``pmo serve`` and ``pmo work`` do. It holds for all."""
    collect_seldom()


def main() -> None:
    tune()
    rows = []
    for title, callers, slower_by in (
        ("32 callers", 32, 0.0),
        ("1 caller", 1, 0.0),
        ("32 callers, every fsync 2 ms slower", 32, 0.002),
    ):
        tasks, threads, stock = compare(callers, slower_by)
        for how, ours in (("tasks on a loop", tasks), ("threads", threads)):
            row = f"{title}, {how}"
            rows.append(Row(row, f"{ours:,.0f}/s", f"{stock:,.0f}/s", f"{ours / stock:.1f}"))
    write("Deciding, SQLite, synchronous=FULL", __doc__ or "", "stock eventsourcing", rows)


if __name__ == "__main__":
    main()
