"""What another version of a workflow would have decided: every step of the past is asked for again.

Each is judged on what was so when it was taken: the case, and whatever else is looked at, as they
were then. What would have become of a case after a step that comes out otherwise is not made up.
Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from engine import decide
from engine.case import Case
from engine.catalog import Catalog
from engine.commands import PullTrigger, Requester, StartCase
from engine.context import Context
from engine.decide import Decision
from engine.definition import Definition
from engine.drafting import no_case
from engine.errors import BadInput, Refused
from engine.events import (
    AnyEvent,
    CaseStarted,
    CaseTransitioned,
    CommandRefused,
    Verdict,
    from_body,
)
from engine.machine import Workflow
from engine.past import Past
from engine.store.log import Log, Recorded
from engine.store.tail import tail

Asked = CaseStarted | CaseTransitioned | CommandRefused
Finding = Literal["as it was", "otherwise", "not known"]
Progress = Callable[[int, int], object]

_ASKED = (CaseStarted, CaseTransitioned, CommandRefused)
_TYPES = frozenset(kind.type for kind in _ASKED)

_OF_THE_MOMENT = frozenset({"expected_version", "entered", "due", "occurred_at"})
"""Rules by which a command was refused that are the same whatever a definition says."""
_OF_THE_CASE = frozenset({"not_by", "conflict", "agreed_by", "quorum", "children"})
"""Rules that hold or not whatever is brought along, and whoever says to be in which roles."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a step: where it led and what was recorded, or why it was refused."""

    state: str | None = None
    name: str | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A step of the past, as the event at ``position`` tells it; and what would come of it."""

    position: int
    event: Asked
    finding: Finding
    now: Came

    @property
    def then(self) -> Came:
        return _recorded(self.event)


def rehearse(
    log: Log,
    candidate: Definition,
    cases: Collection[str] = (),
    since: str = "",
    progress: Progress = lambda _done, _total: None,
) -> Iterator[Judged]:
    """Every start, transition and recorded refusal of the workflow, in the order of the log: of all
    cases, or of those named; of those recorded from the day ``since`` on.

    Raises ``BadInput`` for a case that is not there, or is one of another workflow.
    """
    rehearsal = _Rehearsal(log, Workflow(candidate))
    steps = _of_cases if cases else _of_all
    for position, event in steps(log, candidate.workflow, cases, progress):
        if event.recorded_at >= since:
            yield rehearsal.judge(position, event)


def _of_all(
    log: Log, workflow: str, _cases: Collection[str], progress: Progress
) -> Iterator[tuple[int, Asked]]:
    head = log.head()
    for batch in tail(log, 0, until=head):
        for position, body in batch:
            if body["type"] in _TYPES and body["definition"]["name"] == workflow:
                event = from_body(body)
                assert isinstance(event, _ASKED)
                yield position, event
        progress(batch[-1][0], head)


def _of_cases(
    log: Log, workflow: str, cases: Collection[str], progress: Progress
) -> Iterator[tuple[int, Asked]]:
    found: list[Recorded] = []
    for key in dict.fromkeys(cases):
        events = log.stream(key)
        if not events or "/" in key:
            raise no_case(key)
        if (of := events[0].event.definition.name) != workflow:
            raise BadInput.one("/case", f"{key} is a case of {of}, not of {workflow}")
        found += events
    found.sort()
    for done, (position, event) in enumerate(found, 1):
        if isinstance(event, _ASKED):
            yield position, event
        progress(done, len(found))


class _Rehearsal:
    def __init__(self, log: Log, candidate: Workflow) -> None:
        self._candidate = candidate
        self._catalog = Catalog(log)
        self._past = Past(log)

    def judge(self, position: int, event: Asked) -> Judged:
        self._past.go_to(Recorded(position, event))
        case = None if isinstance(event, CaseStarted) else self._past.find(event.stream)
        pinned = self._catalog.pinned(case.definition if case else event.definition)
        if isinstance(event, CommandRefused):
            assert case is not None
            return Judged(position, event, *self._refused(event, case, pinned))
        then, now = _recorded(event), self._taken(event, case, self._candidate)
        if (now.state, now.name) == (then.state, then.name):
            return Judged(position, event, "as it was", now)
        again = self._taken(event, case, pinned)
        known = (again.state, again.name) == (then.state, then.name)
        return Judged(position, event, "otherwise" if known else "not known", now)

    def _taken(
        self, event: CaseStarted | CaseTransitioned, case: Case | None, workflow: Workflow
    ) -> Came:
        """What comes of it, asked in the role that is recorded; or else by the same person, as the
        registers know them: other roles that they had are not in the event."""
        came = _came(self._ask(event, case, workflow, (event.role,) if event.role else ()))
        if came.state is None and event.role:
            known = _came(self._ask(event, case, workflow, ()))
            return came if known.state is None else known
        return came

    def _refused(self, event: CommandRefused, case: Case, pinned: Workflow) -> tuple[Finding, Came]:
        """A refusal is recorded without the roles of whoever asked, and without the data and the
        documents that they brought along. So both versions are asked without, and what differs
        between them is looked at."""
        then = {verdict.rule for verdict in event.verdicts if _stands(verdict)}
        ways = self._ways(event, case, self._candidate)
        now = Came(None, None, tuple(dict.fromkeys(v.reason for way in ways for v in way)))
        same_rules = _rules(event, case, pinned) == _rules(event, case, self._candidate)
        if same_rules or not then.isdisjoint(_OF_THE_MOMENT):
            return "as it was", now
        before = {verdict for way in self._ways(event, case, pinned) for verdict in way}
        open_ = [way for way in ways if not any(_still(v, then, before) for v in way)]
        if not open_:
            return "as it was", now
        asked = {verdict.rule for verdict in before} | {"from"}
        if then <= asked and any(before.issuperset(way) for way in open_):
            return "otherwise", Came()  # what else stands against it held then, and would now
        return "not known", now

    def _ways(
        self, event: CommandRefused, case: Case, workflow: Workflow
    ) -> list[tuple[Verdict, ...]]:
        """What stands against each way that the trigger leads from there."""
        context = self._context(event)
        command = PullTrigger(**_said(event), case=case.key, trigger=event.trigger)
        attempt = decide.attempt_of(command, case.key, workflow, case, {}, (), context)
        return [
            tuple(filter(_stands, workflow.judge(step, attempt)))
            for step in workflow.definition.transitions_from(case.state)
            if step.trigger == event.trigger
        ]

    def _ask(
        self,
        event: CaseStarted | CaseTransitioned,
        case: Case | None,
        workflow: Workflow,
        roles: tuple[str, ...],
    ) -> Decision:
        """What a version decides on the same question at the same moment."""
        said = _said(event, roles) | {
            "occurred_at": event.occurred_at,
            "data": event.data,
            "evidence": event.evidence,
        }
        context = self._context(event)
        try:
            if isinstance(event, CaseStarted):
                start = StartCase(**said, workflow=event.definition.name)
                return decide.start(start, event.stream, workflow, context)
            assert case is not None
            if case.state not in workflow.definition.states:
                lacks = f"{case.key} is in {case.state}, a state that this version does not have"
                return _no([lacks])
            if event.actor.kind == "timer":
                said["entered"] = case.entered
            if any(verdict.weight == "overridden" for verdict in event.verdicts):
                said["override"] = True
            pull = PullTrigger(**said, case=case.key, trigger=event.trigger)
            return decide.pull(pull, case, workflow, context)
        except BadInput as error:
            return _no([f"{p.where.removeprefix('/data/')}: {p.what}" for p in error.problems])

    def _context(self, event: Asked) -> Context:
        """The world as it was; a rehearsal records nothing, so that one id will do."""
        return Context(
            event.recorded_at, lambda: event.event_id, self._past.find, self._catalog.definition
        )


def _said(event: Asked, roles: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the command said of who asked, and why."""
    return {
        "command_id": event.command_id,
        # As it stands in the log, also where nobody could be called so today.
        "actor": Requester.model_construct(id=event.actor.id, kind=event.actor.kind, roles=roles),
        "reason": event.reason,
        "on_behalf_of": event.on_behalf_of,
    }


