"""Deadlines: what falls due in a state, computed when it is entered and recorded in the event.

So a replay computes nothing, and a calendar that changes moves only the deadlines of states that
are entered from then on: what people were told stands. The calendar's version is among the event's
``reads`` like that of everything else a step was judged by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from engine import calendars, registers
from engine.calendars import OR_USUAL, USUAL, Calendar
from engine.case import Case
from engine.commands import Command, PullTrigger, Remind, Requester
from engine.context import Context
from engine.definition import Deadline, Definition
from engine.errors import BadInput
from engine.events import Due
from engine.values import Value, show

SCHEDULER = Requester(id="scheduler", kind="timer")


class Entering(NamedTuple):
    """A case comes to a state at a moment, with this data; ``before``: the data it had, where it is
    in that state already."""

    definition: Definition
    state: str
    data: Mapping[str, Value]
    at: str
    context: Context
    before: Mapping[str, Value] | None = None


def fired(command: PullTrigger, case: Case) -> Due | None:
    """What is due, if a timer asks for it."""
    if command.actor.kind != "timer" or command.entered is None:
        return None
    return next((due for due in case.deadlines if due.then == command.trigger), None)


def too_early(command: PullTrigger, case: Case, now: str) -> str:
    """Why a timer may not pull yet; empty when it may. Its clock can be ahead of others'."""
    if command.actor.kind != "timer" or command.entered != case.entered:
        return ""
    due = fired(command, case)
    if due is None:
        return f"no deadline of {case.key} in {case.state} is for {command.trigger}"
    return "" if due.at <= now else f"{command.trigger} is due at {due.at}; it is {now}"


def no_reminder(command: Remind, case: Case, now: str) -> tuple[str, str]:
    """The rule by which nothing is recorded of a reminder, and why; empty when something is."""
    if command.entered != case.entered:
        return "entered", f"{case.key} has left the state that it entered at {command.entered}"
    if command.due not in case.deadlines:
        return "due", f"{case.key} has no such deadline in {case.state}"
    if command.due.at > now:
        return "due", f"the reminder is due at {command.due.at}; it is {now}"
    return "", ""


def begin(
    entering: Entering, done: Due | None = None, case: Case | None = None, stays: bool = False
) -> tuple[tuple[Due, ...] | None, str]:
    """What falls due in the state, in order; or why it must not be entered like this.

    ``done`` is what was due in the ``case``, if it is a timer that brings it there. The answer is
    ``None`` where the case ``stays`` and what falls due does, too: unless the day or the rule that
    a deadline goes by has changed.

    A timer's step that leads back to the same state, or stays there, is no new beginning:
    everything else that was to fall due still is, and what fired is computed anew only when nothing
    later is left of its deadline. So ``{within: 10 days, then: escalate, later: [{at: 150%, then:
    lapse}]}`` comes to lapse though ``escalate`` leads back, and a monthly routine is due again a
    month later.
    """
    said = entering.definition.states[entering.state].deadline
    if not said and not stays and done is None:
        return (), ""
    rules = dict(enumerate(said))
    kept: list[Due] = []
    if done and case and case.state == entering.state:
        kept = list(_kept(done, case.deadlines))
        later = any(due.of == done.of for due in kept)
        rules = {of: rule for of, rule in rules.items() if of == done.of and not later}
    elif stays and case:
        rules = {of: rule for of, rule in rules.items() if _moved(rule, entering)}
        if not rules:
            return None, ""
        kept = [due for due in case.deadlines if due.of not in rules]
    if not rules:
        return tuple(kept), ""
    try:
        calendar = _calendar(entering)
        for of, rule in rules.items():
            kept += _dues(of, rule, entering, calendar)
    except BadInput as error:
        return (), "; ".join(str(problem) for problem in error.problems)
    return tuple(sorted(kept, key=lambda due: due.at)), ""


def _moved(rule: Deadline, entering: Entering) -> bool:
    name, before = rule.goes_by, entering.before or {}
    return name != "" and entering.data.get(name) != before.get(name)


def _kept(done: Due, before: tuple[Due, ...]) -> Iterator[Due]:
    for due in before:
        if due.of == done.of:
            if due.at > done.at and due.then:
                yield due
        elif due.then or due.at > done.at:
            yield due


