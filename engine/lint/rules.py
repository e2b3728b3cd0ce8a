"""What cannot work, although the grammar allows it. Every rule yields problems at JSON pointers.

The rules about states, transitions and people are here; those about data fields and conditions are
in ``engine.lint.data``, about deadlines in ``engine.lint.deadlines``, about reactions in
``engine.lint.reactions``, about registers in ``engine.lint.registers``, about who decides in
``engine.lint.governance``, about steps that nobody could ever take in ``engine.lint.dead_ends``,
about steps that count and that correct in ``engine.lint.corrections``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache

from engine.actors import MACHINES
from engine.definition import Definition
from engine.errors import Problem
from engine.guards import accepted, needed
from engine.lint import corrections, data, dead_ends, deadlines, governance, reactions, registers
from engine.step import ByAuthority, ByPerson, Start, Step, Transition
from engine.validation import suggest

Rule = Callable[[Definition], Iterator[Problem]]


def lint(definition: Definition) -> list[Problem]:
    """Everything that keeps the definition from working; empty when it can.

    One slip in a name is one problem: what would only follow from it is not told beside it.
    """
    found = {rule: [*rule(definition)] for rule in RULES}
    return [
        problem
        for rule, problems in found.items()
        if not any(found[cause] for cause in _FOLLOWS.get(rule, ()))
        for problem in problems
    ]


def has_one_initial_state(definition: Definition) -> Iterator[Problem]:
    initial = [name for name, state in definition.states.items() if state.initial]
    if not initial:
        yield Problem(
            "/states", "no state is the initial one", "write `initial: true` in one of them"
        )
    for name in initial[1:]:
        yield Problem(
            f"/states/{name}/initial",
            f"{name} is initial, and so is {initial[0]}",
            "a case begins in one state: leave one of the two out",
        )


def knows_its_states(definition: Definition) -> Iterator[Problem]:
    for at, rule in _transitions(definition):
        named = [(f"{at}/from/{i}", state) for i, state in enumerate(rule.sources)]
        named += [(f"{at}/to", rule.to)] if rule.to else []
        for pointer, state in named:
            if state not in definition.states:
                yield Problem(
                    pointer, f"there is no state {state!r}", suggest(state, definition.states)
                )


def reaches_every_state(definition: Definition) -> Iterator[Problem]:
    initial = _initial(definition)
    if initial is None:
        return
    reached = _reachable(definition, [initial], lambda _: True)
    for state in definition.states:
        if state not in reached:
            yield Problem(
                f"/states/{state}",
                f"nothing leads to {state} from {initial}",
                "add a transition to it, or leave the state out",
            )


def has_ways_out(definition: Definition) -> Iterator[Problem]:
    left = {state for rule in definition.transitions if not rule.corrects for state in rule.sources}
    for name, state in definition.states.items():
        if not state.final and name not in left:
            yield Problem(
                f"/states/{name}",
                f"no transition leaves {name}",
                "add one, or write `final: true`",
            )
    for at, rule in _transitions(definition):
        for i, source in enumerate(rule.sources):
            ends = source in definition.states and definition.states[source].final
            if ends and not rule.is_correction:
                yield Problem(
                    f"{at}/from/{i}",
                    f"{source} is final, so nothing may leave it",
                    "leave this out, or the state's `final: true`",
                )


def awaits_what_can_come(definition: Definition) -> Iterator[Problem]:
    for name, state in definition.states.items():
        leaving = dict.fromkeys(rule.trigger for rule in definition.transitions_from(name))
        for i, trigger in enumerate(state.awaits or ()):
            if trigger not in leaving:
                yield Problem(
                    f"/states/{name}/awaits/{i}",
                    f"no {trigger} can come in {name}",
                    suggest(trigger, leaving),
                )


def has_no_shadowed_transition(definition: Definition) -> Iterator[Problem]:
    """Of transitions with one trigger the first whose rules hold is taken."""
    earlier: dict[tuple[str, str], list[Transition]] = {}
    for at, rule in _transitions(definition):
        for i, source in enumerate(rule.sources):
            before = earlier.setdefault((rule.trigger, source), [])
            if any(_asks_no_more(other, rule, definition) for other in before):
                yield Problem(
                    f"{at}/from/{i}",
                    f"from {source}, an earlier {rule.trigger} is always taken before this one",
                    "put this one first, or give the earlier one a condition that this one lacks",
                )
            before.append(rule)


def knows_its_people(definition: Definition) -> Iterator[Problem]:
    persons = dict.fromkeys(  # in the order of the file, which is what a mend lists
        who.person
        for _, step in data.steps(definition)
        for who in step.by
        if isinstance(who, ByPerson)
    )
    for role in definition.roles:
        if role in persons:
            yield Problem(
                f"/roles/{role}",
                f"{role} is a role and also a person that `by` names",
                "nobody could tell in which of the two somebody acted: rename one",
            )
    for at, step in data.steps(definition):
        for i, who in enumerate(step.by):
            if isinstance(who, ByPerson):
                yield from _person(f"{at}/by/{i}/person", who.person, definition)
            elif isinstance(who, str) and who not in (*definition.roles, *MACHINES):
                yield _no_role(f"{at}/by/{i}", who, definition.roles)
    # Where a case can begin by itself, what has begun it is somebody else than any person.
    known = [*definition.roles, *persons, *_persons(definition), "service"]
    for at, said in data.asked(definition):
        for i, role in enumerate(said.not_by):
            if role not in known:
                yield _no_role(f"{at}/not_by/{i}", role, dict.fromkeys(known))


def _person(pointer: str, name: str, definition: Definition) -> Iterator[Problem]:
    persons = _persons(definition)
    if name not in definition.data:
        yield Problem(pointer, f"there is no field {name!r}", suggest(name, persons))
    elif name not in persons:
        yield Problem(
            pointer,
            f"{name} is a field of type {definition.data[name].type}, not person",
            suggest(name, persons) if persons else "add a field of type person",
        )


def _persons(definition: Definition) -> list[str]:
    return [name for name, field in definition.data.items() if field.type == "person"]


def _no_role(pointer: str, role: str, known: Iterable[str]) -> Problem:
    return Problem(pointer, f"there is no role {role!r}", suggest(role, known))


def has_four_eyes(definition: Definition) -> Iterator[Problem]:
    """``not_by`` must be able to exclude somebody, must always do so, and must leave somebody."""
    initial = _initial(definition)
    if initial is None:
        return

    @cache
    def reached_without(roles: frozenset[str]) -> frozenset[str]:
        """The states that can be reached with nobody acting in one of the roles."""
        if _must_be_in(definition.start, roles):
            return frozenset()
        return _reachable(definition, [initial], lambda rule: not _must_be_in(rule, roles))

    def is_known(name: str, rule: Transition | Start) -> bool:
        """Whether the field surely names somebody when the step is taken."""
        if not isinstance(rule, Transition):
            return name in needed(rule, definition)
        return _names(name, rule) or not (
            _may_clear(name, rule, definition) or unnamed(name) & {*rule.sources}
        )

    @cache
    def unnamed(name: str) -> frozenset[str]:
        """The states that a case can be in with nobody in the field."""
        begun = set() if name in needed(definition.start, definition) else {initial}
        for _, rule in _transitions(definition):
            if _may_clear(name, rule, definition):
                begun.update(rule.target(source) for source in rule.sources if source in acted)
        return _reachable(definition, begun, lambda other: not _names(name, other))

    acted = _acted_before(definition, initial)
    persons = {*_persons(definition)}
    takers = {who for _, step in data.steps(definition) for who in _roles(step)}
    # Whom a field names need not act to be kept out of a step: neither whom a case is about, nor
    # who acts later.
    for i, role in enumerate(definition.start.not_by):
        if role not in persons or not is_known(role, definition.start):
            mend = "nobody has acted before a case starts: leave it out"
            yield Problem(f"/start/not_by/{i}", f"not_by {role} excludes nobody", mend)
    for at, rule in _transitions(definition):
        only = _only_person(rule)
        if only in rule.not_by:
            yield Problem(
                f"{at}/not_by/{rule.not_by.index(only)}",
                f"only the person in {only} may do this, and that person is kept from it",
                "leave it out, or let somebody else do this",
            )
            continue
        reached = [source for source in rule.sources if source in acted]
        acting = [
            role
            for role in rule.not_by
            if role not in persons or (role in takers and not is_known(role, rule))
        ]
        if not acting or not reached:
            continue
        before = frozenset[str]().union(*(acted[source] for source in reached))
        idle = [role for role in acting if not before & {role, _ANYBODY}]
        for role in idle:
            yield Problem(
                f"{at}/not_by/{rule.not_by.index(role)}",
                f"nobody acts as {role} before this, so it excludes nobody",
                f"let {role} take an earlier step, or leave it out",
            )
        excluded = " or ".join(acting)
        signed = not {*rule.agreed_by}.isdisjoint(acting)
        open_from = frozenset() if signed else reached_without(frozenset(acting)) & {*reached}
        if open_from and len(idle) < len(acting):
            yield Problem(
                f"{at}/not_by",
                f"{min(open_from)} can be reached without anybody acting as {excluded}, so that "
                "one person can do it all",
                f"let an earlier step be taken by {excluded} alone, on every way to here",
            )


RULES: tuple[Rule, ...] = (
    has_one_initial_state,
    knows_its_states,
    reaches_every_state,
    has_ways_out,
    awaits_what_can_come,
    has_no_shadowed_transition,
    knows_its_people,
    has_four_eyes,
    *deadlines.RULES,
    *data.RULES,
    *reactions.RULES,
    *registers.RULES,
    *governance.RULES,
    *dead_ends.RULES,
    *corrections.RULES,
)

_FOLLOWS: dict[Rule, tuple[Rule, ...]] = {
    reaches_every_state: (knows_its_states,),
    has_ways_out: (knows_its_states,),
    has_four_eyes: (knows_its_states, knows_its_people, governance.knows_who_signs),
}
"""What can be said only where all names are known, and which rules say that they are."""


def _transitions(definition: Definition) -> Iterator[tuple[str, Transition]]:
    for i, rule in enumerate(definition.transitions):
        yield f"/transitions/{i}", rule


def _initial(definition: Definition) -> str | None:
    return next((name for name, state in definition.states.items() if state.initial), None)


def _roles(step: Step) -> list[str]:
    """Under which names somebody acts who takes the step, as ``not_by`` knows them."""
    return [_called(who) for who in step.by]


def _called(who: str | ByPerson | ByAuthority) -> str:
    """What authority makes of somebody is known only when they act."""
    match who:
        case ByPerson(person=person):
            return person
        case ByAuthority():
            return _ANYBODY
    return who


def _only_person(step: Step) -> str:
    """The field that names the one person who may take the step; empty if others may."""
    match step.by:
        case [ByPerson(person=person)]:
            return person
    return ""


def _names(person: str, step: Step) -> bool:
    """Whether somebody stands in the field once the step is taken."""
    return person in (*step.needs, *step.anew) or _only_person(step) == person


def _may_clear(name: str, rule: Transition, definition: Definition) -> bool:
    """Whether the step may leave nobody in the field. A correction takes nothing away."""
    takes = name in accepted(rule, definition)
    return takes and not (_names(name, rule) or name in rule.corrects)


def _must_be_in(step: Step, roles: frozenset[str]) -> bool:
    """Whether the step is not taken unless somebody acts in one of the roles."""
    taken = bool(step.by) and roles.issuperset(_roles(step))
    return taken or not roles.isdisjoint(step.agreed_by)


def _signers(step: Step) -> set[str]:
    """In which roles somebody may sign for the step."""
    said = [step, *([step.should] if step.should else [])]
    vetoes = (role for one in said if one.quorum for role in one.quorum.veto)
    return {role for one in said for role in one.agreed_by}.union(vetoes)


def _reachable(
    definition: Definition, begun: Iterable[str], may_be_taken: Callable[[Transition], bool]
) -> frozenset[str]:
    """The states one can come to from some, these among them."""
    ahead = [*begun]
    reached = {*ahead}
    onward: dict[str, set[str]] = {}
    for rule in filter(may_be_taken, definition.transitions):
        for source in rule.sources:
            onward.setdefault(source, set()).add(rule.target(source))
    while ahead:
        news = onward.get(ahead.pop(), set()) - reached
        reached |= news
        ahead.extend(news)
    return frozenset(reached)


_ANYBODY = "anybody, in any role"


def _acted_before(definition: Definition, initial: str) -> dict[str, frozenset[str]]:
    """The roles in which somebody may have acted before a case comes to a state."""
    onward: dict[str, list[Transition]] = {}
    signed: dict[str, set[str]] = {}
    for rule in definition.transitions:
        for source in rule.sources:
            onward.setdefault(source, []).append(rule)
            signed.setdefault(source, set()).update(_signers(rule))
    first = _roles(definition.start) or [_ANYBODY]
    acted = {initial: frozenset(first).union(signed.get(initial, ()))}
    ahead = [initial]
    while ahead:
        source = ahead.pop()
        for rule in onward.get(source, ()):
            target = rule.target(source)
            known = acted.get(target)
            more = acted[source].union(
                known or (), _roles(rule) or [_ANYBODY], signed.get(target, ())
            )
            if more != known:
                acted[target] = more
                ahead.append(target)
    return acted


def _asks_no_more(one: Transition, other: Transition, definition: Definition) -> bool:
    """Whether ``one`` holds whenever ``other`` does."""
    return (
        {check.check for check in one.when} <= {check.check for check in other.when}
        and (not one.by or (bool(other.by) and all(who in one.by for who in other.by)))
        and {*one.not_by} <= {*other.not_by}
        and {*one.needs} <= {*other.needs, *other.anew}
        and {*one.anew} <= {*other.anew}
        and all(need in other.evidence for need in one.evidence)
        and all(child in other.children for child in one.children)
        and {*one.agreed_by} <= {*other.agreed_by}
        and one.quorum in (None, other.quorum)
        and all(other.to in claim.inside for claim in definition.only_one if one.to in claim.inside)
        and {*accepted(one, definition)} >= {*accepted(other, definition)}
        and {*one.corrects} >= {*other.corrects}
    )
