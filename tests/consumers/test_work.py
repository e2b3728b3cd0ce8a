"""What others are told of an event: the very bytes of the log, or today's form of an older one."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
from eventsourcing.persistence import StoredEvent

from app.http.feed import Place, Wanted, read_page
from consumers import cloud_events
from consumers.work import as_work, tail_works
from engine import canonical
from engine.store.chain import Row
from engine.upcasts import STEPS
from tests.consumers.conftest import House
from tests.log.test_bytes import SAMPLE


def test_the_stored_bytes_are_passed_on_as_they_are(house: House) -> None:
    house.start("plan", title="Straße, 道", budget="1.25m")
    rows = house.log.rows(0, 100)
    (works,) = tail_works(house.log, 0, batch=100, until=house.log.head())
    for row, work in zip(rows, works, strict=True):
        assert work.stored == row.state
        assert cloud_events.data(work.body, work.stored) is work.stored
        assert cloud_events.data(work.body) == row.state  # as it would be written anew
        event = orjson.loads(cloud_events.structured(work.position, work.body, "/x", work.stored))
        attributes = cloud_events.attributes(work.position, work.body, "/x")
        assert event == {**attributes, "data": work.body}


def test_of_an_older_form_todays_is_told_and_not_the_stored_bytes() -> None:
    state = SAMPLE.read_bytes().strip()
    old = json.loads(state)
    assert old["type"] in STEPS  # else this tests nothing
    work = as_work(Row(7, old["stream"], old["version"], old["type"], state, bytes(32)))
    assert work.stored is None
    told = cloud_events.data(work.body, work.stored)
    assert told == canonical.encode(work.body)
    assert json.loads(told)["type"] == "pmo.case.observed.v2"
    assert json.loads(told)["data"]["benefits"]["withheld"]


def test_the_feed_tells_an_older_form_as_todays(tmp_path: Path) -> None:
    house = House(tmp_path / "ledger.db", tmp_path / "consumers.db")
    state = SAMPLE.read_bytes().strip()
    old = json.loads(state)
    house.log._recorder.insert_events(
        [StoredEvent(old["stream"], old["version"], old["type"], state)]
    )
    page = read_page(house.log, Place(0), 10, Wanted(cases=frozenset([old["stream"]])), "/x")
    ((_, event),) = page.events
    assert json.loads(event)["data"]["type"] == "pmo.case.observed.v2"
    house.log.close()
    house.store.close()