def _dues(of: int, rule: Deadline, entering: Entering, calendar: Calendar) -> Iterator[Due]:
    at = entering.at
    rolled = rule.rolled is not None
    ends: str | None
    period = ""
    if rule.within:
        period, ends = _period(rule, entering), None
    elif rule.on:
        day = entering.data.get(rule.on.removeprefix("data."))
        if not isinstance(day, str):
            return  # as long as nobody has said which day, nothing is due
        ends = calendars.end_of(day, calendar, rolled)
        if ends <= at:
            if (
                entering.before is not None
                and entering.before.get(rule.on.removeprefix("data.")) == day
            ):
                return  # it is over, and nobody has given another
            what = f"{rule.on} is {day}, which is past: {rule.then} would be due at once"
            raise BadInput.one("", what, "give a day that is still to come")
    else:
        said = rule.every or ""
        text = entering.data.get(said.removeprefix("data.")) if said.startswith("data.") else said
        if not isinstance(text, str):
            return
        ends = calendars.next_occurrence(text, at, calendar, rolled)
        if ends is None:
            return
    asked: list[tuple[str, str | None]] = [(share, None) for share in rule.remind]
    asked += [("100%", rule.then), *((later.at, later.then) for later in rule.later)]
    for share, then in asked:
        percent = int(share.removesuffix("%"))
        if ends is None:
            moment = calendars.after(period, at, calendar, percent)
        else:
            moment = calendars.until(ends, at, calendar, percent)
        yield Due(at=moment, of=of, share=share, then=then)


def _period(rule: Deadline, entering: Entering) -> str:
    """How long it is; where that hangs on a choice nobody has made known, nobody is in time.

    Raises ``BadInput``.
    """
    name = rule.goes_by
    choice = entering.data.get(name) if name else ""
    period = rule.periods.get(choice) if isinstance(choice, str) else None
    if period is None:
        lack = "is missing" if choice is None else f"is {show(choice)}"
        what = f"{name} {lack}: how long a case is in {entering.state} goes by it"
        raise BadInput.one("", what, f"one of: {', '.join(rule.periods)}")
    return period


_NO_CALENDAR = "start one: pmo start calendar name=... weekend=saturday,sunday zone=Europe/London"


def _calendar(entering: Entering) -> Calendar:
    """The one in force that the definition names; without one the usual, if it says ``or usual``.

    That there is none is among what the step has read, like the version of one is.
    Raises ``BadInput``.
    """
    if entering.definition.calendar is None:
        return USUAL
    named, or_usual, _ = entering.definition.calendar.partition(OR_USUAL)
    if named.startswith("data."):
        value = entering.data.get(named.removeprefix("data."))
        if not isinstance(value, str):
            if or_usual and value is None:
                return USUAL
            raise BadInput.one("", f"{named} does not say which calendar", "name one")
        named = value
    key = registers.key_of("calendar", name=named)
    found, why = registers.entry("calendar", key, entering.context)
    if found is None:
        if or_usual:
            return USUAL
        raise BadInput.one("", f"deadlines cannot be counted by {named}: {why}", _NO_CALENDAR)
    try:
        return calendars.read_calendar(found.data)
    except BadInput as error:
        raise BadInput.one("", f"deadlines cannot be counted by {key}: {error}") from None


def id_of(case: str, entered: int, due: Due) -> str:
    """What is due, as the id of the command that a timer sends."""
    return f"deadline:{case}:{entered}:{due.of}:{due.share}:{due.at}"


def command_for(case: str, entered: int, due: Due, attempt: int = 0) -> Command:
    """What a timer sends when something is due: the same, to the byte, whoever sends it.

    It was so when it was due, however late the timer: a state that is entered by it, and the
    deadlines of that, do not depend on when a scheduler ran. ``attempt`` counts refusals.
    """
    command_id = id_of(case, entered, due) + (f":{attempt}" if attempt else "")
    if due.then is None:
        return Remind(
            command_id=command_id,
            actor=SCHEDULER,
            occurred_at=due.at,
            case=case,
            entered=entered,
            due=due,
        )
    return PullTrigger(
        command_id=command_id,
        actor=SCHEDULER,
        occurred_at=due.at,
        case=case,
        entered=entered,
        trigger=due.then,
    )
