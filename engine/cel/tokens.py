"""The words and signs of a condition in CEL, and how long one may be."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.errors import Problem

LONGEST_SOURCE = 2_000
MOST_TOKENS = 400

_SPACE = re.compile(r"(?:[ \t\r\n]|//[^\n]*)*+")
_ESCAPE = r"""\\(?:[abfnrtv?"'`\\]|[0-3][0-7]{2}|x_{2}|u_{4}|U_{8})""".replace("_", "[0-9a-fA-F]")
_TOKEN = re.compile(
    rf"""(?P<double>[0-9]*+\.[0-9]++(?:[eE][+-]?[0-9]++)?|[0-9]++[eE][+-]?[0-9]++)(?![\w.])
    |(?P<int>0x[0-9a-fA-F]++|[0-9]++)(?![\w.])
    |(?P<text>"(?:[^"\\\r\n]|{_ESCAPE})*+"|'(?:[^'\\\r\n]|{_ESCAPE})*+')(?!["'])
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*+)(?!["'])
    |(?P<sign>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()\[\]])
    |(?P<end>\Z)""",
    re.VERBOSE,
)
_STRANGE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_QUOTE = r"a text ends on its line, with the quote it began with; write \\ for a backslash"
_PEOPLES_NUMBER = re.compile(r"[£$€]?[0-9][\w.]{0,30}")
_IN_FULL = "write a number in full, like 100000 or 0.5, and not 100k or 1,000"
MENDS = {
    ",": _IN_FULL,
    '"': _QUOTE,
    "'": _QUOTE,
    "=": "write == to compare",
    "&": "write && for and",
    "|": "write || for or",
    "and": "write && for and",
    "or": "write || for or",
    "not": "write ! for not",
    "null": "write has(data.x) to ask whether there is a value",
    "matches": "use startsWith, endsWith or contains, or make the field a choice",
    "map": "use all, exists or exists_one",
    "filter": "use all, exists or exists_one",
}


class Unreadable(Exception):
    """Reading cannot go on; its arguments are where (an offset), what, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int


def split(source: str) -> list[Token]:
    """The tokens, an empty one at the end. Raises ``Unreadable``."""
    if len(source) > LONGEST_SOURCE:
        what = f"{len(source):,} characters, at most {LONGEST_SOURCE:,} fit"
        raise Unreadable(LONGEST_SOURCE, what, "split it into several conditions")
    if strange := _STRANGE.search(source):
        raise Unreadable(strange.start(), f"{strange[0]!r} cannot stand here")
    tokens: list[Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        if space := _SPACE.match(source, at):
            at = space.end()
        match = _TOKEN.match(source, at)
        if not match:
            raise _strange(source, at)
        tokens.append(Token(str(match.lastgroup), match[0], at))
        at = match.end()
    if len(tokens) > MOST_TOKENS:
        what = f"{len(tokens):,} words and signs, at most {MOST_TOKENS} fit"
        raise Unreadable(tokens[MOST_TOKENS].at, what, "split it into several conditions")
    return tokens


def _strange(source: str, at: int) -> Unreadable:
    """That what stands there is no word of the language; of a number, all that belongs to it."""
    number = _PEOPLES_NUMBER.match(source, at)
    text = number[0] if number else source[at]
    return Unreadable(
        at, f"{text!r} cannot stand here", _IN_FULL if number else MENDS.get(text, "")
    )


class Cursor:
    """A place among the tokens of a source, and the problems found so far."""

    def __init__(self, source: str, where: str) -> None:
        self.source, self.where = source, where
        self.tokens: list[Token] = []
        self.next = 0
        self.problems: list[Problem] = []

    def start(self) -> None:
        self.tokens = split(self.source)

    def report(self, at: int, what: str, mend: str = "") -> None:
        line = self.source.count("\n", 0, at) + 1
        column = at - self.source.rfind("\n", 0, at)
        place = f"line {line}, character {column}" if "\n" in self.source else f"character {column}"
        self.problems.append(Problem(self.where, f"at {place}: {what}", mend))

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def take(self, *signs: str) -> str:
        """The next token, if it is one of these."""
        if self.token.kind in ("sign", "name") and self.token.text in signs:
            return self.step().text
        return ""

    def step(self) -> Token:
        self.next += 1
        return self.tokens[self.next - 1]

    @property
    def end(self) -> int:
        """Where the last token ended."""
        last = self.tokens[self.next - 1]
        return last.at + len(last.text)

    def expect(self, sign: str) -> None:
        if self.token.text != sign:
            wanted = f"{sign!r}" if sign else "the end"
            raise self.unexpected(f" where {wanted} should be")
        if sign:
            self.step()

    def name(self) -> str:
        if self.token.kind != "name":
            raise self.unexpected(" where a name should be")
        return self.step().text

    def unexpected(self, rest: str = "") -> Unreadable:
        text, at = self.token.text, self.token.at
        return Unreadable(at, f"{text!r}{rest}" if text else f"it ends{rest}", MENDS.get(text, ""))
