"""Conditions in CEL, the Common Expression Language: typed, terminating, without I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cel

from engine import clock
from engine.case import Case
from engine.definition import Definition, Field
from engine.errors import BadInput
from engine.values import Value, is_withheld

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Environment:
    """What the conditions of one command may look at, as plain values."""

    data: Mapping[str, Value]
    fields: Mapping[str, Field]
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

    def evaluate(self, environment: Environment) -> tuple[bool, str]:
        """Whether it holds, and why not."""
        try:
            result = self._program.execute(_variables(environment))
        except Exception as error:
            return False, f"{self.source}: {error}"
        return (True, "") if result is True else (False, f"{self.source} does not hold")


def compile_condition(source: str, definition: Definition, where: str = "") -> Condition:
    """Raises ``BadInput`` with every problem found."""
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise BadInput.one(where, str(error)) from None
    refs = {name for name, field in definition.data.items() if field.type == "ref"}
    return Condition(source, frozenset(refs & set(program.variables())), program)


def _variables(environment: Environment) -> dict[str, Any]:
    known = {k: v for k, v in environment.data.items() if v is not None and not is_withheld(v)}
    named = {
        name: {"key": case.key, "state": case.state, "data": _plain(case.data)}
        for name, case in environment.cases.items()
        if case
    }
    return {
        "data": _plain(known),
        "withheld": [k for k, v in environment.data.items() if is_withheld(v)],
        "state": environment.state,
        "key": environment.key,
        "now": clock.to_datetime(environment.now),
        "actor": {"id": environment.actor_id, "roles": list(environment.actor_roles)},
        "evidence": list(environment.evidence),
        **named,
    }


def _plain(value: Value) -> Any:
    if isinstance(value, Mapping):
        if "amount" in value and "currency" in value:
            return float(value["amount"])
        return {k: _plain(v) for k, v in value.items() if v is not None and not is_withheld(v)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and _DATE.fullmatch(value):
        return clock.to_datetime(value)
    return float(value) if isinstance(value, int) else value
