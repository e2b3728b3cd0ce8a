"""The linter's rules about reactions: what they are to, what they ask for, and of whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from engine import values
from engine.definition import Act, Definition, Field, Reaction, Whom
from engine.errors import BadInput, Problem
from engine.guards import accepted, needed, renewed
from engine.lint.data import can_go_either_way, no_such_workflow
from engine.reactions import BUILT_IN, other_field
from engine.step import Step
from engine.validation import suggest

_SERVICE = "service"

Node = tuple[str, str]
"""A workflow and the name of an event of it."""


@dataclass(frozen=True, slots=True)
class _Edge:
    """What a reaction without ``where`` leads to, always."""

    source: Node
    target: Node
    at: str


def reacts_to_what_happens(definition: Definition) -> Iterator[Problem]:
    known = [*_emitted(definition), *BUILT_IN]
    for at, reaction in _reactions(definition):
        if reaction.on not in known:
            what = f"{definition.workflow} emits no {reaction.on}"
            yield Problem(f"{at}/on", what, suggest(reaction.on, known))
        if reaction.where is not None:
            yield from can_go_either_way(
                reaction.where,
                definition,
                f"{at}/where",
                never="leave out what is never asked for",
                always="keeps nothing from being asked",
            )


def asks_for_one_thing(definition: Definition) -> Iterator[Problem]:
    for at, reaction in _reactions(definition):
        act = reaction.do
        if (act.trigger is None) == (act.start is None):
            mend = "write {trigger: ..., of: ...}, {trigger: ..., each: ...} or {start: ...}"
            yield Problem(f"{at}/do", "asks for one thing: a trigger, or the start of a case", mend)
        elif act.start is not None and (act.of or act.each):
            mend = "leave `of` and `each` out; what belongs to the new case goes into `with`"
            yield Problem(f"{at}/do", "a start is asked of no case", mend)
        elif act.over and act.start is None:
            yield Problem(f"{at}/do/for", "`for` goes with `start`", "name a field of type list")
        elif act.over:
            yield from _goes_over_lists(f"{at}/do/for", act.over, definition)
        elif act.of and act.each:
            yield Problem(f"{at}/do", "asks one case and each child", "leave one of the two out")


def _goes_over_lists(at: str, over: str | Whom, definition: Definition) -> Iterator[Problem]:
    if isinstance(over, str):
        if _listed(over, definition) is None:
            yield Problem(at, f"{over} is no list", "name a field of type list")
        return
    if not over.paths:
        mend = "name a field under roles, units, bodies or persons"
        yield Problem(at, "it means nobody", mend)
    for kind, path in over.paths.items():
        wanted = "person" if kind == "persons" else "text"
        if _listed(path, definition) != wanted:
            mend = f"name a field `{{type: list, of: {wanted}}}`"
            yield Problem(f"{at}/{kind}", f"{path} is no list of {wanted}", mend)


def _listed(path: str, definition: Definition) -> str | None:
    """What the list in a field holds; ``None`` where it is no list."""
    field = definition.data.get(path.removeprefix("data."))
    return field.item_type if field is not None and field.type == "list" and field.of else None


def knows_whom_it_asks(definition: Definition) -> Iterator[Problem]:
    refs = [name for name, field in definition.data.items() if field.type == "ref"]
    triggers = dict.fromkeys(rule.trigger for rule in definition.transitions)
    for at, reaction in _reactions(definition):
        act = reaction.do
        field = (act.of or "").removeprefix("data.")
        if act.of not in (None, "case") and field not in refs:
            kind = definition.data[field].type if field in definition.data else None
            what = f"{field} is of type {kind}, not ref" if kind else f"there is no field {field!r}"
            yield Problem(f"{at}/do/of", what, suggest(field, refs))
        itself = not act.each and act.of in (None, "case")
        if act.trigger and itself and act.trigger not in triggers:
            what = f"{definition.workflow} has no trigger {act.trigger!r}"
            yield Problem(f"{at}/do/trigger", what, suggest(act.trigger, triggers))
        if act.where and not act.each:
            what = "`where` says which children are asked"
            yield Problem(f"{at}/do/where", what, "it goes with `each`")
        for pointer, said in _values(at, act):
            source = said.removeprefix("data.")
            if said.startswith("data.") and source not in definition.data:
                what = f"there is no field {source!r}"
                yield Problem(pointer, what, suggest(source, definition.data))
            before = said.removeprefix("before.")
            told = _told(reaction.on, definition)
            if said.startswith("before.") and before not in told:
                what = f"{reaction.on} does not tell what {before!r} was"
                yield Problem(pointer, what, f"add {before} to `tells` of its step")
            if said == "item" and act.over is None:
                mend = "say which by `for`" if act.start else "name a field, or a value"
                yield Problem(pointer, "item is one of a list, and no list is named", mend)


def _values(at: str, act: Act) -> Iterator[tuple[str, str]]:
    for key, values_ in (("with", act.values), ("where", act.where)):
        for name, said in values_.items():
            yield f"{at}/do/{key}/{name}", said


def _told(event: str, definition: Definition) -> set[str]:
    """The fields of which an event may say what they held before."""
    steps = [step for step in definition.transitions if definition.emits(step) == event]
    return {name for step in steps for name in step.told}


RULES: tuple[Callable[[Definition], Iterator[Problem]], ...] = (
    reacts_to_what_happens,
    asks_for_one_thing,
    knows_whom_it_asks,
)


def lint_targets(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    """What reactions ask of other workflows, now that those are known."""
    for at, reaction in _reactions(definition):
        act, name = reaction.do, _workflow(reaction.do, definition)
        key = "each" if act.each else "start" if act.start else ""
        if other := known.get(name or ""):
            if act.each and not _is_child(other, definition):
                what = f"no {other.workflow} can be a child of a {definition.workflow}"
                needed_field = f"{{type: ref, to: {definition.workflow}, parent: true}}"
                mend = f"give {other.workflow} a field {needed_field}"
                yield Problem(f"{at}/do/each", what, mend)
            yield from _steps_asked_for(at, act, definition, other)
            for name, said in act.where.items():
                field, where = other.data.get(name), f"{at}/do/where/{name}"
                if field is None:
                    what = f"{other.workflow} has no field {name!r}"
                    yield Problem(where, what, suggest(name, other.data))
                elif problem := _misfit(said, definition, field):
                    yield Problem(where, problem, f"{name} holds a {field.type}")
        elif key and name:
            yield no_such_workflow(f"{at}/do/{key}", name, definition, known)


def lint_sources(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    """What reactions bring along from other cases, now that the fields of those are known."""
    for at, reaction in _reactions(definition):
        for pointer, said in _values(at, reaction.do):
            named = other_field(said, definition)
            other = known.get(definition.data[named[0]].to or "") if named else None
            if named and other and named[1] not in other.data:
                what = f"{other.workflow} has no field {named[1]!r}"
                yield Problem(pointer, what, suggest(named[1], other.data))


def lint_loops(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    """Reactions that, one after another and each without a condition, lead back to themselves."""
    edges = [edge for each in known.values() for edge in _edges(each, known)]
    onward: dict[Node, list[Node]] = {}
    for edge in edges:
        onward.setdefault(edge.source, []).append(edge.target)
    told: set[str] = set()
    for edge in edges:
        if edge.source[0] != definition.workflow or edge.at in told:
            continue
        if way := _way(edge.target, edge.source, onward):
            told.add(edge.at)
            names = " -> ".join(f"{workflow} {event}" for workflow, event in (edge.source, *way))
            what = f"this goes round in a circle: {names}"
            mend = "give one of these reactions a `where` that ends it"
            yield Problem(edge.at, what, mend)


def _reactions(definition: Definition) -> Iterator[tuple[str, Reaction]]:
    for i, reaction in enumerate(definition.reactions):
        yield f"/reactions/{i}", reaction


def _emitted(definition: Definition) -> dict[str, None]:
    steps = (definition.start, *definition.transitions)
    return dict.fromkeys(definition.emits(step) for step in steps)


def _workflow(act: Act, definition: Definition) -> str | None:
    """The workflow that is asked; ``None`` where that is no workflow's name."""
    if act.each or act.start:
        return act.each or act.start
    if act.of in (None, "case"):
        return definition.workflow
    field = definition.data.get(str(act.of).removeprefix("data."))
    return field.to if field else None


