"""Topics of a test's own on the one broker, and a ledger whose events go there."""

from __future__ import annotations

import gc
import json
import secrets
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from consumers import cloud_events
from consumers.kafka_connection import make_topics
from consumers.kafka_intake import KafkaIntake
from consumers.kafka_network import connect
from consumers.kafka_relay import KafkaRelay
from consumers.kafka_settings import KafkaSettings
from consumers.runner import Runner
from tests.consumers.conftest import DECISION, PLAN, House
from tests.kafka_broker import Broker
from tests.patience import PATIENCE

SOURCE = "/ledgers/test"
PAT = {"id": "pat", "roles": ["requester"]}


@pytest.fixture
def prefix() -> str:
    return f"t{secrets.token_hex(4)}"


@pytest.fixture
def settings(kafka: Broker, prefix: str) -> KafkaSettings:
    return settings_at(kafka.bootstrap, prefix)


@pytest.fixture
def open_settings(kafka: Broker, prefix: str) -> KafkaSettings:
    """With an intake from a topic on which pat is known as a requester."""
    return settings_at(kafka.bootstrap, prefix, intake=intake_of(prefix))


def intake_of(prefix: str, **door: Any) -> dict[str, Any]:
    door = {"actors": {"pat": ["requester"]}, "kinds": ["human", "service"]} | door
    return {
        "topics": {f"{prefix}.commands": door},
        "replies": f"{prefix}.replies",
        "dead_letters": f"{prefix}.dead-letters",
        "group": f"{prefix}-intake",
        "largest": 10_000,
    }


def settings_at(bootstrap: str, prefix: str, **more: Any) -> KafkaSettings:
    topics = {
        "events": f"{prefix}.events",
        "states": f"{prefix}.state.{{workflow}}",
        "partitions": 3,
        "replication": 1,
    }
    return KafkaSettings.model_validate(
        {"bootstrap": bootstrap, "answers_within": 30, "topics": topics} | more
    )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Plans and decisions are published."""
    house = House(tmp_path / "ledger.db", tmp_path / "consumers.db")
    house.publish(PLAN, DECISION)
    yield house
    house.close()


@pytest.fixture
def relaying(house: House) -> Iterator[Callable[..., Runner]]:
    """Makes runners of relays on the house's log; the way a test's own broker needs it."""
    relays: list[KafkaRelay] = []

    def relaying(settings: KafkaSettings, **how: Any) -> Runner:
        relays.append(KafkaRelay(house.log, house.store, settings, SOURCE))
        return Runner(house.log, house.store, relays[-1], **{"chance": lambda: 0.1} | how)

    yield relaying
    for relay in relays:
        relay.close()


def asking(command_id: str, kind: str = "start-case", **said: Any) -> bytes:
    said = {"workflow": "plan", "data": {"title": command_id}} | said
    return json.dumps({"kind": kind, "command_id": command_id, "actor": PAT, **said}).encode()


def pulling(command_id: str, case: str, trigger: str) -> bytes:
    said = {"command_id": command_id, "actor": PAT, "case": case, "trigger": trigger}
    return json.dumps({"kind": "pull-trigger", **said}).encode()


@pytest.fixture
def taking(house: House, open_settings: KafkaSettings) -> Iterator[Callable[..., KafkaIntake]]:
    made: list[KafkaIntake] = []
    names = topics(open_settings)
    make_topics(open_settings, {name: {} for name in names})

    def taking(settings: KafkaSettings = open_settings, **how: Any) -> KafkaIntake:
        made.append(KafkaIntake(house.service, settings, **how))
        return made[-1]

    yield taking
    for intake in made:
        intake._begin_anew()


def topics(settings: KafkaSettings) -> list[str]:
    assert settings.intake is not None
    return [*settings.intake.topics, settings.intake.replies, settings.intake.dead_letters]


def drain(intake: KafkaIntake) -> None:
    intake.run(threading.Event(), idle_for=1.0)


def send(settings: KafkaSettings, *values: bytes) -> None:
    send_all(settings.bootstrap, topics(settings)[0], values)


def replies(settings: KafkaSettings) -> list[dict[str, Any]]:
    return [
        json.loads(record.value) for record in read_all(settings.bootstrap, topics(settings)[1])
    ]


def starts(house: House) -> list[str]:
    return [
        b["data"]["title"] for _, b in house.log.bodies(0, 10_000) if b["name"] == "PlanStarted"
    ]


@contextmanager
def nothing_left() -> Iterator[None]:
    """Whoever is in here leaves no socket to the garbage collector."""
    gc.collect()  # what other tests left
    gc.disable()
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            yield
            gc.collect()
    finally:
        gc.enable()
    assert [str(one.message) for one in told if one.category is ResourceWarning] == []


def read_all(bootstrap: str, *topics: str) -> list[Any]:
    """Every record of these topics, each partition in order."""
    with closing(
        connect(KafkaConsumer, bootstrap_servers=bootstrap, enable_auto_commit=False)
    ) as consumer:
        parts = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        if not parts:
            return []
        ends = consumer.end_offsets(parts)
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        found: dict[TopicPartition, list[Any]] = {part: [] for part in parts}
        while any(consumer.position(part) < ends[part] for part in parts):
            for part, records in consumer.poll(timeout_ms=200).items():
                found[part] += records
    return [record for part in parts for record in found[part]]


def send_all(bootstrap: str, topic: str, values: Sequence[bytes], key: bytes = b"k") -> None:
    with closing(connect(KafkaProducer, bootstrap_servers=bootstrap)) as producer:
        futures = [producer.send(topic, value, key) for value in values]
        producer.flush(PATIENCE)
        for future in futures:
            future.get(PATIENCE)


def positions(records: Sequence[Any]) -> list[int]:
    return [int(dict(record.headers)["ce_sequence"]) for record in records]


def public(house: House) -> dict[int, dict[str, Any]]:
    """What has to be told, by position."""
    bodies = house.log.bodies(0, house.log.head())
    return {position: body for position, body in bodies if cloud_events.is_public(body)}


def check_told(house: House, records: Sequence[Any], *, once: bool = False) -> None:
    """Everything, nothing else, and, as a reader who drops what it has seen sees it, in order for
    each case; with ``once``, nothing twice."""
    wanted = public(house)
    assert set(positions(records)) == {*wanted}
    assert {dict(r.headers)["ce_id"].decode() for r in records} == {
        body["event_id"] for body in wanted.values()
    }
    seen: dict[str, list[int]] = {}
    for record, position in zip(records, positions(records), strict=True):
        mine = seen.setdefault(record.key.decode(), [])
        if position not in mine:
            assert position > max(mine, default=0)
            mine.append(position)
    if once:
        assert len(records) == len(wanted)