def _no(reasons: list[str]) -> Decision:
    verdicts = [Verdict(rule="from", held=False, reason=reason) for reason in reasons]
    return Decision((), None, Refused("", verdicts))


def _rules(event: CommandRefused, case: Case, workflow: Workflow) -> tuple[Any, ...]:
    """What a version says of the step, but for what it is called."""
    definition = workflow.definition
    return (
        definition.roles,
        definition.only_one,
        [
            (
                step.model_dump(exclude={"about", "emits", "sources"}),
                definition.states[step.target(case.state)].deadline,
            )
            for step in definition.transitions_from(case.state)
            if step.trigger == event.trigger
        ],
    )


def _recorded(event: AnyEvent) -> Came:
    if isinstance(event, CommandRefused):
        return Came(None, None, tuple(v.reason for v in event.verdicts if _stands(v)))
    assert isinstance(event, (CaseStarted, CaseTransitioned))
    return Came(event.state, event.name)


def _came(decision: Decision) -> Came:
    if decision.refusal is None:
        return _recorded(decision.events[-1])
    verdicts = [v for v in decision.refusal.verdicts if isinstance(v, Verdict) and _stands(v)]
    return Came(None, None, tuple(dict.fromkeys(v.reason for v in verdicts)))


def _still(verdict: Verdict, then: set[str], before: set[Verdict]) -> bool:
    """Whether a guard stands against it whatever was brought along."""
    settled = verdict.rule.partition(" ")[0] in _OF_THE_CASE
    return settled or (verdict in before and verdict.rule in then)


def _stands(verdict: Verdict) -> bool:
    return not verdict.held and verdict.weight == "shall"
