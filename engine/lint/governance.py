"""The linter's rules about who decides: authority, bodies, agreement, children, what may be passed.

What is said of children and of their workflow is looked at in ``engine.lint.references``, where
that workflow is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.actors import MACHINES
from engine.definition import Definition
from engine.errors import Problem
from engine.guards import accepted, needed
from engine.lint.data import asked, steps
from engine.step import ByAuthority, ByPerson, Guards, Start, Step, Transition
from engine.validation import suggest
from engine.votes import TIED

_NAMES = ("text", "choice")
_UNITS = ("text", "choice", "ref")
_TELL_APART = ("text", "choice", "ref", "person", "date", "number")


def names_fields_that_fit(definition: Definition) -> Iterator[Problem]:
    """What is written ``data.FIELD`` is a field, and of a type in which such a thing is said."""
    named: list[tuple[str, str | None, Sequence[str]]] = [
        (f"/roles/{name}/appointed_in", role.appointed_in, _UNITS)
        for name, role in definition.roles.items()
    ]
    for at, said in asked(definition):
        if said.quorum:
            named.append((f"{at}/quorum/body", said.quorum.body, _NAMES))
            named += _persons(f"{at}/quorum", said.quorum.without)
    for at, step in steps(definition):
        for pointer, who in (*_takers(at, step), *_parties(at, step)):
            if isinstance(who, ByAuthority):
                matter, here = who.authority, f"{pointer}/authority"
                named.append((f"{here}/category", matter.category, _NAMES))
                named.append((f"{here}/value", matter.value, ("money",)))
                named.append((f"{here}/unit", matter.unit, _UNITS))
                named.append((f"{here}/least", matter.least, ("number",)))
                named += _persons(here, matter.without)
        for pointer, who in _parties(at, step):
            if isinstance(who, ByPerson):
                named.append((f"{pointer}/person", f"data.{who.person}", ("person",)))
    for number, one in enumerate(definition.only_one):
        named += [
            (f"/only_one/{number}/per/{i}", f"data.{name}", _TELL_APART)
            for i, name in enumerate(one.per)
        ]
    for pointer, name, types in named:
        if name and name.startswith("data."):
            yield from _field(pointer, name.removeprefix("data."), types, definition)


Who = str | ByPerson | ByAuthority


def _takers(at: str, step: Step) -> Iterator[tuple[str, Who]]:
    for i, who in enumerate(step.by):
        yield f"{at}/by/{i}", who


def _parties(at: str, step: Step) -> Iterator[tuple[str, Who]]:
    """From whom, and to whom, the step takes a matter."""
    if isinstance(step, Transition) and step.escalates:
        yield f"{at}/escalates/from", step.escalates.source
        for i, who in enumerate(step.escalates.to):
            yield f"{at}/escalates/to/{i}", who


def _persons(at: str, names: Sequence[str]) -> list[tuple[str, str | None, Sequence[str]]]:
    return [(f"{at}/without/{i}", f"data.{name}", ("person",)) for i, name in enumerate(names)]


def _field(
    pointer: str, name: str, types: Sequence[str], definition: Definition
) -> Iterator[Problem]:
    field = definition.data.get(name)
    if field is None:
        yield Problem(pointer, f"there is no field {name!r}", suggest(name, definition.data))
    elif field.type not in types:
        wanted = " or ".join(filter(None, [", ".join(types[:-1]), types[-1]]))
        what = f"{name} is a field of type {field.type}, not {wanted}"
        fitting = [other for other, found in definition.data.items() if found.type in types]
        mend = (
            f"name another: {', '.join(fitting)}" if fitting else f"add a field of type {types[0]}"
        )
        yield Problem(pointer, what, mend)


def knows_who_signs(definition: Definition) -> Iterator[Problem]:
    """Who agrees, vetoes or overrides does so in a role that is declared."""
    for role in definition.roles:
        if role in MACHINES:
            what = f"{role} is built in: it is not for people"
            yield Problem(f"/roles/{role}", what, "leave it out, or choose another name")
    named = []
    for at, said in asked(definition):
        named += [(f"{at}/agreed_by/{i}", role) for i, role in enumerate(said.agreed_by)]
        vetoes = said.quorum.veto if said.quorum else []
        named += [(f"{at}/quorum/veto/{i}", role) for i, role in enumerate(vetoes)]
    for at, step in steps(definition):
        passing = step.override.by if step.override else []
        named += [(f"{at}/override/by/{i}", role) for i, role in enumerate(passing)]
        named += [(at, who) for at, who in _parties(at, step) if isinstance(who, str)]
    for pointer, role in named:
        if role in MACHINES:
            what = f"no {role} signs or answers for anything: people do"
            yield Problem(pointer, what, suggest(role, definition.roles))
        elif role not in definition.roles:
            yield Problem(pointer, f"there is no role {role!r}", suggest(role, definition.roles))


def asks_for_signatures_that_can_be_given(definition: Definition) -> Iterator[Problem]:
    """Votes and agreement are given on a case in the state that the step leaves."""
    start = definition.start
    for at, said in [("/start", start), ("/start/should", start.should or Guards())]:
        for key in ("agreed_by", "quorum", "children"):
            if getattr(said, key):
                what = "before a case begins nobody can sign, and no case can name it as its parent"
                yield Problem(f"{at}/{key}", what, "ask for it in the step after the start")
    for at, said in asked(definition):
        if said.quorum and said.quorum.casting and said.quorum.rule not in TIED:
            what = f"where {said.quorum.rule} is asked there is no tie that the chair could break"
            yield Problem(f"{at}/quorum/casting", what, "leave it out, or choose another rule")


def has_guards_that_ask_something(definition: Definition) -> Iterator[Problem]:
    """What is written is meant to guard: an empty list guards nothing, and looks as if it did."""
    for at, said in asked(definition):
        for key in ("not_by", "agreed_by", "evidence", "children", "when"):
            if key in said.model_fields_set and not getattr(said, key):
                yield Problem(f"{at}/{key}", f"{key} is empty, so it asks nothing", "leave it out")
        for i, children in enumerate(said.children):
            if not children.inside and children.least is None:
                mend = "say the states they must be `in`, or how many there must be at `least`"
                yield Problem(f"{at}/children/{i}", "it asks nothing of the children", mend)
    for at, step in steps(definition):
        if step.should and not any(getattr(step.should, key) for key in Guards.model_fields):
            yield Problem(f"{at}/should", "it warns of nothing", "leave it out, or add a guard")


def warns_of_what_is_not_refused_anyway(definition: Definition) -> Iterator[Problem]:
    for at, step in steps(definition):
        if step.should is None:
            continue
        refused = step.model_copy(update={"needs": list(needed(step, definition))})
        twice = [("quorum", step.should.quorum)] if step.should.quorum == step.quorum else []
        for key in ("not_by", "needs", "evidence", "agreed_by", "children", "when"):
            shall = getattr(refused, key)
            warned = enumerate(getattr(step.should, key))
            twice += [(f"{key}/{i}", one) for i, one in warned if _is_among(one, shall)]
        for pointer, one in twice:
            if one is not None:
                what = "this is not only a warning: the step is refused without it already"
                yield Problem(f"{at}/should/{pointer}", what, "keep it in one of the two places")


def _is_among(one: object, shall: list[object]) -> bool:
    """The same, whatever else is said of it to the person."""
    check = getattr(one, "check", None)
    return one in shall or (check is not None and check in [getattr(s, "check", 0) for s in shall])


def takes_a_matter_to_somebody_else(definition: Definition) -> Iterator[Problem]:
    """Of an authority there is a level above; anybody else who has it already has it still."""
    for at, step in steps(definition):
        if isinstance(step, Transition) and (said := step.escalates):
            for i, who in enumerate(said.to):
                if who == said.source and not isinstance(who, ByAuthority):
                    what = "it comes from there already"
                    yield Problem(f"{at}/escalates/to/{i}", what, "name somebody else")
                elif who in said.to[:i]:
                    yield Problem(f"{at}/escalates/to/{i}", "this is there twice", "keep one")


def is_for_whom_it_goes_up_to(definition: Definition) -> Iterator[Problem]:
    """Where nothing goes up to them, a step that is theirs only once it has is nobody's."""
    reached = {
        (step.target(source), who if isinstance(who, str) else repr(who))
        for step in definition.transitions
        if step.escalates
        for source in step.sources
        for who in step.escalates.to
    }
    for number, step in enumerate(definition.transitions):
        if not step.gone_up:
            continue
        at = f"/transitions/{number}"
        if not step.by:
            what = "it is said of nobody that it has gone up to them"
            yield Problem(f"{at}/gone_up", what, "say in `by` who they are")
        for i, who in enumerate(step.by):
            named = who if isinstance(who, str) else repr(who)
            for state in step.sources:
                if (state, named) not in reached:
                    what = f"nothing goes up to {_called(who, above=False)} in {state}"
                    mend = "let a step that `escalates` name them, or leave `gone_up` out"
                    yield Problem(f"{at}/by/{i}", what, mend)


