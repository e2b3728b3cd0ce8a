"""The service on a home in PostgreSQL: the same answers, and several services on one home."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from app.home import Home
from app.http.settings import ServeSettings
from engine import ids
from engine.commands import PublishDefinition, Requester
from engine.loading import load_definition
from tests.http.conftest import NOTE, Running, read_stream


@pytest.fixture
def services(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Running]]:
    """Two of them, each with the home opened for itself."""
    address = database
    if password := urlsplit(database).password:
        monkeypatch.setenv("PGPASSWORD", password)
        address = database.replace(f":{password}@", "@", 1)
    homes = [Home.create(address)]
    homes[0].service.handle(
        PublishDefinition(
            command_id=ids.new_id(),
            actor=Requester(id="operator"),
            body=load_definition(NOTE, "test.yaml").body,
            text=NOTE,
        )
    )
    homes.append(Home.open(address))
    running = [Running(home, ServeSettings(port=0)) for home in homes]
    yield running
    for one in running:
        one.stop()
        one.home.close()


def test_what_one_service_wrote_is_read_from_another(services):
    one, other = services
    receipts = [one.write() for _ in range(5)]
    for receipt in receipts:
        asked = {"at_least": receipt["position"]}
        case = other.client.get(f"/v1/cases/{receipt['stream']}", params=asked).json()
        assert (case["state"], case["position"]) == ("draft", receipt["position"])
    page = other.client.get("/v1/events").json()
    assert [int(event["sequence"]) for event in page["events"]] == [*range(1, 7)]
    assert [at for at, _ in read_stream(other, 6)] == [*range(1, 7)]


def test_one_key_has_one_effect_whichever_service_it_goes_to(services):
    said = {"kind": "start-case", "workflow": "note", "data": {"text": "x"}}
    answers = [service.command("once", **said) for service in services]
    assert answers[0].json() == answers[1].json()
    assert services[0].home.log.head() == 2


def test_a_reader_that_waits_at_one_is_woken_by_a_write_at_another(services):
    one, other = services
    with one.client.stream(
        "GET", "/v1/events", params={"after": 1}, headers={"Accept": "text/event-stream"}
    ) as stream:
        lines = stream.iter_lines()
        next(lines)
        other.write()
        assert next(line for line in lines if line.startswith("id")).startswith("id: 2:")


def test_health_and_metrics(services):
    assert services[1].client.get("/ready").json() == {"status": "ready"}
    assert "pmo_log_position 1\n" in services[1].client.get("/metrics").text
