"""The part of CEL that conditions may use, read and typed before the library sees any of it.

What passes here means the same in every implementation of CEL, does not fail for its types, and
ends soon: there are no words for what takes long (``matches``, ``map``, ``filter``, a macro within
a macro, text that grows). The grammar is https://github.com/google/cel-spec, langdef.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from engine.cel import types as cel
from engine.cel.paths import Look, Paths
from engine.cel.tokens import MENDS, Token, Unreadable
from engine.cel.types import Type
from engine.errors import Problem

DEEPEST = 20
# Costs are in words and signs evaluated; docs/adr/0003-conditions.md says how long these take.
DEAREST = 70_000
ITEMS = 1_000  # a macro's body is evaluated for every item of the longest list
PASS = 50  # going once through the longest list, or comparing the longest texts
SEARCH = 2_000  # searching the longest text for one that is hard to find

_PLAIN = re.compile(r"""["']([^\\]*)["']""")

_CALLABLE = ("has", "size", "int", "double", *cel.LITERALS, *cel.METHODS, *cel.MACROS)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an expression gives, what is wrong with it, and ``plain``, the expression over the
    variables ``_0``, ``_1``... which stand for ``looks``, in this order."""

    type: Type
    plain: str
    looks: tuple[Look, ...]
    problems: tuple[Problem, ...]


def read_expression(source: str, variables: Mapping[str, Type], where: str = "") -> Reading:
    """Read and type ``source``: every problem, up to the first that leaves the grammar."""
    reader = _Reader(source, variables, where)
    given = cel.FAULTY
    try:
        reader.start()
        given = reader.expression()
        reader.expect("")
        if reader.cost > DEAREST:
            raise Unreadable(0, "it would take too long on full lists", "split it, or ask less")
    except Unreadable as error:
        reader.report(*error.args)
    return Reading(given, reader.plain(), tuple(reader.looks), tuple(reader.problems))


class _Reader(Paths):
    """Recursive descent, one method for each level of the grammar; each gives a type."""

    def __init__(self, source: str, variables: Mapping[str, Type], where: str) -> None:
        super().__init__(source, variables, where)
        self.depth = 0
        self.cost = 0

    def step(self) -> Token:
        self.cost += 1
        return super().step()

    def need(self, given: Type, wanted: tuple[Type, ...], at: int, mend: str = "") -> None:
        if not cel.one_of(given, wanted):
            names = " or ".join(type_.name for type_ in wanted)
            self.report(at, f"{given.name} where {names} is needed", mend)

    def sound(self, at: int, rule: Callable[..., Type], *sides: Type | str) -> Type:
        try:
            return rule(*sides)
        except cel.Mismatch as mismatch:
            self.report(at, *mismatch.args)
            return cel.FAULTY

    # --- the grammar ----------------------------------------------------------------------------

    def expression(self) -> Type:
        self.deepen()
        at = self.token.at
        given = self.either()
        if self.take("?"):
            self.need(given, (cel.BOOL,), at)
            at = self.token.at
            one = self.either()
            self.expect(":")
            given = self.sound(at, cel.either, one, self.expression())
        self.depth -= 1
        return given

    def deepen(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable(self.token.at, f"nested more than {DEEPEST} deep", "make it simpler")

    def either(self) -> Type:
        return self.logic("||", self.both)

    def both(self) -> Type:
        return self.logic("&&", self.relation)

    def logic(self, sign: str, operand: Callable[[], Type]) -> Type:
        at = self.token.at
        given = operand()
        if self.token.text != sign:
            return given
        self.need(given, (cel.BOOL,), at)
        while self.take(sign):
            at = self.token.at
            self.need(operand(), (cel.BOOL,), at)
        return cel.BOOL

    def relation(self) -> Type:
        left = self.sum()
        while sign := self.take("==", "!=", "<", "<=", ">", ">=", "in"):
            at = self.tokens[self.next - 1].at
            right = self.sum()
            if right.long and (left.long or sign == "in"):
                self.cost += PASS
            left = self.sound(at, cel.compare, left, sign, right)
        return left

    def sum(self) -> Type:
        return self.arithmetic(("+", "-"), self.product)

    def product(self) -> Type:
        return self.arithmetic(("*", "/", "%"), self.unary)

    def arithmetic(self, signs: tuple[str, ...], operand: Callable[[], Type]) -> Type:
        left = operand()
        while sign := self.take(*signs):
            at = self.tokens[self.next - 1].at
            left = self.sound(at, cel.calculate, left, sign, operand())
        return left

    def unary(self) -> Type:
        sign = self.take("!", "-")
        if not sign:
            return self.member()
        while self.take(sign):
            pass
        at = self.token.at
        given = self.member()
        self.need(given, (cel.BOOL,) if sign == "!" else (cel.INT, cel.DOUBLE), at)
        return given

    def member(self) -> Type:
        at = self.token.at
        if self.token.text in self.variables:
            given, path = self.path()
            self.look(Look(path), at)
        else:
            given = self.primary()
        while True:
            place = self.token.at
            if selected := self.selected():
                given = self.select(given, selected)
            elif self.take("."):
                name = self.name()
                self.expect("(")
                given = self.method(given, name, at, place + 1)
            elif self.take("["):
                given = self.index(given)
            else:
                return given

    def primary(self) -> Type:
        token = self.token
        if token.kind == "name" and token.text not in MENDS:
            return self.named()
        match token.kind, token.text:
            case "int", _:
                given = cel.INT
            case "double", _:
                given = cel.DOUBLE
            case "text", text:
                plain = _PLAIN.fullmatch(text)
                given = Type(cel.TEXT.name, only=frozenset({plain[1]}) if plain else None)
            case _, "(":
                self.step()
                given = self.expression()
                self.expect(")")
                return given
            case _, "[":
                self.step()
                return self.items()
            case _:
                raise self.unexpected("" if token.text else " too early")
        self.step()
        return given

    def named(self) -> Type:
        token = self.step()
        if self.take("("):
            return self.function(token.text, token.at)
        if token.text in ("true", "false"):
            return cel.BOOL
        self.unknown(f"no variable {token.text!r}", token.text, self.variables, token.at)
        return cel.FAULTY

    def items(self) -> Type:
        item = cel.FAULTY
        at = self.token.at
        if not self.take("]"):
            item = self.expression()
            while self.take(","):
                item = self.sound(at, cel.either, item, self.expression())
            self.expect("]")
        return Type(cel.LIST.name, item=item, long=item.long)

    def index(self, given: Type) -> Type:
        at = self.token.at
        self.need(given, (cel.LIST,), at, "write data.x for a field")
        self.need(self.expression(), (cel.INT,), at, "write int(...) around a field's number")
        self.expect("]")
        return given.item or cel.UNKNOWN

    # --- calls ----------------------------------------------------------------------------------

    def function(self, name: str, at: int) -> Type:
        match name:
            case "has":
                return self.has(at)
            case name if name in cel.LITERALS:
                return self.literal(name)
            case "size" | "int" | "double":
                at = self.token.at
                given = self.expression()
                self.expect(")")
                if name == "size":
                    return self.size(given, at)
                self.need(given, (cel.DOUBLE, cel.INT), at)
                return cel.INT if name == "int" else cel.DOUBLE
        raise self.no_function(name, at)

    def method(self, given: Type, name: str, at: int, place: int) -> Type:
        if name in cel.MACROS:
            return self.macro(given, name, at, place)
        if name == "size":
            self.expect(")")
            return self.size(given, at)
        if name not in cel.METHODS:
            raise self.no_function(name, place)
        receivers, wanted, result = cel.METHODS[name]
        self.need(given, receivers, at)
        for type_ in wanted:
            argument_at = self.token.at
            argument = self.expression()
            self.need(argument, (type_,), argument_at)
            if given.long and name == "contains":
                self.cost += SEARCH
            elif given.long and argument.long:
                self.cost += PASS
        self.expect(")")
        return result

    def no_function(self, name: str, at: int) -> Unreadable:
        close = get_close_matches(name, _CALLABLE, 1)
        guess = f"did you mean {close[0]}? " if close else ""
        offer = MENDS.get(name) or f"{guess}there are: {', '.join(_CALLABLE)}"
        return Unreadable(at, f"no function {name!r}", offer)

    def size(self, given: Type, at: int) -> Type:
        """Of lists alone: the library counts a text's bytes, where CEL counts its characters."""
        mend = "only lists of this case are counted; a text field can have `longest`"
        if given.name == cel.UNKNOWN.name:
            self.report(at, "size of what may be text", mend)
        self.need(given, (cel.LIST,), at, mend)
        return cel.INT

    def has(self, at: int) -> Type:
        if self.token.text not in self.variables:
            raise Unreadable(self.token.at, "has() asks for a field", "write has(data.x)")
        given, path = self.path()
        if len(path) == 1 and given is not cel.FAULTY:
            self.report(at, "has() asks for a field", "write has(data.x)")
        self.expect(")")
        self.look(Look(path, has=True), at)
        return cel.BOOL

    def literal(self, name: str) -> Type:
        given, reads, mend = cel.LITERALS[name]
        token = self.token
        plain = _PLAIN.fullmatch(token.text) if token.kind == "text" else None
        if not plain or not reads(plain[1]):
            raise Unreadable(token.at, f"{token.text or 'nothing'} is no {name}", mend)
        self.step()
        self.expect(")")
        return given

    def macro(self, given: Type, name: str, at: int, place: int) -> Type:
        self.need(given, (cel.LIST,), at)
        if self.local:
            raise Unreadable(place, f"{name} within another macro", "ask one list at a time")
        at = self.token.at
        self.local = self.name()
        if self.local in (*self.variables, "true", "false") or self.local.startswith("_"):
            raise Unreadable(at, f"{self.local!r} cannot be a name here", "take another")
        self.variables[self.local] = given.item or cel.UNKNOWN
        self.expect(",")
        at, cost = self.token.at, self.cost
        self.need(self.expression(), (cel.BOOL,), at)
        self.expect(")")
        self.cost = cost + (self.cost - cost) * ITEMS
        del self.variables[self.local]
        self.local = ""
        return cel.BOOL