def only_told(definition: Definition) -> list[str]:
    """To whom a matter goes up, though no step in the state where it is then is theirs: it may be
    meant so, and is no problem, but they can only look. As ``trigger: who in state``."""
    found = []
    for step in definition.transitions:
        said = step.escalates
        if said is None:
            continue
        for who in said.to:
            above = isinstance(who, ByAuthority) and isinstance(said.source, ByAuthority)
            found += [
                f"{step.trigger}: {_called(who, above)} in {state}"
                for state in dict.fromkeys(map(step.target, step.sources))
                if not any(
                    _is_for(who, above, way, definition)
                    for way in definition.transitions_from(state)
                )
            ]
    return list(dict.fromkeys(found))


def _called(who: Who, above: bool) -> str:
    if isinstance(who, ByPerson):
        return f"the {who.person}"
    if isinstance(who, ByAuthority):
        return "the level of authority above" if above else "whoever has authority"
    return who


def _is_for(who: Who, above: bool, step: Transition, definition: Definition) -> bool:
    """Whether they may take it, answer on it, or go past its guards. Who has authority above the
    level that a matter falls under may, where the step comes with a level."""
    if isinstance(who, ByAuthority):
        levels = [way.authority.least or "" for way in step.by if isinstance(way, ByAuthority)]
        takes = accepted(step, definition) if above else ()
        return not step.by or any(
            not above or level.removeprefix("data.") in takes for level in levels
        )
    vetoes = step.quorum.veto if step.quorum else []
    passing = step.override.by if step.override else []
    return not step.by or who in (*step.by, *step.agreed_by, *vetoes, *passing)


