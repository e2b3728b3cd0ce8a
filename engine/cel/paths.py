"""The values a condition looks at, and the condition written again over plain variables.

The library copies what it takes out of a map, a list of 1,000 texts at every mention, and is slow
to take maps over. So every path (``data.amount``, ``has(objective.data.due)``) becomes a variable
of its own, and no map is ever built; docs/adr/0003-conditions.md has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from engine.cel import types as cel
from engine.cel.tokens import Cursor, Token
from engine.cel.types import Type


@dataclass(frozen=True, slots=True)
class Look:
    """A look at one value: its path, as in ``("data", "amount")``, or only whether there is one."""

    path: tuple[str, ...]
    has: bool = False


class Paths(Cursor):
    """Reads paths, remembering them."""

    def __init__(self, source: str, variables: Mapping[str, Type], where: str) -> None:
        super().__init__(source, where)
        self.variables = dict(variables)
        self.local = ""  # the variable of the macro that is being read
        self.looks: dict[Look, str] = {}
        self.rewrites: list[tuple[int, int, str]] = []

    def path(self) -> tuple[Type, tuple[str, ...]]:
        """A variable with what is selected of it, and of that."""
        at = self.token.at
        path: tuple[str, ...] = (self.name(),)
        given = self.variables[path[0]]
        while selected := self.selected():
            given = self.select(given, selected, ".".join(path))
            path = (*path, selected.text)
        if given.name == cel.FIELDS.name:
            self.report(at, f"{'.'.join(path)} has many fields", "name one, as in data.x")
            given = cel.FAULTY
        return given, path

    def selected(self) -> Token | None:
        """The member that comes next, as ``.name`` or ``["name"]``; a call is none."""
        match self.tokens[self.next : self.next + 3]:
            case [Token(text="."), Token(kind="name"), *after] if after[0].text != "(":
                self.step()
                return self.step()
            case [Token(text="["), Token(kind="text") as key, Token(text="]")] if (
                "\\" not in key.text
            ):
                self.next += 3
                return Token("name", key.text[1:-1], key.at)
        return None

    def select(self, given: Type, selected: Token, owner: str = "it") -> Type:
        name = selected.text
        if cel.unsure(given):
            return given
        if given.members is None:
            if given.name == cel.FIELDS.name:
                return cel.UNKNOWN
            self.report(selected.at, f"{given.name} has no field {name!r}")
            return cel.FAULTY
        if name not in given.members:
            self.unknown(f"{owner} has no {name!r}", name, given.members, selected.at)
            return cel.FAULTY
        return given.members[name]

    def look(self, look: Look, at: int) -> None:
        if look.path[0] != self.local:
            name = self.looks.setdefault(look, f"_{len(self.looks)}")
            self.rewrites.append((at, self.end, name))

    def plain(self) -> str:
        parts, done = [], 0
        for at, end, name in self.rewrites:
            parts += [self.source[done:at], f" {name} "]
            done = end
        return "".join([*parts, self.source[done:]])

    def unknown(self, what: str, name: str, known: Mapping[str, object], at: int) -> None:
        close = get_close_matches(name, known, 1)
        guess = f"did you mean {close[0]}? " if close else ""
        self.report(at, what, f"{guess}there are: {', '.join(known) or 'none'}")
