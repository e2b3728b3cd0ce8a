"""SQL as PostgreSQL reads it, from the text that is written once for every database.

Of statements of ours little differs: parameter marks, the names of types, that columns of text sort
by their bytes, and that LIKE ignores the case of ASCII letters, as it does in SQLite. A view's
SELECT is somebody's who need not know PostgreSQL, so more of it is made to mean the same: what is
missing sorts first (last, when descending), a number with a point is a float, and only functions
that other databases have too can be called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from projections.functions import AGGREGATES, SCALARS
from projections.sql import Unfit

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

_WORDS = {"like": "ILIKE", "integer": "BIGINT", "real": "DOUBLE PRECISION"}
_IN_TABLES = _WORDS | {"text": 'TEXT COLLATE "C"'}

_ENDS_ORDER = ("limit", "offset", "rows", "range", "groups", "union", "except", "intersect")

_BEFORE_BRACKETS = """
    all and any as between by case distinct else except exists filter from group having in intersect
    is join like limit materialized not nulls offset on or order over partition range rows select
    then union using values when where window with
"""
"""Words that a bracket may follow without being called."""

_CALLED = """
    abs avg cast ceil coalesce count cume_dist dense_rank exp first_value floor lag last_value lead
    length ln lower ltrim max min mod nth_value ntile nullif percent_rank power rank replace round
    row_number rtrim sign sqrt substr sum trim upper
"""
"""The functions that views may call besides ours: other databases have them, and none of them
reaches outside."""

_KNOWN = {*_BEFORE_BRACKETS.split(), *_CALLED.split(), *SCALARS, *AGGREGATES}

_OF_VALUES = re.compile(r"\s*INSERT INTO (\S+)\s*(\([^)]*\))\s*VALUES\s*\([?, ]*\)\s*", re.DOTALL)


@lru_cache(maxsize=4096)
def translate(sql: str) -> str:
    """A statement of ours, with psycopg's marks for its parameters."""
    bare = sql.lstrip()
    words = _IN_TABLES if bare.startswith(("CREATE TABLE", "ALTER TABLE")) else _WORDS
    return "".join(_spelled(*token, words) for token in _tokens(sql)).replace("WITHOUT ROWID", "")


@lru_cache(maxsize=512)
def translate_view(sql: str) -> str:
    """A view's SELECT. Raises ``Unfit`` for a function that not every database has."""
    tokens = [*_tokens(sql)]
    _refuse_strangers(tokens)
    parts = []
    for kind, text in _with_missing_first(tokens):
        is_float = kind == "number" and "." in text
        parts.append(f"CAST({text} AS FLOAT8)" if is_float else _spelled(kind, text, _WORDS))
    return "".join(parts)


def copied(insert: str) -> str | None:
    """The COPY that stands for an ``INSERT ... VALUES (?, ...)`` without anything after it."""
    match = _OF_VALUES.fullmatch(insert)
    return f"COPY {match[1]} {match[2]} FROM STDIN" if match else None


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(sql):
        yield str(match.lastgroup), match[0]


def _spelled(kind: str, text: str, words: dict[str, str]) -> str:
    match kind:
        case "parameter":
            return f"%({text[1:]})s"
        case "sign" if text == "?":
            return "%s"
        case "word":
            return words.get(text.lower(), text)
    return text.replace("%", "%%")


def _refuse_strangers(tokens: list[tuple[str, str]]) -> None:
    said = [(kind, text) for kind, text in tokens if kind != "space"]
    for place, (kind, text) in enumerate(said[:-1]):
        word = text.lower()
        if kind != "word" or said[place + 1][1] != "(" or word in _KNOWN:
            continue
        if not _names_a_selection(said, place):
            raise Unfit(f"no such function: {word}")


def _names_a_selection(said: list[tuple[str, str]], place: int) -> bool:
    """Whether ``name (`` is that of ``WITH name (column, ...) AS (``."""
    depth = 0
    for at in range(place + 1, len(said)):
        depth += {"(": 1, ")": -1}.get(said[at][1], 0)
        if not depth:
            return [text.lower() for _, text in said[at + 1 : at + 3]] == ["as", "("]
    return False


def _with_missing_first(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """With ``NULLS FIRST`` (``LAST``, when descending) where an order does not say."""
    told: list[tuple[str, str]] = []
    ordering = [False]  # for each bracket that is open
    before = ""

    def end() -> None:
        if ordering[-1]:
            at = max(place for place, (kind, _) in enumerate(told) if kind != "space")
            last = told[at][1].lower()
            if last not in ("first", "last"):
                told.insert(at + 1, ("order", f" NULLS {'LAST' if last == 'desc' else 'FIRST'}"))

    for kind, text in tokens:
        word = text.lower() if kind == "word" else text
        if word == "(":
            ordering.append(False)
        elif word == ")":
            end()
            if len(ordering) > 1:
                ordering.pop()
        elif word == ",":
            end()
        elif word in _ENDS_ORDER:
            end()
            ordering[-1] = False
        told.append((kind, text))
        if word == "by" and before == "order":
            ordering[-1] = True
        if kind != "space":
            before = word
    end()
    return told
