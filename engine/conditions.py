"""Conditions in CEL, the Common Expression Language: typed, terminating, without I/O.

==========  =====================================================================================
data        the case's data after the step; a field that is missing or withheld is absent
withheld    the names of the fields that are withheld
state       the state the case is in
key         the case's key
now         the time of the command
actor       who asks: ``id``, ``roles``
evidence    the kinds of evidence attached
*ref*       for every ``ref`` field, the case it names: ``key``, ``state``, ``data``
==========  =====================================================================================

Numbers and money are doubles, dates the first moment of their day in UTC, documents fields. Of
another case's data only the values are known here, not the definition: there, a text that is
exactly a date reads as a date.

The one home of ``cel``; ``engine.cel_reader`` says which part of the language may be used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cel

from engine import cel_types, clock, values
from engine.case import Case
from engine.cel_reader import read_expression
from engine.cel_types import Type
from engine.definition import Definition, Field
from engine.errors import BadInput
from engine.values import Value, is_withheld

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Environment:
    """What the conditions of one command may look at, as plain values.

    ``cases`` holds the referenced cases by the name of the ``ref`` field, ``None`` where none is.
    """

    data: Mapping[str, Value]
    state: str
    key: str
    now: str
    actor_id: str
    actor_roles: tuple[str, ...]
    evidence: tuple[str, ...]
    cases: Mapping[str, Case | None]


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition; ``references`` names the ``ref`` fields whose case it reads."""

    source: str
    references: frozenset[str]
    _program: cel.Program
    _data: tuple[tuple[str, Callable[[Value], Any]], ...]
    _cases: tuple[tuple[str, tuple[str, ...]], ...]
    _others: tuple[tuple[str, Callable[[Environment], Any]], ...]

    def evaluate(self, environment: Environment) -> tuple[bool, str]:
        """Whether it holds, and if not, why. Never raises: an error is a condition not held."""
        try:
            result = self._program.execute(self._variables(environment))
        except Exception as error:  # noqa: BLE001 - whatever it is, the condition does not hold
            return False, f"cannot tell whether {self._shown}: {self._explain(error, environment)}"
        except BaseException as panic:
            # A panic in the library's Rust is no Exception, lest it be caught; here it must be.
            if type(panic).__name__ != "PanicException":
                raise
            return False, f"cannot tell whether {self._shown}: the evaluation broke down"
        if result is True:
            return True, ""
        if result is not False:
            return False, f"{self._shown} is neither true nor false"
        return False, f"not so: {self._shown}{self._facts(environment)}"

    def _variables(self, environment: Environment) -> dict[str, Any]:
        """Only what the condition reads: handing values over costs more than the evaluation."""
        variables = {name: read(environment) for name, read in self._others}
        if self._data:
            variables["data"] = {
                name: convert(value)
                for name, convert in self._data
                if (value := environment.data.get(name)) is not None and not is_withheld(value)
            }
        for ref, names in self._cases:
            if case := environment.cases.get(ref):
                variables[ref] = {
                    "key": case.key,
                    "state": case.state,
                    "data": {
                        name: _foreign(value)
                        for name in names
                        if (value := case.data.get(name)) is not None and not is_withheld(value)
                    },
                }
        return variables

    @property
    def _shown(self) -> str:
        return _shorten(" ".join(self.source.split()))

    def _explain(self, error: Exception, environment: Environment) -> str:
        match error:
            case KeyError():
                lacking = [
                    f"{name} {_lack(value)}"
                    for name, value in self._looked_at(environment)
                    if name.rsplit(".", 1)[-1] == error.args[0]
                    and (value is None or is_withheld(value))
                ]
                return ", ".join(lacking) or f"there is no {error.args[0]}"
            case ZeroDivisionError():
                return "it divides by zero"
            case OverflowError():
                return "a number or time grows too large"
            case IndexError():
                return "a list is too short"
        lost = [
            f"there is no case {key}" if isinstance(key, str) else f"{ref} {_lack(key)}"
            for ref, _ in self._cases
            if environment.cases.get(ref) is None
            for key in [environment.data.get(ref)]
        ]
        return ", ".join(lost) or "values of different types meet"

    def _looked_at(self, environment: Environment) -> list[tuple[str, Value]]:
        """The fields the condition reads, each with the value it has."""
        own = [(name, environment.data.get(name)) for name, _ in self._data]
        foreign = [
            (f"{ref}.data.{name}", case.data.get(name))
            for ref, names in self._cases
            if (case := environment.cases.get(ref))
            for name in names
        ]
        return own + foreign

    def _facts(self, environment: Environment) -> str:
        facts = [
            f"{name} {_lack(value)}"
            if value is None or is_withheld(value)
            else f"{name} is {_shorten(values.show(value), 60)}"
            for name, value in self._looked_at(environment)
        ]
        facts += [
            f"{ref} is {case.state}"
            for ref, _ in self._cases
            if (case := environment.cases.get(ref))
        ]
        return f" ({', '.join(facts)})" if facts else ""


