"""What definitions look up in the registers, by a name written in them, and a home does not hold.

A name that a field of the case says (``data.board``) is known only when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from app.home import Home
from engine.calendars import OR_USUAL
from engine.definition import Definition
from engine.lint.data import asked, steps
from engine.registers import KEYS
from engine.step import ByAuthority
from projections.cases import of_workflow
from projections.definitions import published

_HOW = {
    "calendar": "pmo holidays --help shows how",
    "body": "pmo start body name={name} members=ann,bo,cy chair=ann quorum=60%",
    "authority": "pmo start authority category={name} unit=any level=1 holder=sponsor held_by=role"
    " from=2026-01-01",
}
_LACKS = {
    "calendar": "there is no calendar {key} yet; no case can start before there is",
    "body": "there is no body {key} yet; no vote counts before there is",
    "authority": "nobody has authority for {name} yet; nobody can decide before somebody has",
}


@dataclass(frozen=True, slots=True)
class Absent:
    """An entry that is not there: of which register, its name, and one that was perhaps meant."""

    kind: str
    name: str
    near: str

    def __str__(self) -> str:
        key = KEYS[self.kind].split("{")[0] + self.name
        mend = f"did you mean {self.near!r}?" if self.near else _HOW[self.kind]
        return f"{_LACKS[self.kind]} ({mend})".format(key=key, name=self.name)


def absent(definitions: Iterable[Definition], home: Home) -> list[Absent]:
    """Every entry that the definitions name and the home does not have, in whatever state."""
    wanted = dict.fromkeys(one for definition in definitions for one in _named(definition))
    known = {kind: _known(kind, home) for kind in dict.fromkeys(kind for kind, _ in wanted)}
    return [
        Absent(kind, name, next(iter(get_close_matches(name, known[kind], n=1)), ""))
        for kind, name in wanted
        if name not in known[kind]
    ]


def _named(definition: Definition) -> Iterator[tuple[str, str]]:
    """The entries that a definition names: of which register, and how it is called there."""
    calendar = definition.calendar or ""
    names = [] if calendar.endswith(OR_USUAL) else [("calendar", calendar)]
    names += [("body", said.quorum.body) for _, said in asked(definition) if said.quorum]
    names += [
        ("authority", who.authority.category)
        for _, step in steps(definition)
        for who in step.by
        if isinstance(who, ByAuthority)
    ]
    yield from ((kind, name) for kind, name in names if name and not name.startswith("data."))


def _known(kind: str, home: Home) -> list[str]:
    """How the entries of a register are called: by the first part of their keys."""
    begin = KEYS[kind].split("{")[0]
    registers = [
        row["name"] for row in published(home.views) if row["body"].get("register") == kind
    ]
    keys = [
        row["key"] for name in dict.fromkeys(registers) for row in of_workflow(home.views, name)
    ]
    names = (key.removeprefix(begin) for key in keys)
    return [*dict.fromkeys(name.split(".")[0] if kind == "authority" else name for name in names)]
