"""What stands in the way of each step from here, as the engine would judge it now.

Only what does not depend on who asks or on what they bring along: votes, agreement, authority,
children, claims, papers that have changed or grown old.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine import values
from engine.case import Case
from engine.commands import PullTrigger, Requester

if TYPE_CHECKING:
    from app.home import Home
    from engine.attempt import Attempt
    from engine.definition import Step
    from engine.registers import Rule

_LASTING = ("agreed_by", "quorum", "authority", "children", "only_one")


@dataclass(frozen=True, slots=True)
class Hurdles:
    """Of one step: who the authority in force names, what is missing, what would be warned of."""

    decided_by: tuple[str, ...]
    missing: tuple[str, ...]
    warned: tuple[str, ...]


def hurdles(home: Home, case: Case) -> list[Hurdles]:
    """Of every transition that leaves the case's state, in the definition's order."""
    from engine import ids
    from engine.attempt import Attempt
    from engine.case import fold
    from engine.clock import SystemClock
    from engine.context import Context

    workflow = home.service.catalog.pinned(case.definition)
    context = Context(
        SystemClock().now(),
        ids.new_id,
        lambda stream: fold(recorded.event for recorded in home.log.stream(stream)),
        lambda ref: home.service.catalog.pinned(ref).definition,
    )
    found = []
    for step in workflow.definition.transitions_from(case.state):
        nobody = PullTrigger(
            command_id=ids.new_id(), actor=Requester(id="-"), case=case.key, trigger=step.trigger
        )
        attempt = Attempt(
            key=case.key,
            case=case,
            command=nobody,
            definition=workflow.definition,
            given={},
            data=case.data,
            evidence=case.evidence,
            context=context,
        )
        verdicts = [v for v in workflow.judge(step, attempt) if not v.held and _lasts(v.rule, case)]
        found.append(
            Hurdles(
                decided_by=tuple(dict.fromkeys(_deciders(step, attempt))),
                missing=tuple(dict.fromkeys(v.reason for v in verdicts if v.weight == "shall")),
                warned=tuple(dict.fromkeys(v.reason for v in verdicts if v.weight == "should")),
            )
        )
    return found


def _lasts(rule: str, case: Case) -> bool:
    """Whether the verdict would be the same whoever asks, and whatever they bring along."""
    kind, _, which = rule.partition(" ")
    if kind == "evidence":
        return any(item.kind == which for item in case.evidence)
    return kind in _LASTING


def _deciders(step: Step, attempt: Attempt) -> Iterator[str]:
    from engine.definition import ByAuthority
    from engine.standing import authority_of

    for who in step.by:
        if isinstance(who, ByAuthority):
            rule, _ = authority_of(who, attempt)
            if rule is not None:
                yield _decider(rule)


def _decider(rule: Rule) -> str:
    who = rule.holder if rule.by_body else f"{rule.holder} in {rule.unit}"
    reach = f"up to {values.show(dict(rule.limit))}" if rule.limit else "without limit"
    return f"{who}, {reach} ({rule.key})"
