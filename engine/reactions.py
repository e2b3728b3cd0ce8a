"""Reactions: what a definition asks for because of an event. Pure: event and case in, asks out.

Whoever follows the log sends what comes of this (``consumers.reactions``, or a scenario). The id of
every ask is made of the event, the rule and the target, so however often and by however many it is
sent, it has one effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.case import Case
from engine.cel.conditions import Condition, Environment, compile_condition
from engine.commands import PullTrigger, Requester, StartCase
from engine.definition import Act, Definition, Reaction, Whom
from engine.events import Event
from engine.values import Value, is_withheld, show
from engine.whom import Known, Meant

DEEPEST = 16
"""How many reactions may follow from each other before the chain counts as a loop."""

ACTOR = Requester(id="reactions", kind="service")

BUILT_IN = ("EvidenceAttached", "CaseLinked", "CaseMigrated", "DeadlineReminded")
"""Events that every workflow emits, beside those that its steps name."""

_ID = re.compile(r"reaction:(\d{1,4}):")


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that a reaction asks for. ``problem`` says why it cannot even be asked.

    ``every``: it is asked of each child, so one that has ended has simply nothing to do with it.
    ``turn``: how many reactions to the event that begin several cases stand before it. It is not
    sent before all that those ask for have been answered.
    """

    id: str
    what: str
    command: StartCase | PullTrigger
    depth: int
    every: bool = False
    problem: str = ""
    turn: int = 0


class Rules:
    """The reactions of one definition, made ready; ``names`` are the events reacted to."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._rules: dict[str, list[tuple[int, Reaction, Condition | None]]] = {}
        for number, reaction in enumerate(definition.reactions):
            where = reaction.where
            condition = compile_condition(where, definition) if where is not None else None
            self._rules.setdefault(reaction.on, []).append((number, reaction, condition))
        self.names = frozenset(self._rules)

    def asks(self, event: Event, position: int, case: Case, known: Known) -> Iterator[Ask]:
        """What the event at a position asks for. ``case`` is as the event left it; ``known`` is
        the log as of then, too."""
        turn = 0
        for number, reaction, condition in self._rules.get(event.name, ()):
            if condition:
                held, _ = condition.evaluate(self._environment(event, case, condition, known))
                if not held:
                    continue
            telling = _Telling(self.definition, event, position, case, known)
            yield from _asks(number, reaction.do, telling, turn)
            turn += reaction.do.over is not None

    def _environment(
        self, event: Event, case: Case, condition: Condition, known: Known
    ) -> Environment:
        named = {name: case.data.get(name) for name in condition.references}
        return Environment(
            data=case.data,
            state=case.state,
            key=case.key,
            now=event.recorded_at,
            actor_id=event.actor.id,
            actor_roles=(event.role,) if event.role else (),
            evidence_kinds=tuple(item.kind for item in case.evidence),
            cases={name: known.read(key) for name, key in named.items() if isinstance(key, str)},
        )


def depth_of(command_id: str) -> int:
    """How many reactions led to what this command did; 0 where none did."""
    found = _ID.match(command_id)
    return int(found[1]) if found else 0


def is_reacted_to(event: Mapping[str, Any]) -> bool:
    """Reports that are imported tell of what was long ago; they make nothing happen today."""
    return bool(event["actor"].get("kind") != "import")


@dataclass(frozen=True, slots=True)
class _Telling:
    """What a reaction can speak of: the event, the case as it left it, and cases that it names."""

    definition: Definition
    event: Event
    position: int
    case: Case
    known: Known

    def value(self, said: str, item: Any = None) -> Any:
        """What the words of ``with`` and ``where`` stand for; else the text itself."""
        match said:
            case "key":
                return self.case.key
            case "state":
                return self.case.state
            case "event.name":
                return self.event.name
            case "event.position":
                return self.position
            case "item":
                return item
        if said.startswith("data."):
            return self.case.data.get(said.removeprefix("data."))
        if said.startswith("before."):
            before = getattr(self.event, "before", None) or {}
            return before.get(said.removeprefix("before."))
        if named := other_field(said, self.definition):
            key = self.case.data.get(named[0])
            other = self.known.read(key) if isinstance(key, str) else None
            return other.data.get(named[1]) if other else None
        return said


def other_field(said: str, definition: Definition) -> tuple[str, str] | None:
    """The ref field and the field of its case that ``objective.data.plan`` stands for."""
    ref, _, name = said.partition(".data.")
    is_ref = ref in definition.data and definition.data[ref].type == "ref"
    return (ref, name) if is_ref and name else None


def _asks(number: int, act: Act, telling: _Telling, turn: int) -> Iterator[Ask]:
    event, case = telling.event, telling.case
    depth = depth_of(event.command_id) + 1

    def ask(target: str, problem: str = "", item: Any = None) -> Ask:
        data = {name: telling.value(said, item) for name, said in act.values.items()}
        said: dict[str, Any] = {
            "command_id": f"reaction:{depth}:{event.event_id}:{number}:{target}",
            "actor": ACTOR,
            "correlation_id": event.correlation_id,
            "causation_id": event.event_id,
            "reason": f"{event.name} of {event.stream}",
            "data": {name: value for name, value in data.items() if value is not None},
        }
        if depth > DEEPEST and not problem:
            problem = f"{DEEPEST} reactions have followed from each other"
        command: StartCase | PullTrigger
        if act.start is not None:
            what, command = f"start {act.start}", StartCase(**said, workflow=act.start)
        else:
            trigger = act.trigger or ""
            what = f"{trigger} {target}"
            command = PullTrigger(**said, case=target, trigger=trigger)
        return Ask(said["command_id"], what, command, depth, act.each is not None, problem, turn)

    over = act.over
    if isinstance(over, Whom):
        meant = Meant(over, case, event, telling.known)
        for place, person in enumerate(meant.persons):
            yield ask(f"{act.start}/{place}", item=person)
        # Somebody was to be asked, and nobody can say who: that is not to pass unseen.
        for place, why in enumerate(meant.missed):
            yield ask(f"{act.start}/-{place}", why)
    elif act.start is not None and over is not None:
        items = case.data.get(over.removeprefix("data."))
        for place, item in enumerate(items if isinstance(items, list) else ()):
            yield ask(f"{act.start}/{place}", item=item)
    elif act.start is not None:
        yield ask(act.start)
    elif act.each is not None:
        for workflow, child in dict.fromkeys(case.children):
            if workflow == act.each and _is_meant(child, act, telling):
                yield ask(child)
    elif act.of in (None, "case"):
        yield ask(case.key)
    else:
        field = str(act.of).removeprefix("data.")
        key = case.data.get(field)
        if key is not None and is_withheld(key):
            # There is such a case and nobody says which: that is no reason to do nothing quietly.
            yield ask(field, f"{field}, whose case is meant, is withheld ({key['withheld']})")
        elif key is not None:
            yield ask(key)


def _is_meant(child: str, act: Act, telling: _Telling) -> bool:
    """Whether the fields of a child have the values that it is asked for by. What is missing or
    withheld, here or there, is no value."""
    if not act.where:
        return True
    held = telling.known.read(child)
    return held is not None and all(
        _is_same(telling.value(said), held.data.get(name)) for name, said in act.where.items()
    )


def _is_same(one: Value, other: Value) -> bool:
    """As they are shown: a number that stands in a definition is text."""
    if one is None or other is None or is_withheld(one) or is_withheld(other):
        return False
    return one == other or show(one) == show(other)
