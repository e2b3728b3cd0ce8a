"""What outsiders see of an event, as the CloudEvents SDK reads it."""

from __future__ import annotations

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from consumers import cloud_events
from engine import ids
from engine.clock import to_datetime
from engine.commands import PullTrigger
from engine.store.chain import link
from tests.consumers.conftest import PAT, House

CLAIMING = """
workflow: chair
version: 1
title: Chair
key: CHAIR
data: {board: {type: text, required: true}}
states: {held: {initial: true}, left: {final: true}}
only_one: [{per: [board], in: [held]}]
start: {emits: ChairTaken}
transitions: [{trigger: leave, from: held, to: left, emits: ChairLeft}]
"""


def as_others_read_it(position: int, body: dict[str, object]) -> CloudEvent:
    told = cloud_events.attributes(position, body, "/ledgers/test")
    headers = {
        "content-type" if name == "datacontenttype" else f"ce_{name}": value.encode()
        for name, value in told.items()
    }
    message = KafkaMessage(headers=headers, key=None, value=cloud_events.data(body))
    event = from_binary(message, JSONFormat(), CloudEvent)
    assert isinstance(event, CloudEvent)  # it checks names, types and what must be there
    return event


def test_the_sdk_reads_every_attribute_and_the_whole_event(house: House) -> None:
    house.start("plan")
    position = house.log.head()
    ((_, body),) = house.log.bodies(position - 1, 1)
    event = as_others_read_it(position, body)
    assert event.get_attributes() == {
        "specversion": "1.0",
        "id": body["event_id"],
        "source": "/ledgers/test",
        "type": "pmo.plan.PlanStarted",
        "subject": "PLAN-0001",
        "time": to_datetime(body["recorded_at"]),
        "datacontenttype": "application/json",
        "dataschema": "urn:pmo:plan:1:PlanStarted",
        "partitionkey": "PLAN-0001",
        "sequence": f"{position:020}",
        "correlationid": body["correlation_id"],
    }
    assert event.get_data() == body


def test_cause_and_trace_are_told_where_there_are_any(house: House) -> None:
    plan = house.start("plan").stream
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    house.service.handle(
        PullTrigger(
            command_id=ids.new_id(),
            actor=PAT,
            case=plan,
            trigger="close",
            correlation_id="the request",
            causation_id="its cause",
            traceparent=trace,
        )
    )
    ((position, body),) = house.log.bodies(house.log.head() - 1, 1)
    event = as_others_read_it(position, body)
    assert event.get_extension("correlationid") == "the request"
    assert event.get_extension("causationid") == "its cause"
    assert event.get_extension("traceparent") == trace


def test_the_data_are_the_very_bytes_that_the_log_keeps_and_hashes(house: House) -> None:
    house.start("plan", title="Straße, 道", budget="1.25m")
    position = house.log.head()
    ((_, body),) = house.log.bodies(position - 1, 1)
    before, after = house.log.chain(position - 1), house.log.chain(position)
    assert before is not None
    assert link(before, cloud_events.data(body)) == after


def test_definitions_are_for_everybody_and_claims_are_for_nobody(house: House) -> None:
    house.publish(CLAIMING)
    house.start("chair", board="investment")
    found = {
        body["stream"].partition("/")[0]: cloud_events.is_public(body)
        for _, body in house.log.bodies(0, 100)
    }
    assert found == {"definition": True, "CHAIR-0001": True, "claim": False}
    (_, first), *_ = house.log.bodies(0, 1)
    assert cloud_events.attributes(1, first)["type"] == "pmo.plan.DefinitionPublished"
