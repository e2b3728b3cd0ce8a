"""Scenarios: given some commands, when one more is sent, then this is what must come of it.

They are written in YAML beside a definition and run through the real service on a log of their own,
with a clock that the scenario holds in its hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from engine import ids, values
from engine.aftermath import Aftermath
from engine.clock import HandClock, instant, is_instant_or_date, last_instant, to_datetime
from engine.commands import (
    AttachEvidence,
    Command,
    DeclareConflict,
    Fact,
    Observe,
    PublishDefinition,
    PullTrigger,
    Requester,
    Sign,
    StartCase,
)
from engine.deadlines import command_for
from engine.definition import Definition
from engine.errors import BadInput, PmoError, Refused
from engine.events import (
    Answer,
    AnyEvent,
    CaseStarted,
    CaseTransitioned,
    Evidence,
    Source,
)
from engine.service import Receipt, Service
from engine.store.log import Append, Log
from engine.store.memory import MemoryLog
from engine.validation import validate
from engine.yaml_source import Source as Text
from engine.yaml_source import read_yaml

_BUILT_IN = {
    "timer": Requester(id="scheduler", kind="timer"),
    "service": Requester(id="reactions", kind="service"),
}
_LONG_AGO = "2000-01-01T00:00:00.000000Z"


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(_Part):
    """Evidence by name: its hash is made of the name, so a scenario needs no file."""

    kind: str
    as_of: str
    name: str = ""

    @property
    def evidence(self) -> Evidence:
        name = self.name or f"{self.kind} of {self.as_of}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        return Evidence(kind=self.kind, sha256=digest, as_of=self.as_of, name=name)


class Step(_Part):
    """One command: ``start``, ``do``, ``attach``, ``sign``, ``declare``, ``observe``; or ``wait``.

    While a scenario waits, until a day is over, everything that falls due is done. ``sign`` answers
    for a body or role (``of``); ``declare: conflict`` recuses who does it. A command is sent on the
    day ``at``; ``occurred_at`` is when it was so, if that is another day.
    """

    start: str | None = None
    do: str | None = None
    attach: Document | None = None
    sign: Answer | None = None
    of: str = ""
    declare: Literal["conflict"] | None = None
    observe: str | None = None
    wait: str | None = None
    workflow: str | None = None
    state: str | None = None
    case: str | None = None
    actor: Annotated[str, Field(alias="as")] = "somebody"
    at: str | None = None
    occurred_at: str | None = None
    on_behalf_of: str | None = None
    reason: str | None = None
    override: Literal[True] | None = None
    data: dict[str, Any] = {}
    evidence: list[Document] = []

    @model_validator(mode="after")
    def _one_command(self) -> Step:
        commands = (self.start, self.do, self.attach, self.sign, self.declare, self.observe)
        if sum(command is not None for command in (*commands, self.wait)) != 1:
            raise ValueError("needs exactly one of start, do, attach, sign, declare, observe, wait")
        for name, said in (("at", self.at), ("wait", self.wait)):
            if said is not None and not is_instant_or_date(said):
                raise ValueError(f"{name}: {said!r} is not a date, write 2026-03-31")
        return self


class Elsewhere(_Part):
    """What must have come of it in another case, or later in the same one, through reactions.

    ``emits`` is among what is recorded there from the step on.
    """

    case: str
    state: str | None = None
    emits: str | None = None
    data: dict[str, Any] = {}


class Outcome(_Part):
    """What must come of it. ``refused`` lists rules or words that the reasons must contain.

    ``data`` is what the case holds then, written as in a command; ``null``: it is missing.
    ``also`` is what reactions make of it; ``incident`` has words from each of those that come to
    nothing, which otherwise nobody expects.
    """

    state: str | None = None
    emits: str | None = None
    data: dict[str, Any] = {}
    conformance: str | None = None
    refused: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    bad_input: str | None = None
    also: Annotated[list[Elsewhere], BeforeValidator(_as_list)] = []
    incident: Annotated[list[str], BeforeValidator(_as_list)] = []


class Scenario(_Part):
    scenario: str
    today: str = "2026-01-15"
    given: list[Step] = []
    when: Step
    then: Outcome


class ScenarioFile(_Part):
    """``background``: the steps that come before those of every scenario."""

    background: list[Step] = []
    scenarios: list[Scenario]


@dataclass(frozen=True, slots=True)
class Result:
    """How one scenario went: ``failure`` is empty when it held; ``taken``: its transitions, and
    ``fired``: those that a timer took."""

    scenario: str
    where: str
    failure: str
    taken: frozenset[str]
    fired: frozenset[str] = frozenset()


def load_scenarios(text: str | bytes, file: str) -> tuple[ScenarioFile, Text]:
    """Raises ``BadInput`` with ``file:line:column`` of every problem."""
    source = read_yaml(text, file)
    return validate(ScenarioFile, source), source


class Published:
    """Definitions as a log holds them, and made ready to decide with: done once for all scenarios
    that are played with them."""

    def __init__(self, definitions: Sequence[tuple[Definition, str]]) -> None:
        log = MemoryLog()
        service = Service(log, HandClock(_LONG_AGO))
        operator = Requester(id="operator", kind="service")
        commands = [
            PublishDefinition(
                command_id=f"publish-{number}", actor=operator, body=definition.body, text=text
            )
            for number, (definition, text) in enumerate(definitions)
        ]
        for answer in service.handle_many(commands):
            if isinstance(answer, PmoError):
                raise answer
        self.appends = [
            Append((r.event,), {r.event.stream: 0}, ids.marker(r.event.command_id), bytes(32))
            for r in log.read(0, log.head())
        ]
        self.workflows = service.catalog.workflows
        self._log = log

    def on(self, new_log: Callable[[], Log] | None) -> Log:
        """A log in which they are published, and nothing else; by default in memory."""
        if new_log is None:
            return self._log.copy()
        log = new_log()
        log.append(self.appends)
        return log


def run(
    file: ScenarioFile,
    source: Text,
    published: Published,
    new_log: Callable[[], Log] | None = None,
) -> Iterator[Result]:
    """Play every scenario on a fresh log in which the definitions are published."""
    for index, scenario in enumerate(file.scenarios):
        log = published.on(new_log)
        begins = log.head()
        try:
            stage = _Stage(log, scenario, file.background, published)
            failure = stage.play()
            taken = [recorded.event for recorded in log.read(begins, log.head())]
            yield Result(
                scenario.scenario,
                source.where(f"/scenarios/{index}"),
                failure,
                frozenset(_arrows(taken)),
                frozenset(_arrows(e for e in taken if e.actor.kind == "timer")),
            )
        finally:
            log.close()


def untouched(definition: Definition, results: Iterable[Result]) -> list[str]:
    """The transitions of a definition that no scenario took, as ``state -trigger-> state``."""
    taken = frozenset[str]().union(*(result.taken for result in results))
    arrows = [
        _arrow(source, rule.trigger, rule.target(source))
        for rule in definition.transitions
        for source in rule.sources
    ]
    return [arrow for arrow in arrows if f"{definition.workflow}: {arrow}" not in taken]


def unfired(definition: Definition, results: Iterable[Result]) -> list[str]:
    """The deadlines of a definition that no scenario lets fall due, as ``state -trigger->``."""
    fired = frozenset[str]().union(*(result.fired for result in results))
    asked = [
        f"{name} -{trigger}->"
        for name, state in definition.states.items()
        for rule in state.deadline
        for trigger in (rule.then, *(later.then for later in rule.later))
    ]
    return [
        arrow
        for arrow in dict.fromkeys(asked)
        if not any(taken.startswith(f"{definition.workflow}: {arrow}") for taken in fired)
    ]


class _Stage:
    def __init__(
        self, log: Log, scenario: Scenario, background: Sequence[Step], published: Published
    ) -> None:
        self._scenario = scenario
        self._given = [*background, *scenario.given]
        self._clock = HandClock(instant(to_datetime(scenario.today)))
        ids = (f"00000000-0000-7000-8000-{number:012}" for number in range(10**9))
        self._service = Service(
            log, self._clock, new_id=lambda: next(ids), workflows=published.workflows
        )
        self._aftermath = Aftermath(self._service)
        self._incidents: list[str] = []
        self._sent = 0
        self._case = ""

    def play(self) -> str:
        """Empty when the scenario held, else what was otherwise."""
        return self._play() or self._came_to_nothing()

    def _play(self) -> str:
        for number, step in enumerate(self._given, 1):
            try:
                self._send(step)
            except PmoError as error:
                return f"given, step {number}: {error}"
        before = self._service.log.head()
        try:
            receipt = self._send(self._scenario.when)
        except Refused as refusal:
            return self._refused(refusal) or self._elsewhere(before)
        except BadInput as error:
            wanted = self._scenario.then.bad_input
            if not wanted or wanted not in str(error):
                return f"when: {error}"
            return self._elsewhere(before)
        try:
            return self._done(receipt) or self._elsewhere(before)
        except BadInput as error:
            return f"then: {error}"

    def _came_to_nothing(self) -> str:
        """Reactions that came to nothing though nobody said so, or did not though somebody did."""
        wanted = self._scenario.then.incident
        for incident in self._incidents:
            if not any(word in incident for word in wanted):
                return f"a reaction came to nothing: {incident}"
        missing = [w for w in wanted if not any(w in incident for incident in self._incidents)]
        return f"no reaction came to nothing for: {', '.join(missing)}" if missing else ""

    def _elsewhere(self, before: int) -> str:
        """What is otherwise in the cases that ``also`` names; events after ``before`` count."""
        for index, wanted in enumerate(self._scenario.then.also):
            try:
                differences = [*self._differences(wanted, before, f"/then/also/{index}/data")]
            except BadInput as error:
                return f"then: {error}"
            if differences:
                return f"{wanted.case}: {'; '.join(differences)}"
        return ""

    def _differences(self, wanted: Elsewhere, before: int, where: str) -> Iterator[str]:
        case = self._service.case(wanted.case)
        stream = self._service.log.stream(wanted.case)
        names = [recorded.event.name for recorded in stream if recorded.position > before]
        fields = self._service.catalog.pinned(case.definition).definition.data
        if wanted.state not in (None, case.state):
            yield f"state is {case.state!r}, should be {wanted.state!r}"
        if wanted.emits is not None and wanted.emits not in names:
            yield f"emits {', '.join(names) or 'nothing'}, should emit {wanted.emits}"
        for name, value in values.read_all(fields, wanted.data, where).items():
            if case.data.get(name) != value:
                yield f"data.{name} is {case.data.get(name)!r}, should be {value!r}"

    def _refused(self, refusal: Refused) -> str:
        wanted = self._scenario.then.refused
        if wanted is None:
            return f"when: {refusal}"
        open_ = [verdict for verdict in refusal.verdicts if not verdict.held]
        missing = [
            word for word in wanted if not any(word in f"{v.rule}: {v.reason}" for v in open_)
        ]
        return f"refused, but not for: {', '.join(missing)}\n{refusal}" if missing else ""

    def _done(self, receipt: Receipt) -> str:
        then = self._scenario.then
        if then.refused is not None or then.bad_input is not None:
            return f"was accepted ({receipt.names[-1]}), should have been refused"
        case = self._service.case(receipt.stream)
        event = self._service.log.stream(receipt.stream, receipt.version - 1)[0].event
        conformance = getattr(event, "conformance", None)
        fields = self._service.catalog.pinned(case.definition).definition.data
        compared = [
            ("state", then.state, case.state),
            ("emits", then.emits, receipt.names[-1]),
            ("conformance", then.conformance, conformance.verdict if conformance else None),
        ]
        compared = [row for row in compared if row[1] is not None]
        for name, wanted in values.read_all(fields, then.data, "/then/data").items():
            compared.append((f"data.{name}", wanted, case.data.get(name)))
        return "; ".join(
            f"{what} is {found!r}, should be {wanted!r}"
            for what, wanted, found in compared
            if wanted != found
        )

    def _send(self, step: Step) -> Receipt:
        if step.at is not None:
            self._clock.at = max(self._clock.at, instant(to_datetime(step.at)))
        if step.case:
            self._case = step.case
        if step.wait is not None:
            return self._wait(last_instant(step.wait))
        receipt = self._handle(self._command(step))
        self._case = receipt.stream
        return receipt

    def _handle(self, command: Command) -> Receipt:
        receipt = self._service.handle(command)
        self._incidents += self._aftermath.settle()
        return receipt

    def _wait(self, until: str) -> Receipt:
        """Let time pass, and do what falls due, as the scheduler does; what became of the case."""
        while found := min(self._dues(until), default=None):
            at, key, number = found
            case = self._service.case(key)
            self._clock.at = max(self._clock.at, at)
            self._handle(command_for(key, case.entered, case.deadlines[number]))
        self._clock.at = max(self._clock.at, until)
        last = self._service.log.stream(self._case)
        if not last:
            raise BadInput.one("/case", f"there is no case {self._case!r} to wait for")
        event = last[-1].event
        state, names = self._service.case(self._case).state, (event.name,)
        position, recorded_at = last[-1].position, event.recorded_at
        return Receipt(event.stream, event.version, position, state, names, recorded_at)

    def _dues(self, until: str) -> Iterator[tuple[str, str, int]]:
        """When, of which case, and which of its deadlines."""
        log = self._service.log
        events = [recorded.event for recorded in log.read(0, log.head())]
        entered = (CaseStarted, CaseTransitioned)
        for key in dict.fromkeys(e.stream for e in events if isinstance(e, entered)):
            case = self._service.case(key)
            for number, due in enumerate(case.deadlines):
                if due.at <= until:
                    yield due.at, key, number

    def _command(self, step: Step) -> Command:
        common: dict[str, Any] = {
            "command_id": self._next_id(),
            "actor": _BUILT_IN.get(step.actor) or Requester.read(step.actor),
            "occurred_at": step.occurred_at,
            "on_behalf_of": step.on_behalf_of,
            "reason": step.reason,
        }
        if step.start is not None:
            return StartCase(
                **common,
                workflow=step.start,
                data=step.data,
                evidence=tuple(document.evidence for document in step.evidence),
            )
        if step.do is not None:
            return PullTrigger(
                **common,
                case=self._case,
                trigger=step.do,
                data=step.data,
                evidence=tuple(document.evidence for document in step.evidence),
                override=step.override,
            )
        if step.sign is not None:
            return Sign(**common, case=self._case, of=step.of, answer=step.sign)
        if step.declare is not None:
            return DeclareConflict(**common, case=self._case)
        if step.attach is not None:
            return AttachEvidence(**common, case=self._case, evidence=step.attach.evidence)
        return Observe(
            **common,
            workflow=step.workflow or self._service.case(self._case).definition.name,
            case=self._case,
            facts=(Fact(name=step.observe or "", state=step.state, data=step.data),),
            origin=Source(name="scenario"),
        )

    def _next_id(self) -> str:
        self._sent += 1
        return f"command-{self._sent}"


def _arrows(events: Iterable[AnyEvent]) -> Iterator[str]:
    for event in events:
        if isinstance(event, CaseTransitioned):
            yield f"{event.definition.name}: {_arrow(event.source, event.trigger, event.state)}"


def _arrow(source: str, trigger: str, target: str) -> str:
    return f"{source} -{trigger}-> {target}"
