"""What must be so before any guard is asked: evidence is some, the case is as its sender has seen
it, the trigger leads on from its state, and what happened comes after what it replaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine import deadlines
from engine.case import Case
from engine.clock import is_instant_or_date
from engine.commands import Observe, PullTrigger
from engine.errors import BadInput, Problem
from engine.events import Evidence, Verdict
from engine.machine import Workflow

_KIND = re.compile(r"[a-z][a-z0-9_\-]{0,59}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_evidence(evidence: Iterable[Evidence], now: str) -> None:
    """Evidence is what guards rest on. Raises ``BadInput`` for what cannot be any."""
    problems = []
    for index, item in enumerate(evidence):
        at = f"/evidence/{index}"
        if not _KIND.fullmatch(item.kind):
            mend = "lower-case letters, digits, '-' and '_', as in business-case"
            problems.append(Problem(f"{at}/kind", f"{item.kind[:60]!r} is no kind", mend))
        if not _SHA256.fullmatch(item.sha256):
            told = "is not a SHA-256 in hexadecimal digits"
            problems.append(Problem(f"{at}/sha256", told, "sha256sum FILE prints it"))
        if not is_instant_or_date(item.as_of):
            told = f"{item.as_of[:60]!r} is no date"
            problems.append(Problem(f"{at}/as_of", told, "write it as 2026-12-31"))
        elif item.as_of > now:
            mend = "give the date that the document speaks of"
            problems.append(Problem(f"{at}/as_of", f"{item.as_of} is still to come", mend))
    if problems:
        raise BadInput(problems)


def outrun(command: PullTrigger | Observe, case: Case | None) -> tuple[Verdict, ...]:
    """Whether the case is no longer what the sender had seen."""
    if command.expected_version is None:
        return ()
    version = case.version if case else 0
    if command.expected_version == version:
        return ()
    where = command.case
    reason = f"{where} is at version {version}, not {command.expected_version}; look at it again"
    return (Verdict(rule="expected_version", held=False, reason=reason),)


def is_particular(command: PullTrigger) -> bool:
    """Whether the sender has said more than what to do, which ``unmet`` looks at."""
    return (
        command.expected_version is not None
        or command.entered is not None
        or command.override is not None
    )


def unmet(
    command: PullTrigger, case: Case, workflow: Workflow, occurred_at: str, reached: str, now: str
) -> tuple[Verdict, ...]:
    """What must be so before any guard of a transition is asked."""
    verdicts = list(outrun(command, case))
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
    if command.override:
        rules = workflow.definition.transitions_from(case.state)
        if not any(rule.override for rule in rules if rule.trigger == command.trigger):
            nothing = f"nothing about {command.trigger} may be overridden here"
            verdicts.append(Verdict(rule="override", held=False, reason=nothing))
    if command.entered not in (None, case.entered):
        left = f"{case.key} is not in the state any more that it entered at {command.entered}"
        verdicts.append(Verdict(rule="entered", held=False, reason=left))
    if early := deadlines.too_early(command, case, now):
        verdicts.append(Verdict(rule="due", held=False, reason=early))
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
