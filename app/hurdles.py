"""What stands in the way of each step from here, as the engine would judge it now.

Without somebody who asks, only what does not depend on who asks or on what they bring along: votes,
agreement, authority, children, claims, papers that have changed or grown old, conditions on what
the step does not take. With somebody, whether they may, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from app.offers import Offer, Prospect
from engine import values
from engine.actors import is_for_machines
from engine.case import Case, fold
from engine.cel.conditions import compile_condition
from engine.clock import SystemClock
from engine.commands import PullTrigger, Requester
from engine.context import Context
from engine.decide import attempt_of
from engine.definition import Definition
from engine.guards import accepted
from engine.ids import new_id
from engine.signing import ballots
from engine.standing import authorities
from engine.step import ByAuthority, Transition
from engine.values import Value
from engine.ways import distance, nearest

if TYPE_CHECKING:
    from app.home import Home
    from engine.attempt import Attempt
    from engine.events import Verdict
    from engine.machine import Workflow
    from engine.registers import Rule

_LASTING = ("agreed_by", "quorum", "authority", "children", "only_one")
_OF_WHO_ASKS = ("by", "gone_up", "not_by", "conflict")
_NOBODY = Requester(id="-")


@dataclass(frozen=True, slots=True)
class Hurdles:
    """Of one step: what every guard says now, with nothing brought along; whom the authority in
    force names (unless somebody asks), what is missing, and what would be warned of.

    ``missing`` is empty where who asks may take it, with whatever it needs; ``on_behalf_of`` is the
    delegation by which they may.
    """

    step: Transition
    verdicts: tuple[Verdict, ...]
    decided_by: tuple[str, ...]
    missing: tuple[str, ...]
    warned: tuple[str, ...]
    on_behalf_of: str = ""


class Inquiry:
    """The engine, asked about any number of cases at one moment. Nothing is recorded."""

    def __init__(self, home: Home) -> None:
        self._log = home.log
        self._catalog = home.service.catalog
        self._settled: dict[tuple[int, bool], frozenset[str]] = {}
        self._context = Context(
            SystemClock().now(), new_id, self.find, lambda ref: self._catalog.pinned(ref).definition
        )

    def find(self, key: str) -> Case | None:
        return fold(recorded.event for recorded in self._log.stream(key))

    def body(self, case: Case) -> dict[str, Any]:
        """The rules that the case goes by, as data."""
        return self._catalog.pinned(case.definition).definition.body

    def hurdles(
        self,
        case: Case,
        asker: Requester | None = None,
        delegations: Sequence[str] = (),
        triggers: Collection[str] | None = None,
    ) -> list[Hurdles]:
        """Of every transition that leaves the case's state, in the definition's order; of those by
        some ``triggers``, if they are named.

        Who may not take one by themselves may by one of their ``delegations``.
        """
        workflow = self._catalog.pinned(case.definition)
        steps = workflow.definition.transitions_from(case.state)
        if triggers is not None:
            steps = tuple(step for step in steps if step.trigger in triggers)
        return [self._of(step, workflow, case, asker, delegations) for step in steps]

    def prospect(
        self,
        asker: Requester,
        case: Case,
        offered: Sequence[Offer],
        delegations: Sequence[str] = (),
        signing: bool = True,
    ) -> Prospect:
        """What is offered from the case's state (all, or all by some triggers) as it stands for
        them; and, unless they are not asked for it, what is up for their answer, or for that of
        whoever lent them a role."""
        triggers = {offer.trigger for offer in offered}
        found = self.hurdles(case, asker, delegations, triggers)
        told = [replace(offer, may=not offer.missing) for offer in with_hurdles(offered, found)]
        workflow = self._catalog.pinned(case.definition)
        up = ballots(case, workflow, asker, self._context, delegations) if signing else ()
        return Prospect(
            offered=tuple(sorted(told, key=lambda offer: not offer.may)),
            ballots=tuple(up),
            cannot=self._refusals(found, workflow, case, asker),
        )

    def _refusals(
        self, found: Sequence[Hurdles], workflow: Workflow, case: Case, asker: Requester
    ) -> dict[str, tuple[str, ...]]:
        """Why not, by trigger, of what none of its ways leads to."""
        by_trigger: dict[str, list[Hurdles]] = {}
        for hurdles in found:
            by_trigger.setdefault(hurdles.step.trigger, []).append(hurdles)

        def lasts(step: Transition, verdict: Verdict) -> bool:
            return self._lasts(verdict, step, workflow, case, asked=True)

        told = {}
        for trigger, ways in by_trigger.items():
            machines = all(is_for_machines(way.step.by) for way in ways)
            if machines or not all(way.missing for way in ways):
                continue
            said = nearest([(way.step, way.verdicts) for way in ways], asker.kind, lasts)
            told[trigger] = _reasons(v for v in said if not v.held and v.weight == "shall")
        return told

    def _of(
        self,
        step: Transition,
        workflow: Workflow,
        case: Case,
        asker: Requester | None,
        delegations: Sequence[str],
    ) -> Hurdles:
        own = self._judged(step, workflow, case, asker)
        if asker is None or not own.missing:
            return own
        levels = [*self._levels(step, workflow, case)]
        brought = [own]
        for level in levels:
            brought.append(self._judged(step, workflow, case, asker, None, level))
            if not brought[-1].missing:
                return brought[-1]
        for key in delegations:
            for level in ({}, *levels):
                lent = self._judged(step, workflow, case, asker, key, level)
                if not lent.missing:
                    return lent

        def lasting(way: Hurdles) -> tuple[int, int]:
            against = [v for v in way.verdicts if self._lasts(v, step, workflow, case, asked=True)]
            return distance(step, against)

        # Who lacks only the level that would make it theirs is not told whose it is without.
        near = min(range(len(brought)), key=lambda number: lasting(brought[number]))
        return _with_level(brought[near], levels[near - 1]) if near else own

    def _levels(
        self, step: Transition, workflow: Workflow, case: Case
    ) -> Iterator[dict[str, Value]]:
        """The levels of authority that whoever takes the step may bring along, to have it."""
        for who in step.by:
            if isinstance(who, ByAuthority) and who.authority.least:
                field = who.authority.least.removeprefix("data.")
                if field in accepted(step, workflow.definition):
                    attempt = self._attempt(step, workflow, case, _NOBODY, None, {})
                    yield from ({field: rule.level} for rule in authorities(who, attempt))

    def _judged(
        self,
        step: Transition,
        workflow: Workflow,
        case: Case,
        asker: Requester | None,
        delegation: str | None = None,
        given: Mapping[str, Value] = MappingProxyType({}),
    ) -> Hurdles:
        attempt = self._attempt(step, workflow, case, asker or _NOBODY, delegation, given)
        asked = asker is not None
        verdicts = workflow.judge(step, attempt)
        against = [
            verdict
            for verdict in verdicts
            if not verdict.held and self._lasts(verdict, step, workflow, case, asked)
        ]
        return Hurdles(
            step=step,
            verdicts=verdicts,
            decided_by=() if asker else tuple(dict.fromkeys(_deciders(step, attempt))),
            missing=_reasons(v for v in against if v.weight == "shall"),
            warned=_reasons(v for v in against if v.weight == "should"),
            on_behalf_of=delegation or "",
        )

    def _lasts(
        self, verdict: Verdict, step: Transition, workflow: Workflow, case: Case, asked: bool
    ) -> bool:
        """Whether it would be the same whatever they bring along (and whoever asks)."""
        settled = self._settled_of(step, workflow.definition, asked)
        return verdict.rule in settled or _lasts(verdict, step, case, asked)

    def _settled_of(self, step: Transition, definition: Definition, asked: bool) -> frozenset[str]:
        key = id(step), asked
        if key not in self._settled:
            self._settled[key] = _settled(step, definition, asked)
        return self._settled[key]

    def _attempt(
        self,
        step: Transition,
        workflow: Workflow,
        case: Case,
        actor: Requester,
        delegation: str | None,
        given: Mapping[str, Value],
    ) -> Attempt:
        command = PullTrigger(
            command_id="-",
            actor=actor,
            case=case.key,
            trigger=step.trigger,
            on_behalf_of=delegation,
        )
        return attempt_of(command, case.key, workflow, case, given, (), self._context)


def _with_level(hurdles: Hurdles, level: Mapping[str, Value]) -> Hurdles:
    """With what is to be brought before each reason that is left then."""
    bring = "bring " + ", ".join(f"{name}={values.show(one)}" for name, one in level.items())
    verdicts = tuple(
        v if v.held else replace(v, reason=f"{bring}, but {v.reason}") for v in hurdles.verdicts
    )
    missing = tuple(f"{bring}, but {reason}" for reason in hurdles.missing)
    return replace(hurdles, verdicts=verdicts, missing=missing)


def with_hurdles(offered: Sequence[Offer], stands: Sequence[Hurdles]) -> list[Offer]:
    return [
        replace(
            offer,
            decided_by=hurdles.decided_by,
            missing=hurdles.missing,
            warned=hurdles.warned,
            on_behalf_of=hurdles.on_behalf_of,
        )
        for offer, hurdles in zip(offered, stands, strict=True)
    ]


def _reasons(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(verdict.reason for verdict in verdicts))


def _settled(step: Transition, definition: Definition, asked: bool) -> frozenset[str]:
    """The conditions, as verdicts name them, that stand whatever comes along (and whoever asks)."""
    open_ = {"evidence", "withheld", *accepted(step, definition), *([] if asked else ["actor"])}
    checks = [*step.when, *(step.should.when if step.should else ())]
    conditions = [compile_condition(check.check, definition) for check in checks]
    return frozenset(one.source for one in conditions if not one.looks_at & open_)


def _lasts(verdict: Verdict, step: Transition, case: Case, asked: bool) -> bool:
    kind, _, which = verdict.rule.partition(" ")
    if kind == "evidence":
        said = step.should if verdict.weight == "should" else step
        comes = said and any(need.anew for need in said.evidence if need.kind == which)
        return not comes and any(item.kind == which for item in case.evidence)
    nobody_has_it = kind == "gone_up" and case.gone_up is None
    return nobody_has_it or kind in _LASTING or (asked and kind in _OF_WHO_ASKS)


def _deciders(step: Transition, attempt: Attempt) -> Iterator[str]:
    """Whom the authority in force names; all who could, where the step itself says the level."""
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
