"""Migrating: pure, like ``engine.decide``. A case that is under way goes on by another version of
its workflow; back to the earlier one is the same thing.

It moves no case past a guard: the state stays what it is wherever the version has it, and a case
can neither leave nor come to a final state by it. It loses nothing: what the case holds must all be
data of that version.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine import deadlines, values
from engine.actors import MACHINES
from engine.case import Case
from engine.claims import claim_verdicts, claims_of, hand_over
from engine.commands import MigrateCase
from engine.context import Context
from engine.deadlines import Entering
from engine.decide import Decision, decided, link, no_deadline
from engine.definition import Definition
from engine.envelope import envelope
from engine.errors import BadInput, Refused
from engine.events import CaseMigrated, Due, Verdict
from engine.machine import Workflow


def migrate(
    command: MigrateCase, case: Case, before: Workflow, after: Workflow | None, context: Context
) -> Decision:
    """Pin the case to ``after``, which is ``None`` where no such version is published.

    Raises ``BadInput`` for a migration that is told of another time than now.
    """
    if command.occurred_at is not None:
        what = "a case goes on by another version from the moment that is recorded"
        raise BadInput.one("/occurred_at", what, "leave it out")
    if after is None:
        return _refused(case, [*_ended(case, before.definition), _unknown(case, command.to)])
    at = max(context.now, *case.since.values())
    old, new = before.definition, after.definition
    state = case.state if case.state in new.states else command.state
    verdicts = [*_ended(case, old), *_unfit(case, after, state, command.state)]
    verdicts += _forgotten(case, old, new)
    dues: tuple[Due, ...] = ()
    if state in new.states:
        verdicts += claim_verdicts(new, state, case.data, case.key, context)
        dues, why = _dues(case, old, new, state, at, context)
        verdicts += [no_deadline(why)] if why else []
    if state is None or not all(verdict.held for verdict in verdicts):
        return _refused(case, verdicts)
    others = link(command, case.key, new, [case.data], at, context)
    had, has = claims_of(old, case.state, case.data), claims_of(new, state, case.data)
    others += hand_over(command, case.key, after.ref, had, has, at, context)
    event = CaseMigrated(
        **envelope(command, case.key, case.version + 1, after.ref, context, at),
        name="CaseMigrated",
        role=command.actor.roles[0] if command.actor.roles else None,
        former=case.definition,
        source=case.state,
        state=state,
        stays=True if state == case.state and dues == case.deadlines else None,
        entered=case.entered if state == case.state else case.version + 1,
        deadlines=dues or None,
    )
    return decided(others, event, case)


def _ended(case: Case, old: Definition) -> Iterator[Verdict]:
    if old.states[case.state].final:
        yield _not("final", f"{case.key} has ended ({case.state}), and stays as it was decided")


def _unknown(case: Case, version: int) -> Verdict:
    name = case.definition.name
    return _not("to", f"no version {version} of {name} is published; pmo workflows lists them")


def _unfit(case: Case, after: Workflow, state: str | None, asked: str | None) -> Iterator[Verdict]:
    """What the case is that the version has no place for."""
    new, version = after.definition, f"version {after.ref.version}"
    if after.ref.hash == case.definition.hash:
        yield _not("to", f"{case.key} is of {version} already")
    if state is None:
        offer = ", ".join(name for name, one in new.states.items() if not one.final)
        told = f"{version} has no state {case.state}; say where it goes on: {offer}"
        yield _not("state", told)
    elif state not in new.states:
        yield _not("state", f"{version} has neither the state {case.state} nor {asked}")
    elif asked is not None and asked not in new.states:
        yield _not("state", f"{version} has no state {asked}")
    elif new.states[state].final:
        yield _not("state", f"{state} is final in {version}, and no case ends by being migrated")
    for name in [name for name in case.data if name not in new.data]:
        yield _not("data", f"{name} is not there in {version}, and the case has a value of it")
    known = {name: value for name, value in case.data.items() if name in new.data}
    try:
        values.read_all(new.data, known, "")
    except BadInput as error:
        for problem in error.problems:
            yield _not("data", f"{problem.where.strip('/')} does not fit {version}: {problem.what}")


def _forgotten(case: Case, old: Definition, new: Definition) -> Iterator[Verdict]:
    """Who has acted in a role that keeps people apart must be kept apart by the version, too."""
    kept = {role for step in old.transitions for role in step.not_by}
    if not any(step.not_by for step in new.transitions):
        return
    for role in sorted(kept.intersection(case.acted) - {*new.roles, *new.data, *MACHINES}):
        who = ", ".join(case.acted[role])
        told = f"{who} acted as {role}, and the version would not know it: it has no such role"
        yield _not("roles", told)


def _dues(
    case: Case, old: Definition, new: Definition, state: str, at: str, context: Context
) -> tuple[tuple[Due, ...], str]:
    """What falls due from now on, or why that cannot be said.

    By the same rule what people were told stands. By another it is counted from now on: nobody can
    be late by what was not asked of them. A day that has passed is asked for anew only as long as
    nothing was done about it.
    """
    rules = [
        (one.states[state].deadline, one.calendar) for one in (old, new) if state in one.states
    ]
    if state == case.state and rules[0] == rules[1]:
        return case.deadlines, ""
    overdue = any(due.at <= at for due in case.deadlines)
    entering = Entering(new, state, case.data, at, context, None if overdue else case.data)
    dues, why = deadlines.begin(entering)
    return dues or (), why


def _refused(case: Case, verdicts: list[Verdict]) -> Decision:
    return Decision((), case, Refused(f"{case.key} cannot be migrated", verdicts))


def _not(rule: str, reason: str) -> Verdict:
    return Verdict(rule=rule, held=False, reason=reason)
