"""To whom a matter goes up: it is told by the event, so that whoever has it from then on is known
later, too, when the registers say something else; and what is only for them to do."""

from __future__ import annotations

from collections.abc import Callable

from engine.attempt import Attempt, Judge
from engine.definition import Definition
from engine.events import Escalated, Party, Verdict
from engine.standing import Standing, above, authority_of, standing_of
from engine.step import ByAuthority, ByPerson, Step, Transition
from engine.values import is_withheld

_HELD = Verdict(rule="gone_up", held=True)


def escalation_of(step: Step) -> Callable[[Attempt], Escalated] | None:
    """What tells from whom to whom; ``None`` where the step takes a matter nowhere."""
    said = step.escalates if isinstance(step, Transition) else None
    if said is None:
        return None

    def escalated(attempt: Attempt) -> Escalated:
        source = _party(said.source, attempt)
        others = (_party(who, attempt, source) for who in said.to)
        why = None if source else _lack(said.source, attempt)
        return Escalated(source=source, to=next((one for one in others if one), None), why=why)

    return escalated


def _party(
    who: str | ByPerson | ByAuthority, attempt: Attempt, source: Party | None = None
) -> Party | None:
    """Who that is now, if there is somebody, and they are not whom it comes from."""
    match who:
        case ByPerson(person=field):
            person = attempt.data.get(field)
            found = Party(held_by="person", name=person) if isinstance(person, str) else None
        case ByAuthority():
            found = _holder(who, attempt, source)
        case _:
            declared = attempt.definition.roles.get(who)
            unit = attempt.named(declared.appointed_in or "") if declared else ""
            found = Party(held_by="role", name=who, unit=unit or None)
    return None if found and source and _is_same(found, source) else found


def gone_up(step: Step, definition: Definition) -> Judge:
    """Nobody else than whom the matter has gone up to, and nobody before it has."""
    standing = standing_of(step, definition)

    def guard(attempt: Attempt) -> Verdict:
        party = attempt.case.gone_up if attempt.case else None
        if party is None:
            return Verdict(rule="gone_up", held=False, reason="it has not gone up to anybody")
        if attempt.observed:
            return Verdict(rule="gone_up", held=None, reason="who did it is not known")
        if _is_as(party, standing(attempt), attempt):
            return _HELD
        whom = f"{party.name} in {party.unit}" if party.unit else party.name
        reason = f"it has gone up to {whom}, and not to {attempt.actor}"
        return Verdict(rule="gone_up", held=False, reason=reason)

    return guard


def _is_as(party: Party, found: Standing, attempt: Attempt) -> bool:
    """Whether who takes a step does so as whom it has gone up to."""
    if party.held_by == "person":
        return attempt.actor.casefold() == party.name.casefold()
    unit: str | None = None
    if found.rule:
        unit = None if found.rule.by_body else found.rule.unit
    elif declared := attempt.definition.roles.get(found.role or ""):
        unit = attempt.named(declared.appointed_in or "") or None
    return (found.role, unit) == (party.name, party.unit)


def _lack(who: str | ByPerson | ByAuthority, attempt: Attempt) -> str | None:
    """Why that is nobody now."""
    match who:
        case ByPerson(person=field):
            lack = "withheld" if is_withheld(attempt.data.get(field)) else "missing"
            return f"{field} is {lack}"
        case ByAuthority():
            return authority_of(who, attempt)[1]
    return None


def _is_same(one: Party, other: Party) -> bool:
    if one.held_by == other.held_by == "person":
        return one.name.casefold() == other.name.casefold()
    return (one.held_by, one.name, one.unit) == (other.held_by, other.name, other.unit)


def _holder(who: ByAuthority, attempt: Attempt, source: Party | None) -> Party | None:
    """Whose authority it is; where it comes from there, that of the next level that another has."""
    rule, _ = authority_of(who, attempt)
    while rule:
        found = Party(
            held_by="body" if rule.by_body else "role",
            name=rule.holder,
            rule=rule.key,
            unit=None if rule.by_body else rule.unit,
            version=rule.version,
        )
        if source is None or not _is_same(found, source):
            return found
        rule = above(rule, who, attempt)
    return None
