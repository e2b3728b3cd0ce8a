"""docs/examples/java: a Java service that subscribes to Kafka."""

from __future__ import annotations

import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES, Told
from tests.kafka.conftest import prefix
from tests.kafka_broker import ApacheKafka
from tests.maven import fetch_jars
from tests.patience import PATIENCE, wait_until
from tests.programs import PMO, Start, need

__all__ = ["prefix"]

SOURCE = EXAMPLES / "java" / "Subscriber.java"
SMALL = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@pytest.fixture
def class_path(tmp_path: Path) -> str:
    """Compiled once, where the page has every start of it compile: it is started often here."""
    how = "install a JDK of 17 or newer (Debian: default-jdk-headless) and Maven (maven)"
    javac, jars = need("javac", how), fetch_jars(EXAMPLES / "java" / "pom.xml", how)
    words = [javac, "-Xlint:all", "-Werror", "-cp", f"{jars}/*", "-d", str(tmp_path), str(SOURCE)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return f"{jars}/*:{tmp_path}"


def test_a_java_service_has_every_event_once_in_effect_whatever_is_killed(
    apache_kafka: ApacheKafka,
    class_path: str,
    told: Told,
    program: Start,
    prefix: str,
    tmp_path: Path,
):
    topics = {"events": f"{prefix}.events", "states": None, "partitions": 6, "replication": 1}
    told.settings(kafka={"bootstrap": apache_kafka.bootstrap, "topics": topics})
    database = tmp_path / "mine.db"

    def subscribe(instance: str):
        words = (apache_kafka.bootstrap, topics["events"], prefix, str(database), instance)
        return program("java", *SMALL, "-cp", class_path, "Subscriber", *words)

    def ask(sql: str) -> list[tuple]:
        with closing(sqlite3.connect(database, timeout=PATIENCE)) as mine:
            return mine.execute(sql).fetchall()

    def count() -> int:
        there = database.exists() and ask("SELECT 1 FROM sqlite_master WHERE name = 'cases'")
        return ask("SELECT ifnull(sum(events), 0) FROM cases")[0][0] if there else 0

    def messages() -> int:
        """How many it has taken, those that came again included."""
        return int(ask("SELECT sum(next) FROM place")[0][0])

    told.write(50)
    work = program(*PMO, "work", "--home", told.folder)
    one, two = subscribe("one"), subscribe("two")
    wait_until(lambda: count() > 0, one, two)
    one.kill()
    told.write(50)
    apache_kafka.kill()
    work.kill()
    told.write(50)
    one.start()
    apache_kafka.start()
    work.start()
    wait_until(lambda: count() > 300, one, two)
    two.kill()
    replay = program(*PMO, "kafka", "replay", "--from", "1", "--home", told.folder)
    two.start()
    wait_until(replay.has_ended)
    public = [body for _, body in told.public()]

    def is_through() -> bool:
        return count() >= len(public) and messages() > len(public)

    wait_until(is_through, one, two)
    one.kill()
    two.kill()

    assert {row[0] for row in ask("SELECT id FROM seen")} == {b["event_id"] for b in public}
    versions = Counter(body["stream"] for body in public)
    states = {body["stream"]: body["state"] for body in public if body.get("state")}
    assert {row[0]: row[1:] for row in ask("SELECT name, events, version, state FROM cases")} == {
        case: (events, events, states.get(case)) for case, events in versions.items()
    }
