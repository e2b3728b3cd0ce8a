"""Observations in bulk: facts recorded through the service, each judged by the rules, durable, and
projected into register, audit trail and case list: first one after the other, and then as an import
does it, where a second process brings the views up meanwhile; told is the time from the first
observation until the views are level with the log, and that process is up before. The limit beside
it: SQLite itself, writing rows of the same bytes into one table in transactions of the same size.

    .venv/bin/python -m bench.observing
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from app.alongside import Alongside
from app.home import Home
from bench.ledgers import DEFINITION
from bench.report import Row, write
from engine import events
from engine.commands import Fact, Observe, PublishDefinition, Requester
from engine.cycles import uncollected
from engine.events import Source
from engine.loading import load_definition
from engine.service import LARGEST_GROUP

IMPORTER = Requester(id="importer", kind="import")
PROJECTS = 2_000
REPORTS = 10
STARTING = 1.0
"""Seconds in which the second process starts: in production it is there already (pmo work)."""


def reports() -> list[Observe]:
    """Ten yearly reports on 2,000 projects, two facts in each observation."""
    return [
        Observe(
            command_id=f"{year}-{number}",
            actor=IMPORTER,
            workflow="project",
            case=f"PRJ-{number:04}",
            occurred_at=f"{2010 + year}-09-30",
            facts=(
                Fact(name="RatingChanged", data={"rating": ("Green", "Amber", "Red")[year % 3]}),
                Fact(
                    name="BaselineIssued",
                    data={"end": f"{2030 + year}-03-31", "cost": f"{number + year}000000"},
                ),
            ),
            origin=Source(name=f"report {2010 + year}", record=str(number)),
        )
        for year in range(REPORTS)
        for number in range(1, PROJECTS + 1)
    ]


def opened(folder: Path) -> Home:
    """A home that knows the workflow, with views that are level with its log."""
    home = Home.create(folder)
    body = load_definition(DEFINITION, "bench").body
    home.service.handle(
        PublishDefinition(command_id="p", actor=IMPORTER, body=body, text=DEFINITION)
    )
    home.catch_up()
    return home


def record(home: Home, commands: list[Observe]) -> None:
    with uncollected():
        for first in range(0, len(commands), LARGEST_GROUP):
            home.service.handle_many(commands[first : first + LARGEST_GROUP])


def one_after_the_other(folder: Path) -> tuple[float, float, list[bytes]]:
    """Seconds to record, seconds to project, and the bytes that were stored."""
    with opened(folder) as home:
        commands = reports()
        started = time.perf_counter()
        record(home, commands)
        recorded = time.perf_counter()
        home.catch_up()
        projected = time.perf_counter()
        stored = [events.to_bytes(event) for _, event in home.log.read(1, home.log.head())]
    return recorded - started, projected - recorded, stored


def together(folder: Path) -> float:
    """Seconds from the first observation until the views are level with the log."""
    with opened(folder) as home:
        commands = reports()
        with Alongside(home) as views:
            views.expect(len(commands))
            time.sleep(STARTING)
            started = time.perf_counter()
            record(home, commands)
        home.catch_up()
        return time.perf_counter() - started


def bare_rows(folder: Path, stored: list[bytes]) -> float:
    """Seconds for SQLite to write the same bytes, with the same durability."""
    with closing(sqlite3.connect(folder / "rows.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows (position INTEGER PRIMARY KEY, state BLOB)")
        size = LARGEST_GROUP * 2
        started = time.perf_counter()
        for first in range(0, len(stored), size):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO rows VALUES (?, ?)", enumerate(stored[first : first + size], first)
            )
            connection.execute("COMMIT")
        return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        folder = Path(name)
        recording, projecting, stored = one_after_the_other(folder / "one")
        both = together(folder / "together")
        bare = bare_rows(folder, stored)
    count = len(stored)
    rows = [
        Row(what, f"{count / seconds:,.0f}/s", f"{count / bare:,.0f}/s", f"{bare / seconds:.2f}")
        for what, seconds in (
            ("into the log", recording),
            ("from the log into the views", projecting),
            ("into the log, and then into the views", recording + projecting),
            ("into the log, the views following at its heels", both),
        )
    ]
    write(f"Observations in bulk, {count:,} events", __doc__ or "", "bare SQLite rows", rows)


if __name__ == "__main__":
    main()
