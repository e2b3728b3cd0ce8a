"""Deciding: pure. The same command, case, rules and context give the same events or refusal.

Time, ids and referenced cases arrive in the ``Context``; nothing here reads a clock or a store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from engine import values
from engine.case import Case, evolve
from engine.clock import is_instant_or_date, last_instant
from engine.commands import AttachEvidence, Command, Observe, PullTrigger, StartCase
from engine.definition import Step
from engine.errors import BadInput, Problem, Refused
from engine.events import (
    Actor,
    ActorKind,
    AnyEvent,
    CaseObserved,
    CaseStarted,
    CaseTransitioned,
    CommandRefused,
    Conformance,
    DefinitionRef,
    Evidence,
    EvidenceAttached,
    Verdict,
)
from engine.guards import Attempt, acting_role
from engine.machine import Taken, Workflow
from engine.values import Value

_KIND = re.compile(r"[a-z][a-z0-9_\-]{0,59}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Context:
    """What the world is at this moment: the instant, fresh event ids, the cases that are read."""

    now: str
    new_id: Callable[[], str]
    cases: Mapping[str, Case | None]

    @property
    def reads(self) -> dict[str, int]:
        return {key: case.version if case else 0 for key, case in self.cases.items()}


@dataclass(frozen=True, slots=True)
class Decision:
    """The events to record, the case as they leave it, and the refusal, if it is one.

    A refusal has events only where the definition asks for refused attempts to be recorded.
    """

    events: tuple[AnyEvent, ...]
    case: Case | None
    refusal: Refused | None = None


def start(command: StartCase, key: str, workflow: Workflow, context: Context) -> Decision:
    """Begin a case under ``key``. Raises ``BadInput`` for data that is not of its field's type."""
    _check(command.evidence, context.now)
    occurred_at = _occurred_at(command, context.now)
    given = values.read_all(workflow.definition.data, command.data)
    attempt = _attempt(command, key, workflow, None, given, command.evidence, context)
    taken = workflow.start(attempt)
    if taken is None:
        what = f"{workflow.definition.workflow} cannot start"
        return Decision((), None, Refused(what, _nearest(attempt)))
    event = CaseStarted(
        **_envelope(command, key, 1, workflow.ref, context, occurred_at),
        name=taken.name,
        role=acting_role(taken.step, attempt),
        state=taken.state,
        data=given,
        evidence=command.evidence,
        verdicts=taken.verdicts,
    )
    return Decision((event,), evolve(None, event))


def pull(command: PullTrigger, case: Case, workflow: Workflow, context: Context) -> Decision:
    """Take a transition. Raises ``BadInput`` for data that is not of its field's type."""
    _check(command.evidence, context.now)
    given = values.read_all(workflow.definition.data, command.data)
    # What a step is judged on must be what the case keeps: nothing it replaces may be of later.
    reached = max(case.since[name] for name in ("", *given) if name in case.since)
    occurred_at = _occurred_at(command, context.now, reached)
    attempt = _attempt(command, case.key, workflow, case, given, command.evidence, context)
    standing = _standing(command, case, workflow, occurred_at, reached)
    taken: Taken | None = None
    if command.trigger in workflow.triggers(case.state):
        taken = workflow.step(command.trigger, attempt)
    if taken is None or standing:
        return _refused(command, case, workflow, context, (*standing, *_nearest(attempt)))
    event = CaseTransitioned(
        **_envelope(command, case.key, case.version + 1, case.definition, context, occurred_at),
        name=taken.name,
        role=acting_role(taken.step, attempt),
        trigger=command.trigger,
        source=case.state,
        state=taken.state,
        data=given,
        evidence=command.evidence,
        verdicts=taken.verdicts,
    )
    return Decision((event,), evolve(case, event))


