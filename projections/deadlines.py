"""What falls due when, and what became of it: a row for each deadline and reminder recorded.

Outcomes: *fired* (a timer pulled the trigger), *reminded*, *met* (the state was left before),
*missed* (it was left after, and no timer had been there), *kept* (a timer's step back to the same
state left it standing; it goes on in a row of its own).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from projections.store import Tables, read_sql
from projections.views import Batch

_SQL = read_sql("deadlines.sql")

_ENTERS = ("pmo.case.started.v1", "pmo.case.transitioned.v1")
_OBSERVED = "pmo.case.observed.v2"
_REMINDED = "pmo.case.deadline-reminded.v1"


@dataclass(frozen=True, slots=True)
class Row:
    """Something due: ``pulls`` is the trigger, ``None`` for a reminder."""

    case_key: str
    entered: int
    number: int
    workflow: str
    state: str
    at: str
    of: int
    share: str
    pulls: str | None


class Deadlines:
    name = "deadlines"
    version = 1

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def create(self) -> None:
        self._tables.run_script(_SQL["tables"])

    def index(self) -> None:
        self._tables.run_script(_SQL["indexes"])

    def apply(self, batch: Batch) -> None:
        for _, event in batch:
            kind = event["type"]
            if kind in _ENTERS:
                if event["version"] > 1:
                    self._settle(event)
                if event.get("deadlines"):
                    self._add(event)
            elif kind == _OBSERVED and event["version"] > 1 and event.get("state") is not None:
                self._observe(event)
            elif kind == _REMINDED:
                self._remind(event)

    def write(self) -> None:
        """Nothing waits."""

    def forget(self) -> None:
        """Nothing is remembered."""

    def _open(self, key: str) -> list[tuple[Any, ...]]:
        return self._tables.run(_SQL["of_case"], [key])

    def _add(self, event: dict[str, Any]) -> None:
        key, entered = event["stream"], event["version"]
        about = event["definition"]["name"], event["state"], event["occurred_at"]
        self._tables.run_many(
            _SQL["insert"],
            [
                [key, entered, number, *about, due["at"], due["of"], due["share"], due.get("then")]
                for number, due in enumerate(event["deadlines"])
            ],
        )

    def _settle(self, event: dict[str, Any]) -> None:
        key, at = event["stream"], event["occurred_at"]
        goes_on = {
            (due["at"], due["of"], due["share"])
            for due in event.get("deadlines") or ()
            if event["actor"]["kind"] == "timer" and event.get("source") == event["state"]
        }
        fired = event["trigger"] if event["actor"]["kind"] == "timer" else None
        for entered, number, _, _, due_at, of, share, pulls in self._open(key):
            outcome = "met" if at <= due_at else "missed"
            if fired is not None and pulls == fired and due_at <= at:
                outcome, fired = "fired", None
            elif event.get("stays"):
                continue
            elif (due_at, of, share) in goes_on:
                outcome = "kept"
            self._close(event, entered, number, outcome)

    def _observe(self, event: dict[str, Any]) -> None:
        """A fact is no entering by a command; if it tells of another state, that one is left."""
        key, at = event["stream"], event["occurred_at"]
        rows = self._open(key)
        if not rows or at < rows[0][3]:
            return
        if event["state"] == rows[0][2]:
            self._tables.run(_SQL["stay"], [at, key])
            return
        for entered, number, _, _, due_at, *_ in rows:
            self._close(event, entered, number, "met" if at <= due_at else "missed")

    def _remind(self, event: dict[str, Any]) -> None:
        due = event["due"]
        for entered, number, _, _, at, of, share, pulls in self._open(event["stream"]):
            if (at, of, share, pulls) == (due["at"], due["of"], due["share"], due.get("then")):
                self._close(event, entered, number, "reminded")
                return

    def _close(self, event: dict[str, Any], entered: int, number: int, outcome: str) -> None:
        settled = [event["recorded_at"], outcome, event["stream"], entered, number]
        self._tables.run(_SQL["settle"], settled)


def due(tables: Tables, now: str, limit: int, after: Row | None = None) -> list[Row]:
    """What is due and not settled, the earliest first; after a row, those that follow it."""
    said: dict[str, Any] = {"now": now, "limit": limit, "at": "", "case_key": "", "number": 0}
    if after:
        said |= {"at": after.at, "case_key": after.case_key, "number": after.number}
    return [Row(*row) for row in tables.run(_SQL["due"], said)]


def is_open(tables: Tables, key: str, entered: int, number: int) -> bool:
    return bool(tables.run(_SQL["is_open"], [key, entered, number]))


def next_due(tables: Tables, now: str) -> str | None:
    """When something is due next, after now."""
    found: str | None = tables.run(_SQL["next"], [now])[0][0]
    return found


def open_of(tables: Tables, key: str) -> list[tuple[str, int, str, str | None]]:
    """Of one case: when, of which of its state's deadlines, at which share, which trigger."""
    return [
        (at, of, share, pulls) for *_, at, of, share, pulls in tables.run(_SQL["of_case"], [key])
    ]


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
