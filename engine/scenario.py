"""Scenarios: given some commands, when one more is sent, then this is what must come of it.

They are written in YAML beside a definition and run through the real service on a log of their own,
with a clock that the scenario holds in its hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine import ids
from engine.aftermath import Aftermath
from engine.clock import HandClock, instant, last_instant, to_datetime
from engine.commands import Command, PublishDefinition, Requester
from engine.deadlines import command_for
from engine.definition import Definition
from engine.errors import BadInput, PmoError
from engine.events import AnyEvent, CaseStarted, CaseTransitioned
from engine.outcomes import difference
from engine.service import Receipt, Service
from engine.steps import Outcome, Part, Step, command_of
from engine.store.log import Append, Log
from engine.store.memory import MemoryLog
from engine.validation import validate
from engine.yaml_source import Source as Text
from engine.yaml_source import read_yaml

_LONG_AGO = "2000-01-01T00:00:00.000000Z"


class Scenario(Part):
    scenario: str
    today: str = "2026-01-15"
    given: tuple[Step, ...] = ()
    when: Step
    then: Outcome


class ScenarioFile(Part):
    """``background``: the steps that come before those of every scenario."""

    background: tuple[Step, ...] = ()
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
        answer: Receipt | PmoError
        try:
            answer = self._send(self._scenario.when)
        except PmoError as error:
            answer = error
        return difference(self._service, self._scenario.then, answer, before)

    def _came_to_nothing(self) -> str:
        """Reactions that came to nothing though nobody said so, or did not though somebody did."""
        wanted = self._scenario.then.incident
        for incident in self._incidents:
            if not any(word in incident for word in wanted):
                return f"a reaction came to nothing: {incident}"
        missing = [w for w in wanted if not any(w in incident for incident in self._incidents)]
        return f"no reaction came to nothing for: {', '.join(missing)}" if missing else ""

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
        workflow = step.workflow or ""
        if step.observe is not None and not workflow:
            workflow = self._service.case(self._case).definition.name
        return command_of(step, self._next_id(), self._case, workflow)

    def _next_id(self) -> str:
        self._sent += 1
        return f"command-{self._sent}"


def _arrows(events: Iterable[AnyEvent]) -> Iterator[str]:
    for event in events:
        if isinstance(event, CaseTransitioned):
            yield f"{event.definition.name}: {_arrow(event.source, event.trigger, event.state)}"


def _arrow(source: str, trigger: str, target: str) -> str:
    return f"{source} -{trigger}-> {target}"
