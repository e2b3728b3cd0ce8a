"""A slip that was mended: the views say what was so, and what was known, on any day."""

from __future__ import annotations

from engine.clock import HandClock
from engine.commands import PullTrigger, Requester, StartCase
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
