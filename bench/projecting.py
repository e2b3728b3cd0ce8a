"""A full rebuild of all views from the log: five workflows of ten fields, ten events a case, a
thousand cases under way at any moment. The limit beside it: reading and decoding the same events
and writing their bytes into one bare table of the same database, in transactions of the same size.
Memory is the peak of a process that does nothing but the rebuild, and of the one that helps it.

    .venv/bin/python -m bench.projecting
"""

from __future__ import annotations

import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.report import Row, write
from engine import canonical, clock
from engine.events import (
    Actor,
    AnyEvent,
    CaseStarted,
    CaseTransitioned,
    DefinitionPublished,
    DefinitionRef,
    Verdict,
)
from engine.store.log import Append, Appended
from engine.store.sqlite import SQLiteLog
from projections.runner import Runner

SIZES = (100_000, 1_000_000)
WORKFLOWS = 5
EVENTS_A_CASE = 10
CASES_AT_ONCE = 1_000
GROUP = 1_000
TRANSACTION = 10_000

FIELDS = {
    "title": {"type": "text"},
    "category": {"type": "choice", "of": ["funding", "scope"]},
    "amount": {"type": "money", "currency": "GBP"},
    "score": {"type": "number"},
    "due": {"type": "date"},
    "owner": {"type": "person"},
    "objective": {"type": "ref"},
    "tags": {"type": "list", "of": ["text"]},
    "rationale": {"type": "text"},
    "rating": {"type": "text"},
}
FIRST = {
    "title": "A case of some workflow",
    "category": "funding",
    "amount": {"amount": "1250000.5", "currency": "GBP"},
    "score": 82,
    "due": "2026-12-31",
    "owner": "owner-7",
    "objective": "OBJ-0001",
    "tags": ["north", "water"],
    "rationale": "It must be done before the end of the year",
    "rating": "green",
}
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


def main() -> None:
    rows = []
    for events in SIZES:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
            fill(Path(name) / "ledger.db", events)
            ours, peak = measured("rebuild", name)
            limit, _ = measured("copy", name)
        rows.append(
            Row(
                f"{events:,} events, peak {peak:.0f} MB",
                f"{events / ours:,.0f}/s",
                f"{events / limit:,.0f}/s",
                f"{limit / ours:.2f}",
            )
        )
    write("Projecting", __doc__ or "", "one bare table", rows)


def measured(what: str, folder: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a process of its own."""
    command = [sys.executable, "-m", "bench.projecting", what, folder]
    seconds, peak = subprocess.check_output(command, text=True).split()
    return float(seconds), float(peak)


def peak_megabytes() -> float:
    """This program's own peak, and that of the process it started; ``ru_maxrss`` of its own would
    begin with that of the parent, which filled the ledger (proc(5), VmHWM)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    own = int(status.split("VmHWM:")[1].split()[0])
    return (own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def rebuild(folder: Path) -> None:
    with (
        closing(SQLiteLog(folder / "ledger.db")) as log,
        closing(Runner(log, folder / "views.db")) as runner,
    ):
        runner.rebuild()


def copy(folder: Path) -> None:
    with (
        closing(SQLiteLog(folder / "ledger.db")) as log,
        closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as table,
    ):
        table.execute("PRAGMA journal_mode = WAL")
        table.execute("PRAGMA synchronous = NORMAL")
        table.execute("CREATE TABLE bare (position INTEGER PRIMARY KEY, stream TEXT, body BLOB)")
        after = 0
        while after < log.head():
            table.execute("BEGIN")
            for _ in range(0, TRANSACTION, 100):
                bodies = log.bodies(after, 100)
                after += len(bodies)
                table.executemany(
                    "INSERT INTO bare VALUES (?, ?, ?)",
                    [(at, body["stream"], canonical.encode_simple(body)) for at, body in bodies],
                )
            table.execute("COMMIT")


def fill(path: Path, count: int) -> None:
    print(f"filling a ledger with {count:,} events", file=sys.stderr)
    with closing(SQLiteLog(path)) as log:
        group: list[AnyEvent] = []
        for event in told(count):
            group.append(event)
            if len(group) == GROUP:
                append(log, group)
                group = []
        append(log, group)


def append(log: SQLiteLog, events: list[AnyEvent]) -> None:
    answers = log.append(
        [
            Append((event,), {event.stream: event.version - 1}, event.event_id, bytes(32))
            for event in events
        ]
    )
    assert all(isinstance(answer, Appended) for answer in answers)


def told(count: int) -> Iterator[AnyEvent]:
    for number in range(WORKFLOWS):
        body = {"workflow": f"flow-{number}", "version": 1, "title": "Flow", "data": FIELDS}
        yield DefinitionPublished(
            **envelope(number, f"definition/flow-{number}", 1, number),
            name="DefinitionPublished",
            body=body,
            text="",
        )
    chosen = random.Random(1)
    under_way: list[list[int]] = []
    begun = 0
    for step in range(WORKFLOWS, count):
        if len(under_way) < CASES_AT_ONCE:
            begun += 1
            under_way.append([begun, 0])
        place = chosen.randrange(len(under_way))
        number, version = under_way[place]
        version += 1
        under_way[place][1] = version
        common = envelope(step, f"CASE-{number:07}", version, number % WORKFLOWS)
        if version == 1:
            yield CaseStarted(**common, name="CaseStarted", state="draft", data=FIRST)
        else:
            yield CaseTransitioned(
                **common,
                name="DecisionTaken",
                trigger="approve",
                source=f"step-{version - 1}",
                state=f"step-{version}",
                data={"score": version, "rating": "amber"},
                verdicts=(Verdict(rule="role", held=True, reason="requester"),),
            )
        if version == EVENTS_A_CASE:
            under_way.pop(place)


def envelope(step: int, stream: str, version: int, workflow: int) -> dict[str, object]:
    at = clock.instant(BEGINNING + timedelta(seconds=step))
    return {
        "event_id": f"{step:036}",
        "stream": stream,
        "version": version,
        "recorded_at": at,
        "occurred_at": at,
        "actor": Actor(id=f"person-{step % 97}"),
        "role": "requester",
        "definition": DefinitionRef(name=f"flow-{workflow}", version=1, hash="a" * 64),
        "command_id": f"command-{step}",
        "correlation_id": f"command-{step}",
    }


if __name__ == "__main__":
    if len(sys.argv) == 3:
        started = time.perf_counter()
        {"rebuild": rebuild, "copy": copy}[sys.argv[1]](Path(sys.argv[2]))
        print(time.perf_counter() - started, peak_megabytes())
    else:
        main()
