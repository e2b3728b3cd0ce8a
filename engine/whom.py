"""Whom a message is meant for: everybody whom roles, units, bodies and names mean on a day. Pure.

Who holds an office and who sits on a body is looked up in the registers, as they were recorded when
it was asked: who comes later was not meant, and one person is meant once, however often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engine import registers
from engine.case import Case
from engine.context import Context
from engine.definition import Definition, Whom
from engine.events import DefinitionRef, Event
from engine.values import is_withheld


@dataclass(frozen=True, slots=True)
class Known:
    """The log as an event found it: cases by key, the keys that begin with something (later ones
    may be among them), and what cases are pinned to."""

    read: Callable[[str], Case | None]
    keys: Callable[[str], Sequence[str]]
    definition: Callable[[DefinitionRef], Definition]


class Meant:
    """``persons``, each once, in the order of their names; ``missed`` says who was meant and cannot
    be found."""

    def __init__(self, whom: Whom, case: Case, event: Event, known: Known) -> None:
        """On the day on which the event was so, as far as was known when it was recorded."""
        self._known = known
        self._context = Context(
            event.recorded_at, str, known.read, known.definition, at=event.occurred_at
        )
        self.missed: list[str] = []
        found: dict[str, str] = {}
        for kind, path in whom.paths.items():
            for person in self._in(kind, path.removeprefix("data."), case):
                found.setdefault(person.casefold(), person)
        self.persons = [found[name] for name in sorted(found)]

    def _in(self, kind: str, field: str, case: Case) -> Iterator[str]:
        said = case.data.get(field)
        if is_withheld(said):
            self.missed.append(f"{field}, which says who is meant, is withheld")
        for name in said if isinstance(said, list) else ():
            match kind:
                case "roles":
                    role, _, unit = str(name).partition(" in ")
                    yield from self._appointed(role.strip(), unit.strip())
                case "units":
                    yield from self._appointed("", str(name))
                case "bodies":
                    yield from self._members(str(name))
                case _:
                    yield str(name)

    def _appointed(self, role: str, unit: str) -> Iterator[str]:
        """Who holds the role (any, where none is named) in the unit (in any)."""
        begins = registers.KEYS["appointment"].partition("{")[0]
        if role:
            begins += f"{role}." + (f"{unit}." if unit else "")
        # The key of an entry has its unit within: those of other units need not be read.
        keys = [key for key in self._known.keys(begins) if role or f".{unit}." in key]
        nobody = True
        for key in keys:
            entry = self._context.look(key)
            if entry is None or not self._counts(entry):
                continue
            said = entry.data
            if (role and said.get("role") != role) or (unit and said.get("unit") != unit):
                continue
            found, why = registers.entry("appointment", key, self._context)
            if found:
                nobody = False
                yield str(said["person"])
            elif any(is_withheld(said.get(name)) for name in registers.FIELDS["appointment"]):
                self.missed.append(why)
        if nobody:
            what = f"appointed {role}" if role else "appointed to anything"
            self.missed.append(f"nobody is {what}{f' in {unit}' if unit else ''}")

    def _counts(self, entry: Case) -> bool:
        pinned = self._known.definition(entry.definition)
        return pinned.register_kind == "appointment" and entry.state in pinned.in_force

    def _members(self, name: str) -> Iterator[str]:
        key = registers.key_of("body", name=name)
        found, why = registers.entry("body", key, self._context)
        if found is None:
            self.missed.append(why)
            return
        yield from map(str, found.data.get("members", ()))
