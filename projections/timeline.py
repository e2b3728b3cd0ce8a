"""How a case's rows follow one another on two clocks.

A row holds for a rectangle of the two clocks with one corner cut out. Known at position K and as of
time T it holds when

    known_from <= K,  K < known_to  (if it has one),  valid_from <= T,
    and not (K >= next_known and T >= next_valid)

The corner is what the next event of an ordinary history takes: known from ``next_known`` on, and
so from ``next_valid`` on. That history costs one row and one note on the row before. ``known_to``
ends a row for good: a *late* fact, recorded after but so before something else, has the rows that
it touches written again from that position on. Nothing is ever removed, so what was believed
earlier can be asked for still.

At any (K, T) at most one row of a case holds, and it says of the state, the definition and each
field what the event with the greatest (occurred_at, version) among those with position <= K and
occurred_at <= T that mentions it says. ``tests/views/test_promises_views.py`` compares that with a
plain fold.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Collection, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from projections.store import to_json

Row = list[Any]
"""A register's row: the columns below in this order, then one for each field."""

SYSTEM = (
    "_key",
    "_version",
    "_position",
    "_state",
    "_definition",
    "_withheld",
    "_said",
    "_known_from",
    "_known_to",
    "_valid_from",
    "_next_known",
    "_next_valid",
)
KEY, VERSION, POSITION, STATE, DEFINITION, WITHHELD, SAID = range(7)
KNOWN_FROM, KNOWN_TO, VALID_FROM, NEXT_KNOWN, NEXT_VALID = range(7, 12)

ROW_KEY = ("_key", "_known_from", "_valid_from")
"""What tells the rows of a register apart."""

_STATE_SAID = "_state"
_DEFINITION_SAID = "_definition"


class Change(NamedTuple):
    """What one event says of its case.

    ``values`` holds what stands in the columns of the fields it mentions, by field; ``withheld``
    the grounds of those it withholds, whose value is ``None``. Every event is told by the rules of
    a ``definition``; only one that ``migrates`` the case says that it is of them from then on.
    """

    position: int
    key: str
    version: int
    definition: int
    at: str
    state: str | None
    values: Mapping[str, Any]
    withheld: Mapping[str, str]
    migrates: bool = False

    def said(self) -> str:
        """The names of what it mentions, in one text; no name holds a space."""
        return _said(tuple(self.values), self.state is not None, self.migrates)


@lru_cache(maxsize=1_000)
def _said(names: tuple[str, ...], state: bool, migrates: bool) -> str:
    """Few combinations of fields are mentioned in many events."""
    said = " ".join(names)
    if migrates:
        said = f"{said} {_DEFINITION_SAID}"
    return f"{said} {_STATE_SAID}" if state else said


def begin(change: Change, places: Mapping[str, int]) -> Row:
    """The row of a case of which nothing is known before ``change``."""
    blank = [None] * (len(SYSTEM) + len(places))
    blank[SAID] = ""  # type: ignore[call-overload]
    return _after(blank, change, places)


def follow(row: Row, change: Change, places: Mapping[str, int]) -> Row:
    """The row after ``row`` for a change that was so no earlier; ``row`` notes that it comes."""
    following = _after(row, change, places)
    row[NEXT_KNOWN], row[NEXT_VALID] = change.position, change.at
    return following


def amend(
    steps: list[Row], change: Change, places: Mapping[str, int]
) -> tuple[list[Row], list[Row]]:
    """The rows that end, and those that begin, with a change that was so before the last of them.

    ``steps`` are the rows that hold by all that is known, by ``valid_from``.
    """
    at = bisect_right(steps, change.at, key=itemgetter(VALID_FROM))
    ended, begun = [], []
    if at and steps[at - 1][VALID_FROM] < change.at:
        ended.append(steps[at - 1])
        begun.append(_again(steps[at - 1], change, change.at))
        row = _after(steps[at - 1], change, places)
    elif at:
        ended.append(steps[at - 1])
        row = _after(steps[at - 1], change, places)
    else:
        row = begin(change, places)
        row[DEFINITION] = steps[0][DEFINITION]
    row[NEXT_KNOWN], row[NEXT_VALID] = change.position, steps[at][VALID_FROM]
    begun.append(row)
    unsaid = set(change.said().split())
    for step in steps[at:]:
        unsaid.difference_update(step[SAID].split())
        if not unsaid:
            break
        ended.append(step)
        row = _again(step, change, step[NEXT_VALID])
        _say(row, change, places, unsaid)
        begun.append(row)
    return ended, begun


def _after(row: Row, change: Change, places: Mapping[str, int]) -> Row:
    """A copy of ``row`` that holds from ``change`` on and says what it says."""
    position, key, version, definition, at, state, values, withheld, migrates = change
    if not migrates and row[DEFINITION] is not None:
        definition = row[DEFINITION]
    said = change.said()
    if row[VALID_FROM] == at:
        said = f"{row[SAID]} {said}"
    if state is None:
        state = row[STATE]
    grounds = row[WITHHELD]
    copy = [
        key, version, position, state, definition, grounds, said, position, None, at, None, None,
        *row[len(SYSTEM) :],
    ]  # fmt: skip
    for name, value in values.items():
        copy[places[name]] = value
    if grounds is not None or withheld:
        copy[WITHHELD] = _grounds(grounds, values, withheld)
    return copy


def _again(row: Row, change: Change, next_valid: str | None) -> Row:
    """A copy of ``row`` that holds, by what is known from ``change`` on, until ``next_valid``."""
    copy = row.copy()
    copy[KNOWN_FROM] = change.position
    copy[NEXT_KNOWN] = None if next_valid is None else change.position
    copy[NEXT_VALID] = next_valid
    return copy


def _say(row: Row, change: Change, places: Mapping[str, int], unsaid: Collection[str]) -> None:
    """Put into ``row`` what ``change`` says of what is in ``unsaid``: fields, state, definition."""
    if _STATE_SAID in unsaid:
        row[STATE] = change.state
    if _DEFINITION_SAID in unsaid:
        row[DEFINITION] = change.definition
    values = {name: value for name, value in change.values.items() if name in unsaid}
    for name, value in values.items():
        row[places[name]] = value
    row[WITHHELD] = _grounds(row[WITHHELD], values, change.withheld)


def _grounds(before: str | None, said: Collection[str], withheld: Mapping[str, str]) -> str | None:
    """The grounds on which fields are withheld, after a change that spoke of those in ``said``."""
    kept = {name: why for name, why in json.loads(before or "{}").items() if name not in said}
    grounds = kept | {name: why for name, why in withheld.items() if name in said}
    return to_json(grounds) if grounds else None
