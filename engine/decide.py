"""Deciding: pure. The same command, case, rules and context give the same events or refusal.

Time, ids and referenced cases arrive in the ``Context``; nothing here reads a clock or a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine import deadlines, values
from engine.attempt import Attempt
from engine.case import Case, evolve
from engine.claims import claims_of, hand_over
from engine.commands import AttachEvidence, Command, PullTrigger, Remind, StartCase
from engine.context import Context
from engine.deadlines import Entering
from engine.definition import Definition
from engine.envelope import envelope, occurred_at
from engine.errors import Refused
from engine.events import (
    AnyEvent,
    CaseLinked,
    CaseStarted,
    CaseTransitioned,
    CommandRefused,
    DeadlineReminded,
    DefinitionRef,
    Due,
    Evidence,
    EvidenceAttached,
    Verdict,
)
from engine.fixed import fixed
from engine.guards import following
from engine.machine import Taken, Workflow
from engine.preconditions import check_evidence, is_particular, unmet
from engine.values import Value
from engine.ways import nearest


@fixed
class Decision:
    """The events to record, the case as they leave it, and the refusal, if it is one.

    A refusal has events only where the definition asks for refused attempts to be recorded.
    ``others`` are the cases and claims beside it that the events leave changed; what happens on
    their streams comes first, so that the last event is always the case's own.
    """

    events: tuple[AnyEvent, ...]
    case: Case | None
    refusal: Refused | None = None
    others: tuple[Case, ...] = ()

    @property
    def changed(self) -> tuple[Case, ...]:
        return (*self.others, self.case) if self.case else self.others


def start(command: StartCase, key: str, workflow: Workflow, context: Context) -> Decision:
    """Begin a case under ``key``. Raises ``BadInput`` for data that is not of its field's type."""
    if command.evidence:
        check_evidence(command.evidence, context.now)
    at = context.at = occurred_at(command, context.now)
    definition = workflow.definition
    given = values.read_all(definition.data, command.data)
    attempt = attempt_of(command, key, workflow, None, given, command.evidence, context)
    cannot = f"{definition.workflow} cannot start"
    taken = workflow.start(attempt)
    if taken is None:
        return Decision((), None, Refused(cannot, nearest(attempt.tried, command.actor.kind)))
    dues: tuple[Due, ...] | None = None
    if taken.state in workflow.timed:
        entering = Entering(definition, taken.state, attempt.data, at, context)
        dues, why = deadlines.begin(entering)
        if why:
            return Decision((), None, Refused(cannot, (*taken.verdicts, no_deadline(why))))
    others: list[tuple[AnyEvent, Case]] = []
    if definition.reaches_others:
        others = _beside(command, key, workflow.ref, definition, None, taken.state, attempt, at)
    said = envelope(command, key, 1, workflow.ref, context, at)
    said |= _taken_as(taken, attempt)
    said["data"] = given
    said["evidence"] = command.evidence
    if dues:
        said["deadlines"] = dues
    return decided(others, CaseStarted.saying(said), None)


def pull(command: PullTrigger, case: Case, workflow: Workflow, context: Context) -> Decision:
    """Take a transition. Raises ``BadInput`` for data that is not of its field's type."""
    definition, now, data = workflow.definition, context.now, command.data
    if command.evidence:
        check_evidence(command.evidence, now)
    given = values.read_all(definition.data, data) if data else {}
    way = (case.state, command.trigger)
    if counted := workflow.counted.get(way):
        given = following(counted, case) | given
    # What a step is judged on must be what the case keeps: nothing it replaces may be of later.
    since, corrects = case.since, way in workflow.corrections
    reached = "" if corrects and given else since[""]
    for name in given:
        reached = max(reached, since.get(name, ""))
    # What was typed wrong was never so: what is right holds from when that did.
    at = reached if corrects and not command.occurred_at else occurred_at(command, now, reached)
    if command.actor.kind == "timer" and command.entered is not None:
        at = max(at, reached)  # it was due before a fact that leaves the case where it was
    context.at = now if corrects else at  # who corrects must be somebody who may, and is so now
    attempt = attempt_of(command, case.key, workflow, case, given, command.evidence, context)
    prior: tuple[Verdict, ...] = ()
    taken: Taken | None = None
    if command.trigger in workflow.triggers(case.state):
        taken = workflow.step(command.trigger, attempt)
    if taken is None or at < reached or is_particular(command):
        prior = unmet(command, case, workflow, at, reached, now)
    if taken is None or prior:
        return _refused(
            command, case, workflow, context, (*prior, *nearest(attempt.tried, command.actor.kind))
        )
    state = taken.state
    done = deadlines.fired(command, case)
    # What a timer brings back to where it is goes on: nobody has to vote again because time passed.
    stays = taken.plan.stays or (done is not None and state == case.state)
    dues: tuple[Due, ...] | None = None
    if stays or done or state in workflow.timed:
        before = case.data if case.state == state else None
        entering = Entering(definition, state, attempt.data, at, context, before)
        dues, why = deadlines.begin(entering, done, case, stays)
        if why:
            verdicts = (*taken.verdicts, no_deadline(why))
            return _refused(command, case, workflow, context, verdicts)
    escalated = taken.plan.escalates(attempt) if taken.plan.escalates else None
    others: list[tuple[AnyEvent, Case]] = []
    if definition.reaches_others:
        others = _beside(command, case.key, case.definition, definition, case, state, attempt, at)
    said = envelope(command, case.key, case.version + 1, case.definition, context, at)
    said |= _taken_as(taken, attempt)
    said["data"] = given
    said["evidence"] = command.evidence
    said["source"] = case.state
    said["trigger"] = command.trigger
    if tells := taken.plan.tells:
        held = case.data
        names = given if corrects else tells
        said["before"] = {name: held[name] for name in names if name in held}
    if escalated:
        said["escalated"] = escalated
    if stays:
        said["stays"] = True
    if dues or (stays and dues is not None):
        said["deadlines"] = dues
        if stays:
            said["entered"] = case.entered
    return decided(others, CaseTransitioned.saying(said), case)


