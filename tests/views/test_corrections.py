"""A slip that was mended: the views say what was so, and what was known, on any day."""

from __future__ import annotations

import random

import pytest

from app.importing.known import Portfolio
from engine.case import fold
from engine.clock import HandClock
from engine.commands import PullTrigger, Requester, StartCase
from engine.errors import Refused
from engine.service import Service
from projections.audit import trail
from projections.register_pages import one
from tests.deciding.conftest import publish

CARD = """
workflow: card
version: 1
title: Card
key: CARD
roles: {clerk: }
data: {title: {type: text}, place: {type: text}}
states: {shelved: {initial: true}, lent: , lost: {final: true}}
transitions:
  - {trigger: lend, from: shelved, to: lent, accepts: place, emits: CardLent}
  - {trigger: lose, from: lent, to: lost, emits: CardLost}
  - {trigger: correct-record, from: [shelved, lent, lost], by: clerk, corrects: title,
     emits: RecordCorrected}
"""

MANY = """
workflow: card
version: 1
title: Card
key: CARD
roles: {clerk: }
data: {title: {type: text}, place: {type: text}}
states: {shelved: {initial: true}, lent: }
start: {accepts: title}
transitions:
  - {trigger: lend, from: shelved, to: lent, accepts: [place, title], emits: CardLent}
  - {trigger: return, from: lent, to: shelved, accepts: [place, title], emits: CardReturned}
  - {trigger: correct-record, from: [shelved, lent], by: clerk, corrects: [title, place],
     emits: RecordCorrected}
"""

CLERK = Requester(id="cleo", roles=("clerk",))


def test_both_clocks_keep_a_correction(log, runner, look):
    clock = HandClock("2026-01-05T09:00:00.000000Z")
    service = Service(log, clock)
    publish(service, CARD)
    start = StartCase(command_id="1", actor=CLERK, workflow="card", data={"title": "Bred"})
    key = service.handle(start).stream

    def take(number: str, trigger: str, **said: object) -> None:
        clock.advance(days=28)
        said |= {"command_id": number, "actor": CLERK, "case": key, "trigger": trigger}
        service.handle(PullTrigger(**said))

    take("2", "lend", data={"place": "the mill"})
    take("3", "lose")
    take("4", "correct-record", data={"title": "Bread"}, reason="a letter was missing")
    runner.catch_up()
    views = look()

    def shown(**moment: str) -> tuple[object, str]:
        row = one(views, key, **moment)
        return row.data["title"], row.state

    assert shown() == ("Bread", "lost")
    # What was so in January is what is right, in the state of that day.
    assert shown(as_of="2026-01-10") == ("Bread", "shelved")
    assert shown(as_of="2026-02-10") == ("Bread", "lent")
    # What was known in February had the slip in it, and still has.
    assert shown(known_at="2026-02-10") == ("Bred", "lent")
    assert shown(as_of="2026-01-10", known_at="2026-02-10") == ("Bred", "shelved")
    newest = trail(views, newest_first=True, limit=1)[0]
    assert (newest["name"], newest["reason"]) == ("RecordCorrected", "a letter was missing")
    assert newest["occurred_at"][:10] == "2026-01-05"
    assert newest["recorded_at"][:10] == "2026-03-30"


def test_a_portfolio_as_of_a_day_is_in_the_states_of_that_day(log):
    clock = HandClock("2026-01-05T09:00:00.000000Z")
    service = Service(log, clock)
    publish(service, CARD)
    start = StartCase(command_id="1", actor=CLERK, workflow="card", data={"title": "Bred"})
    about = {"actor": CLERK, "case": service.handle(start).stream}
    clock.advance(days=28)
    service.handle(PullTrigger(command_id="2", trigger="lend", **about))
    right = {"data": {"title": "Bread"}, "reason": "a letter was missing"}
    service.handle(PullTrigger(command_id="3", trigger="correct-record", **about, **right))
    portfolio = Portfolio("card")
    portfolio.catch_up(log)
    [known] = portfolio.as_of("2026-01-10")
    assert known.case is not None
    assert (known.case.state, known.case.data["title"]) == ("shelved", "Bread")


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_corrected_in_whatever_order_views_and_the_log_agree(log, runner, look, seed):
    chance = random.Random(seed)
    clock = HandClock("2026-01-05T09:00:00.000000Z")
    service = Service(log, clock)
    publish(service, MANY)
    start = StartCase(command_id="0", actor=CLERK, workflow="card", data={"title": "0"})
    key = service.handle(start).stream
    for number in map(str, range(1, 30)):
        clock.advance(days=chance.choice((0, 1, 3)))
        trigger = chance.choice(("lend", "return", *["correct-record"] * 3))
        data = {name: number for name in ("title", "place") if chance.random() < 0.6}
        said = {"command_id": number, "actor": CLERK, "case": key, "reason": "a slip"}
        try:
            service.handle(PullTrigger(**said, trigger=trigger, data=data))
        except Refused:
            continue  # it has no such step there, or nothing to correct
        if chance.random() < 0.3:
            runner.catch_up()
    runner.catch_up()
    events = [recorded.event for recorded in log.stream(key)]
    assert sum(event.name == "RecordCorrected" for event in events) > 2
    views = look()
    for so in {event.occurred_at for event in events}:
        for known in {event.recorded_at for event in events}:
            then = [e for e in events if e.occurred_at <= so and e.recorded_at <= known]
            case, row = fold(then), one(views, key, as_of=so, known_at=known)
            assert (case is None) == (row is None)
            if case and row:
                data = {name: value for name, value in row.data.items() if value is not None}
                assert (row.state, data) == (case.state, dict(case.data)), (so, known)