def observe(command: Observe, case: Case | None, workflow: Workflow, context: Context) -> Decision:
    """Record facts, each with what the rules say of it.

    Raises ``BadInput``; refuses only where ``expected_version`` shows that the case has moved on.
    """
    if outrun := _outrun(command, case):
        return Decision((), case, Refused(f"{command.case}: the facts are refused", outrun))
    occurred_at = _occurred_at(command, context.now)
    definition = workflow.definition
    problems: list[Problem] = []
    events: list[AnyEvent] = []
    for index, fact in enumerate(command.facts):
        at = f"/facts/{index}"
        try:
            given = values.read_all(definition.data, fact.data, f"{at}/data")
        except BadInput as error:
            problems.extend(error.problems)
            continue
        if fact.state is not None and fact.state not in definition.states:
            known = ", ".join(definition.states)
            problems.append(Problem(f"{at}/state", f"no state {fact.state!r}", f"one of: {known}"))
            continue
        state = definition.initial if case is None and fact.state is None else fact.state
        version = case.version + 1 if case else 1
        event = CaseObserved(
            **_envelope(
                command,
                command.case,
                version,
                case.definition if case else workflow.ref,
                context,
                occurred_at,
            ),
            name=fact.name,
            state=state,
            data=given,
            conformance=_conformance(command, case, workflow, state, given, occurred_at, context),
            origin=command.origin,
        )
        events.append(event)
        case = evolve(case, event)
    if problems:
        raise BadInput(problems)
    return Decision(tuple(events), case)


def attach(command: AttachEvidence, case: Case, context: Context) -> Decision:
    """Put evidence beside a case."""
    _check([command.evidence], context.now)
    occurred_at = _occurred_at(command, context.now)
    event = EvidenceAttached(
        **_envelope(command, case.key, case.version + 1, case.definition, context, occurred_at),
        name="EvidenceAttached",
        role=command.actor.roles[0] if command.actor.roles else None,
        evidence=command.evidence,
    )
    return Decision((event,), evolve(case, event))


def _check(evidence: Iterable[Evidence], now: str) -> None:
    """Evidence is what guards rest on. Raises ``BadInput`` for what cannot be any."""
    problems = []
    for index, item in enumerate(evidence):
        at = f"/evidence/{index}"
        if not _KIND.fullmatch(item.kind):
            mend = "lower-case letters, digits, '-' and '_', as in business-case"
            problems.append(Problem(f"{at}/kind", f"{item.kind[:60]!r} is no kind", mend))
        if not _SHA256.fullmatch(item.sha256):
            problems.append(Problem(f"{at}/sha256", "is not a SHA-256 in hexadecimal digits"))
        if not is_instant_or_date(item.as_of):
            problems.append(Problem(f"{at}/as_of", f"{item.as_of[:60]!r} is no date"))
        elif item.as_of > now:
            problems.append(Problem(f"{at}/as_of", f"{item.as_of} is still to come"))
    if problems:
        raise BadInput(problems)


def references(
    workflow: Workflow, data: Mapping[str, Value], given: Mapping[str, Any]
) -> frozenset[str]:
    """The keys of the cases that a step with this data may read: those its conditions speak of,
    and those it newly refers to."""
    return frozenset(
        value
        for name in workflow.ref_fields
        if (name in workflow.read_fields or name in given)
        and isinstance(value := given.get(name, data.get(name)), str)
        and values.CASE_KEY.fullmatch(value)
    )


def _outrun(command: PullTrigger | Observe, case: Case | None) -> tuple[Verdict, ...]:
    """Whether the case is no longer what the sender had seen."""
    version = case.version if case else 0
    if command.expected_version in (None, version):
        return ()
    where = command.case
    reason = f"{where} is at version {version}, not {command.expected_version}; look at it again"
    return (Verdict(rule="expected_version", held=False, reason=reason),)


def _standing(
    command: PullTrigger, case: Case, workflow: Workflow, occurred_at: str, reached: str
) -> tuple[Verdict, ...]:
    """What must be so before any guard of a transition is asked."""
    verdicts = list(_outrun(command, case))
    triggers = workflow.triggers(case.state)
    if command.trigger not in triggers:
        offer = f"from here: {', '.join(triggers)}" if triggers else "nothing leaves this state"
        verdicts.append(
            Verdict(
                rule="from",
                held=False,
                reason=f"{case.key} is in {case.state}, which has no {command.trigger}; {offer}",
            )
        )
    if occurred_at < reached:
        verdicts.append(
            Verdict(
                rule="occurred_at",
                held=False,
                reason=f"{occurred_at} is before what it would replace was so ({reached}); "
                "what happened out of order is recorded as an observation",
            )
        )
    return tuple(verdicts)


def _nearest(attempt: Attempt) -> tuple[Verdict, ...]:
    """Of the steps tried, the verdicts of the one that came nearest to holding."""
    tried = [verdicts for _, verdicts in attempt.tried]
    return min(tried, key=lambda verdicts: sum(not v.held for v in verdicts), default=())