def _is_child(definition: Definition, of: Definition) -> bool:
    return any(field.parent and field.to == of.workflow for field in definition.data.values())


def _asked(act: Act, other: Definition) -> list[Step]:
    """The steps by which the other workflow can answer."""
    if act.start:
        return [other.start]
    return [rule for rule in other.transitions if rule.trigger == act.trigger]


def _steps_asked_for(
    at: str, act: Act, definition: Definition, other: Definition
) -> Iterator[Problem]:
    steps = _asked(act, other)
    what = f"a start of {other.workflow}" if act.start else f"{act.trigger} of {other.workflow}"
    pointer = f"{at}/do/{'start' if act.start else 'trigger'}"
    if not steps:
        triggers = dict.fromkeys(rule.trigger for rule in other.transitions)
        if other is not definition:  # else it has been told already
            no_such = f"{other.workflow} has no trigger {act.trigger!r}"
            yield Problem(pointer, no_such, suggest(act.trigger or "", triggers))
        return
    if not any(_lets_in(step) for step in steps):
        mend = f"add `service` to its `by` in {other.workflow}"
        yield Problem(pointer, f"{what} is not open to a service, as which reactions act", mend)
    for name, said in act.values.items():
        field = other.data.get(name)
        where = f"{at}/do/with/{name}"
        if field is None:
            yield Problem(
                where, f"{other.workflow} has no field {name!r}", suggest(name, other.data)
            )
        elif not any(name in accepted(step, other) for step in steps):
            mend = "add it to what that step `accepts`"
            yield Problem(where, f"{what} does not take {name}", mend)
        elif said == "item" and isinstance(act.over, Whom) and field.type != "person":
            yield Problem(where, "item is a person here", f"{name} holds a {field.type}")
        elif problem := _misfit(said, definition, field):
            yield Problem(where, problem, f"{name} holds a {field.type}")
    lacking = [_lacking(act, step, other) for step in steps if act.start or _lets_in(step)]
    if all(lacking):
        for name in min(lacking, key=len, default=()):
            yield Problem(f"{at}/do", f"{what} needs {name}", f"add `{name}: ...` to `with`")