def _taken_as(taken: Taken, attempt: Attempt) -> dict[str, Any]:
    """Which step is taken, to which state, in which role, by which authority, on what ground."""
    plan, found = taken.plan, taken.plan.standing(attempt)
    said: dict[str, Any]
    said = {"name": plan.name, "state": taken.state, "verdicts": taken.verdicts}
    if found.role is not None:
        said["role"] = found.role
    if authority := found.authority:
        said["authority"] = authority
    if plan.basis and (basis := plan.basis(attempt)):
        said["basis"] = basis
    return said


def decided(others: list[tuple[AnyEvent, Case]], event: AnyEvent, case: Case | None) -> Decision:
    """That this is recorded of the case, and what it brings about on other streams before it."""
    if not others:
        return Decision((event,), evolve(case, event))
    events = (*(each for each, _ in others), event)
    return Decision(events, evolve(case, event), None, tuple(other for _, other in others))


def _beside(
    command: Command,
    key: str,
    ref: DefinitionRef,
    definition: Definition,
    case: Case | None,
    state: str,
    attempt: Attempt,
    at: str,
) -> list[tuple[AnyEvent, Case]]:
    """What the step brings about on other streams: parents hear of it, claims change hands."""
    context = attempt.context
    found = link(command, key, definition, [attempt.given], at, context)
    before = claims_of(definition, case.state, case.data) if case else {}
    after = claims_of(definition, state, attempt.data)
    return [*found, *hand_over(command, key, ref, before, after, at, context)]


def link(
    command: Command,
    key: str,
    definition: Definition,
    given: Iterable[Mapping[str, Value]],
    at: str,
    context: Context,
) -> list[tuple[AnyEvent, Case]]:
    """What parents hear that the case newly names, each with the parent as that leaves it."""
    found: list[tuple[AnyEvent, Case]] = []
    fields = definition.parent_fields
    if not fields:
        return found
    said = [brought.get(name) for brought in given for name in fields]
    for named in dict.fromkeys(one for one in said if isinstance(one, str)):
        parent = context.look(named) if named != key else None
        if parent and (definition.workflow, key) not in parent.children:
            event = CaseLinked(
                **envelope(command, parent.key, parent.version + 1, parent.definition, context, at),
                name="CaseLinked",
                child=key,
                workflow=definition.workflow,
            )
            after = evolve(parent, event)
            assert after is not None
            found.append((event, after))
    return found


def attach(command: AttachEvidence, case: Case, context: Context) -> Decision:
    """Put evidence beside a case."""
    check_evidence([command.evidence], context.now)
    at = occurred_at(command, context.now)
    event = EvidenceAttached(
        **envelope(command, case.key, case.version + 1, case.definition, context, at),
        name="EvidenceAttached",
        role=command.actor.roles[0] if command.actor.roles else None,
        evidence=command.evidence,
    )
    return Decision((event,), evolve(case, event))


def remind(command: Remind, case: Case, context: Context) -> Decision:
    """Record that a share of a deadline has passed, if the case is still in that state."""
    rule, why = deadlines.no_reminder(command, case, context.now)
    if why:
        unheld = Verdict(rule=rule, held=False, reason=why)
        return Decision((), case, Refused(f"{case.key}: the reminder is refused", (unheld,)))
    at = occurred_at(command, context.now)
    event = DeadlineReminded(
        **envelope(command, case.key, case.version + 1, case.definition, context, at),
        name="DeadlineReminded",
        due=command.due,
    )
    return Decision((event,), evolve(case, event))


def no_deadline(why: str) -> Verdict:
    return Verdict(rule="deadline", held=False, reason=why)


def references(
    workflow: Workflow, data: Mapping[str, Value], given: Mapping[str, Any]
) -> frozenset[str]:
    """The keys of the cases that a step with this data may read: those its conditions speak of,
    and those it newly refers to."""
    return frozenset(
        value
        for name in workflow.definition.ref_fields
        if (name in workflow.read_fields or name in given)
        and isinstance(value := given.get(name, data.get(name)), str)
        and values.CASE_KEY.fullmatch(value)
    )


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
        **envelope(command, case.key, case.version + 1, case.definition, context, context.now),
        name="CommandRefused",
        trigger=command.trigger,
        verdicts=verdicts,
    )
    return Decision((event,), evolve(case, event), refusal)


def attempt_of(
    command: Command,
    key: str,
    workflow: Workflow,
    case: Case | None,
    given: Mapping[str, Value],
    evidence: Sequence[Evidence],
    context: Context,
) -> Attempt:
    """What guards are asked about: the case that the step refers to has been looked at."""
    data: Mapping[str, Value] = given
    if case:
        data = {**case.data, **given} if given else case.data
    if workflow.definition.ref_fields:
        for referred in references(workflow, case.data if case else {}, given):
            context.look(referred)
    before = case.evidence if case else ()
    return Attempt(
        key=key,
        case=case,
        command=command,
        definition=workflow.definition,
        given=given,
        data=data,
        evidence=(*before, *evidence) if evidence else before,
        context=context,
    )
