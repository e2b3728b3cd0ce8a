"""The stage on which scenarios are played: the real service on a log of its own, with a clock that
the scenario holds in its hand, and every timer and reaction that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine import ids, values
from engine.aftermath import Aftermath
from engine.clock import HandClock, instant, last_instant, to_datetime
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
from engine.coverage import Fired, Refusal, Result
from engine.deadlines import command_for
from engine.definition import Definition
from engine.errors import Answer, BadInput, PmoError, Refused
from engine.events import CaseStarted, CaseTransitioned, Source, Verdict
from engine.machine import Workflow
from engine.scenario import Attempted, Elsewhere, Outcome, Scenario, ScenarioFile, Step
from engine.service import Receipt, Service
from engine.store.log import Append, Log
from engine.store.memory import MemoryLog
from engine.yaml_source import Source as Text

_BUILT_IN = {
    "timer": Requester(id="scheduler", kind="timer"),
    "service": Requester(id="reactions", kind="service"),
}
_LONG_AGO = "2000-01-01T00:00:00.000000Z"


class Published:
    """Definitions as a log holds them; ``workflows``: those made ready to decide with, each when it
    is first needed, and then for all scenarios that are played with them."""

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
        self.workflows = dict(service.catalog.workflows)
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
            published.workflows |= stage.workflows
            yield Result(
                scenario.scenario,
                source.where(f"/scenarios/{index}"),
                failure,
                tuple(recorded.event for recorded in log.read(begins, log.head())),
                tuple(stage.refusals),
                tuple(stage.fired),
            )
        finally:
            log.close()


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
        self._aftermath = Aftermath(self._service, self._ask)
        self._incidents: list[str] = []
        self.refusals: list[Refusal] = []
        self.fired: list[Fired] = []
        self._sent = 0
        self._case = ""

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        return self._service.catalog.workflows

    def play(self) -> str:
        """Empty when the scenario held, else what was otherwise."""
        return self._play() or self._came_to_nothing()

    def _play(self) -> str:
        for number, step in enumerate(self._given, 1):
            try:
                self._send(step)
            except PmoError as error:
                return f"given, step {number}: {error}"
        if self._scenario.when is None or self._scenario.then is None:
            return self._attempts()
        return self._about(self._scenario.when, self._scenario.then)

    def _about(self, when: Step, then: Outcome) -> str:
        before = self._service.log.head()
        try:
            receipt = self._send(when)
        except Refused as refusal:
            return self._refused(refusal, then) or self._elsewhere(then, before)
        except BadInput as error:
            if not then.bad_input or then.bad_input not in str(error):
                return f"when: {error}"
            return self._elsewhere(then, before)
        try:
            return self._done(receipt, then) or self._elsewhere(then, before)
        except BadInput as error:
            return f"then: {error}"

    def _attempts(self) -> str:
        """The attempts of which one was not refused, or for other reasons."""
        case = self._case
        for number, attempt in enumerate(self._scenario.refuses, 1):
            self._case = case
            if failure := self._attempt(attempt):
                return f"refuses, attempt {number}: {failure}"
        return ""

    def _attempt(self, attempt: Attempted) -> str:
        try:
            receipt = self._send(attempt)
        except Refused as refusal:
            return _lacks(refusal, attempt.because)
        except PmoError as error:
            return str(error)
        return f"was accepted ({receipt.names[-1]}), should have been refused"

    def _came_to_nothing(self) -> str:
        """Reactions that came to nothing though nobody said so, or did not though somebody did."""
        wanted = self._scenario.then.incident if self._scenario.then else []
        for incident in self._incidents:
            if not any(word in incident for word in wanted):
                return f"a reaction came to nothing: {incident}"
        missing = [w for w in wanted if not any(w in incident for incident in self._incidents)]
        return f"no reaction came to nothing for: {', '.join(missing)}" if missing else ""

    def _elsewhere(self, then: Outcome, before: int) -> str:
        """What is otherwise in the cases that ``also`` names; events after ``before`` count."""
        for index, wanted in enumerate(then.also):
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

    def _refused(self, refusal: Refused, then: Outcome) -> str:
        return f"when: {refusal}" if then.refused is None else _lacks(refusal, then.refused)

    def _done(self, receipt: Receipt, then: Outcome) -> str:
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
        differences = [
            f"{what} is {found!r}, should be {wanted!r}"
            for what, wanted, found in compared
            if wanted != found
        ]
        verdicts: tuple[Verdict, ...] = getattr(event, "verdicts", ())
        differences += _told("warned", then.warned, [v for v in verdicts if v.weight == "should"])
        overridden = [v for v in verdicts if v.weight == "overridden"]
        differences += _told("overridden", then.overridden, overridden)
        return "; ".join(differences)

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
        receipt = self._ask(command)
        self._incidents += self._aftermath.settle()
        return receipt

    def _ask(self, command: Command) -> Receipt:
        """Have a command handled, by whomever it is sent, and keep what it is refused for."""
        try:
            return self._service.handle(command)
        except Refused as refusal:
            verdicts = tuple(v for v in refusal.verdicts if isinstance(v, Verdict) and not v.held)
            if isinstance(command, StartCase):
                self.refusals.append(Refusal(command.workflow, "", "", verdicts))
            elif isinstance(command, PullTrigger):
                case = self._service.case(command.case)
                workflow = case.definition.name
                self.refusals.append(Refusal(workflow, case.state, command.trigger, verdicts))
            raise

    def _wait(self, until: str) -> Receipt:
        """Let time pass, and do what falls due, as the scheduler does; what became of the case."""
        while found := min(self._dues(until), default=None):
            at, key, number = found
            case = self._service.case(key)
            self._clock.at = max(self._clock.at, at)
            due = case.deadlines[number]
            self._handle(command_for(key, case.entered, due))
            self.fired.append(Fired(case.definition.name, case.state, due.of, due.share))
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


def _lacks(refusal: Refused, wanted: Sequence[str]) -> str:
    """The words that no reason of a refusal contains."""
    missing = _missing(wanted, _reasons(refusal.verdicts))
    return f"refused, but not for: {', '.join(missing)}\n{refusal}" if missing else ""


def _told(what: str, wanted: Sequence[str] | None, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """How what guards said without stopping anybody is not what it should be."""
    if wanted is None:
        return
    reasons = _reasons(verdicts)
    said = "; ".join(reasons) or "nothing"
    missing = _missing(wanted, reasons)
    if missing:
        yield f"{what} is {said}, should contain: {', '.join(missing)}"
    if reasons and not wanted:
        yield f"{what} is {said}, should be nothing"


def _reasons(verdicts: Iterable[Answer]) -> list[str]:
    return [f"{verdict.rule}: {verdict.reason}" for verdict in verdicts if not verdict.held]


def _missing(wanted: Sequence[str], reasons: Sequence[str]) -> list[str]:
    return [word for word in wanted if not any(word in reason for reason in reasons)]
