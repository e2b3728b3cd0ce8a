"""A page of a register of 100,000 cases, five events each: 50 rows, filtered, sorted, with the
total, now and as of days in the past. Told is processor time, which nothing else that runs adds
to; with the file in memory it is what one waits on an idle machine. The limit beside it: SQLite
counts those of 100,000 bare rows, as they are now and without a past, that pass the same filter,
and fetches and sorts them.

    .venv/bin/python -m bench.listing
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.ledgers import fill
from bench.report import Row, write
from projections.opening import open_for_reading
from projections.register_pages import Where, page
from projections.runner import Runner
from projections.store import Tables

CASES = 100_000
EVENTS = 5
RUNS = 25
DAYS = (None, "1971-12-31", "1973-12-31", "1975-12-31")
QUESTIONS: tuple[tuple[str, str, list[Where], str], ...] = (
    ("one rating of three, the costliest first", "rating = 'Amber'",
     [Where("rating", "=", "Amber")], "cost"),
    ("one in ten by cost, the last to end first", "cost >= 900000000",
     [Where("cost", ">=", 900e6)], "end"),
    ("all in one state, by name", "1 = 1", [Where("_state", "=", "reported")], "name"),
)  # fmt: skip


def milliseconds(ask: Callable[[], Any]) -> float:
    ask()
    taken = []
    for _ in range(RUNS):
        started = time.process_time()
        ask()
        taken.append((time.process_time() - started) * 1e3)
    return statistics.median(taken)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        home = Path(name)
        print(f"filling a ledger with {CASES * EVENTS:,} events", file=sys.stderr)
        log = fill(home / "ledger.db", CASES * EVENTS, EVENTS)
        runner = Runner(log, home / "views.db")
        runner.catch_up()
        runner.close()
        log.close()
        tables = open_for_reading(home / "views.db")
        bare = copy_now(tables, home / "bare.db")
        rows = []
        for what, condition, where, sort in QUESTIONS:
            limit = milliseconds(lambda c=condition, s=sort: look_at_bare_rows(bare, c, s))
            for day in DAYS:
                ours = milliseconds(lambda w=where, s=sort, d=day: look(tables, w, s, d))
                when = f"as of {day}" if day else "now"
                rows.append(
                    Row(
                        f"{what}, {when}",
                        f"{ours:.0f} ms",
                        f"{limit:.0f} ms",
                        f"{ours / limit:.1f}",
                    )
                )
        bare.close()
        tables.close()
    write(f"A page of a register of {CASES:,} cases", __doc__ or "", "bare rows, now", rows)


def look(tables: Tables, where: list[Where], sort: str, day: str | None) -> None:
    found = page(tables, "project", where=where, sort=sort, descending=True, limit=50, as_of=day)
    assert len(found.rows) == 50


def copy_now(tables: Tables, file: Path) -> sqlite3.Connection:
    """The rows as they are now, in a table without a past and without an index."""
    bare = sqlite3.connect(file)
    bare.execute('CREATE TABLE bare (key TEXT, name TEXT, rating TEXT, "end" TEXT, cost REAL)')
    rows = tables.run(
        'SELECT _key, name, rating, "end", cost FROM register_project'
        " WHERE _next_known IS NULL AND _known_to IS NULL"
    )
    bare.executemany("INSERT INTO bare VALUES (?, ?, ?, ?, ?)", rows)
    bare.commit()
    return bare


def look_at_bare_rows(bare: sqlite3.Connection, condition: str, sort: str) -> None:
    bare.execute(f"SELECT count(*) FROM bare WHERE {condition}").fetchall()
    sql = f'SELECT * FROM bare WHERE {condition} ORDER BY "{sort}" DESC, key DESC LIMIT 50'
    assert len(bare.execute(sql).fetchall()) == 50


if __name__ == "__main__":
    main()
