"""What views may call beyond plain SQL, the same on every database.

A view's SQL is portable because what databases spell differently has a name here: lengths of time,
medians, looking into lists and grounds.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from typing import Any

from engine.clock import is_instant_or_date, to_datetime

_DAY = 86_400


def days_between(earlier: Any, later: Any) -> float | None:
    """Days from one date or instant to another, below zero if it comes before.

    A date stands for the first moment of its day. What is neither has no distance: missing.
    """
    if not (_is_moment(earlier) and _is_moment(later)):
        return None
    return (to_datetime(later) - to_datetime(earlier)).total_seconds() / _DAY


def ground_of(withheld: Any, field: str) -> str | None:
    """The ground on which a field is withheld, of a row's ``withheld``."""
    if not withheld:
        return None
    ground: str | None = json.loads(withheld).get(field)
    return ground


def list_has(values: Any, value: Any) -> int:
    """Whether a list, as it stands in a column, holds a value; a missing list holds none."""
    return int(bool(values) and value in _listed(values))


@lru_cache(maxsize=1_000)
def _listed(values: str) -> list[Any]:
    """Few lists stand in many rows: members of bodies, roles that bar somebody."""
    listed: list[Any] = json.loads(values)
    return listed


def list_count(values: Any) -> int:
    """How many values a list holds; a missing list holds none."""
    return len(_listed(values)) if values else 0


def list_item(values: Any, place: int) -> str | None:
    """The value at a place of a list, from 1 on, as text; beyond its ends there is none."""
    listed = _listed(values) if values else ()
    if not (isinstance(listed, list) and 1 <= place <= len(listed)):
        return None
    value = listed[place - 1]
    return value if isinstance(value, str) else number_as_text(value)


def number_as_text(number: float | None) -> str | None:
    """As people write it: no exponent, and no point where nothing follows it."""
    return None if number is None else f"{Decimal(f'{number:.15g}').normalize():f}"


class Median:
    """``median(x)``: the middle of the values that are there, the mean of the two middle ones."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def step(self, value: Any) -> None:
        if value is not None:
            self._values.append(value)

    def finalize(self) -> float | None:
        return _percentile(self._values, 0.5)


class Percentile:
    """``percentile(x, 0.9)``: as SQL's ``percentile_cont``, between two values by their distance.

    (ISO/IEC 9075-2, inverse distribution functions.)
    """

    def __init__(self) -> None:
        self._values: list[float] = []
        self._share = 0.5

    def step(self, value: Any, share: Any) -> None:
        self._share = float(share)
        if value is not None:
            self._values.append(value)

    def finalize(self) -> float | None:
        return _percentile(self._values, min(1.0, max(0.0, self._share)))


SCALARS = {
    "days_between": (2, days_between),
    "ground_of": (2, ground_of),
    "list_has": (2, list_has),
    "list_count": (1, list_count),
    "list_item": (2, list_item),
    "number_as_text": (1, number_as_text),
}
"""Name -> how many arguments, and what answers."""

AGGREGATES = {"median": (1, Median), "percentile": (2, Percentile)}


def _percentile(values: list[float], share: float) -> float | None:
    if not values:
        return None
    values.sort()
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def _is_moment(value: Any) -> bool:
    return isinstance(value, str) and is_instant_or_date(value)
