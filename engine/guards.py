"""Guards: the conditions on a step. All are evaluated, and every verdict keeps its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from engine import clock
from engine.actors import is_for_machines
from engine.attempt import Attempt, Guard, Judge
from engine.case import Case
from engine.cel.conditions import compile_condition
from engine.claims import claim_guards
from engine.definition import Definition
from engine.escalating import gone_up
from engine.events import Verdict
from engine.governance import governance_of
from engine.standing import in_role, standing_of
from engine.step import (
    REASON,
    ByAuthority,
    ByPerson,
    Check,
    EvidenceNeed,
    Guards,
    Override,
    Start,
    Step,
    Transition,
)
from engine.values import CASE_KEY, Value, folded, is_empty, is_withheld, show


def guards_of(step: Step, definition: Definition) -> tuple[Guard, ...]:
    """The guards of a step, in the order in which their reasons read best."""
    guards: list[Guard] = [Guard(None, _takes(step, definition))]
    if step.by:
        guards.append(Guard(None, _by(step, definition)))
    if isinstance(step, Transition) and step.gone_up:
        guards.append(Guard(None, gone_up(step, definition)))
    if step.override:
        guards.append(Guard(None, _override(step.override)))
    if isinstance(step, Transition) and step.counts:
        guards.append(Guard(None, _counts(tuple(step.counts))))
    if isinstance(step, Transition) and step.corrects:
        guards.append(Guard(None, _corrects(tuple(step.corrects))))
    shall = step.model_copy(update={"needs": list(needed(step, definition))})
    guards += _guards(shall, step, definition)
    if step.should:
        guards += [_softened(guard) for guard in _guards(step.should, step, definition)]
    return tuple(guards)


def _guards(said: Guards, step: Step, definition: Definition) -> list[Guard]:
    """What ``said`` asks of a step: its own guards, or those under its ``should``."""
    guards: list[Guard] = []
    if said.not_by:
        guards.append(Guard("not_by", _not_by(said)))
    if said.needs:
        guards.append(Guard("needs", _needs(tuple(said.needs))))
    if said.anew:
        guards.append(Guard("anew", _anew(said, definition)))
    if said is not step.should and any(d.type == "ref" for d in definition.data.values()):
        guards.append(Guard(None, _references))
    guards += [Guard("evidence", _evidence(need)) for need in said.evidence]
    guards += governance_of(said, step, definition)
    if said is not step.should:
        guards += claim_guards(step, definition)
    guards += [Guard("when", _condition(check, definition)) for check in said.when]
    return guards


def _softened(guard: Guard) -> Guard:
    """It warns, and stops nobody."""
    return Guard(None, lambda attempt: replace(guard.judge(attempt), weight="should"))


def _override(said: Override) -> Judge:
    """Whoever asks to override must be one who may, and say why."""

    def guard(attempt: Attempt) -> Verdict:
        if not attempt.overriding:
            return _HELD["override"]
        wrong = []
        if not any(in_role(role, attempt).role for role in said.by):
            wrong.append(f"only {' or '.join(said.by)} may override; {attempt.actor} is not")
        if not (attempt.command.reason or "").strip():
            wrong.append("who overrides says why: give a reason")
        reason = "; ".join(wrong)
        return Verdict(rule="override", held=False, reason=reason) if wrong else _HELD["override"]

    return guard


def needed(step: Step, definition: Definition) -> tuple[str, ...]:
    required = (
        [name for name, described in definition.data.items() if described.required]
        if isinstance(step, Start)
        else []
    )
    return tuple(dict.fromkeys([*required, *step.needs]))


def renewed(said: Guards, definition: Definition) -> tuple[str, ...]:
    """The fields that must come with the step itself."""
    return tuple(name for name in said.anew if name != REASON or name in definition.data)


def wants_reason(said: Guards, definition: Definition) -> bool:
    """Whether the command itself must say why."""
    return REASON in said.anew and REASON not in definition.data


def accepted(step: Step, definition: Definition) -> tuple[str, ...]:
    """The fields that the step may set. What makes up the key is set at the start, once."""
    if isinstance(step, Start) and step.accepts is None:
        return tuple(definition.data)
    takes = (*(step.accepts or ()), *step.needs, *renewed(step, definition))
    set_once: tuple[str, ...] = ()
    if isinstance(step, Transition):
        set_once = definition.key_parts
        if step.counts or step.corrects:
            takes = (*takes, *step.counts, *step.corrects)
    return tuple(name for name in dict.fromkeys(takes) if name not in set_once)


_HELD = {
    rule: Verdict(rule=rule, held=True)
    for rule in (
        *("takes", "by", "override", "counts", "corrects"),
        *("not_by", "needs", "anew", "refs"),
    )
}


def _takes(step: Step, definition: Definition) -> Judge:
    takes = accepted(step, definition)
    known, held = frozenset(takes), _HELD["takes"]

    def guard(attempt: Attempt) -> Verdict:
        if attempt.given.keys() <= known:
            return held
        extra = [name for name in attempt.given if name not in known]
        offer = f"it takes {', '.join(takes)}" if takes else "it takes no data"
        others = _taken_by_others(extra, step, attempt)
        reason = "; ".join([f"does not take {', '.join(extra)}", offer, *others])
        return Verdict(rule="takes", held=False, reason=reason)

    return guard


def _taken_by_others(names: Iterable[str], step: Step, attempt: Attempt) -> Iterator[str]:
    """Where such a field belongs: the steps from here by which people say it."""
    if attempt.case is None:
        return
    ways = [
        (way.trigger, accepted(way, attempt.definition))
        for way in attempt.definition.transitions_from(attempt.case.state)
        if way is not step and not is_for_machines(way.by)
    ]
    for name in names:
        if triggers := dict.fromkeys(trigger for trigger, takes in ways if name in takes):
            yield f"{name} comes with {' or '.join(triggers)}"


def following(names: Iterable[str], case: Case) -> dict[str, Value]:
    """The number that comes next in each field; none where the one before is withheld."""
    held = {name: case.data.get(name, 0) for name in names}
    return {name: one + 1 for name, one in held.items() if not is_withheld(one)}


def not_next(name: str, ahead: Value, given: Value) -> str:
    """That a number is another than the one that comes next."""
    return f"{name} is {ahead} next, not {'missing' if given is None else show(given)}"


def _counts(names: tuple[str, ...]) -> Judge:
    """Whoever says which number it is must mean the one that comes next; nobody else counts."""

    def guard(attempt: Attempt) -> Verdict:
        if attempt.case is None:
            return _HELD["counts"]
        wrong, ahead = [], following(names, attempt.case)
        for name in names:
            if name not in ahead:
                wrong.append(f"{name} is withheld, so nobody can tell which comes next")
            elif attempt.given.get(name, ahead[name]) != ahead[name]:
                wrong.append(not_next(name, ahead[name], attempt.given[name]))
        reason = "; ".join(wrong)
        return Verdict(rule="counts", held=False, reason=reason) if wrong else _HELD["counts"]

    return guard


def _corrects(names: tuple[str, ...]) -> Judge:
    """What is there was typed wrong, and somebody says what it is and why. What is not known, or
    kept back, or to be no more, is another matter, and not for whoever mends a slip."""

    def guard(attempt: Attempt) -> Verdict:
        held = attempt.case.data if attempt.case else {}
        wrong = [f"say what it is: {' or '.join(names)}"] if not attempt.given else []
        for name, value in attempt.given.items():
            was = held.get(name)
            if was is None or is_withheld(was):
                wrong.append(f"{name} is {'missing' if was is None else 'withheld'}, not wrong")
            elif value is None or is_withheld(value) or is_empty(value):
                wrong.append(f"{name} can be corrected, and not taken away")
            elif value == was:
                wrong.append(f"{name} is that already")
        # One event is so since one moment, and each of these was since another.
        begun = {attempt.case.since.get(name, "") for name in attempt.given} if attempt.case else ()
        if len(begun) > 1:
            together = " and ".join(attempt.given)
            wrong.append(f"{together} were not said at one time: correct one after the other")
        elif (said := attempt.command.occurred_at) and any(said > since for since in begun):
            wrong.append(f"it was wrong from {max(begun)} on, so it is right from then, too")
        if is_empty(attempt.command.reason or ""):
            wrong.append("a reason is missing")
        if attempt.brought:
            wrong.append("a document is attached by itself, not with a correction")
        reason = "; ".join(wrong)
        return Verdict(rule="corrects", held=False, reason=reason) if wrong else _HELD["corrects"]

    return guard


def _by(step: Step, definition: Definition) -> Judge:
    wanted = " or ".join(_told(who) for who in step.by)
    fields = [who.person for who in step.by if isinstance(who, ByPerson)]
    standing = standing_of(step, definition)

    def guard(attempt: Attempt) -> Verdict:
        found = standing(attempt)
        if found.role:
            return _HELD["by"]
        if attempt.observed:
            return Verdict(rule="by", held=None, reason=f"who did it is not known; needs {wanted}")
        has = ", ".join(attempt.command.actor.roles) or "no role"
        why = found.why or f"{attempt.actor} acts as {has}"
        held = {name: attempt.data.get(name) for name in fields}
        named = [f"{name} is {person}" for name, person in held.items() if isinstance(person, str)]
        who = f" ({', '.join(named)})" if named else ""
        return Verdict(rule="by", held=False, reason=f"needs {wanted}; {why}{who}")

    return guard


def _told(who: str | ByPerson | ByAuthority) -> str:
    if isinstance(who, ByPerson):
        return f"the person in {who.person}"
    if isinstance(who, ByAuthority):
        return f"whoever has authority for {who.authority.category.removeprefix('data.')}"
    return who


def _not_by(said: Guards) -> Judge:
    def guard(attempt: Attempt) -> Verdict:
        if attempt.observed:
            return Verdict(rule="not_by", held=None, reason="who did it is not known")
        lent = attempt.command.on_behalf_of
        out = folded(attempt.acted(said.not_by))
        # What the giver of a delegation may not do, nobody does for them.
        for person in (attempt.actor, attempt.giver(lent)) if lent else (attempt.actor,):
            if person.casefold() in out:
                reason = f"{person} {attempt.part_of(person, said.not_by)}"
                reason += "; somebody else must do this"
                return Verdict(rule="not_by", held=False, reason=reason)
        kept_back = [name for name in said.not_by if is_withheld(attempt.data.get(name))]
        if kept_back:
            reason = f"who must not do this is not known: {', '.join(kept_back)} is withheld"
            return Verdict(rule="not_by", held=None, reason=reason)
        if attempt.case is None or not attempt.case.anonymous:
            return _HELD["not_by"]
        acted, persons = attempt.case.acted, attempt.definition.data
        unknown = [role for role in said.not_by if role not in acted and role not in persons]
        if unknown:
            reason = f"who acted as {', '.join(unknown)} is not known: it was observed"
            return Verdict(rule="not_by", held=None, reason=reason)
        return _HELD["not_by"]

    return guard


def _needs(names: tuple[str, ...]) -> Judge:
    def guard(attempt: Attempt) -> Verdict:
        lacking = _lacking(names, attempt.data)
        if not lacking:
            return _HELD["needs"]
        return Verdict(rule="needs", held=False, reason=f"needs more: {', '.join(lacking)}")

    return guard


def _anew(said: Guards, definition: Definition) -> Judge:
    """What was said before, of another step or of this one, is no answer to why it is taken now."""
    names, wants_why = renewed(said, definition), wants_reason(said, definition)

    def guard(attempt: Attempt) -> Verdict:
        said = {name: value for name, value in attempt.given.items() if not is_empty(value)}
        lacking = _lacking(names, said)
        held = None if attempt.observed and not lacking else False
        if wants_why and is_empty(attempt.command.reason or ""):
            lacking.append("a reason is missing")
        if not lacking:
            return _HELD["anew"]
        told = f"say it with this step: {', '.join(lacking)}"
        return Verdict(rule="anew", held=held, reason=told)

    return guard


def _lacking(names: Iterable[str], data: Mapping[str, Value]) -> list[str]:
    lacking = []
    for name in names:
        value = data.get(name)
        if value is None:
            lacking.append(f"{name} is missing")
        elif is_withheld(value):
            lacking.append(f"{name} is withheld ({value['withheld']})")
        elif is_empty(value):
            lacking.append(f"{name} is empty")
    return lacking


def _references(attempt: Attempt) -> Verdict:
    wrong = []
    for name, value in attempt.given.items():
        described = attempt.definition.data.get(name)
        if described is None or described.type != "ref" or not isinstance(value, str):
            continue
        case = attempt.context.look(value) if CASE_KEY.fullmatch(value) else None
        if case is None:
            wrong.append(f"{name}: there is no case {value}")
        elif case.definition.name != described.to:
            wrong.append(f"{name}: {value} is a case of {case.definition.name}, not {described.to}")
    return Verdict(rule="refs", held=False, reason="; ".join(wrong)) if wrong else _HELD["refs"]


def _evidence(need: EvidenceNeed) -> Judge:
    rule = f"evidence {need.kind}"
    shown = Verdict(rule=rule, held=True)

    def guard(attempt: Attempt) -> Verdict:
        counted = attempt.brought if need.anew else attempt.evidence
        dates = [item.as_of for item in counted if item.kind == need.kind]
        if not dates:
            held = None if attempt.observed else False
            reason = f"needs a {need.kind} as evidence{', with this step' if need.anew else ''}"
            return Verdict(rule=rule, held=held, reason=reason)
        if need.newer_than and max(dates) < clock.back(attempt.context.now, need.newer_than):
            return Verdict(
                rule=rule,
                held=False,
                reason=f"the newest {need.kind} is of {max(dates)[:10]}, "
                f"older than {need.newer_than}",
            )
        if need.unchanged and _has_changed(need.kind, attempt):
            return Verdict(
                rule=rule,
                held=False,
                reason=f"a {need.kind} has come since {attempt.key} entered this state; "
                "it must be looked at again",
            )
        return shown

    return guard


def _has_changed(kind: str, attempt: Attempt) -> bool:
    """Whether evidence of a kind has come since the state was entered, now included."""
    case = attempt.case
    if case is None:
        return False
    came = case.arrived.get(kind, 0) > case.entered
    return came or any(item.kind == kind for item in attempt.brought)


def _condition(check: Check, definition: Definition) -> Judge:
    condition = compile_condition(check.check, definition)
    held_verdict = Verdict(rule=condition.source, held=True)

    def guard(attempt: Attempt) -> Verdict:
        held, reason = condition.evaluate(attempt)
        if held:
            return held_verdict
        said = f"{check.otherwise} ({reason})" if check.otherwise else reason
        return Verdict(rule=condition.source, held=False, reason=said)

    return guard
