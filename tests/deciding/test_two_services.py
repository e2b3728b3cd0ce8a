"""Two services on one log: what one has decided, and the other has brought about meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from engine.case import fold
from engine.commands import PublishDefinition, PullTrigger, Requester, StartCase
from engine.errors import BadInput, Refused
from engine.loading import load_definition
from engine.service import Receipt, Service
from engine.store.log import Append, Log

COUNTER = """
workflow: counter
version: 1
title: Counter
key: CTR-{name}
data:
  name:  {type: text, required: true}
  count: {type: number}
states:
  even:   {initial: true}
  odd:
  closed: {final: true}
transitions:
  - {trigger: count, from: even, to: odd,  needs: count}
  - {trigger: count, from: odd,  to: even, needs: count}
  - {trigger: close, from: odd,  to: closed}
"""
PAT = Requester(id="pat")


class Outrun:
    """A log before whose next append somebody else gets in."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.first: Callable[[], Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append(self, appends: Sequence[Append]) -> Any:
        first, self.first = self.first, None
        if first:
            first()
        return self._log.append(appends)


@pytest.fixture
def ours(log: Log) -> Service:
    service = Service(Outrun(log))  # type: ignore[arg-type]
    body = load_definition(COUNTER, "counter").body
    service.handle(PublishDefinition(command_id="publish", actor=PAT, body=body, text=COUNTER))
    service.handle(StartCase(command_id="start", actor=PAT, workflow="counter", data={"name": "a"}))
    return service


@pytest.fixture
def theirs(log: Log) -> Service:
    return Service(log)


def pull(command_id: str, trigger: str, **data: Any) -> PullTrigger:
    return PullTrigger(command_id=command_id, actor=PAT, case="CTR-a", trigger=trigger, data=data)


def test_nothing_is_built_on_a_draft_that_lost_to_another_of_the_same_version(
    log: Log, ours: Service, theirs: Service
) -> None:
    ours.log.first = lambda: theirs.handle(pull("theirs", "count", count=1))  # type: ignore[attr-defined]
    counted, closed = ours.handle_many([pull("one", "count", count=2), pull("two", "close")])
    assert isinstance(counted, Receipt)
    assert (counted.version, counted.state) == (3, "even"), "theirs was the first to count"
    assert isinstance(closed, Refused), "decided on what was never written, it would be closed"
    assert [r.event.data.get("count") for r in log.stream("CTR-a")][1:] == [1, 2]
    assert ours.case("CTR-a") == fold(r.event for r in log.stream("CTR-a"))


def test_nobody_is_refused_because_of_a_draft_that_was_not_written(
    ours: Service, theirs: Service
) -> None:
    ours.handle(pull("odd", "count", count=0))
    ours.log.first = lambda: theirs.handle(pull("theirs", "count", count=1))  # type: ignore[attr-defined]
    counted, closed = ours.handle_many([pull("one", "count", count=2), pull("two", "close")])
    assert isinstance(counted, Receipt)
    assert isinstance(closed, Receipt), "the draft before it would have left an even counter"
    assert closed.state == "closed"


def test_nobody_is_told_of_bad_input_because_of_a_draft_that_was_not_written(
    ours: Service, theirs: Service
) -> None:
    start = {"actor": PAT, "workflow": "counter", "data": {"name": "b"}}
    ours.log.first = lambda: theirs.handle(StartCase(command_id="theirs", **start))  # type: ignore[attr-defined]
    missing = PullTrigger(command_id="x", actor=PAT, case="CTR-c", trigger="count")
    answers = ours.handle_many([StartCase(command_id="one", **start), missing])
    assert isinstance(answers[0], Refused)
    assert isinstance(answers[1], BadInput), "what is wrong stays wrong when it is asked again"
