"""A home with a clock that is held in the hand, a scheduler, and a few workflows with deadlines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.home import Home
from engine import ids
from engine.case import Case
from engine.clock import HandClock
from engine.commands import Fact, Observe, PublishDefinition, PullTrigger, Requester, StartCase
from engine.deadlines import SCHEDULER
from engine.events import AnyEvent, Source
from engine.loading import load_definition
from engine.service import Receipt
from projections.verify import verify

PAT = Requester(id="pat", roles=("owner",))
OPERATOR = Requester(id="operator", kind="service")

CALENDAR = """
workflow: calendar
version: 1
title: Calendar
key: CAL-{name}
register: calendar
in_force: [active]
data:
  name: {type: text, required: true}
  weekend: {type: list, of: text}
  holidays: {type: list, of: date}
  zone: {type: text}
states: {active: {initial: true}, ended: {final: true}}
transitions:
  - {trigger: revise, from: active, to: active, accepts: [weekend, holidays, zone]}
  - {trigger: end, from: active, to: ended}
"""

REVIEW = """
workflow: review
version: 1
title: Review
key: REV
calendar: standard
data:
  answer: {type: text}
states:
  waiting:
    initial: true
    deadline: {within: 10 working days, remind: [50%, 80%], then: escalate,
               later: [{at: 150%, then: lapse}]}
  answered: {final: true}
  lapsed: {final: true}
transitions:
  - {trigger: answer, from: waiting, to: answered, accepts: answer}
  - {trigger: ask-again, from: waiting, to: waiting}
  - {trigger: escalate, from: waiting, to: waiting, by: timer, emits: ReviewEscalated}
  - {trigger: lapse, from: waiting, to: lapsed, by: timer, emits: ReviewLapsed}
"""

ROUTINE = """
workflow: routine
version: 1
title: Routine
key: RTN
calendar: standard
data:
  rule: {type: text}
states:
  resting: {initial: true, deadline: {every: data.rule, or: next working day, then: begin}}
  stopped: {final: true}
transitions:
  - {trigger: begin, from: resting, to: resting, by: timer, emits: RoutineBegun}
  - {trigger: stop, from: resting, to: stopped}
"""

TASK = """
workflow: task
version: 1
title: Task
key: TSK
record_refusals: true
data:
  due: {type: date}
  plan: {type: text}
states:
  open: {initial: true, deadline: {on: data.due, remind: [50%], then: chase}}
  chased:
  done: {final: true}
transitions:
  - {trigger: replan, from: open, to: open, needs: due}
  - {trigger: note, from: open, to: open, accepts: plan}
  - {trigger: chase, from: open, to: chased, by: timer, needs: plan, emits: TaskChased}
  - {trigger: finish, from: [open, chased], to: done}
"""


GOAL = """
workflow: goal
version: 1
title: Goal
key: GOL
data:
  due: {type: date}
  actual: {type: number}
states:
  active:
    initial: true
    deadline:
      - {on: data.due, remind: [90%], then: miss}
      - {within: 30 days, then: chase, later: [{at: 200%, then: give-up}]}
      - {every: "FREQ=WEEKLY;BYDAY=MO", then: count}
  done: {final: true}
transitions:
  - {trigger: report, from: active, needs: actual}
  - {trigger: move, from: active, needs: due}
  - {trigger: miss, from: active, by: timer, emits: GoalMissed}
  - {trigger: chase, from: active, by: timer, emits: GoalChased}
  - {trigger: count, from: active, by: timer, emits: GoalCounted}
  - {trigger: give-up, from: active, to: done, by: timer, emits: GoalGivenUp}
"""


class World:
    """Everything that one process has open, and short words for what people do."""

    def __init__(self, address: Path | str, clock: HandClock) -> None:
        self.address = address
        self.clock = clock
        self.home = Home.create(address, clock)
        self.service = self.home.service

    def publish(self, *texts: str) -> None:
        for text in texts:
            body = load_definition(text, "test.yaml").body
            self.service.handle(
                PublishDefinition(
                    command_id=ids.derived_id(text), actor=OPERATOR, body=body, text=text
                )
            )

    def start(self, workflow: str, **data: Any) -> str:
        command = StartCase(command_id=ids.new_id(), actor=PAT, workflow=workflow, data=data)
        return self.service.handle(command).stream

    def pull(self, case: str, trigger: str, **data: Any) -> Receipt:
        command = PullTrigger(
            command_id=ids.new_id(), actor=PAT, case=case, trigger=trigger, data=data
        )
        return self.service.handle(command)

    def time_out(self, case: str, trigger: str) -> Receipt:
        """As a timer asks for it, now."""
        entered = self.case(case).entered
        return self.service.handle(
            PullTrigger(
                command_id=ids.new_id(),
                actor=SCHEDULER,
                case=case,
                trigger=trigger,
                entered=entered,
            )
        )

    def observe(self, workflow: str, case: str, state: str | None, **data: Any) -> None:
        self.service.handle(
            Observe(
                command_id=ids.new_id(),
                actor=Requester(id="importer", kind="import"),
                workflow=workflow,
                case=case,
                facts=(Fact(name="Reported", state=state, data=data),),
                origin=Source(name="report"),
            )
        )

    def case(self, key: str) -> Case:
        return self.service.case(key)

    def events(self, key: str) -> list[AnyEvent]:
        return [recorded.event for recorded in self.service.log.stream(key)]

    def names(self, key: str) -> list[str]:
        return [event.name for event in self.events(key)]

    def close(self) -> None:
        self.home.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock("2026-03-02T09:00:00.000000Z")


@pytest.fixture(params=["folder", "database"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where the home is."""
    if request.param == "database":
        return str(request.getfixturevalue("database"))
    return tmp_path / "home"


@pytest.fixture
def open_world(address: Path | str, clock: HandClock) -> Iterator[Callable[..., World]]:
    """Opens the home once more, as another process would; at the end the views must be right."""
    opened: list[World] = []

    def open_world(clock: HandClock = clock) -> World:
        opened.append(World(address, clock))
        return opened[-1]

    yield open_world
    home = Home.open(address)
    home.catch_up()
    report = verify(home.log, home.views_place)
    home.close()
    for world in opened:
        world.close()
    assert report.sound, report


@pytest.fixture
def world(open_world: Callable[..., World]) -> World:
    world = open_world()
    world.publish(CALENDAR, REVIEW, ROUTINE, TASK)
    world.start("calendar", name="standard", zone="Europe/London", holidays=["2026-04-03"])
    return world