def _lacking(act: Act, step: Step, other: Definition) -> list[str]:
    """What the reaction would have to bring along. It always says why: what it is a reaction to."""
    wanted = [*(needed(step, other) if act.start else ()), *renewed(step, other)]
    return [name for name in dict.fromkeys(wanted) if name not in act.values]


def _lets_in(step: Step) -> bool:
    return not step.by or _SERVICE in step.by


def _misfit(said: str, definition: Definition, target: Field) -> str:
    """Why the field cannot take what is said; empty where it can, or where it depends."""
    if said == "event.position":
        return "" if target.type == "number" else "event.position is a number"
    if said == "item":
        return ""
    if said in ("key", "state", "event.name"):
        unfit = target.type in ("number", "money", "date", "document")
        return f"{said} is text" if unfit else ""
    if other_field(said, definition):
        return ""
    if said.startswith(("data.", "before.")):
        source = definition.data.get(said.partition(".")[2])
        if source is None or source.type == target.type:
            return ""
        if source.type == "number":
            return "" if target.type == "money" else f"{said} is a number"
        unfit = source.type in ("money", "list", "document")
        return f"{said} is of type {source.type}" if unfit else ""
    try:
        values.read(target, said, "")
    except BadInput as error:
        return error.problems[0].what
    return ""


def _edges(definition: Definition, known: Mapping[str, Definition]) -> Iterator[_Edge]:
    for at, reaction in _reactions(definition):
        act = reaction.do
        other = known.get(_workflow(act, definition) or "")
        if reaction.where is not None or other is None:
            continue
        source = (definition.workflow, reaction.on)
        for step in _asked(act, other):
            yield _Edge(source, (other.workflow, other.emits(step)), at)
        for name in act.values if act.start else ():
            field = other.data.get(name)
            if field and field.parent and field.to:
                yield _Edge(source, (field.to, "CaseLinked"), at)


def _way(start: Node, goal: Node, onward: Mapping[Node, list[Node]]) -> list[Node]:
    """The shortest way from one to the other, both ends included; empty where there is none."""
    ways = [[start]]
    seen = {start}
    for way in ways:
        if way[-1] == goal:
            return way
        for node in onward.get(way[-1], ()):
            if node not in seen:
                seen.add(node)
                ways.append([*way, node])
    return []
