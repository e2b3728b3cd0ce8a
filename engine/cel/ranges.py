"""Comparisons joined by ``&&`` that no value meets: ``data.x > 5 && data.x < 3``.

Exact, and no more than that: what is compared with a constant number or time, once it is read and
typed (``engine.cel.reader``). Of all else, an ``||`` or a sum, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from engine.cel.reader import Reading
from engine.cel.tokens import Token, split

_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
Tokens = Sequence[Token]


class Comparison(NamedTuple):
    """``sign`` and ``value`` say what ``name``, a variable of the plain expression, is to be."""

    name: str
    sign: str
    value: float | datetime
    shown: str


def contradiction(reading: Reading) -> str:
    """Which value it asks for that there is none of; empty where it asks for no such."""
    said = [*_comparisons(split(reading.plain)[:-1])]
    for place, one in enumerate(said):
        for other in said[:place]:
            if one.name == other.name and _exclude(one, other):
                path = ".".join(reading.looks[int(one.name[1:])].path)
                return f"no {path} is {other.sign} {other.shown} and {one.sign} {one.shown}"
    return ""


def _exclude(one: Comparison, other: Comparison) -> bool:
    if isinstance(one.value, datetime) is not isinstance(other.value, datetime):
        return False  # a value of another case, whose type is not known here
    return _ends_before(one, other) or _ends_before(other, one)


def _ends_before(low: Comparison, high: Comparison) -> bool:
    """Whether all that ``low`` leaves over ends before what ``high`` leaves over begins."""
    if low.sign in (">", ">=") or high.sign in ("<", "<="):
        return False
    if low.value == high.value:
        return low.sign == "<" or high.sign == ">"
    return low.value < high.value  # type: ignore[operator]


def _comparisons(tokens: Tokens) -> Iterator[Comparison]:
    """Those that must all hold."""
    terms: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if depth == 0 and token.text in ("||", "?"):
            return
        if depth == 0 and token.text == "&&":
            terms.append([])
        else:
            terms[-1].append(token)
    if len(terms) == 1:
        if inside := _within_brackets(tokens):
            yield from _comparisons(inside)
        elif found := _comparison(tokens):
            yield found
        return
    for term in terms:
        yield from _comparisons(term)


def _within_brackets(tokens: Tokens) -> Tokens:
    """What one pair of brackets around it all holds; nothing where there is none."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            return tokens[1:-1] if place == len(tokens) - 1 and place else ()
    return ()


def _comparison(tokens: Tokens) -> Comparison | None:
    for place, token in enumerate(tokens):
        if token.text in _TURNED:
            left, right = tokens[:place], tokens[place + 1 :]
            for variable, constant, sign in (
                (left, right, token.text),
                (right, left, _TURNED[token.text]),
            ):
                value = _constant(constant)
                if _is_variable(variable) and value is not None:
                    shown = "".join(part.text for part in constant)
                    return Comparison(variable[0].text, sign, value, shown)
            return None
    return None


def _is_variable(tokens: Tokens) -> bool:
    return len(tokens) == 1 and tokens[0].kind == "name" and tokens[0].text.startswith("_")


def _constant(tokens: Tokens) -> float | datetime | None:
    match tokens:
        case [Token(kind="int", text=text)]:
            return float(int(text, 16 if text.startswith("0x") else 10))
        case [Token(kind="double", text=text)]:
            return float(text)
        case [Token(text="-"), *rest] if isinstance(value := _constant(rest), float):
            return -value
        case [Token(text="timestamp"), Token(text="("), Token(kind="text", text=text), _]:
            return datetime.fromisoformat(text[1:-1])
    return None
