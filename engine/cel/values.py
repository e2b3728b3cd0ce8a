"""What conditions look at: its types, for reading them, and its values, as CEL takes them.

==========  =====================================================================================
data        the case's data after the step; a field that is missing or withheld is absent
withheld    the names of the fields that are withheld
state       the state the case is in
key         the case's key
now         the time of the command
today       its day in UTC, to be compared with dates: ``data.due >= today`` until that day is over
actor       who asks: ``id``, ``roles``
evidence    the kinds of evidence attached
*ref*       for every ``ref`` field, the case it names: ``key``, ``state``, ``data``
==========  =====================================================================================

Numbers and money are doubles, dates the first moment of their day in UTC, documents fields. Of
another case's data only the values are known here, not the definition: there, a text that is
exactly a date reads as a date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from engine import clock, values
from engine.case import Case
from engine.cel import types
from engine.cel.paths import Look
from engine.cel.types import Type
from engine.definition import Definition, Field
from engine.values import Value, is_withheld

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LONG_TEXT = 1_000


class View(Protocol):
    """What a condition may look at: nothing else of it is found out than the condition asks for.

    ``cases`` holds the referenced cases by the name of the ``ref`` field, ``None`` where none is.
    """

    @property
    def data(self) -> Mapping[str, Value]: ...
    @property
    def state(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def now(self) -> str: ...
    @property
    def actor_id(self) -> str: ...
    @property
    def actor_roles(self) -> tuple[str, ...]: ...
    @property
    def evidence_kinds(self) -> tuple[str, ...]: ...
    @property
    def cases(self) -> Mapping[str, Case | None]: ...


class Environment(NamedTuple):
    """A view of plain values."""

    data: Mapping[str, Value]
    state: str
    key: str
    now: str
    actor_id: str
    actor_roles: tuple[str, ...]
    evidence_kinds: tuple[str, ...]
    cases: Mapping[str, Case | None]


CONTEXT: dict[str, Callable[[View], Any]] = {
    "withheld": lambda env: [name for name, value in env.data.items() if is_withheld(value)],
    "state": lambda env: env.state,
    "key": lambda env: env.key,
    "now": lambda env: clock.to_datetime(env.now),
    "today": lambda env: clock.to_datetime(env.now[:10]),
    "actor": lambda env: {"id": env.actor_id, "roles": list(env.actor_roles)},
    "evidence": lambda env: list(env.evidence_kinds),
}
"""What is neither the case's data nor another case."""


def reader_of(look: Look, definition: Definition) -> Callable[[View], Any]:
    """What gives the value CEL gets; ``None`` where there is none."""
    path = look.path
    if look.has:
        return lambda env: _is_there(env, path)
    if path[0] in CONTEXT and len(path) == 1:
        return CONTEXT[path[0]]
    if path[0] not in ("data", *CONTEXT) and path[1] == "data":
        return lambda env: _converted(_value(env, path))
    if path[0] != "data" or len(path) > 2:
        return lambda env: value if _known(value := _value(env, path)) else None
    name, convert = path[1], _converter(definition.data[path[1]])

    def read(env: View) -> Any:
        value = env.data.get(name)
        return None if value is None or is_withheld(value) else convert(value)

    return read


def _value(env: View, path: tuple[str, ...]) -> Value:
    """What is at the path: a value, what is withheld, or ``None``."""
    root, *names = path
    value: Value
    if root == "data":
        value = env.data
    elif root in CONTEXT:
        value = CONTEXT[root](env)
    else:
        case = env.cases.get(root)
        value = {"key": case.key, "state": case.state, "data": case.data} if case else None
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
        if is_withheld(value):
            break
    return value


def _is_there(env: View, path: tuple[str, ...]) -> bool | None:
    """CEL's ``has()``: whether the last member is there, an error where those before are not."""
    if not _known(_value(env, path[:-1])):
        return None
    return _known(_value(env, path))


def _known(value: Value) -> bool:
    return value is not None and not is_withheld(value)


def tell(path: tuple[str, ...], env: View) -> str:
    """The value there, or the first thing on the way to it that is not there, in words."""
    root = path[0]
    if root != "data" and not env.cases.get(root):
        key = env.data.get(root)
        return f"there is no case {key}" if isinstance(key, str) else f"{root} {_lack(key)}"
    for depth in range(2, len(path) + 1):
        value = _value(env, path[:depth])
        name = ".".join(path[1:depth] if root == "data" else path[:depth])
        if not _known(value):
            return f"{name} {_lack(value)}"
    return f"{name} is {_show(value)}"


def variable_types(definition: Definition) -> dict[str, Type]:
    texts = Type(types.LIST.name, item=types.TEXT, long=True)
    names = Type(types.TEXT.name, only=frozenset(definition.data))
    case = {"key": types.TEXT, "state": types.TEXT, "data": types.FIELDS}
    return {
        **{name: _fields(case) for name, field in definition.data.items() if field.type == "ref"},
        "data": _fields({name: _type_of(field) for name, field in definition.data.items()}),
        "withheld": Type(types.LIST.name, item=names, long=True),
        "state": Type(types.TEXT.name, only=frozenset(definition.states)),
        "key": types.TEXT,
        "now": types.TIME,
        "today": types.TIME,
        "actor": _fields({"id": types.TEXT, "roles": texts}),
        "evidence": texts,
    }


def _fields(members: Mapping[str, Type]) -> Type:
    return Type(types.FIELDS.name, members=members)


def _type_of(field: Field) -> Type:
    if field.type == "list":
        item = _TYPES.get(field.item_type, types.UNKNOWN) if field.of else types.UNKNOWN
        return Type(types.LIST.name, item=item, long=True)
    if field.type == "choice":
        return Type(types.TEXT.name, only=frozenset(field.choices))
    if field.type == "text" and (field.longest or values.LONGEST_TEXT) > _LONG_TEXT:
        return Type(types.TEXT.name, long=True)
    return _TYPES[field.type]


def _converter(field: Field) -> Callable[[Value], Any]:
    if field.type != "list":
        return _CONVERTERS.get(field.type, _as_is)
    convert = _CONVERTERS.get(field.item_type, _as_is)
    return lambda items: [convert(item) for item in items]


_TYPES = {
    "text": types.TEXT,
    "number": types.DOUBLE,
    "money": types.DOUBLE,
    "date": types.TIME,
    "choice": types.TEXT,
    "ref": types.TEXT,
    "person": types.TEXT,
    "document": types.DOCUMENT,
}


def _as_is(value: Value) -> Any:
    return value


def _amount(value: Value) -> float:
    return float(value["amount"])


_CONVERTERS: dict[str, Callable[[Value], Any]] = {
    "number": float,
    "money": _amount,
    "date": clock.to_datetime,
}


def _converted(value: Value) -> Any:
    """A value whose type is not known, read by its form."""
    match value:
        case {"withheld": _}:
            return None
        case {"amount": amount, "currency": _}:
            return float(amount)
        case int():
            return float(value)
        case list():
            return [_converted(item) for item in value]
        case str() if _DATE.fullmatch(value) and clock.is_instant_or_date(value):
            return clock.to_datetime(value)
    return value


def _lack(value: Value) -> str:
    return f"is withheld ({value['withheld']})" if is_withheld(value) else "is missing"


def _show(value: Value) -> str:
    if isinstance(value, list):
        return shorten(", ".join(map(_show, value[:20])), 60)
    if isinstance(value, dict) and not {"amount", "currency"} <= value.keys():
        return "there"
    return shorten(values.show(value), 60)


def shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
