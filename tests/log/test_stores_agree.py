"""The same commands make the same log on every store: positions, bytes, hashes, states."""

from __future__ import annotations

from contextlib import closing
from itertools import count
from types import SimpleNamespace

import pytest

from engine.case import fold
from engine.clock import HandClock
from engine.commands import PullTrigger
from engine.errors import PmoError
from engine.service import Service
from engine.store.opening import open_log
from tests.deciding import asking
from tests.deciding.asking import in_review
from tests.deciding.conftest import DECISION, OBJECTIVE, PAT, SAM, publish


@pytest.fixture
def logs(tmp_path, database):
    with (
        closing(open_log(":memory:")) as memory,
        closing(open_log(tmp_path / "ledger.db")) as sqlite,
        closing(open_log(database)) as postgres,
    ):
        yield memory, sqlite, postgres


def decide_a_lot(log, monkeypatch):
    """Decisions taken and refused, sent twice and in groups, under a clock that steps back."""
    monkeypatch.setattr(asking, "_numbers", count())
    numbers = count()
    clock = HandClock("2026-03-01T09:00:00.000000Z")
    service = Service(log, clock, new_id=lambda: f"event-{next(numbers)}")
    for text in (OBJECTIVE, DECISION):
        publish(service, text)
    cases = [in_review(service, amount=str(90_000 + 5_000 * n)) for n in range(5)]
    commands = [
        PullTrigger(command_id=f"{trigger}-{case}", actor=actor, case=case, trigger=trigger)
        for case in cases
        for trigger, actor in (("approve", PAT), ("approve", SAM), ("close", PAT), ("close", PAT))
    ]
    answers = service.handle_many(commands)
    earlier = HandClock("2026-02-01T09:00:00.000000Z")
    again = Service(log, earlier, new_id=lambda: f"event-{next(numbers)}")
    answers += again.handle_many(commands[::-1])
    answers.append(in_review(again))
    return [str(a) if isinstance(a, PmoError) else a for a in answers]


def test_the_same_commands_make_the_same_log_on_every_store(logs, monkeypatch):
    first, *others = [(decide_a_lot(log, monkeypatch), contents(log)) for log in logs]
    assert first[1].head > 25
    for other in others:
        assert other == first


def contents(log):
    head = log.head()
    rows = log.rows(0, head)
    streams = sorted({row.stream for row in rows})
    return SimpleNamespace(
        head=head,
        rows=rows,
        markers=log.markers("", 1000),
        chains=[log.chain(position) for position in range(head + 1)],
        cases={stream: fold(r.event for r in log.stream(stream)) for stream in streams},
        checked=log.check(),
    )
