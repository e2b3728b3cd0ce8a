"""docs/examples/java: a Java service that subscribes to Kafka."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES, Told
from tests.kafka.conftest import prefix
from tests.kafka.test_relay import wait_until
from tests.kafka_broker import ApacheKafka, fetch_jars
from tests.programs import PMO, Start, need

__all__ = ["prefix"]

SOURCE = EXAMPLES / "java" / "Subscriber.java"
SMALL = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@pytest.fixture
def jars() -> Path:
    """As the page says to get them."""
    how = "install a JDK of 17 or newer (Debian: default-jdk-headless) and Maven (maven)"
    need("javac", how)  # what runs a single source file
    return fetch_jars(EXAMPLES / "java" / "pom.xml", how)


def test_a_java_service_has_every_event_once_in_effect_whatever_is_killed(
    apache_kafka: ApacheKafka, jars: Path, told: Told, program: Start, prefix: str, tmp_path: Path
):
    topics = {"events": f"{prefix}.events", "states": None, "partitions": 6, "replication": 1}
    told.settings(kafka={"bootstrap": apache_kafka.bootstrap, "topics": topics})
    database = tmp_path / "mine.db"

    def subscribe(instance: str):
        words = (apache_kafka.bootstrap, topics["events"], prefix, str(database), instance)
        return program("java", *SMALL, "-cp", f"{jars}/*", str(SOURCE), *words)

    def ask(sql: str) -> list[tuple]:
        with closing(sqlite3.connect(database, timeout=30)) as mine:
            return mine.execute(sql).fetchall()

    def count() -> int:
        there = database.exists() and ask("SELECT 1 FROM sqlite_master WHERE name = 'cases'")
        return ask("SELECT ifnull(sum(events), 0) FROM cases")[0][0] if there else 0

    told.write(50)
    work = program(*PMO, "work", "--home", told.folder)
    one, two = subscribe("one"), subscribe("two")
    wait_until(lambda: count() > 0)
    one.kill()
    told.write(50)
    apache_kafka.kill()
    work.kill()
    told.write(50)
    one.start()
    apache_kafka.start()
    work.start()
    wait_until(lambda: count() > 300)
    two.kill()
    replay = program(*PMO, "kafka", "replay", "--from", "1", "--home", told.folder)
    two.start()
    wait_until(replay.has_ended)
    apache_kafka.stop()
    told.write(50)
    apache_kafka.start()
    public = [body for _, body in told.public()]
    wait_until(lambda: count() >= len(public))
    messages = sum(offset for _, offset in [*ask("SELECT part, next FROM place")])
    for service in (one, two):
        service.kill()  # neither had ended by itself: no version was missing, or came too early

    assert messages > len(public)  # some did come twice
    assert {row[0] for row in ask("SELECT id FROM seen")} == {b["event_id"] for b in public}
    versions = Counter(body["stream"] for body in public)
    states = {body["stream"]: body["state"] for body in public if body.get("state")}
    assert {row[0]: row[1:] for row in ask("SELECT name, events, version, state FROM cases")} == {
        case: (events, events, states.get(case)) for case, events in versions.items()
    }
