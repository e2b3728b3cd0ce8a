"""The linter's rules about steps that read well and that nobody could ever take: they go by a field
that no step takes, or wait for a timer that has nothing to wait for."""

from __future__ import annotations

from collections.abc import Iterator

from engine import calendars
from engine.definition import Definition
from engine.errors import BadInput, Problem
from engine.guards import accepted
from engine.lint.data import steps
from engine.source import escape
from engine.step import ByAuthority, ByPerson, Transition

_TIMER = "timer"
_ANY_DAY = "2000-01-01"


def taken_by_steps(definition: Definition) -> set[str]:
    """The fields that a step brings along. A correction finds there what it corrects."""
    return {
        name
        for _, step in steps(definition)
        if not (isinstance(step, Transition) and step.corrects)
        for name in accepted(step, definition)
    }


def goes_by_what_can_be_known(definition: Definition) -> Iterator[Problem]:
    """Who decides, who votes and what there is one of are known only once a step has said it."""
    unknown = set(definition.data) - taken_by_steps(definition)
    for at, step in steps(definition):
        ways = [unknown.intersection(named_by(who, definition)) for who in step.by]
        if ways and all(ways):
            yield _not_taken(f"{at}/by", min(ways[0]), "so nobody may ever do this")
        if step.quorum and (name := step.quorum.body.removeprefix("data.")) in unknown:
            yield _not_taken(f"{at}/quorum/body", name, "so no body could ever vote")
        for i, role in enumerate(step.agreed_by):
            for name in sorted(unknown.intersection(named_by(role, definition))):
                yield _not_taken(f"{at}/agreed_by/{i}", name, f"so nobody is {role} there")
    for number, one in enumerate(definition.only_one):
        for i, name in enumerate(one.per):
            if name in unknown:
                what = "so no case could come to these states"
                yield _not_taken(f"/only_one/{number}/per/{i}", name, what)


def named_by(who: str | ByPerson | ByAuthority, definition: Definition) -> list[str]:
    """The fields that say who somebody in ``by`` is."""
    match who:
        case ByPerson(person=person):
            return [person]
        case ByAuthority(authority=matter):
            said = [matter.category, matter.unit, matter.value or ""]
        case _:
            role = definition.roles.get(who)
            said = [role.appointed_in or ""] if role else []
    return [name.removeprefix("data.") for name in said if name.startswith("data.")]


def _not_taken(pointer: str, name: str, so: str) -> Problem:
    mend = f"let the start or a step accept {name}"
    return Problem(pointer, f"no step takes {name}, {so}", mend)


def has_steps_that_a_timer_can_take(definition: Definition) -> Iterator[Problem]:
    others = [step for _, step in steps(definition) if step.by != [_TIMER]]
    taken = {name for step in others for name in accepted(step, definition)}
    for number, rule in enumerate(definition.transitions):
        if rule.by != [_TIMER]:
            continue
        at = f"/transitions/{number}"
        for i, name in enumerate(rule.needs):
            if name in definition.data and name not in taken:
                what = f"a timer brings nothing along, and no other step takes {name}"
                yield Problem(
                    f"{at}/needs/{i}", what, "let another step accept it, or leave it out"
                )
        for i, source in enumerate(rule.sources):
            if source in definition.states and rule.trigger not in _due_in(source, definition):
                what = f"only a timer may do this, and no deadline of {source} is for it"
                mend = f"add one: deadline: {{within: 10 days, then: {rule.trigger}}}"
                yield Problem(f"{at}/from/{i}", what, mend)


def _due_in(state: str, definition: Definition) -> set[str]:
    said = definition.states[state].deadline
    return {then for one in said for then in (one.then, *(later.then for later in one.later))}


def has_periods_that_end(definition: Definition) -> Iterator[Problem]:
    """A state whose deadline lies after the last year there is cannot be entered."""
    for name, state in definition.states.items():
        for number, deadline in enumerate(state.deadline):
            most = max([100, *(int(later.at.removesuffix("%")) for later in deadline.later)])
            for choice, period in deadline.periods.items():
                try:
                    calendars.after(period, _ANY_DAY, calendars.USUAL, most)
                except BadInput as error:
                    pointer = f"/states/{name}/deadline/{number}/within"
                    pointer += f"/{escape(choice)}" if choice else ""
                    yield Problem(pointer, error.problems[0].what, "write a shorter period")


RULES = (goes_by_what_can_be_known, has_steps_that_a_timer_can_take, has_periods_that_end)
