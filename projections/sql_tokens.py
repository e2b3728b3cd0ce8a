"""The words and signs of an SQL text, each where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<parameter>(?<!:):[A-Za-z_][A-Za-z0-9_]*)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    offset: int

    @property
    def lower(self) -> str:
        return self.text.lower() if self.kind == "word" else ""

    @property
    def name(self) -> str | None:
        """What it names, if it is a word or a quoted name; names compare in small letters."""
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        return self.text.lower() if self.kind == "word" else None


def read_tokens(sql: str) -> Iterator[Token]:
    """All of it: put together again their texts are the text."""
    for match in _TOKEN.finditer(sql):
        yield Token(str(match.lastgroup), match[0], match.start())
