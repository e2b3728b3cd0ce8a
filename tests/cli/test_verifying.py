"""``docs/verifying.md``: what somebody with the file can do to it, and what ``pmo verify`` says."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine import canonical
from tests.cli.conftest import Pmo

MANUAL = (Path(__file__).parents[2] / "docs" / "verifying.md").read_text(encoding="utf-8")
FOUND = dict(re.findall(r"^\| (.+?) \| `([^`]+)` \|$", MANUAL, re.MULTILINE))
KEPT = dict(re.findall(r"^\| (.+?) \| `--expect`: `(.+)` \|$", MANUAL, re.MULTILINE))
UNSEEN = re.findall(r"^\| (.+?) \| nothing: .+ \|$", MANUAL, re.MULTILINE)
LAST = 6
"""The position of DEC-0001's first event; 4 and 5 are of OBJ-0001, 1 to 3 are definitions."""

Ledger = sqlite3.Connection
DONE: dict[str, Callable[[Path], None]] = {}


def done(what: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """The function does to a home what the manual tells in these words."""

    def keep(change: Callable[[Path], None]) -> Callable[[Path], None]:
        DONE[what] = change
        return change

    return keep


@contextmanager
def opened(path: Path) -> Iterator[Ledger]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@contextmanager
def unguarded(home: Path) -> Iterator[Ledger]:
    """The ledger without its triggers; they are put back."""
    with opened(home / "ledger.db") as ledger:
        triggers = ledger.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            ledger.execute(f"DROP TRIGGER {name}")
        yield ledger
        for _, sql in triggers:
            ledger.execute(sql)


@contextmanager
def rewriting(home: Path) -> Iterator[Ledger]:
    """As ``unguarded``; all hashes are computed anew, and the views have to be."""
    with unguarded(home) as ledger:
        yield ledger
        chain = bytes(32)
        rows = ledger.execute("SELECT position, state FROM events ORDER BY position").fetchall()
        for position, state in rows:
            chain = hashlib.sha256(chain + hashlib.sha256(b"\0" + state).digest()).digest()
            ledger.execute("UPDATE events SET chain = ? WHERE position = ?", (chain, position))
    (home / "views.db").unlink()


def body_at(ledger: Ledger, position: int) -> dict:
    sql = "SELECT state FROM events WHERE position = ?"
    return json.loads(ledger.execute(sql, (position,)).fetchone()[0])


def put(ledger: Ledger, position: int, body: dict) -> None:
    sql = "UPDATE events SET state = ? WHERE position = ?"
    ledger.execute(sql, (canonical.encode(body), position))


def add(ledger: Ledger) -> None:
    body = body_at(ledger, LAST) | {"version": 2, "event_id": "forged", "command_id": "forged"}
    columns = ("DEC-0001", 2, body["type"], canonical.encode(body))
    ledger.execute(
        "INSERT INTO events SELECT 7, ?, ?, ?, ?, chain FROM events WHERE position = 6", columns
    )


@done("a byte of an event was changed")
def _(home: Path) -> None:
    with unguarded(home) as ledger:
        ledger.execute(
            "UPDATE events SET state = CAST(replace(CAST(state AS TEXT), 'pilot', 'Pilot') AS BLOB)"
            " WHERE position = 6"
        )


@done("two events changed places")
def _(home: Path) -> None:
    with unguarded(home) as ledger:
        for was, now in ((5, 99), (6, 5), (99, 6)):
            ledger.execute("UPDATE events SET position = ? WHERE position = ?", (now, was))


@done("an event in the middle was dropped")
def _(home: Path) -> None:
    with unguarded(home) as ledger:
        ledger.execute("DELETE FROM events WHERE position = 5")


@done("the last event was dropped")
def _(home: Path) -> None:
    with unguarded(home) as ledger:
        ledger.execute("DELETE FROM events WHERE position = 6")


@done("the last event was dropped, with the marker of its command")
def drop_last(home: Path) -> None:
    with unguarded(home) as ledger:
        ledger.execute("DELETE FROM events WHERE position = 6")
        ledger.execute("DELETE FROM command_markers WHERE first_position = 6")


@done("the last event was dropped, with its marker and the views")
def _(home: Path) -> None:
    drop_last(home)
    (home / "views.db").unlink()


@done("an event was put in at the end")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        add(ledger)


@done("an event was put in at the end, with a marker, as an engine would")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        add(ledger)
        ledger.execute("INSERT INTO command_markers VALUES ('forged', 7, 1, zeroblob(32))")


@done("the marker of a command was dropped")
def _(home: Path) -> None:
    with unguarded(home) as ledger:
        ledger.execute("DELETE FROM command_markers WHERE first_position = 6")


@done("two commands changed markers")
def _(home: Path) -> None:
    with unguarded(home) as ledger:
        for was, now in ((5, 99), (6, 5), (99, 6)):
            ledger.execute(
                "UPDATE command_markers SET first_position = ? WHERE first_position = ?", (now, was)
            )


@done("a marker lost its fingerprint")
def _(home: Path) -> None:
    with unguarded(home) as ledger:
        ledger.execute("UPDATE command_markers SET fingerprint = x'' WHERE first_position = 6")


@done("a fingerprint was exchanged for another")
def _(home: Path) -> None:
    with unguarded(home) as ledger:
        ledger.execute("UPDATE command_markers SET fingerprint = zeroblob(32)")


@done("the triggers were not put back")
def _(home: Path) -> None:
    with opened(home / "ledger.db") as ledger:
        ledger.execute("DROP TRIGGER events_are_added_at_the_end")


@done("the text of a definition was changed")
def _(home: Path) -> None:
    with unguarded(home) as ledger:
        put(ledger, 1, body_at(ledger, 1) | {"text": "workflow: objective"})


@done("a row of a view was changed")
def _(home: Path) -> None:
    with opened(home / "views.db") as views:
        views.execute("UPDATE cases SET state = 'approved' WHERE key = 'DEC-0001'")


@done("an index of the views was kept from a change")
def _(home: Path) -> None:
    """It is out of the schema while the table is changed, which is set right again by hand."""
    find = "SELECT rowid, * FROM sqlite_schema WHERE name LIKE '%cases_by_workflow'"
    with opened(home / "views.db") as views:
        index = views.execute(find).fetchone()
        views.execute("PRAGMA writable_schema = ON")
        views.execute("DELETE FROM sqlite_schema WHERE rowid = ?", index[:1])
    with opened(home / "views.db") as views:
        row = views.execute("SELECT * FROM cases WHERE key = 'DEC-0001'").fetchone()
        views.execute("DELETE FROM cases WHERE key = 'DEC-0001'")
        places = ", ".join("?" * len(row))
        views.execute(f"INSERT INTO cases (rowid, {_names(views)}) VALUES (99, {places})", row)
        views.execute("PRAGMA writable_schema = ON")
        views.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index[1:])


