"""SQL as PostgreSQL reads it, from the text that is written once for every database.

Of statements of ours little differs: parameter marks, the names of types, that columns of text sort
by their bytes, and that LIKE ignores the case of ASCII letters, as it does in SQLite. A view's
SELECT is somebody's who need not know PostgreSQL, so more of it is made to mean the same: what is
missing sorts first (last, when descending), a number with a point is a float, and only functions
that other databases have too can be called.
"""

from __future__ import annotations

import re
from functools import lru_cache

from projections.functions import AGGREGATES, SCALARS
from projections.sql import Unfit
from projections.sql_tokens import Token, read_tokens

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
    told = "".join(_spelled(token, words) for token in read_tokens(sql))
    return told.replace("WITHOUT ROWID", "")


@lru_cache(maxsize=512)
def translate_view(sql: str) -> str:
    """A view's SELECT. Raises ``Unfit`` for a function that not every database has."""
    tokens = [*read_tokens(sql)]
    _refuse_strangers([token for token in tokens if token.kind != "space"])
    parts = []
    for token in _with_missing_first(tokens):
        is_float = token.kind == "number" and "." in token.text
        parts.append(f"CAST({token.text} AS FLOAT8)" if is_float else _spelled(token, _WORDS))
    return "".join(parts)


def copied(insert: str) -> str | None:
    """The COPY that stands for an ``INSERT ... VALUES (?, ...)`` without anything after it."""
    match = _OF_VALUES.fullmatch(insert)
    return f"COPY {match[1]} {match[2]} FROM STDIN" if match else None


def _spelled(token: Token, words: dict[str, str]) -> str:
    match token.kind:
        case "parameter":
            return f"%({token.text[1:]})s"
        case "sign" if token.text == "?":
            return "%s"
        case "word":
            return words.get(token.lower, token.text)
    return token.text.replace("%", "%%")


def _refuse_strangers(said: list[Token]) -> None:
    for place, token in enumerate(said[:-1]):
        if not token.lower or said[place + 1].text != "(" or token.lower in _KNOWN:
            continue
        if not _names_a_selection(said, place):
            raise Unfit(f"no such function: {token.lower}")


def _names_a_selection(said: list[Token], place: int) -> bool:
    """Whether ``name (`` is that of ``WITH name (column, ...) AS (``."""
    depth = 0
    for at in range(place + 1, len(said)):
        depth += {"(": 1, ")": -1}.get(said[at].text, 0)
        if not depth:
            return [token.text.lower() for token in said[at + 1 : at + 3]] == ["as", "("]
    return False


def _with_missing_first(tokens: list[Token]) -> list[Token]:
    """With ``NULLS FIRST`` (``LAST``, when descending) where an order does not say."""
    told: list[Token] = []
    ordering = [False]  # for each bracket that is open
    before = ""

    def end() -> None:
        if ordering[-1]:
            at = max(place for place, token in enumerate(told) if token.kind != "space")
            last = told[at].lower
            if last not in ("first", "last"):
                nulls = f" NULLS {'LAST' if last == 'desc' else 'FIRST'}"
                told.insert(at + 1, Token("order", nulls, told[at].offset))

    for token in tokens:
        word = token.lower or token.text
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
        told.append(token)
        if word == "by" and before == "order":
            ordering[-1] = True
        if token.kind != "space":
            before = word
    end()
    return told
