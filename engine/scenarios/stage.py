"""The stage on which scenarios are played: the real service on a log of its own, with a clock that
the scenario holds in its hand, and every timer and reaction that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from engine.clock import HandClock, instant, last_instant, to_datetime
from engine.commands import Command, PublishDefinition, PullTrigger, Requester, StartCase
from engine.deadlines import command_for
from engine.definition import Definition
from engine.errors import BadInput, PmoError, Refused
from engine.events import CaseStarted, CaseTransitioned, Verdict
from engine.machine import Workflow
from engine.scenarios.aftermath import Aftermath
from engine.scenarios.coverage import Fired, Refusal, Result
from engine.scenarios.outcomes import difference, lacks
from engine.scenarios.scenario import Attempted, Scenario, ScenarioFile
from engine.scenarios.steps import Outcome, Step, command_of
from engine.service import Receipt, Service
from engine.source import Source as Text
from engine.store.log import Append, Log
from engine.store.memory import MemoryLog
from engine.values import show

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
            Append((r.event,), {r.event.stream: 0}, r.event.command_id, bytes(32))
            for r in log.read(0, log.head())
        ]
        self.workflows = dict(service.catalog.workflows)
        self._log = log

    def on(self, new_log: Callable[[], Log] | None) -> Log:
        """A log in which they are published, and nothing else; by default in memory.

        ``new_log`` opens one that is empty, or that was made so before.
        """
        if new_log is None:
            return self._log.copy()
        log = new_log()
        if log.head() == 0:
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
                source.where(stage.stuck_at or f"/scenarios/{index}"),
                failure,
                bool(stage.stuck_at),
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
        self._background = background
        self._clock = HandClock(instant(to_datetime(scenario.today)))
        ids = (f"00000000-0000-7000-8000-{number:012}" for number in range(10**9))
        self._service = Service(
            log, self._clock, new_id=lambda: next(ids), workflows=published.workflows
        )
        self._aftermath = Aftermath(self._service, self._ask)
        self._incidents: list[str] = []
        self.refusals: list[Refusal] = []
        self.fired: list[Fired] = []
        self.stuck_at = ""
        self._sent = 0
        self._case = ""

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        return self._service.catalog.workflows

    def play(self) -> str:
        """Empty when the scenario held, else what was otherwise."""
        return self._play() or self._came_to_nothing()

    def _play(self) -> str:
        for number, step in enumerate(self._background, 1):
            try:
                self._send(step)
            except PmoError as error:
                self.stuck_at = f"/background/{number - 1}"
                return f"background, step {number}: {error}"
        for number, step in enumerate(self._scenario.given, 1):
            try:
                self._send(step)
            except PmoError as error:
                return f"given, step {number}: {error}"
        if self._scenario.when is None or self._scenario.then is None:
            return self._attempts()
        return self._about(self._scenario.when, self._scenario.then)

    def _about(self, when: Step, then: Outcome) -> str:
        before, fired = self._service.log.head(), len(self.fired)
        answer: Receipt | PmoError
        try:
            answer = self._send(when)
        except PmoError as error:
            answer = error
        otherwise = difference(self._service, then, answer, before)
        waited = when.wait is not None and isinstance(answer, Receipt)
        if otherwise and waited and fired == len(self.fired):
            otherwise += f"; nothing fell due by {when.wait}"
            if not self._service.case(self._case).deadlines:
                otherwise += f" (no deadline runs on {self._case}: what is only observed has none)"
        return otherwise

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
            return lacks(refusal, attempt.because)
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

    def _send(self, step: Step) -> Receipt:
        self._must_go_on("/at", step.at)
        self._must_go_on("/wait", step.wait)
        if step.at is not None:
            self._clock.at = max(self._clock.at, instant(to_datetime(step.at)))
        if step.case:
            self._case = step.case
        if step.wait is not None:
            return self._wait(last_instant(step.wait))
        receipt = self._handle(self._command(step))
        self._case = receipt.stream
        return receipt

    def _must_go_on(self, where: str, day: str | None) -> None:
        """Else a scenario would be played on another day than it says."""
        today = self._clock.at[:10]
        if day is not None and day[:10] < today:
            raise BadInput.one(
                where,
                f"{day} is past: it is {today} already, and the clock of a scenario only goes on",
                f"write a later day, or let the scenario begin earlier: `today: {day[:10]}`",
            )

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
            rule = self._service.catalog.definition(case.definition).states[case.state].deadline
            choice = show(case.data.get(rule[due.of].goes_by)) if rule[due.of].per else ""
            self.fired.append(Fired(case.definition.name, case.state, due.of, due.share, choice))
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
        workflow = step.workflow or ""
        if step.observe is not None and not workflow:
            workflow = self._service.case(self._case).definition.name
        return command_of(step, self._next_id(), self._case, workflow)

    def _next_id(self) -> str:
        self._sent += 1
        return f"command-{self._sent}"