def compile_condition(source: str, definition: Definition, where: str = "") -> Condition:
    """Raises ``BadInput`` with every problem found, each at ``where`` and a place in the text."""
    fields = definition.data
    reading = read_expression(source, variable_types(definition), where)
    problems = reading.problems
    if problems:
        raise BadInput(problems)
    if not cel_types.one_of(reading.type, (cel_types.BOOL,)):
        raise BadInput.one(
            where, f"it gives {reading.type.name}, not true or false", "compare it with something"
        )
    try:
        program = cel.compile(source)
    except ValueError as error:
        first = re.search(r"<input>:[0-9:]* (.*)", str(error))
        raise BadInput.one(where, first[1] if first else "not CEL") from None
    own = sorted({path[1] for path in reading.reads if path[0] == "data"})
    roots = {path[0] for path in reading.reads}
    cases = {
        ref: tuple(sorted({path[2] for path in reading.reads if path[:2] == (ref, "data")}))
        for ref in sorted(roots)
        if ref not in _OTHERS and ref != "data"
    }
    return Condition(
        source=source,
        references=frozenset(cases),
        _program=program,
        _data=tuple((name, _converter(fields[name])) for name in own),
        _cases=tuple(cases.items()),
        _others=tuple((name, _OTHERS[name]) for name in sorted(roots) if name in _OTHERS),
    )


_OTHERS: dict[str, Callable[[Environment], Any]] = {
    "withheld": lambda env: [name for name, value in env.data.items() if is_withheld(value)],
    "state": lambda env: env.state,
    "key": lambda env: env.key,
    "now": lambda env: clock.to_datetime(env.now),
    "actor": lambda env: {"id": env.actor_id, "roles": list(env.actor_roles)},
    "evidence": lambda env: list(env.evidence),
}


def variable_types(definition: Definition) -> dict[str, Type]:
    """What each variable of a condition holds; of referenced cases only that they have data."""
    texts = Type(cel_types.LIST.name, item=cel_types.TEXT)
    names = Type(cel_types.TEXT.name, only=frozenset(definition.data))
    case = {"key": cel_types.TEXT, "state": cel_types.TEXT, "data": cel_types.FIELDS}
    return {
        **{name: _fields(case) for name, field in definition.data.items() if field.type == "ref"},
        "data": _fields({name: _type_of(field) for name, field in definition.data.items()}),
        "withheld": Type(cel_types.LIST.name, item=names),
        "state": Type(cel_types.TEXT.name, only=frozenset(definition.states)),
        "key": cel_types.TEXT,
        "now": cel_types.TIME,
        "actor": _fields({"id": cel_types.TEXT, "roles": texts}),
        "evidence": texts,
    }


def _fields(members: Mapping[str, Type]) -> Type:
    return Type(cel_types.FIELDS.name, members=members)


def _type_of(field: Field) -> Type:
    if field.type == "list":
        item = _TYPES.get(field.item_type, cel_types.UNKNOWN) if field.of else cel_types.UNKNOWN
        return Type(cel_types.LIST.name, item=item)
    if field.type == "choice":
        return Type(cel_types.TEXT.name, only=frozenset(field.choices))
    return _TYPES[field.type]


def _converter(field: Field) -> Callable[[Value], Any]:
    if field.type != "list":
        return _CONVERTERS.get(field.type, _as_is)
    convert = _CONVERTERS.get(field.item_type, _as_is)
    return lambda items: [convert(item) for item in items]


_TYPES = {
    "text": cel_types.TEXT,
    "number": cel_types.DOUBLE,
    "money": cel_types.DOUBLE,
    "date": cel_types.TIME,
    "choice": cel_types.TEXT,
    "ref": cel_types.TEXT,
    "person": cel_types.TEXT,
    "document": cel_types.DOCUMENT,
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


def _foreign(value: Value) -> Any:
    """A value whose type is not known, read by its form."""
    match value:
        case {"amount": amount, "currency": _}:
            return float(amount)
        case int():
            return float(value)
        case list():
            return [_foreign(item) for item in value]
        case str() if _DATE.fullmatch(value) and clock.is_instant_or_date(value):
            return clock.to_datetime(value)
    return value


def _lack(value: Value) -> str:
    return f"is withheld ({value['withheld']})" if is_withheld(value) else "is missing"


def _shorten(text: str, longest: int = _LONGEST_SHOWN) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
