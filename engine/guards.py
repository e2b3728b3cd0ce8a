"""Guards: the conditions on a step. All are evaluated, and every verdict keeps its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from engine import clock
from engine.case import Case
from engine.commands import Requester
from engine.conditions import Condition, Environment, compile_condition
from engine.definition import ByPerson, Definition, EvidenceNeed, Start, Step, Transition
from engine.events import Evidence, Verdict
from engine.values import Value, is_withheld


@dataclass
class Attempt:
    """A step somebody wants to take, with everything a guard may look at.

    ``data`` and ``evidence`` are the case's after the step; ``given`` is what this command brings.
    ``cases`` holds the referenced cases by key, ``None`` where there is none.
    """

    key: str
    state: str
    definition: Definition
    actor: Requester
    observed: bool
    given: Mapping[str, Value]
    data: Mapping[str, Value]
    evidence: tuple[Evidence, ...]
    acted: Mapping[str, tuple[str, ...]]
    now: str
    cases: Mapping[str, Case | None]
    tried: list[tuple[Step, tuple[Verdict, ...]]] = field(default_factory=list)

    def ask(self, step: Step, guards: tuple[Guard, ...]) -> bool:
        """Evaluate every guard, keep every verdict; whether all of them hold."""
        verdicts = tuple([guard(self) for guard in guards])
        self.tried.append((step, verdicts))
        return all(verdict.held for verdict in verdicts)

    @cached_property
    def environment(self) -> Environment:
        named = {
            name: self.cases.get(self.data[name])
            for name, described in self.definition.data.items()
            if described.type == "ref" and isinstance(self.data.get(name), str)
        }
        return Environment(
            data=self.data,
            state=self.state,
            key=self.key,
            now=self.now,
            actor_id=self.actor.id,
            actor_roles=self.actor.roles,
            evidence=tuple(item.kind for item in self.evidence),
            cases=named,
        )


Guard = Callable[[Attempt], Verdict]


def acting_role(step: Step, attempt: Attempt) -> str | None:
    """The role under which the step is taken: the first of ``by`` that the actor has."""
    for who in step.by:
        if isinstance(who, ByPerson):
            if attempt.data.get(who.person) == attempt.actor.id:
                return who.person
        elif who in attempt.actor.roles:
            return who
    return attempt.actor.roles[0] if not step.by and attempt.actor.roles else None


def guards_of(step: Step, definition: Definition) -> tuple[Guard, ...]:
    """The guards of a step, in the order in which their reasons read best."""
    guards: list[Guard] = [_takes(step, definition)]
    if step.by:
        guards.append(_by(step))
    if step.not_by:
        guards.append(_not_by(step))
    if needs := needed(step, definition):
        guards.append(_needs(needs))
    if any(described.type == "ref" for described in definition.data.values()):
        guards.append(_references)
    guards.extend(_evidence(need) for need in step.evidence)
    guards.extend(
        _condition(compile_condition(check.check, definition), check.otherwise)
        for check in step.when
    )
    return tuple(guards)


def needed(step: Step, definition: Definition) -> tuple[str, ...]:
    required = (
        [name for name, described in definition.data.items() if described.required]
        if isinstance(step, Start)
        else []
    )
    return tuple(dict.fromkeys([*required, *step.needs]))


def accepted(step: Step, definition: Definition) -> tuple[str, ...]:
    """The fields that the step may set. What makes up the key is set at the start, once."""
    if isinstance(step, Transition):
        return tuple(name for name in step.accepted if name not in definition.key_fields)
    return tuple(definition.data) if step.accepts is None else (*step.accepts, *step.needs)


_HELD = {rule: Verdict(rule=rule, held=True) for rule in ("takes", "by", "not_by", "needs", "refs")}


def _takes(step: Step, definition: Definition) -> Guard:
    takes = accepted(step, definition)

    def guard(attempt: Attempt) -> Verdict:
        extra = [name for name in attempt.given if name not in takes]
        if not extra:
            return _HELD["takes"]
        offer = f"it takes {', '.join(takes)}" if takes else "it takes no data"
        return Verdict(
            rule="takes", held=False, reason=f"does not take {', '.join(extra)}; {offer}"
        )

    return guard


def _by(step: Step) -> Guard:
    wanted = " or ".join(
        f"the person in {who.person}" if isinstance(who, ByPerson) else who for who in step.by
    )

    def guard(attempt: Attempt) -> Verdict:
        if acting_role(step, attempt):
            return _HELD["by"]
        if attempt.observed:
            return Verdict(rule="by", held=None, reason=f"who did it is not known; needs {wanted}")
        has = ", ".join(attempt.actor.roles) or "no role"
        return Verdict(
            rule="by", held=False, reason=f"needs {wanted}; {attempt.actor.id} acts as {has}"
        )

    return guard


def _not_by(step: Step) -> Guard:
    def guard(attempt: Attempt) -> Verdict:
        if attempt.observed:
            return Verdict(rule="not_by", held=None, reason="who did it is not known")
        clashes = [role for role in step.not_by if attempt.actor.id in attempt.acted.get(role, ())]
        if not clashes:
            return _HELD["not_by"]
        return Verdict(
            rule="not_by",
            held=False,
            reason=f"{attempt.actor.id} has already acted as {', '.join(clashes)}; "
            "somebody else must do this",
        )

    return guard


def _needs(names: tuple[str, ...]) -> Guard:
    def guard(attempt: Attempt) -> Verdict:
        lacking = []
        for name in names:
            value = attempt.data.get(name)
            if value is None:
                lacking.append(f"{name} is missing")
            elif is_withheld(value):
                lacking.append(f"{name} is withheld ({value['withheld']})")
        if not lacking:
            return _HELD["needs"]
        return Verdict(rule="needs", held=False, reason=f"needs more: {', '.join(lacking)}")

    return guard


def _references(attempt: Attempt) -> Verdict:
    wrong = []
    for name, value in attempt.given.items():
        described = attempt.definition.data.get(name)
        if described is None or described.type != "ref" or not isinstance(value, str):
            continue
        case = attempt.cases.get(value)
        if case is None:
            wrong.append(f"{name}: there is no case {value}")
        elif case.definition.name != described.to:
            wrong.append(f"{name}: {value} is a case of {case.definition.name}, not {described.to}")
    return Verdict(rule="refs", held=False, reason="; ".join(wrong)) if wrong else _HELD["refs"]


def _evidence(need: EvidenceNeed) -> Guard:
    rule = f"evidence {need.kind}"

    def guard(attempt: Attempt) -> Verdict:
        dates = [item.as_of for item in attempt.evidence if item.kind == need.kind]
        if not dates:
            held = None if attempt.observed else False
            return Verdict(rule=rule, held=held, reason=f"needs a {need.kind} as evidence")
        if need.newer_than and max(dates) < clock.back(attempt.now, need.newer_than):
            return Verdict(
                rule=rule,
                held=False,
                reason=f"the newest {need.kind} is of {max(dates)[:10]}, "
                f"older than {need.newer_than}",
            )
        return Verdict(rule=rule, held=True)

    return guard


def _condition(condition: Condition, otherwise: str) -> Guard:
    held_verdict = Verdict(rule=condition.source, held=True)

    def guard(attempt: Attempt) -> Verdict:
        held, reason = condition.evaluate(attempt.environment)
        if held:
            return held_verdict
        said = f"{otherwise} ({reason})" if otherwise else reason
        return Verdict(rule=condition.source, held=False, reason=said)

    return guard
