"""Whether the views say what the log says: by building them again, and by the engine's own fold.

The rebuild shares the projections' code but nothing of what they have written or remembered, and
cuts the log into other batches; the fold shares nothing at all. Differences are named to the
column.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.case import Case, evolve
from engine.store.log import Log
from engine.values import Value
from projections import sqlite
from projections.cases import case
from projections.deadlines import open_of
from projections.opening import open_for_reading
from projections.register_pages import one
from projections.shipped import PROJECTIONS
from projections.signatures import standing
from projections.store import Place, Tables, quote
from projections.timeline import ROW_KEY
from projections.views import ProjectionClass, Views

Progress = Callable[[int, int], None]

_OTHER_BATCH = 7_919
_BOOKKEEPING = ("checkpoint", "projection", "parked")
_MOST = 100
_KINDS = (type(None), float, int, str, bytes)
"""Of values, in the order in which SQLite sorts them; a number has one kind in a column."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a view does not say what the log says; ``key`` is the row's, by its primary key."""

    table: str
    key: str
    column: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.table, self.key, self.column)))
        return f"{place}: expected {self.expected!r}, found {self.found!r}"


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, up to which position, and the first hundred differences.

    ``parked`` are the events that no view shows until they are mended: position, projection,
    stream, reason.
    """

    position: int
    rows: int
    cases: int
    differences: tuple[Difference, ...]
    parked: tuple[tuple[int, str, str, str], ...]

    @property
    def sound(self) -> bool:
        return not self.differences and not self.parked


def verify(
    log: Log,
    place: Path | Place,
    progress: Progress | None = None,
    projections: Sequence[ProjectionClass] = PROJECTIONS,
) -> Report:
    """Compare views with the log, up to where they have come; nothing is changed.

    Wherever they are, they are compared with views that are built in a file.

    Views may go on meanwhile: those of one moment are compared. ``progress`` is told how many
    steps are done, and of how many: two for each event.
    """
    found = open_for_reading(place)
    try:
        with tempfile.TemporaryDirectory(prefix="pmo-verify-") as folder, found.snapshot():
            views = Views(found, projections)
            position = views.checkpoint()
            expected = sqlite.open_for_writing(Path(folder) / "views.db")
            try:
                built = Views(expected, projections)
                _build(built, log, position, progress)
                comparison = _Comparison()
                if isinstance(found, sqlite.SQLiteTables) and (flaw := found.flaw()):
                    comparison.expect("", "", "the file", "whole", flaw)
                elif comparison.same_tables(expected, found):
                    comparison.compare_rows(expected, found)
                    # Rows that differ are told by now; no reader may make sense of them.
                    sound = expected if comparison.differences else found
                    comparison.compare_cases(log, expected, sound, position, progress)
                parked = _told(views.parked(), built.parked())
            finally:
                expected.close()
            return Report(
                position,
                comparison.rows,
                comparison.cases,
                tuple(comparison.differences),
                parked,
            )
    finally:
        found.close()


Parked = tuple[int, str, str, str]


def _told(listed: list[Parked], found: list[Parked]) -> tuple[Parked, ...]:
    """All that could not be shown: what the views list, and what turned out so now though they do
    not list it, which nobody would miss in them."""
    known = {(position, projection) for position, projection, *_ in listed}
    return (*listed, *(each for each in found if each[:2] not in known))


def _build(views: Views, log: Log, position: int, progress: Progress | None) -> None:
    views.create()
    reached = 0
    while reached < position:
        reached = views.advance(log, min(position, reached + _OTHER_BATCH))
        if progress:
            progress(reached, 2 * position)


class _Comparison:
    def __init__(self) -> None:
        self.rows = 0
        self.cases = 0
        self.differences: list[Difference] = []

    def expect(self, table: str, key: str, column: str, expected: Any, found: Any) -> None:
        if expected != found and len(self.differences) < _MOST:
            self.differences.append(Difference(table, key, column, expected, found))

    def same_tables(self, expected: Tables, found: Tables) -> bool:
        """Without the same tables and columns there are no rows to compare."""
        for name in sorted({*expected.names(), *found.names()}):
            self.expect(name, "", "columns", expected.columns(name), found.columns(name))
        return not self.differences

    def compare_rows(self, expected: Tables, found: Tables) -> None:
        for name in expected.names():
            if name not in _BOOKKEEPING:
                self._compare_rows(name, expected, found)

    def _compare_rows(self, table: str, expected: Tables, found: Tables) -> None:
        columns = expected.columns(table)
        places = [columns.index(name) for name in expected.key(table) or ROW_KEY]
        order = ", ".join(quote(columns[place]) for place in places)
        sql = f"SELECT * FROM {quote(table)} ORDER BY {order}"
        for key, one_row, other in _side_by_side(expected.each(sql), found.each(sql), places):
            self.rows += 1
            if one_row is None or other is None:
                self.expect(table, key, "", one_row and "a row", other and "a row")
            elif one_row != other:
                for column, value, there in zip(columns, one_row, other, strict=True):
                    self.expect(table, key, column, value, there)

    def compare_cases(
        self, log: Log, expected: Tables, found: Tables, position: int, progress: Progress | None
    ) -> None:
        """By the engine's own fold, case by case; the cases are those of the rebuilt views."""
        events = position
        for (key,) in expected.each("SELECT key FROM $cases ORDER BY key"):
            folded: Case | None = None
            for recorded in log.stream(key):
                if recorded.position <= position:
                    folded = evolve(folded, recorded.event)
                    events += 1
            if folded is not None:
                self._compare_case(folded, found)
            self.cases += 1
            if progress and self.cases % 100 == 0:
                progress(events, 2 * position)
        if progress:
            progress(2 * position, 2 * position)

    def _compare_case(self, folded: Case, found: Tables) -> None:
        key = folded.key
        row = case(found, key)
        self.expect("cases", key, "", True, row is not None)
        if row is not None:
            self.expect("cases", key, "state", folded.state, row["state"])
            self.expect("cases", key, "version", folded.version, row["version"])
            self.expect("cases", key, "workflow", folded.definition.name, row["workflow"])
            self.expect("cases", key, "definition", folded.definition.hash, row["definition_hash"])
        dues = [(due.at, due.of, due.share, due.then) for due in folded.deadlines]
        self.expect("deadlines", key, "open", sorted(dues, key=str), open_of(found, key))
        signed = sorted((each.of, each.person, each.answer) for each in folded.signatures)
        self.expect("signature", key, "standing", signed, standing(found, key))
        now = one(found, key)
        self.expect("register", key, "", True, now is not None)
        if now is not None:
            self.expect("register", key, "state", folded.state, now.state)
            for name in sorted({*folded.data, *now.data}):
                value, there = folded.data.get(name), now.data.get(name)
                self.expect("register", key, name, _comparable(value), _comparable(there))


