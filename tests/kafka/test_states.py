"""The compacted topics of states, and what Apache's own client reads of all that is told."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from consumers.kafka_connection import read_topics
from consumers.kafka_states import KafkaStates
from consumers.runner import Runner
from tests.kafka.conftest import public, read_all
from tests.kafka.test_relay import fill
from tests.kafka_broker import ApacheKafka


@pytest.fixture
def states(house: Any, settings: Any) -> Any:
    consumer = KafkaStates(house.log, house.store, settings)
    yield Runner(house.log, house.store, consumer)
    consumer.close()


def table(settings: Any, workflow: str) -> dict[str, dict[str, Any]]:
    """What a reader of tables has: for each key the highest version."""
    found: dict[str, dict[str, Any]] = {}
    for record in read_all(settings.bootstrap, settings.topic_of_states(workflow)):
        state = json.loads(record.value)
        assert record.key.decode() == state["key"]
        if state["version"] >= found.get(state["key"], {"version": 0})["version"]:
            found[state["key"]] = state
    return found


def test_a_reader_of_tables_has_every_case_as_it_is_now(house, settings, states):
    fill(house, 3)
    decision = house.approved("PLAN-0001", "scope").stream
    states.catch_up()
    house.start("plan", title="Later", budget="1.25m")
    states.catch_up()
    plans, decisions = table(settings, "plan"), table(settings, "decision")
    assert {*plans} == {"PLAN-0001", "PLAN-0002", "PLAN-0003", "PLAN-0004"}
    assert {*decisions} == {decision}
    for key, state in {**plans, **decisions}.items():
        case = house.service.case(key)
        assert state["state"] == case.state
        assert state["data"] == json.loads(json.dumps(dict(case.data)))
        assert state["version"] == case.version
        assert state["workflow"] == case.definition.name
        assert state["position"] == house.log.stream(key)[-1].position
    topic = settings.topic_of_states("plan")
    assert read_topics(settings, [topic])[topic].compacted


def test_all_states_are_told_again_when_an_operator_asks(house, settings, states):
    fill(house, 3)
    states.catch_up()
    assert states.consumer.replay(house.log.head()) == 3
    assert len(read_all(settings.bootstrap, settings.topic_of_states("plan"))) == 6


def test_a_broker_that_lost_states_is_told_them_again(
    house, settings, states, apache_kafka: ApacheKafka
):
    for _ in range(3):
        fill(house, 10)
        states.catch_up()
    states.consumer.close()
    apache_kafka.kill()
    topic = settings.topic_of_states("plan")
    for segment in apache_kafka.data.glob(f"{topic}-*/*.log"):
        kept = segment.stat().st_size
        segment.write_bytes(segment.read_bytes()[: kept // 2])
    apache_kafka.start()
    assert len(table(settings, "plan")) < 30
    house.start("decision", title="x")
    states.catch_up()
    assert states.consumer.lost > 0
    assert len(table(settings, "plan")) == 30


def test_apaches_own_client_reads_what_the_log_says_event_by_event(
    house, settings, relaying, apache_kafka: ApacheKafka
):
    fill(house, 10)
    house.start("plan", title="Straße, 道")
    relaying(settings).catch_up()
    wanted = public(house)
    printed = apache_kafka.run_java(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *("--bootstrap-server", apache_kafka.bootstrap, "--topic", settings.topics.events),
        *("--from-beginning", "--max-messages", str(len(wanted)), "--timeout-ms", "60000"),
        *("--property", "print.headers=true", "--property", "print.key=true"),
    )
    seen: dict[int, dict[str, Any]] = {}
    for line in printed.splitlines():
        headers, key, value = line.split("\t")
        said = dict(re.findall(r"([a-z_-]+):([^,]*)", headers))
        body = json.loads(value)
        position = int(said["ce_sequence"])
        assert said["ce_id"] == body["event_id"]
        assert said["ce_type"] == f"pmo.{body['definition']['name']}.{body['name']}"
        assert key == said["ce_subject"] == said["ce_partitionkey"] == body["stream"]
        assert position not in seen
        seen[position] = body
    assert seen == wanted
    for key in {body["stream"] for body in wanted.values()}:
        versions = [body["version"] for body in seen.values() if body["stream"] == key]
        assert versions == sorted(versions)
