"""Conditions in CEL, the Common Expression Language: typed, terminating, without I/O.

The one home of ``cel``. ``engine.cel.values`` says what a condition may look at, and
``engine.cel.reader`` which part of the language it may use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cel

from engine.cel import types
from engine.cel.paths import Look
from engine.cel.ranges import contradiction
from engine.cel.reader import read_expression
from engine.cel.values import CONTEXT, Environment, View, reader_of, shorten, tell, variable_types
from engine.definition import Definition
from engine.errors import BadInput

__all__ = ["Condition", "Environment", "View", "compile_condition", "contradiction_in"]

_HELD = (True, "")


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition; ``references`` names the ``ref`` fields whose case it reads."""

    source: str
    references: frozenset[str]
    _program: cel.Program
    _looks: tuple[tuple[str, Look, Callable[[View], Any]], ...]

    def evaluate(self, view: View) -> tuple[bool, str]:
        """Whether it holds, and if not, why. Never raises: an error is a condition not held."""
        try:
            # What is missing or withheld gets no variable: to ask for it then is an error in CEL.
            variables = {}
            for name, _, read in self._looks:
                if (value := read(view)) is not None:
                    variables[name] = value
            if self._program.execute(variables) is True:
                return _HELD
        except Exception as error:  # noqa: BLE001 - whatever it is, the condition does not hold
            return False, f"cannot tell whether {self._shown}: {self._explain(error, view)}"
        except BaseException as panic:
            # What panics in Rust arrives as no Exception, lest anybody catch it; here one must.
            if type(panic).__name__ != "PanicException":
                raise
            return False, f"cannot tell whether {self._shown}: the evaluation broke down"
        return False, f"not so: {self._shown}{self._facts(view)}"

    @property
    def settled(self) -> bool | None:
        """Whether it holds, of a condition that looks at nothing and so always says the same."""
        if self._looks:
            return None
        try:
            return self._program.execute({}) is True
        except Exception:  # noqa: BLE001 - as in ``evaluate``
            return False

    @property
    def looks_at(self) -> frozenset[str]:
        """Fields and refs by their name, and else what is looked at: ``actor``, ``now``."""
        paths = [look.path for _, look, _ in self._looks]
        return frozenset(path[1] if path[0] == "data" else path[0] for path in paths)

    @property
    def _shown(self) -> str:
        return shorten(" ".join(self.source.split()), 200)

    def _explain(self, error: Exception, view: View) -> str:
        match error:
            case ZeroDivisionError():
                return "it divides by zero"
            case OverflowError():
                return "a number or time grows too large"
            case IndexError():
                return "a list is too short"
            case TypeError():
                return "values of different types meet"
        unbound = re.search(r"'(_\d+)'", str(error))
        for name, look, _ in self._looks:
            if unbound and name == unbound[1]:
                return tell(look.path, view)
        return shorten(str(error), 200)

    def _facts(self, view: View) -> str:
        facts = [tell(look.path, view) for _, look, _ in self._looks if look.path[0] not in CONTEXT]
        return f" ({', '.join(dict.fromkeys(facts))})" if facts else ""


def contradiction_in(source: str, definition: Definition) -> str:
    """Which value a condition that compiles asks for though there is none such; else empty."""
    return contradiction(read_expression(source, variable_types(definition)))


def compile_condition(source: str, definition: Definition, where: str = "") -> Condition:
    """Raises ``BadInput`` with every problem found, each at ``where`` and a place in the text."""
    reading = read_expression(source, variable_types(definition), where)
    if reading.problems:
        raise BadInput(reading.problems)
    if not types.one_of(reading.type, (types.BOOL,)):
        what = f"it gives {reading.type.name}, not true or false"
        raise BadInput.one(where, what, "compare it with something")
    try:
        program = cel.compile(reading.plain)
    except ValueError as error:
        first = re.search(r"<input>:[0-9:]* (.*)", str(error))
        raise BadInput.one(where, first[1] if first else "not CEL") from None
    return Condition(
        source=source,
        references=frozenset({look.path[0] for look in reading.looks} - {"data", *CONTEXT}),
        _program=program,
        _looks=tuple(
            (f"_{number}", look, reader_of(look, definition))
            for number, look in enumerate(reading.looks)
        ),
    )