def _names(views: Ledger) -> str:
    return ", ".join(
        name for (name,) in views.execute("SELECT name FROM pragma_table_info('cases')")
    )


@done("a trigger was put into the views")
def _(home: Path) -> None:
    with opened(home / "views.db") as views:
        views.execute("CREATE TRIGGER quiet AFTER INSERT ON cases BEGIN SELECT 1; END")


@done("an event was dropped, and all later ones moved up")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        ledger.execute("DELETE FROM events WHERE position = 4")
        ledger.execute("DELETE FROM command_markers WHERE first_position = 4")
        for position in (5, 6):
            where = (position - 1, position)
            ledger.execute("UPDATE events SET position = ? WHERE position = ?", where)
            ledger.execute(
                "UPDATE command_markers SET first_position = ? WHERE first_position = ?", where
            )


@done("a clock was set back")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        put(ledger, 6, body_at(ledger, 6) | {"recorded_at": "2020-01-01T00:00:00.000000Z"})


@done("a rule of a definition was changed")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        body = body_at(ledger, 1)
        body["body"]["transitions"][0]["by"] = ["visitor"]
        put(ledger, 1, body)


@done("an event goes by a definition that is not there")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        body = body_at(ledger, 6)
        body["definition"]["hash"] = "0" * 64
        put(ledger, 6, body)


@done("an event is no event any more")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        body = body_at(ledger, 6)
        del body["actor"]
        put(ledger, 6, body)


@done("an event says what no version up to this one knows")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        put(ledger, 6, body_at(ledger, 6) | {"haste": "great"})


@done("an event was written anew, with all hashes after it, without the views")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        body = body_at(ledger, 6)
        body["data"]["title"] = "End the pilot"
        put(ledger, 6, body)


@done("the comments in the text of a definition were written anew, with all hashes")
def _(home: Path) -> None:
    with rewriting(home) as ledger:
        put(ledger, 1, body_at(ledger, 1) | {"text": "# As it always was.\n"})


def looked_at(decision: Pmo) -> str:
    """What ``pmo verify`` told of the home before anybody came: its last line's first word."""
    decision.done("list")
    return decision.done("verify").out.splitlines()[-1].split()[0]


def test_the_manual_tells_of_all_that_is_done_here_and_of_nothing_else():
    assert sorted([*FOUND, *KEPT, *UNSEEN]) == sorted(DONE)


@pytest.mark.parametrize("what", FOUND)
def test_what_the_manual_says_is_found_is_found_and_said_so(decision, what):
    looked_at(decision)
    DONE[what](decision.home)
    answer = decision("verify")
    assert answer.code == 1
    assert FOUND[what] in answer.out


@pytest.mark.parametrize("what", KEPT)
def test_what_only_a_kept_hash_shows_is_shown_by_it(decision, what):
    kept = looked_at(decision)
    DONE[what](decision.home)
    assert decision("verify").code == 0
    answer = decision("verify", "--expect", kept)
    assert answer.code == 1
    assert KEPT[what] in answer.out


@pytest.mark.parametrize("what", UNSEEN)
def test_what_the_manual_says_nothing_shows_is_shown_by_nothing(decision, what):
    kept = looked_at(decision)
    DONE[what](decision.home)
    decision.done("verify", "--expect", kept)


def test_the_program_in_the_manual_says_of_a_ledger_what_verify_says(decision, tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", MANUAL, re.DOTALL)
    script = tmp_path / "chain.py"
    script.write_text(program, encoding="utf-8")
    words = [sys.executable, str(script), str(decision.home / "ledger.db")]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    assert told == looked_at(decision)
