"""What stands in the way of each step from here, as the engine would judge it now.

Only what does not depend on who asks or on what they bring along: votes, agreement, authority,
children, claims, papers that have changed or grown old, conditions on what the step does not take.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from engine import values
from engine.case import Case
from engine.commands import PullTrigger, Requester

if TYPE_CHECKING:
    from app.home import Home
    from engine.attempt import Attempt
    from engine.definition import Definition, Step
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
    from engine.decide import references

    workflow = home.service.catalog.pinned(case.definition)
    context = Context(
        SystemClock().now(),
        ids.new_id,
        lambda stream: fold(recorded.event for recorded in home.log.stream(stream)),
        lambda ref: home.service.catalog.pinned(ref).definition,
    )
    for referred in references(workflow, case.data, {}):
        context.look(referred)
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
        settled = _settled(step, workflow.definition)
        verdicts = [
            verdict
            for verdict in workflow.judge(step, attempt)
            if not verdict.held and (verdict.rule in settled or _lasts(verdict.rule, step, case))
        ]
        found.append(
            Hurdles(
                decided_by=tuple(dict.fromkeys(_deciders(step, attempt))),
                missing=tuple(dict.fromkeys(v.reason for v in verdicts if v.weight == "shall")),
                warned=tuple(dict.fromkeys(v.reason for v in verdicts if v.weight == "should")),
            )
        )
    return found


def _settled(step: Step, definition: Definition) -> frozenset[str]:
    """The conditions, as verdicts name them, that stand whoever asks and whatever comes along."""
    from engine.cel.conditions import compile_condition
    from engine.guards import accepted

    open_ = {"actor", "evidence", "withheld", *accepted(step, definition)}
    checks = [*step.when, *(step.should.when if step.should else ())]
    conditions = [compile_condition(check.check, definition) for check in checks]
    return frozenset(one.source for one in conditions if not one.looks_at & open_)


def _lasts(rule: str, step: Step, case: Case) -> bool:
    """Whether the verdict would be the same whoever asks, and whatever they bring along."""
    kind, _, which = rule.partition(" ")
    if kind == "evidence":
        comes = any(need.anew for need in step.evidence if need.kind == which)
        return not comes and any(item.kind == which for item in case.evidence)
    return kind in _LASTING


def _deciders(step: Step, attempt: Attempt) -> Iterator[str]:
    """Whom the authority in force names; all who could, where the step itself says the level."""
    from engine.definition import ByAuthority
    from engine.guards import accepted
    from engine.standing import authorities

    for who in step.by:
        if isinstance(who, ByAuthority):
            level = (who.authority.least or "").removeprefix("data.")
            rules = authorities(who, attempt)
            if level not in accepted(step, attempt.definition):
                rules = islice(rules, 1)
            yield from map(_decider, rules)


def _decider(rule: Rule) -> str:
    who = rule.holder if rule.by_body else f"{rule.holder} in {rule.unit}"
    reach = f"up to {values.show(dict(rule.limit))}" if rule.limit else "without limit"
    return f"{who}, {reach} ({rule.key})"
