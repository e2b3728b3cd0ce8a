"""The linter's rules about steps that mend what was typed wrong, and about numbers that count.

A correction is for slips. It must not change what was decided, nor what a guard goes by: whoever
may mend a title must not move a limit by it.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.actors import MACHINES
from engine.cel.conditions import compile_condition
from engine.definition import Definition, Whom
from engine.errors import BadInput, Problem
from engine.guards import accepted, renewed
from engine.lint.data import asked, steps
from engine.lint.dead_ends import named_by, taken_by_steps
from engine.registers import FIELDS
from engine.step import ByAuthority, ByPerson, Check, Guards, Step, Transition
from engine.validation import suggest

_TAKES = ("gone_up", "needs", "anew", "accepts", "tells", "counts")


def corrects_something(definition: Definition) -> Iterator[Problem]:
    for number, rule in enumerate(definition.transitions):
        if rule.is_correction and not rule.corrects:
            mend = "name the fields that it mends, or leave it out"
            yield Problem(f"/transitions/{number}/corrects", "corrects is empty", mend)


def corrects_and_does_nothing_else(definition: Definition) -> Iterator[Problem]:
    for at, rule in _corrections(definition):
        if rule.to is not None:
            yield Problem(f"{at}/to", "a correction leads nowhere", "leave `to` out")
        for key in _TAKES:
            if getattr(rule, key):
                what = "a correction takes what it corrects, and tells what that was"
                yield Problem(f"{at}/{key}", what, f"leave `{key}` out")
        machines = [who for who in rule.by if who in MACHINES]
        if machines or not rule.by:
            what = "a slip is mended by somebody who answers for it"
            yield Problem(f"{at}/by" if rule.by else at, what, "say in `by` which role it is")
        others = [one for one in definition.transitions if one.trigger == rule.trigger]
        if not all(one.corrects for one in others):
            what = f"another {rule.trigger} corrects nothing"
            yield Problem(f"{at}/trigger", what, "give one of the two another name")


def corrects_what_nothing_rests_on(definition: Definition) -> Iterator[Problem]:
    corrections = [*_corrections(definition)]
    rests = dict(_rests_on(definition)) if corrections else {}
    taken = taken_by_steps(definition)
    for at, rule in corrections:
        for i, name in enumerate(rule.corrects):
            field, pointer = definition.data.get(name), f"{at}/corrects/{i}"
            if field is None:
                what = f"there is no field {name!r}"
                yield Problem(pointer, what, suggest(name, definition.data))
            elif name in rule.corrects[:i]:
                yield Problem(pointer, f"{name} is there twice", "leave one of the two out")
            elif why := "it names another case" if field.to else rests.get(name):
                what = f"{name} is no clerical matter: {why}"
                yield Problem(pointer, what, "leave it out; it is changed by a step of its own")
            elif name not in taken:
                what = f"no step takes {name}, so there is nothing to correct"
                yield Problem(pointer, what, "let the start or a step accept it")


def _rests_on(definition: Definition) -> Iterator[tuple[str, str]]:
    """The fields that something goes by, or that somebody has decided on, each with what does."""
    yield from ((name, "it is part of the key") for name in definition.key_parts)
    if definition.register_kind:
        yield from ((name, "guards look it up") for name in FIELDS[definition.register_kind])
    for _, said in asked(definition):
        for check in said.when:
            yield from ((name, "a condition goes by it") for name in _looks(check, definition))
        yield from ((name, "who may decide goes by it") for name in _deciding(said, definition))
        yield from ((name, "it was decided on") for name in _decided(said, definition))
        which = [value for child in said.children for value in child.where.values()]
        yield from ((name, "it says which children are meant") for name in _fields(which))
    for reaction in definition.reactions:
        said_where = [Check(check=reaction.where)] if reaction.where is not None else []
        named = [name for check in said_where for name in _looks(check, definition)]
        over = reaction.do.over
        lists = over.paths.values() if isinstance(over, Whom) else [over or ""]
        named += _fields([*lists, *reaction.do.where.values()])
        yield from ((name, "a reaction goes by it") for name in named)
    for state in definition.states.values():
        yield from ((one.goes_by, "a deadline goes by it") for one in state.deadline)
    yield from ((name, "deadlines go by it") for name in _fields([definition.calendar or ""]))
    for one in definition.only_one:
        yield from ((name, "there is one of it at a time") for name in one.per)
    for rule in definition.transitions:
        yield from ((name, "it is counted") for name in rule.counts)


def _looks(check: Check, definition: Definition) -> frozenset[str]:
    try:
        return compile_condition(check.check, definition).looks_at
    except BadInput:
        return frozenset()  # that has been told already


def _deciding(said: Guards, definition: Definition) -> Iterator[str]:
    """The fields that say who may, who votes, and who may not."""
    yield from (name for name in said.not_by if name in definition.data)
    if said.quorum:
        yield from (*_fields([said.quorum.body]), *said.quorum.without)
    for who in _whoever(said):
        yield from named_by(who, definition)
        if isinstance(who, ByAuthority):
            yield from (*_fields([who.authority.least or ""]), *who.authority.without)


def _whoever(said: Guards) -> Iterator[str | ByPerson | ByAuthority]:
    """Who takes a step, signs for it, goes past its guards, or has the matter before and after."""
    yield from (*said.agreed_by, *(said.quorum.veto if said.quorum else ()))
    if isinstance(said, Step):
        yield from (*said.by, *(said.override.by if said.override else ()))
    if isinstance(said, Transition) and said.escalates:
        yield from (said.escalates.source, *said.escalates.to)


def _decided(said: Guards, definition: Definition) -> tuple[str, ...]:
    """What must be there for a step that some have to decide, or that keeps people apart.

    What may come with an answer by authority, vote or agreement is part of it: the amount that was
    granted was decided, whether or not it had to be said. Four eyes see what is asked of them; a
    title that one of two may also bring along stays a title.
    """
    authority = isinstance(said, Step) and any(isinstance(who, ByAuthority) for who in said.by)
    answered = authority or said.quorum or said.agreed_by
    if not (answered or said.not_by):
        return ()
    own = said.corrects if isinstance(said, Transition) else ()
    brought = accepted(said, definition) if answered and isinstance(said, Step) else ()
    taken = [name for name in brought if name not in own]
    return (*said.needs, *renewed(said, definition), *taken)


def _fields(said: Iterator[str] | list[str]) -> list[str]:
    """The fields among what a definition says."""
    return [
        one.removesuffix(" or usual").removeprefix("data.")
        for one in said
        if one.startswith("data.")
    ]


def counts_what_nothing_else_sets(definition: Definition) -> Iterator[Problem]:
    """A number that people rely on to grow by one must have no other way to change."""
    counted = {
        name
        for rule in definition.transitions
        for name in rule.counts
        if name in definition.data and definition.data[name].type == "number"
        if name not in definition.key_parts
    }
    for number, rule in enumerate(definition.transitions):
        for i, name in enumerate(rule.counts):
            pointer, field = f"/transitions/{number}/counts/{i}", definition.data.get(name)
            if field is None:
                what = f"there is no field {name!r}"
                yield Problem(pointer, what, suggest(name, definition.data))
            elif field.type != "number":
                what = f"{name} is of type {field.type}, and a number counts"
                yield Problem(pointer, what, "count a field of type number")
            elif name in definition.key_parts:
                what = f"{name} is part of the key, which is set once, at the start"
                yield Problem(pointer, what, "leave it out")
            elif (field.least or 1) > 1 or field.most is not None:
                what = f"{name} counts from 1 without an end, and its bounds say otherwise"
                yield Problem(pointer, what, "leave `least` and `most` of the field out")
    for at, step in steps(definition):
        own = [*step.counts, *step.corrects] if isinstance(step, Transition) else []
        for name in accepted(step, definition):
            if name in counted and name not in own:
                what = f"{name} is counted, and this step would set it"
                yield Problem(at, what, f"leave {name} out of what the step takes")


def counts_the_same_by_each_way(definition: Definition) -> Iterator[Problem]:
    """Which number comes next must be known before one of several ways by a trigger is taken."""
    counting = {rule.trigger for rule in definition.transitions if rule.counts}
    first: dict[tuple[str, str], set[str]] = {}
    for number, rule in enumerate(definition.transitions):
        for source in rule.sources if rule.trigger in counting else ():
            if first.setdefault((source, rule.trigger), {*rule.counts}) != {*rule.counts}:
                what = f"another {rule.trigger} from {source} counts something else"
                yield Problem(f"/transitions/{number}/trigger", what, "let both count the same")
                break


def _corrections(definition: Definition) -> Iterator[tuple[str, Transition]]:
    for number, rule in enumerate(definition.transitions):
        if rule.corrects:
            yield f"/transitions/{number}", rule


RULES = (
    corrects_something,
    corrects_and_does_nothing_else,
    corrects_what_nothing_rests_on,
    counts_what_nothing_else_sets,
    counts_the_same_by_each_way,
)
