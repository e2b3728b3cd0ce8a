"""A step somebody wants to take, with everything that a guard may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from engine.case import Case
from engine.commands import Command, Observe, PullTrigger
from engine.context import Context
from engine.definition import Definition
from engine.events import Evidence, Verdict
from engine.grammar import Grammar
from engine.step import GuardKind, Step
from engine.values import CASE_KEY, Value, folded

T = TypeVar("T")


@dataclass(slots=True)
class Attempt:
    """``data`` and ``evidence`` are the case's after the step, ``given`` what the command brings.

    ``case`` is ``None`` where one begins. ``tried`` keeps the verdicts of every step asked about,
    ``bodies`` those that were looked up, or why there are none.
    """

    key: str
    case: Case | None
    command: Command
    definition: Definition
    given: Mapping[str, Value]
    data: Mapping[str, Value]
    evidence: tuple[Evidence, ...]
    context: Context
    tried: list[tuple[Step, tuple[Verdict, ...]]] = field(default_factory=list)
    bodies: dict[str, tuple[Case | None, str]] = field(default_factory=dict)
    _found: dict[tuple[str, int], Any] = field(default_factory=dict)

    def once(self, what: str, said: Grammar, find: Callable[[], T]) -> T:
        """What several guards ask about one part of the definition is found out once; it is never
        ``None``."""
        key = what, id(said)
        found: T | None = self._found.get(key)
        if found is None:
            found = self._found[key] = find()
        return found

    @property
    def actor(self) -> str:
        return self.command.actor.id

    @property
    def observed(self) -> bool:
        return isinstance(self.command, Observe)

    @property
    def overriding(self) -> bool:
        return isinstance(self.command, PullTrigger) and self.command.override is True

    @property
    def brought(self) -> tuple[Evidence, ...]:
        """The documents that come with the step itself."""
        return self.evidence[len(self.case.evidence) :] if self.case else self.evidence

    @property
    def recused(self) -> tuple[str, ...]:
        return self.case.recused if self.case else ()

    def acted(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Who has acted in one of the roles in this case, or let somebody act for them, or is the
        person in a field so called. In a role that is only said nobody looks a delegation up:
        whoever is named there is not kept from anything by it."""
        found: list[str] = []
        for role in roles:
            found += self.acting(role)
            if role in self.definition.data and isinstance(self.data.get(role), str):
                found.append(self.data[role])
        return tuple(found)

    def acting(self, role: str) -> list[str]:
        """Who has acted in the role, or let somebody act for them."""
        acted, lent = (self.case.acted, self.case.lent) if self.case else ({}, {})
        found = [*acted.get(role, ())]
        declared = self.definition.roles.get(role) if role in lent else None
        if declared and declared.appointed_in:
            found += [self.giver(said) for said in lent[role]]
        return found

    def part_of(self, person: str, roles: Iterable[str]) -> str:
        """What has made somebody a party: in which of the roles they have acted, and in which of
        the fields so called they are only named."""
        who = person.casefold()
        held = [role for role in roles if who in folded(self.acted([role]))]
        named = [role for role in held if who not in folded(self.acting(role))]
        acted = [role for role in held if role not in named]
        told = [f"has already acted as {', '.join(acted)}"] if acted else []
        told += [f"is named as {', '.join(named)}"] if named else []
        return " and ".join(told)

    def giver(self, on_behalf_of: str) -> str:
        """Whose delegation it is that an actor names; else the name itself."""
        case = self.context.look(on_behalf_of) if CASE_KEY.fullmatch(on_behalf_of) else None
        giver = case.data.get("giver") if case else None
        return giver if isinstance(giver, str) else on_behalf_of

    def named(self, name: str) -> str:
        """What a definition names: a word, or the text in a field (``data.unit``), else nothing."""
        if not name.startswith("data."):
            return name
        value = self.data.get(name.removeprefix("data."))
        return value if isinstance(value, str) else ""

    # What conditions look at (``engine.cel.values.View``), beside ``data`` and ``key``.

    @property
    def state(self) -> str:
        return self.case.state if self.case else ""

    @property
    def now(self) -> str:
        return self.context.now

    @property
    def actor_id(self) -> str:
        return self.command.actor.id

    @property
    def actor_roles(self) -> tuple[str, ...]:
        return self.command.actor.roles

    @property
    def evidence_kinds(self) -> tuple[str, ...]:
        return tuple([item.kind for item in self.evidence])

    @property
    def cases(self) -> Mapping[str, Case | None]:
        seen, data = self.context.seen, self.data
        return {
            name: seen.get(data[name])
            for name in self.definition.ref_fields
            if isinstance(data.get(name), str)
        }


Judge = Callable[[Attempt], Verdict]


class Guard(NamedTuple):
    """A question about an attempt; ``kind`` is what an override may be of."""

    kind: GuardKind | None
    judge: Judge
