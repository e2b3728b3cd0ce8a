"""What the pieces of a condition give, and which of them go together.

These are the types of CEL as the engine's values use them: a field's number is always a double
(so that a condition works or fails by its text, not by whether today's value is whole), money is a
double of its amount, and a date is the first moment of its day in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Type:
    """``name`` is what people are told. ``item`` is what a list holds, ``members`` what fields
    hold (``None``: not known), ``only`` the texts it can be (``None``: any). ``long``: it may be as
    long as texts and lists get."""

    name: str
    item: Type | None = None
    members: Mapping[str, Type] | None = None
    only: frozenset[str] | None = None
    long: bool = False


BOOL = Type("true or false")
INT = Type("a whole number")
DOUBLE = Type("a number")
TEXT = Type("text")
TIME = Type("a time")
SPAN = Type("a duration")
LIST = Type("a list")
FIELDS = Type("a set of fields")
DOCUMENT = Type("a document", members={"name": TEXT, "sha256": TEXT, "uri": TEXT})
UNKNOWN = Type("a value of another case", long=True)
FAULTY = Type("a mistake")  # reported already; it goes with everything, so one mistake is told once

METHODS: dict[str, tuple[tuple[Type, ...], tuple[Type, ...], Type]] = {
    "startsWith": ((TEXT,), (TEXT,), BOOL),
    "endsWith": ((TEXT,), (TEXT,), BOOL),
    "contains": ((TEXT,), (TEXT,), BOOL),
    "getFullYear": ((TIME,), (), INT),
    "getMonth": ((TIME,), (), INT),
    "getDate": ((TIME,), (), INT),
    "getDayOfWeek": ((TIME,), (), INT),
    "getHours": ((TIME, SPAN), (), INT),
}


def _is_timestamp(text: str) -> bool:
    if not re.fullmatch(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]{1,6})?(Z|[+-][0-9:]{5})", text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_duration(text: str) -> bool:
    return bool(re.fullmatch(r"-?([0-9]{1,6}(\.[0-9]{1,6})?[hms])+", text))


LITERALS: dict[str, tuple[Type, Callable[[str], bool], str]] = {
    "timestamp": (TIME, _is_timestamp, 'write timestamp("2026-03-31T00:00:00Z")'),
    "duration": (SPAN, _is_duration, 'write "36h", "90m" or "30s"; 90 days are "2160h"'),
}
MACROS = ("all", "exists", "exists_one")

_SUMS = {
    (TIME.name, "+", SPAN.name): TIME,
    (SPAN.name, "+", TIME.name): TIME,
    (SPAN.name, "+", SPAN.name): SPAN,
    (TIME.name, "-", TIME.name): SPAN,
    (TIME.name, "-", SPAN.name): TIME,
    (SPAN.name, "-", SPAN.name): SPAN,
    **{(INT.name, sign, INT.name): INT for sign in "+-*/%"},
    **{(DOUBLE.name, sign, DOUBLE.name): DOUBLE for sign in "+-*/"},
}
_ORDERED = (DOUBLE.name, TEXT.name, TIME.name, SPAN.name)


class Mismatch(Exception):
    """They do not go together: what is wrong, and how to mend it."""


def unsure(given: Type) -> bool:
    return given.name in (FAULTY.name, UNKNOWN.name)


def one_of(given: Type, wanted: tuple[Type, ...]) -> bool:
    """Whether it is, or may be, of a type that is wanted. No field's value is true or false."""
    if given.name == UNKNOWN.name:
        return any(type_.name not in (BOOL.name, INT.name) for type_ in wanted)
    return given.name == FAULTY.name or given.name in [type_.name for type_ in wanted]


def alike(left: Type, right: Type) -> bool:
    """Whether the two can ever be equal, as far as their types tell."""
    if unsure(left) or unsure(right):
        return True
    if left.item and right.item:
        return alike(left.item, right.item)
    return _family(left) == _family(right)


def calculate(left: Type, sign: str, right: Type) -> Type:
    """The type of ``left + right`` and its like. Raises ``Mismatch``."""
    names = {left.name, right.name}
    if FAULTY.name in names:
        return FAULTY
    if sign == "+" and names == {UNKNOWN.name}:
        # Were both long texts, a row of these would grow without bound.
        raise Mismatch("+ between two values of other cases", "write double(...) around them")
    if results := {
        result.name: result
        for (one, between, other), result in _SUMS.items()
        if between == sign and _may_be(left, one) and _may_be(right, other)
    }:
        return next(iter(results.values())) if len(results) == 1 else UNKNOWN
    if INT.name in names and names & {DOUBLE.name, UNKNOWN.name} and sign != "%":
        raise Mismatch(
            f"{sign} between a whole number and one with decimals",
            "write 1.0 instead of 1, double(size(data.x)) instead of size(data.x)",
        )
    mend = "compare the parts, each by itself" if sign == "+" and TEXT.name in names else ""
    raise Mismatch(f"{sign} between {left.name} and {right.name}", mend)


def compare(left: Type, sign: str, right: Type) -> Type:
    """True or false. Raises ``Mismatch`` where it would fail, or always give the same."""
    if sign == "in":
        if not one_of(right, (LIST,)):
            raise Mismatch(f"in looks through lists, not {right.name}")
        right = right.item or UNKNOWN
    if not alike(left, right):
        mend = ""
        if TIME.name in (left.name, right.name):
            mend = 'write timestamp("2026-03-31T00:00:00Z") for a day'
        raise Mismatch(f"{left.name} compared with {right.name}", mend)
    if sign not in ("==", "!=", "in"):
        for side in (left, right):
            if not unsure(side) and _family(side) not in _ORDERED:
                raise Mismatch(f"{side.name} has no order", "compare with == or !=")
    elif left.only is not None and right.only is not None and left.only.isdisjoint(right.only):
        raise Mismatch(
            "the two are never the same",
            f"on the left: {_listed(left.only)}; on the right: {_listed(right.only)}",
        )
    return BOOL


def either(left: Type, right: Type) -> Type:
    """What is one or the other, as the sides of ``? :`` or the items of a list are."""
    if not alike(left, right) or {left.name, right.name} == {INT.name, DOUBLE.name}:
        raise Mismatch(f"{left.name} beside {right.name}", "make them of one type")
    for side in (left, right):
        if unsure(side):
            return side
    both = left.only is not None and right.only is not None
    only = frozenset({*left.only, *right.only}) if both else None  # type: ignore[misc]
    return Type(left.name, left.item, left.members, only, left.long or right.long)


def _may_be(given: Type, name: str) -> bool:
    return given.name == name or (given.name == UNKNOWN.name and name != INT.name)


def _listed(texts: frozenset[str]) -> str:
    return ", ".join(map(repr, sorted(texts))) or "nothing"


def _family(type_: Type) -> str:
    """CEL compares whole numbers with those that have decimals, though it adds neither to other."""
    return DOUBLE.name if type_.name == INT.name else type_.name
