"""The linter's rules about deadlines: what is due, when, and whether a timer can bring it about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.calendars import OR_USUAL, check_rule
from engine.definition import Deadline, Definition
from engine.errors import BadInput, Problem
from engine.source import escape
from engine.step import Transition
from engine.validation import suggest

TIMER = "timer"


def _deadlines(definition: Definition) -> Iterator[tuple[str, str, Deadline]]:
    """Where each deadline is written, the state it is of, and the deadline."""
    for name, state in definition.states.items():
        for number, deadline in enumerate(state.deadline):
            yield f"/states/{name}/deadline/{number}", name, deadline


def has_deadlines_that_lead_on(definition: Definition) -> Iterator[Problem]:
    for at, state, deadline in _deadlines(definition):
        asked = [(f"{at}/then", deadline.then)]
        asked += [(f"{at}/later/{i}/then", later.then) for i, later in enumerate(deadline.later)]
        rules = definition.transitions_from(state)
        for pointer, trigger in asked:
            ways = [rule for rule in rules if rule.trigger == trigger]
            if not ways:
                mend = suggest(trigger, dict.fromkeys(rule.trigger for rule in rules))
                yield Problem(pointer, f"from {state} there is no trigger {trigger!r}", mend)
                continue
            ways = [rule for rule in ways if not rule.by or TIMER in rule.by]
            if not ways:
                mend = f"add {TIMER} to the `by` of {trigger}"
                yield Problem(pointer, f"a timer may not {trigger} from {state}", mend)
            elif all(wanted := [_wanted_anew(rule) for rule in ways]):
                what = f"a timer brings nothing along, and {trigger} wants {wanted[0]} anew"
                mend = f"give the timer a {trigger} of its own that does not"
                yield Problem(pointer, what, mend)


def _wanted_anew(rule: Transition) -> str:
    papers = [need.kind for need in rule.evidence if need.anew]
    return " and ".join([*rule.anew, *papers])


def has_deadlines_in_order(definition: Definition) -> Iterator[Problem]:
    for at, _, deadline in _deadlines(definition):
        reminders = [(f"{at}/remind/{i}", share) for i, share in enumerate(deadline.remind)]
        yield from _ascending(reminders, 1, 99, "a reminder comes before the deadline: 1% to 99%")
        later = [(f"{at}/later/{i}/at", step.at) for i, step in enumerate(deadline.later)]
        yield from _ascending(later, 101, 999, "it comes after the deadline: 101% to 999%")


def _ascending(
    shares: Sequence[tuple[str, str]], least: int, most: int, mend: str
) -> Iterator[Problem]:
    before = 0
    for pointer, share in shares:
        percent = int(share.removesuffix("%"))
        if not least <= percent <= most:
            late = "late" if percent > most else "early"
            yield Problem(pointer, f"{share} is too {late}", mend)
        elif percent <= before:
            what = f"{share} comes after {before}%"
            yield Problem(pointer, what, "write them in ascending order")
        before = max(before, percent)


def has_deadlines_that_end(definition: Definition) -> Iterator[Problem]:
    for at, state, deadline in _deadlines(definition):
        said = [n for n in ("within", "on", "every") if getattr(deadline, n) is not None]
        if len(said) != 1:
            what = f"{' and '.join(said)} are too much" if said else "nothing says when it is due"
            yield Problem(at, what, "write one of `within`, `on` and `every`")
            continue
        yield from _a_period_for_each(at, deadline, definition)
        if deadline.rolled and deadline.within:
            mend = "working days are counted by `within: 10 working days`"
            yield Problem(f"{at}/or", "only days of `on` and `every` can be moved", mend)
        if deadline.on:
            yield from _field(f"{at}/on", deadline.on, ("date",), definition)
            yield from _comes_again(at, state, deadline, definition)
        if deadline.every and deadline.every.startswith("data."):
            yield from _field(f"{at}/every", deadline.every, ("text", "choice"), definition)
        elif deadline.every:
            try:
                check_rule(deadline.every)
            except BadInput as error:
                for problem in error.problems:
                    yield Problem(f"{at}/every", problem.what, problem.mend)
    if definition.calendar and definition.calendar.startswith("data."):
        path = definition.calendar.removesuffix(OR_USUAL)
        yield from _field("/calendar", path, ("text", "choice"), definition)


def _a_period_for_each(at: str, deadline: Deadline, definition: Definition) -> Iterator[Problem]:
    """None is left out, so that whatever is chosen, it is known when the case is due."""
    said = deadline.within
    if deadline.per is None:
        if isinstance(said, dict):
            what = "nothing says of which choice these are the periods"
            yield Problem(f"{at}/within", what, "name its field: `per: data.category`")
        return
    if not isinstance(said, dict):
        what = f"there is one period, whatever {deadline.goes_by} is"
        mend = f"write `within: {{CHOICE: PERIOD}}`, or leave out `per: {deadline.per}`"
        yield Problem(f"{at}/per", what, mend)
        return
    problems = list(_field(f"{at}/per", deadline.per, ("choice",), definition))
    yield from problems
    choices = () if problems else definition.data[deadline.goes_by].choices
    for choice in said if choices else ():
        if choice not in choices:
            what = f"{choice!r} is no choice of {deadline.goes_by}"
            yield Problem(f"{at}/within/{escape(choice)}", what, suggest(choice, choices))
    if lacking := [choice for choice in choices if choice not in said]:
        what = f"nothing says when it is due where {deadline.goes_by} is {' or '.join(lacking)}"
        yield Problem(f"{at}/within", what, "write a period for each choice")


def _field(
    pointer: str, path: str, types: tuple[str, ...], definition: Definition
) -> Iterator[Problem]:
    name = path.removeprefix("data.")
    field = definition.data.get(name)
    fitting = [name for name, field in definition.data.items() if field.type in types]
    if field is None:
        yield Problem(pointer, f"there is no field {name!r}", suggest(name, fitting))
    elif field.type not in types:
        what = f"{name} is a field of type {field.type}, not {' or '.join(types)}"
        yield Problem(pointer, what, suggest(name, fitting))


def _comes_again(
    at: str, state: str, deadline: Deadline, definition: Definition
) -> Iterator[Problem]:
    """A day that is over is over: the step it brings about must not lead to where it is due."""
    chain = [(f"{at}/then", deadline.then)]
    chain += [(f"{at}/later/{i}/then", later.then) for i, later in enumerate(deadline.later)]
    for pointer, trigger in chain:
        ways = [rule for rule in definition.transitions_from(state) if rule.trigger == trigger]
        if ways and all(_stuck(rule, state, deadline, definition) for rule in ways):
            where = f"{ways[0].to}, where {deadline.on} is due"
            what = f"{trigger} leads to {where}, and that is past by then"
            yield Problem(pointer, what, "lead to a state without this deadline")


def _stuck(rule: Transition, state: str, deadline: Deadline, definition: Definition) -> bool:
    target = definition.states.get(rule.target(state))
    if target is None or rule.target(state) == state:
        return False
    return any(other.on == deadline.on for other in target.deadline)


RULES = (has_deadlines_that_lead_on, has_deadlines_in_order, has_deadlines_that_end)