def overrides_what_is_asked(definition: Definition) -> Iterator[Problem]:
    for at, step in steps(definition):
        override = step.override
        if override is None:
            continue
        if isinstance(step, Start):
            what = "a start cannot be overridden: there is nothing yet that could be stuck"
            yield Problem(f"{at}/override", what, "leave it out, or make the guard a `should`")
            continue
        for key in ("by", "of"):
            if not getattr(override, key):
                what = f"{key} is empty, so nothing can be overridden"
                yield Problem(f"{at}/override/{key}", what, "fill it in, or leave override out")
        has = [key for key in Guards.model_fields if getattr(step, key)]
        if any(isinstance(who, ByAuthority) for who in step.by):
            has += ["quorum"] if step.quorum is None else []  # that of the body with authority
        for i, kind in enumerate(override.of):
            if kind in override.of[:i]:
                yield Problem(f"{at}/override/of/{i}", f"{kind} is there twice", "keep one of them")
            elif kind not in has:
                mend = f"it has {', '.join(has)}" if has else "leave the override out"
                yield Problem(f"{at}/override/of/{i}", f"the step has no {kind} of its own", mend)


def has_claims_that_can_be_had(definition: Definition) -> Iterator[Problem]:
    for number, one in enumerate(definition.only_one):
        for i, state in enumerate(one.inside):
            if state not in definition.states:
                mend = suggest(state, definition.states)
                yield Problem(f"/only_one/{number}/in/{i}", f"there is no state {state!r}", mend)
        for i, name in enumerate(one.per):
            if name in one.per[:i]:
                yield Problem(f"/only_one/{number}/per/{i}", f"{name} is there twice", "keep one")
        if one in definition.only_one[:number]:
            yield Problem(f"/only_one/{number}", "the same is said above", "keep one of the two")


RULES = (
    names_fields_that_fit,
    knows_who_signs,
    asks_for_signatures_that_can_be_given,
    has_guards_that_ask_something,
    warns_of_what_is_not_refused_anyway,
    takes_a_matter_to_somebody_else,
    is_for_whom_it_goes_up_to,
    overrides_what_is_asked,
    has_claims_that_can_be_had,
)
