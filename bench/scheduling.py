"""The scheduler among 100,000 open deadlines: how long it takes to find the 1,000 that are due, and
to fire them: judged by their guards, durable, and in the views. Beside finding: reading every open
deadline to see which are due. Beside firing: as many transitions that people ask for, one by one.

    .venv/bin/python -m bench.scheduling
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from app.home import Home
from bench.report import Row, write
from engine import ids
from engine.clock import HandClock
from engine.commands import Command, PublishDefinition, PullTrigger, Requester, StartCase
from engine.loading import load_definition
from engine.service import Receipt
from projections.deadlines import due

OPEN, DUE, LOOKS = 100_000, 1_000, 200
NOON = "2026-03-02T12:00:00.000000Z"
PERSON = Requester(id="somebody", roles=("owner",))

DEFINITION = """
workflow: review
version: 1
title: Review
key: REV
roles: {owner: }
data:
  due: {type: date}
states:
  waiting: {initial: true, deadline: {on: data.due, then: escalate}}
  escalated: {final: true}
transitions:
  - {trigger: escalate, from: waiting, to: escalated, by: [owner, timer], when: has(data.due)}
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        clock = HandClock(NOON)
        with Home.create(Path(name) / "home", clock) as home:
            _fill(home)
            keys = _start(home, DUE, "2026-12-31")
            home.catch_up()
            by_hand = _timed(lambda: _by_hand(home, keys))
            home.catch_up()
            clock.advance(days=3)
            found, scanned = _look(home, clock.at)
            fired = _timed(lambda: _fire(home))
    write(
        f"The scheduler among {OPEN:,} open deadlines",
        __doc__ or "",
        "peer",
        [
            Row(
                f"finding {DUE:,} that are due",
                f"{found * 1e3:.1f} ms",
                f"{scanned * 1e3:.0f} ms",
                f"{scanned / found:.0f}",
            ),
            Row(
                f"firing {DUE:,}",
                f"{fired:.2f} s",
                f"{by_hand:.2f} s",
                f"{by_hand / fired:.1f}",
            ),
        ],
    )


def _fill(home: Home) -> None:
    body = load_definition(DEFINITION, "bench").body
    home.service.handle(PublishDefinition(command_id="p", actor=PERSON, body=body, text=DEFINITION))
    print(f"starting {OPEN:,} cases", file=sys.stderr)
    _start(home, DUE, "2026-03-03")
    _start(home, OPEN - DUE, "2027-06-30")
    home.catch_up()


def _start(home: Home, count: int, day: str) -> list[str]:
    commands: list[Command] = [
        StartCase(command_id=ids.new_id(), actor=PERSON, workflow="review", data={"due": day})
        for _ in range(count)
    ]
    answers = home.service.handle_many(commands)
    return [answer.stream for answer in answers if isinstance(answer, Receipt)]


def _look(home: Home, now: str) -> tuple[float, float]:
    views = home.views
    assert len(due(views, now, OPEN)) == DUE
    found = _timed(lambda: [due(views, now, OPEN) for _ in range(LOOKS)]) / LOOKS
    every = "SELECT * FROM deadlines NOT INDEXED WHERE settled_at IS NULL"
    return found, _timed(lambda: [row for row in views.run(every) if row[5] <= now])


def _by_hand(home: Home, keys: list[str]) -> None:
    for key in keys:
        home.service.handle(
            PullTrigger(command_id=ids.new_id(), actor=PERSON, case=key, trigger="escalate")
        )


def _fire(home: Home) -> None:
    assert home.scheduler.work().fired == DUE


def _timed(work: object) -> float:
    started = time.perf_counter()
    assert callable(work)
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
