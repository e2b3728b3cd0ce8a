"""Registers: who is appointed to what, which body has which members, who may decide how much.

An entry is a case like any other, and is found by its key: so even that there is none has a version
on which an append can be conditional. A definition says ``register:`` and in which states an entry
is in force; ``engine.lint.registers`` sees to it that the fields read here are there.

=============  ==================================  =============================================
register       key                                 says
=============  ==================================  =============================================
appointment    ``APPT-{role}.{unit}.{person}``     who holds a role in a unit
body           ``BODY-{name}``                     who its members are, and how many must vote
authority      ``AUTH-{category}.{unit}.{level}``  who may decide such a matter up to a limit
delegation     any; commands name it               who acts for whom, in what, up to a limit
calendar       ``CAL-{name}``                      which days are not worked
=============  ==================================  =============================================
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from engine import values
from engine.case import Case
from engine.context import Context
from engine.step import VoteRule
from engine.values import Value

KEYS = {
    "appointment": "APPT-{role}.{unit}.{person}",
    "body": "BODY-{name}",
    "authority": "AUTH-{category}.{unit}.{level}",
    "calendar": "CAL-{name}",
}
FIELDS: dict[str, dict[str, str]] = {
    "appointment": {
        "role": "text",
        "unit": "text",
        "person": "person",
        "from": "date",
        "until": "date",
    },
    "body": {
        "name": "text",
        "members": "list",
        "chair": "person",
        "quorum": "number",
        "least": "number",
        "weights": "list",
    },
    "authority": {
        "category": "text",
        "unit": "text",
        "level": "number",
        "limit": "money",
        "holder": "text",
        "held_by": "choice",
        "holder_unit": "text",
        "rule": "choice",
        "from": "date",
        "until": "date",
    },
    "delegation": {
        "giver": "person",
        "receiver": "person",
        "role": "text",
        "unit": "text",
        "category": "text",
        "limit": "money",
        "from": "date",
        "until": "date",
    },
    "calendar": {"name": "text", "weekend": "list", "holidays": "list", "zone": "text"},
}
"""The fields that guards read, and their types; a register may have others beside them."""

_LOOKED_AT = FIELDS | {"calendar": {}}
"""What of an entry must be known. A calendar that keeps a day back is told where it is counted by,
so that nobody goes on by the usual week."""

ANY_UNIT = "any"
_MOST_LEVELS = 20


class Rule(NamedTuple):
    """Who may decide a matter: an entry of the authority register."""

    key: str
    version: int
    level: int
    limit: Mapping[str, str] | None
    holder: str
    by_body: bool
    unit: str
    majority: VoteRule


_MENDS = {"body": " (start one: pmo start body name=... members=ann,bo,cy chair=ann quorum=60%)"}


@lru_cache(maxsize=10_000)
def key_of(kind: str, **parts: object) -> str | None:
    """The key of an entry; ``None`` where nothing can be kept under such a name."""
    key = KEYS[kind].format(**parts)
    return key if values.CASE_KEY.fullmatch(key) else None


def entry(kind: str, key: str | None, context: Context) -> tuple[Case | None, str]:
    """The entry if it is in force today; else why it is not."""
    case = context.look(key) if key else None
    if case is None:
        return None, f"there is no {kind} {key or ''}".rstrip() + _MENDS.get(kind, "")
    why = _not_in_force(kind, case, context)
    return (None, why) if why else (case, "")


def _not_in_force(kind: str, case: Case, context: Context) -> str:
    """Why the case is no entry of this kind that is in force today; empty where it is."""
    definition = context.definition(case.definition)
    if definition.register_kind != kind:
        name = case.definition.name
        return f"{case.key} is a case of {name}, which is no register of {kind}s"
    if case.state not in definition.in_force:
        return f"{case.key} is {case.state}"
    said = case.data
    if dict in map(type, said.values()):
        for name in _LOOKED_AT[kind]:
            if values.is_withheld(said.get(name)):
                return f"{name} of {case.key} is withheld, so nobody can go by it"
    begins, ends = said.get("from"), said.get("until")
    if begins and context.day < begins:
        return f"{case.key} is in force only from {begins}"
    if ends and ends < context.today:
        return f"{case.key} was in force until {ends}"
    return ""


def appointment(role: str, unit: str, person: str, context: Context) -> str:
    """Empty where the person holds the role in the unit today, else why not."""
    if not unit:
        return f"{person} is not known to be appointed {role}: in which unit is missing"
    key = key_of("appointment", role=role, unit=unit, person=person)
    found, why = entry("appointment", key, context)
    if found and _is_of(found, role=role, unit=unit, person=person):
        return ""
    if key is None or found:
        return f"{person} is not appointed {role} in {unit}"
    return f"{person} is not appointed {role} in {unit} ({why})"


def delegation(
    key: str, role: str, unit: str, person: str, matter: str, value: Value, context: Context
) -> tuple[str, str]:
    """Who has given the person this role for this matter; or empty, and why nobody has."""
    if not values.CASE_KEY.fullmatch(key):
        return "", f"{key[:80]!r} is not the key of a delegation"
    found, why = entry("delegation", key, context)
    if found is None:
        return "", why
    said, giver = found.data, str(found.data.get("giver", ""))
    if said.get("receiver") != person:
        return "", f"{key} is given to {said.get('receiver')}, not to {person}"
    if said.get("role") != role or said.get("unit") != unit:
        return "", f"{key} is for {said.get('role')} in {said.get('unit')}, not {role} in {unit}"
    if said.get("category") not in (None, matter):
        return "", f"{key} is for {said['category']}, not for {matter or 'this'}"
    if (limit := said.get("limit")) is not None and not _covers(limit, value):
        return "", f"{key} reaches up to {values.show(limit)}, not {values.show(value) or 'this'}"
    # What somebody was only lent, they cannot lend: no chains, and so no circles.
    return (giver, "") if not (why := appointment(role, unit, giver, context)) else ("", why)


def authority(
    category: str, unit: str, value: Value, context: Context, least: float = 0
) -> tuple[Rule | None, str]:
    """The rule in force for a matter of this value: the lowest whose limit covers it, of those from
    the level ``least`` on; or why none.

    A unit without rules of its own falls under those of the unit ``any``.
    """
    for where in (unit, ANY_UNIT):
        ladder = _ladder(category, where, context)
        if not ladder:
            continue
        below: Mapping[str, str] | None = None
        highest: Mapping[str, str] | None = None
        for level, step in enumerate(ladder, 1):
            limit = step.data.get("limit")
            if values.is_withheld(limit):
                return None, f"the limit of {step.key} is withheld"
            if below and limit and not _exceeds(limit, below):
                return None, f"{step.key} overlaps the level below it"
            below = limit or below
            if level < least or _not_in_force("authority", step, context):
                continue
            if limit is None or _covers(limit, value):
                return _rule(step, level, unit), ""
            highest = limit
        when = "is in force today"
        if context.day < context.today:
            when = f"was in force on {context.day} and is today"
        reach = f"reaches up to {values.show(highest)}" if highest else when
        above = f" from level {least:g} on" if least else ""
        most = f"nobody's authority for {category} in {where}{above} {reach}"
        return None, f"{most}; this is {values.show(value)}" if highest else most
    return None, f"no authority is granted for {category} in {unit}"


def _ladder(category: str, unit: str, context: Context) -> list[Case]:
    """The levels from the first on. The first that is missing ends it, and was looked at, too."""
    levels = []
    for key in _keys_of_levels(category, unit):
        case = context.look(key)
        if case is None or not _is_of(case, category=category, unit=unit):
            break
        levels.append(case)
    return levels


def _is_of(case: Case, **parts: str) -> bool:
    """Whether an entry found by its key is of what made the key up: `a.b` in `c` and `a` in `b.c`
    have one."""
    return all(case.data.get(name) == part for name, part in parts.items())


@lru_cache(maxsize=10_000)
def _keys_of_levels(category: str, unit: str) -> tuple[str, ...]:
    keys = [
        key_of("authority", category=category, unit=unit, level=level)
        for level in range(1, _MOST_LEVELS + 1)
    ]
    return tuple(keys[: keys.index(None)] if None in keys else keys)  # type: ignore[arg-type]


def _rule(case: Case, level: int, unit: str) -> Rule:
    said: Mapping[str, Any] = case.data
    return Rule(
        case.key,
        case.version,
        level,
        said.get("limit"),
        str(said.get("holder", "")),
        said.get("held_by") == "body",
        str(said.get("holder_unit") or unit),
        said.get("rule") or "simple",
    )


def _covers(limit: Value, value: Value) -> bool:
    """Whether the limit is at least the value, in the same currency; of no known value, no.

    The size of it counts: to cut 50 million is as large a matter as to spend them.
    """
    if not isinstance(value, dict) or "amount" not in value or "amount" not in limit:
        return False
    same = limit["currency"] == value["currency"]
    return same and abs(_amount(value["amount"])) <= _amount(limit["amount"])


def _exceeds(limit: Mapping[str, str], below: Mapping[str, str]) -> bool:
    same = limit["currency"] == below["currency"]
    return same and _amount(limit["amount"]) > _amount(below["amount"])


@lru_cache(maxsize=10_000)
def _amount(said: str) -> Decimal:
    """Limits are compared at every decision."""
    return Decimal(said)
