"""The SELECT of a view, read far enough to know what it names and that it is nothing else.

The database has the last word on what the text means; here we see that it cannot write, that it
speaks of relations and not of our tables, and where in the text a name stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from projections.sql_tokens import Token, read_tokens

_WRITES = ("insert", "update", "delete", "merge", "into", "create", "drop", "alter", "attach",
           "detach", "pragma", "vacuum", "reindex")  # fmt: skip
"""Words that stand in no SELECT, unless quoted: PostgreSQL lets some of them stand inside one."""

_ENDS_FROM = ("where", "group", "order", "limit", "union", "except", "intersect", "having",
              "window")  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What is wrong with the text, at which offset of it, and how to mend it."""

    offset: int
    what: str
    mend: str


@dataclass(frozen=True)
class Select:
    text: str

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        found = [token for token in read_tokens(self.text) if token.kind != "space"]
        while found and found[-1].text == ";":
            found.pop()
        return tuple(found)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name in it: of relations, columns, functions, and its keywords."""
        return frozenset(name for token in self.tokens if (name := token.name))

    @cached_property
    def parameters(self) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens if token.kind == "parameter")

    @cached_property
    def takes_all_columns(self) -> bool:
        """Whether it selects ``*``; that of ``count(*)`` is none."""
        before = [None, *self.tokens]
        return any(
            token.text == "*" and last is not None and (last.lower == "select" or last.text in ",.")
            for last, token in zip(before, self.tokens, strict=False)
        )

    @cached_property
    def own(self) -> frozenset[str]:
        """The names it gives to selections of its own: ``WITH name AS (``."""
        return frozenset(_own(self.tokens))

    @cached_property
    def relations(self) -> tuple[Token, ...]:
        """What it selects from, where it says so: relations, each time they are named."""
        return tuple(t for t in _selected_from(self.tokens) if t.name not in self.own)

    def after(self, relations: str) -> str:
        """The whole statement, with ``name AS (...), ...`` before its own selections."""
        start = self.tokens[0]
        end = self.tokens[-1].offset + len(self.tokens[-1].text)
        if not relations:
            return self.text[:end]
        if start.lower != "with":
            return f"WITH {relations}\n{self.text[start.offset : end]}"
        rest = self.tokens[1:]
        recursive = rest[0].lower == "recursive"
        rest = rest[1:] if recursive else rest
        word = "WITH RECURSIVE" if recursive else "WITH"
        return f"{word} {relations},\n{self.text[rest[0].offset : end]}"

    def faults(self) -> Iterator[Fault]:
        """What makes it something else than one SELECT that also another database can read."""
        tokens = self.tokens
        if not tokens or tokens[0].lower not in ("select", "with"):
            at = tokens[0].offset if tokens else 0
            yield Fault(at, "is not a SELECT", "begin with SELECT, or with WITH ... SELECT")
            return
        for token in tokens:
            if token.text == ";":
                yield Fault(token.offset, "there is a second statement", "write one SELECT")
                return
            if token.lower in _WRITES:
                what = f"{token.text} has no place in a SELECT"
                yield Fault(token.offset, what, f'a name is written "{token.lower}"')
            elif token.text in ("'", '"'):
                yield Fault(token.offset, f"the {token.text} is not closed", "close it")
                return
        for token in tokens:
            if token.text == ":":
                yield Fault(
                    token.offset, "not every database knows ':' here", "write CAST(x AS TEXT)"
                )
                return
        depth = 0
        for token in tokens:
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if depth < 0:
                yield Fault(token.offset, "there is no '(' to this ')'", "remove it")
                return
        if depth:
            yield Fault(tokens[-1].offset, "a '(' is not closed", "close it")


def _own(tokens: Sequence[Token]) -> Iterator[str]:
    for place, token in enumerate(tokens):
        following = next((t for t in tokens[place + 1 :] if not _materialized(t)), None)
        if token.lower != "as" or following is None or following.text != "(" or not place:
            continue
        before = place - 1
        if tokens[before].text == ")":
            before = _opening(tokens, before) - 1
        if before >= 0 and (name := tokens[before].name):
            yield name


def _materialized(token: Token) -> bool:
    return token.lower in ("not", "materialized")


def _opening(tokens: Sequence[Token], place: int) -> int:
    """Where the bracket opens that closes at ``place``."""
    depth = 0
    for at in range(place, -1, -1):
        depth += {")": 1, "(": -1}.get(tokens[at].text, 0)
        if depth == 0:
            return at
    return 0


def _selected_from(tokens: Sequence[Token]) -> Iterator[Token]:
    inside = [False]  # for each bracket that is open: whether a FROM is being read in it
    wanted = False
    before: Token | None = None
    for token in tokens:
        if token.text == "(":
            inside.append(False)
            wanted = False
        elif token.text == ")":
            inside.pop()
            wanted = False
            if not inside:
                return
        elif (token.lower == "from" and (before is None or before.lower != "distinct")) or (
            token.lower == "join"
        ):
            inside[-1] = wanted = True
        elif token.lower in _ENDS_FROM:
            inside[-1] = wanted = False
        elif token.text == "," and inside[-1]:
            wanted = True
        elif wanted and token.name:
            yield token
            wanted = False
        before = token
