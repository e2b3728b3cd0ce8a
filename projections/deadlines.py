"""What falls due when, and what became of it: a row for each deadline and reminder recorded.

Outcomes: *fired* (a timer pulled the trigger), *reminded*, *met* (the state was left before),
*missed* (it was left after, and no timer had been there), *kept* (a timer's step back to the same
state left it standing, or a migration to another; it goes on in a row of its own), *moved* (another
day was given, or other rules hold).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from projections.definitions import MIGRATED
from projections.store import Tables, read_sql
from projections.views import Batch

_SQL = read_sql("deadlines.sql")

_ENTERS = frozenset(("pmo.case.started.v1", "pmo.case.transitioned.v1", MIGRATED))
_OBSERVED = "pmo.case.observed.v2"
_REMINDED = "pmo.case.deadline-reminded.v1"

_MOST_QUIET = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """Something due: ``pulls`` is the trigger, ``None`` for a reminder."""

    case_key: str
    entered: int
    workflow: str
    state: str
    at: str
    of: int
    share: str
    pulls: str | None


class Deadlines:
    name = "deadlines"
    version = 3

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._position = 0  # of the event that is taken in
        self._quiet: set[str] = set()  # some of the cases with nothing open: most are

    def create(self) -> None:
        self._tables.run_script(_SQL["tables"])

    def index(self) -> None:
        self._tables.run_script(_SQL["indexes"])

    def apply(self, batch: Batch) -> None:
        for position, event in batch:
            self._position = position
            kind = event["type"]
            if kind in _ENTERS:
                dues = event.get("deadlines")
                if dues is not None or not (event.get("stays") or event["stream"] in self._quiet):
                    self._enter(event, dues or ())
            elif kind == _OBSERVED and event["version"] > 1 and event.get("state") is not None:
                self._observe(event)
            elif kind == _REMINDED:
                self._remind(event)

    def write(self) -> None:
        """Nothing waits."""

    def forget(self) -> None:
        self._quiet.clear()

    def _open(self, key: str) -> list[tuple[Any, ...]]:
        if key in self._quiet:
            return []
        rows = self._tables.run(_SQL["of_case"], [key])
        if not rows:
            self._note_quiet(key)
        return rows

    def _note_quiet(self, key: str) -> None:
        if len(self._quiet) >= _MOST_QUIET:
            self._quiet.clear()
        self._quiet.add(key)

    def _enter(self, event: dict[str, Any], dues: Sequence[dict[str, Any]]) -> None:
        key, stays = event["stream"], event.get("stays")
        entered, since = event.get("entered", event["version"]), event["occurred_at"]
        if event["version"] == 1:
            self._note_quiet(key)
        if rows := self._open(key):
            self._settle(event, rows)
            if stays:
                entered, since = rows[0][0], rows[0][2]
            elif event["type"] == MIGRATED:
                self._tables.run(_SQL["stay"], [since, key])
        if not dues:
            return
        self._quiet.discard(key)
        rules = event["definition"]
        about = [key, entered, rules["name"], rules["version"], event["state"], since]
        for each in dues:
            due = [each["at"], each["of"], each["share"], each.get("then")]
            said = [self._position, event["occurred_at"]]
            self._tables.run(_SQL["insert"], about + due + said)

    def _settle(self, event: dict[str, Any], rows: list[tuple[Any, ...]]) -> None:
        """Of what was open: what fired, what goes on, and what is over."""
        stays, at = event.get("stays"), event["occurred_at"]
        timer = event["actor"]["kind"] == "timer"
        migrated = event["type"] == MIGRATED
        back = stays or migrated or (timer and event["source"] == event["state"])
        goes_on = {_named(due) for due in event.get("deadlines") or ()} if back else set()
        fired = event.get("trigger") if timer else None
        for row in rows:
            _, _, _, due_at, of, share, pulls = row
            if fired is not None and pulls == fired and due_at <= at:
                outcome, fired = "fired", None
            elif (due_at, of, share, pulls) in goes_on:
                if stays or row[0] == event.get("entered"):
                    continue
                outcome = "kept"
            elif migrated or (stays and not timer):
                outcome = "moved"
            else:
                outcome = "met" if at <= due_at else "missed"
            self._close(event, row, outcome)

    def _observe(self, event: dict[str, Any]) -> None:
        """A fact is no entering by a command; if it tells of another state, that one is left."""
        key, at = event["stream"], event["occurred_at"]
        rows = self._open(key)
        if not rows or at < rows[0][2]:
            return
        if event["state"] == rows[0][1]:
            self._tables.run(_SQL["stay"], [at, key])
            return
        for row in rows:
            self._close(event, row, "met" if at <= row[3] else "missed")

    def _remind(self, event: dict[str, Any]) -> None:
        for row in self._open(event["stream"]):
            if row[3:] == _named(event["due"]):
                self._close(event, row, "reminded")

    def _close(self, event: dict[str, Any], row: tuple[Any, ...], outcome: str) -> None:
        entered, _, _, at, of, share, _ = row
        when = [event["recorded_at"], event["occurred_at"], self._position]
        key = [event["stream"], entered, of, share, at]
        self._tables.run(_SQL["settle"], [*when, outcome, *key])


def _named(due: dict[str, Any]) -> tuple[Any, ...]:
    return due["at"], due["of"], due["share"], due.get("then")


def due(tables: Tables, now: str, limit: int, after: Row | None = None) -> list[Row]:
    """What is due and not settled, the earliest first; after a row, those that follow it."""
    said: dict[str, Any] = {
        "now": now,
        "limit": limit,
        "at": "",
        "case_key": "",
        "of": 0,
        "share": "",
    }
    if after:
        said |= {"at": after.at, "case_key": after.case_key, "of": after.of, "share": after.share}
    return [Row(*row) for row in tables.run(_SQL["due"], said)]


def is_open(tables: Tables, key: str, entered: int, of: int, share: str, at: str) -> bool:
    return bool(tables.run(_SQL["is_open"], [key, entered, of, share, at]))


def next_due(tables: Tables, now: str) -> str | None:
    """When something is due next, after now."""
    found: str | None = tables.run(_SQL["next"], [now])[0][0]
    return found


def open_of(tables: Tables, key: str) -> list[tuple[str, int, str, str | None]]:
    """Of one case, in order of text: when, of which of its state's deadlines, at which share, which
    trigger."""
    return sorted((tuple(row[3:]) for row in tables.run(_SQL["of_case"], [key])), key=str)


def deadlines(
    tables: Tables,
    *,
    workflow: str | None = None,
    case: str | None = None,
    until: str | None = None,
    settled: bool = False,
    limit: int = 100,
) -> tuple[list[dict[str, Any]], int]:
    """Deadlines, the earliest first, and how many there are in all."""
    said = {"workflow": workflow, "case_key": case, "until": until, "settled": settled}
    with tables.snapshot():
        rows = tables.fetch(_SQL["page"], said | {"limit": limit})
        return rows, int(tables.run(_SQL["count"], said)[0][0])
