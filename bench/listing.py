"""A page of a register of 100,000 cases, five events each: 50 rows, filtered, sorted, counted up to
10,000, now, as of days in the past (told is the slowest of these days), and as known before the
last tenth was recorded. Told is processor time, which nothing else that runs adds to; with the file
in memory it is what one waits on an idle machine. The first page of its kind finds no index of its
columns; it is asked for once, through a new connection. A page behind the first goes on after the
last case of the page before it. The limit beside it: SQLite counts those of 100,000 bare rows, as
they are now and without a past, that pass the same filter, and fetches and sorts them.

    .venv/bin/python -m bench.listing
"""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from bench.ledgers import fill
from bench.report import Row, write
from projections.opening import open_for_reading
from projections.register import index_of, index_of_learnt
from projections.register_pages import Page, Where, page
from projections.runner import Runner
from projections.store import Tables

CASES = 100_000
EVENTS = 5
RUNS = 15
THEN: tuple[dict[str, str], ...] = (
    {"as_of": "1971-12-31"},
    {"as_of": "1973-12-31"},
    {"as_of": "1975-12-31"},
    {"as_of": "1973-12-31", "known_at": "9999-12-31"},
)
DEAR, AMBER = Where("cost", ">=", 900e6), Where("rating", "=", "Amber")
PART = Where("name", "contains", "0199")
Question = tuple[str, str, list[Where], str, int]
QUESTIONS: tuple[Question, ...] = (
    ("all, by key", "1 = 1", [], "key", 0),
    ("all, by key, the 200th page", "1 = 1", [], "key", 9_950),
    ("all, by key, the 1,000th page", "1 = 1", [], "key", 49_950),
    ("all in one state, by key", "1 = 1", [Where("_state", "=", "reported")], "key", 0),
    ("all in one state, by name", "1 = 1", [Where("_state", "=", "reported")], "name", 0),
    ("all, the last recorded first", "1 = 1", [], "position", 0),
    ("one rating of three, the costliest first", "rating = 'Amber'", [AMBER], "cost", 0),
    ("all but one rating, by name, the 20th page", "rating <> 'Amber'",
     [Where("rating", "!=", "Amber")], "name", 950),
    ("all but one rating, by end, the 500th page", "rating <> 'Amber'",
     [Where("rating", "!=", "Amber")], "end", 24_950),
    ("one in ten by cost, the last to end first", "cost >= 900000000", [DEAR], "end", 0),
    ("one in thirty by cost, rating and end, by name",
     "rating = 'Amber' AND cost >= 900000000 AND \"end\" >= '1992-01-01'",
     [AMBER, DEAR, Where("end", ">=", "1992-01-01")], "name", 0),
    ("one in a thousand by a part of its name, by key", "name LIKE '%0199%'", [PART], "key", 0),
    ("those by a part of name and of key, the costliest first",
     "name LIKE '%0199%' AND key LIKE '%9%'", [PART, Where("_key", "contains", "9")], "cost", 0),
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
        ((_, later),) = log.bodies(CASES * EVENTS * 9 // 10, 1)
        known = {"as_of": "1973-12-31", "known_at": later["recorded_at"]}
        log.close()
        moments = {"now": ({},), "as of any day": THEN, "as known before the last tenth": (known,)}
        first = [first_page(home, name, some) for name, some in moments.items()]
        tables = open_for_reading(home / "views.db")
        bare = copy_now(tables, home / "bare.db")
        have_indexes_made(tables)
        rows = []
        for what, condition, where, sort, offset in QUESTIONS:
            limit = milliseconds(partial(look_at_bare_rows, bare, condition, sort, offset))
            for when, some in moments.items():
                ours = max(
                    milliseconds(partial(look, tables, where, sort, moment, before))
                    for moment in some
                    for before in [last_before(tables, where, sort, moment, offset)]
                )
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
    rows += first
    write(f"A page of a register of {CASES:,} cases", __doc__ or "", "bare rows, now", rows)


def first_page(home: Path, when: str, moments: Sequence[dict[str, str]]) -> Row:
    """Of the rating of three, whose columns have no index yet."""
    slowest = max(first_milliseconds(home, moment) for moment in moments)
    return Row(f"the first page by rating and cost, {when}", f"{slowest:.0f} ms", "", "")


def first_milliseconds(home: Path, moment: dict[str, str]) -> float:
    """Of fresh copies each time: a look has the index made that the next would find."""
    taken = []
    for _ in range(RUNS):
        shutil.copy(home / "views.db", home / "first.db")
        with closing(open_for_reading(home / "first.db")) as tables:
            started = time.process_time()
            look(tables, [AMBER], "cost", moment)
            taken.append((time.process_time() - started) * 1e3)
    return statistics.median(taken)


def have_indexes_made(tables: Tables) -> None:
    table, columns = "register_project", ("name", "rating", "end", "cost", "_position")
    indexes = [*(index_of(table, name) for name in columns), index_of_learnt(table)]
    tables.ask_for(table, indexes)
    while not all(tables.is_indexed(table, index) for index in indexes):
        time.sleep(0.1)


def look(
    tables: Tables,
    where: list[Where],
    sort: str,
    moment: dict[str, str],
    after: str | None = None,
    limit: int = 50,
) -> Page:
    found = page(
        tables,
        "project",
        as_of=moment.get("as_of"),
        known_at=moment.get("known_at"),
        where=where,
        sort=sort,
        descending=True,
        limit=limit,
        after=after,
    )
    assert len(found.rows) == limit
    return found


def last_before(
    tables: Tables, where: list[Where], sort: str, moment: dict[str, str], offset: int
) -> str | None:
    """The case with which the page before ends."""
    return look(tables, where, sort, moment, None, offset).rows[-1].key if offset else None


def copy_now(tables: Tables, file: Path) -> sqlite3.Connection:
    """The rows as they are now, in a table without a past and without an index."""
    bare = sqlite3.connect(file)
    bare.execute(
        "CREATE TABLE bare"
        ' (key TEXT, position INTEGER, name TEXT, rating TEXT, "end" TEXT, cost REAL)'
    )
    rows = tables.run(
        'SELECT _key, _position, name, rating, "end", cost FROM register_project'
        " WHERE _next_known IS NULL AND _known_to IS NULL"
    )
    bare.executemany("INSERT INTO bare VALUES (?, ?, ?, ?, ?, ?)", rows)
    bare.commit()
    return bare


def look_at_bare_rows(bare: sqlite3.Connection, condition: str, sort: str, offset: int) -> None:
    bare.execute(f"SELECT count(*) FROM bare WHERE {condition}").fetchall()
    order = f'ORDER BY "{sort}" DESC, key DESC LIMIT 50 OFFSET {offset}'
    sql = f"SELECT * FROM bare WHERE {condition} {order}"
    assert len(bare.execute(sql).fetchall()) == 50


if __name__ == "__main__":
    main()