def _comparable(value: Value) -> Value:
    """Amounts of money by what they are worth: 450.30 is 450.3."""
    if isinstance(value, dict) and "amount" in value:
        return value | {"amount": Decimal(value["amount"])}
    return value


def _side_by_side(
    expected: Iterator[tuple[Any, ...]], found: Iterator[tuple[Any, ...]], places: list[int]
) -> Iterator[tuple[str, tuple[Any, ...] | None, tuple[Any, ...] | None]]:
    """Rows of two tables in the order of their keys, those with the same key together."""

    def key(row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(row[place] for place in places)

    left, right = next(expected, None), next(found, None)
    while left is not None or right is not None:
        if right is None or (left is not None and _sorts_before(key(left), key(right))):
            assert left is not None
            yield _named(key(left)), left, None
            left = next(expected, None)
        elif left is None or _sorts_before(key(right), key(left)):
            yield _named(key(right)), None, right
            right = next(found, None)
        else:
            yield _named(key(left)), left, right
            left, right = next(expected, None), next(found, None)


def _sorts_before(one_key: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    try:
        return one_key < other
    except TypeError:  # written by hand, text where numbers are: SQLite sorts by the kind first
        return [_KINDS.index(type(v)) for v in one_key] < [_KINDS.index(type(v)) for v in other]


def _named(key: tuple[Any, ...]) -> str:
    return " ".join(map(str, key))