def _refused(
    command: PullTrigger,
    case: Case,
    workflow: Workflow,
    context: Context,
    verdicts: tuple[Verdict, ...],
) -> Decision:
    refusal = Refused(f"{case.key}: {command.trigger} is refused", verdicts)
    if not workflow.definition.record_refusals:
        return Decision((), case, refusal)
    event = CommandRefused(
        **_envelope(command, case.key, case.version + 1, case.definition, context, context.now),
        name="CommandRefused",
        trigger=command.trigger,
        verdicts=verdicts,
    )
    return Decision((event,), evolve(case, event), refusal)


def _conformance(
    command: Observe,
    case: Case | None,
    workflow: Workflow,
    state: str | None,
    given: Mapping[str, Value],
    occurred_at: str,
    context: Context,
) -> Conformance:
    definition = workflow.definition
    if case is None:
        if state != definition.initial:
            return _violates(f"start: begins in {definition.initial}, not in {state}")
        attempt = _attempt(command, command.case, workflow, None, given, (), context)
        return _judged(workflow, definition.start, attempt)
    if state is None or state == case.state:
        return _CONFORMS
    if occurred_at < case.since[""]:
        return Conformance(verdict="not_evaluable", rules=("recorded out of order",))
    rules = [rule for rule in definition.transitions_from(case.state) if rule.to == state]
    if not rules:
        return _violates(f"from: nothing leads from {case.state} to {state}")
    attempt = _attempt(command, case.key, workflow, case, given, (), context)
    return min((_judged(workflow, rule, attempt) for rule in rules), key=_severity)


def _judged(workflow: Workflow, rule: Step, attempt: Attempt) -> Conformance:
    verdicts = workflow.judge(rule, attempt)
    broken = tuple(f"{v.rule}: {v.reason}" for v in verdicts if v.held is False)
    if broken:
        return _violates(*broken)
    open_ = tuple(f"{v.rule}: {v.reason}" for v in verdicts if v.held is None)
    return Conformance(verdict="not_evaluable", rules=open_) if open_ else _CONFORMS


def _severity(conformance: Conformance) -> tuple[int, int]:
    order: dict[Literal["conforms", "not_evaluable", "violates"], int]
    order = {"conforms": 0, "not_evaluable": 1, "violates": 2}
    return order[conformance.verdict], len(conformance.rules)


_CONFORMS = Conformance(verdict="conforms")


def _violates(*rules: str) -> Conformance:
    return Conformance(verdict="violates", rules=rules)


def _attempt(
    command: Command,
    key: str,
    workflow: Workflow,
    case: Case | None,
    given: Mapping[str, Value],
    evidence: Iterable[Evidence],
    context: Context,
) -> Attempt:
    data = {**case.data, **given} if case else dict(given)
    return Attempt(
        key=key,
        state=case.state if case else "",
        definition=workflow.definition,
        actor=command.actor,
        observed=isinstance(command, Observe),
        given=given,
        data=data,
        evidence=(*(case.evidence if case else ()), *evidence),
        acted=case.acted if case else {},
        now=context.now,
        cases=context.cases,
    )


@lru_cache(maxsize=1000)
def _actor(actor_id: str, kind: ActorKind) -> Actor:
    return Actor(id=actor_id, kind=kind)


def _occurred_at(command: Command, now: str, reached: str = "") -> str:
    """When it was so: as said, else now, but never before what it replaces was ``reached``, which
    another process with a faster clock may have recorded. Of a date, the part after that is meant.
    """
    if command.occurred_at is None:
        return max(now, reached)
    if not is_instant_or_date(command.occurred_at):
        raise BadInput.one(
            "/occurred_at",
            f"{command.occurred_at!r} is not a point in time",
            "write 2026-03-31 or 2026-03-31T12:00:00.000000Z",
        )
    if command.occurred_at > now:
        raise BadInput.one("/occurred_at", f"{command.occurred_at} is still to come (it is {now})")
    if command.occurred_at < reached <= last_instant(command.occurred_at):
        return reached
    return command.occurred_at


def _envelope(
    command: Command,
    stream: str,
    version: int,
    definition: DefinitionRef,
    context: Context,
    occurred_at: str,
) -> dict[str, Any]:
    return {
        "event_id": context.new_id(),
        "stream": stream,
        "version": version,
        "recorded_at": context.now,
        "occurred_at": occurred_at,
        "actor": _actor(command.actor.id, command.actor.kind),
        "on_behalf_of": command.on_behalf_of,
        "definition": definition,
        "reads": context.reads,
        "command_id": command.command_id,
        "correlation_id": command.correlation_id or command.command_id,
        "causation_id": command.causation_id,
        "traceparent": command.traceparent,
        "reason": command.reason,
    }
