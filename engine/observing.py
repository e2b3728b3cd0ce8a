"""Observing: pure, like ``engine.decide``. Facts are recorded without asking for permission, each
with what the rules say of it.

Facts come by the hundred thousand, so what those of one observation share is made once, and guards
are asked only about a fact that changes the state. Of the others those break a rule that change a
value which only a step away from the state may change: a target that is locked, say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from engine import values
from engine.attempt import Attempt
from engine.case import Case, evolve
from engine.commands import Observe
from engine.context import Context
from engine.decide import Decision, link, references
from engine.definition import Definition
from engine.envelope import envelope, occurred_at
from engine.errors import BadInput, Problem, Refused
from engine.events import CaseObserved, Conformance
from engine.machine import Workflow
from engine.preconditions import outrun
from engine.step import Step
from engine.values import Value

_CONFORMS = Conformance(verdict="conforms")


def observe(command: Observe, case: Case | None, workflow: Workflow, context: Context) -> Decision:
    """Record facts, each with what the rules say of it.

    Raises ``BadInput``; refuses only where ``expected_version`` shows that the case has moved on.
    """
    if moved := outrun(command, case):
        return Decision((), case, Refused(f"{command.case}: the facts are refused", moved))
    at = occurred_at(command, context.now)
    definition = workflow.definition
    read = _read(command, definition)
    linked = link(command, command.case, definition, read, at, context)
    version, ref = (case.version + 1, case.definition) if case else (1, workflow.ref)
    shared = envelope(command, command.case, version, ref, context, at)
    shared["origin"] = command.origin
    events: list[CaseObserved] = []
    for fact, given in zip(command.facts, read, strict=True):
        state = definition.initial if case is None and fact.state is None else fact.state
        said = {
            **shared,
            "name": fact.name,
            "data": given,
            "conformance": _conformance(command, case, workflow, state, given, at, context),
            "reads": context.reads,
        }
        if state is not None:
            said["state"] = state
        if events:
            said["event_id"] = context.new_id()
            said["version"] = version + len(events)
        event = CaseObserved.saying(said)
        events.append(event)
        case = evolve(case, event)
    told = (event for event, _ in linked)
    return Decision((*told, *events), case, None, tuple(parent for _, parent in linked))


def _read(command: Observe, definition: Definition) -> list[dict[str, Value]]:
    """The data of every fact. Raises ``BadInput`` with all that is wrong with any of them."""
    read: list[dict[str, Value]] = []
    problems: list[Problem] = []
    for index, fact in enumerate(command.facts):
        where = f"/facts/{index}"
        try:
            read.append(values.read_all(definition.data, fact.data, f"{where}/data"))
        except BadInput as error:
            problems.extend(error.problems)
            continue
        if fact.state is not None and fact.state not in definition.states:
            mend = f"one of: {', '.join(definition.states)}"
            problems.append(Problem(f"{where}/state", f"no state {fact.state!r}", mend))
    if problems:
        raise BadInput(problems)
    return read


def _conformance(
    command: Observe,
    case: Case | None,
    workflow: Workflow,
    state: str | None,
    given: Mapping[str, Value],
    occurred_at: str,
    context: Context,
) -> Conformance:
    if case is not None and (state is None or state == case.state):
        return _of_values(case, workflow, given, occurred_at)
    definition = workflow.definition
    if case is None:
        if state != definition.initial:
            return _violates(f"start: begins in {definition.initial}, not in {state}")
        attempt = _attempt(command, None, workflow, given, context)
        return _judged(workflow, definition.start, attempt)
    if occurred_at < case.since[""]:
        return Conformance(verdict="not_evaluable", rules=("recorded out of order",))
    rules = [
        rule for rule in definition.transitions_from(case.state) if rule.target(case.state) == state
    ]
    if not rules:
        return _violates(f"from: nothing leads from {case.state} to {state}")
    attempt = _attempt(command, case, workflow, given, context)
    return min((_judged(workflow, rule, attempt) for rule in rules), key=_severity)


def _of_values(
    case: Case, workflow: Workflow, given: Mapping[str, Value], occurred_at: str
) -> Conformance:
    """What the rules say of a fact that leaves the case in its state. What was missing may come to
    be known, and what was so before the value that stands changes nothing."""
    locked = workflow.locked[case.state]
    if given.keys().isdisjoint(locked):
        return _CONFORMS
    moved = [
        f"takes: {name} changes by {locked[name]} alone, and not while it stays in {case.state}"
        for name, value in given.items()
        if name in locked
        and name in case.data
        and case.data[name] != value
        and case.since.get(name, "") <= occurred_at
    ]
    return _violates(*moved) if moved else _CONFORMS


def _attempt(
    command: Observe,
    case: Case | None,
    workflow: Workflow,
    given: Mapping[str, Value],
    context: Context,
) -> Attempt:
    before = case.data if case else {}
    for referred in references(workflow, before, given):
        context.look(referred)
    return Attempt(
        key=command.case,
        case=case,
        command=command,
        definition=workflow.definition,
        given=given,
        data={**before, **given},
        evidence=case.evidence if case else (),
        context=context,
    )


def _judged(workflow: Workflow, rule: Step, attempt: Attempt) -> Conformance:
    verdicts = workflow.judge(rule, attempt)
    verdicts = tuple(v for v in verdicts if v.weight == "shall")
    broken = tuple(f"{v.rule}: {v.reason}" for v in verdicts if v.held is False)
    if broken:
        return _violates(*broken)
    open_ = tuple(f"{v.rule}: {v.reason}" for v in verdicts if v.held is None)
    return Conformance(verdict="not_evaluable", rules=open_) if open_ else _CONFORMS


def _severity(conformance: Conformance) -> tuple[int, int]:
    order: dict[Literal["conforms", "not_evaluable", "violates"], int]
    order = {"conforms": 0, "not_evaluable": 1, "violates": 2}
    return order[conformance.verdict], len(conformance.rules)


def _violates(*rules: str) -> Conformance:
    return Conformance(verdict="violates", rules=rules)
