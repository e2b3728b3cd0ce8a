"""The reader kit: every event once in effect, whatever is cut off, told again, or moved on."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.kafka_connection import make_topics
from consumers.kafka_network import connect
from consumers.kafka_reader import Event, Unreadable, read
from engine.errors import BadInput
from tests.cli.conftest import ROOT
from tests.kafka.conftest import public, send_all
from tests.kafka.test_relay import check_no_more, fill, threads_and_files
from tests.patience import PATIENCE, wait_until

LONG = int(2 * PATIENCE * 1_000)
"""Milliseconds: a session that lasts longer than any test waits."""
TABLE = "CREATE TABLE IF NOT EXISTS told (n INTEGER PRIMARY KEY, stream TEXT, position INTEGER)"


def note(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(
        "INSERT INTO told (stream, position) VALUES (?, ?)", (event.case, event.position)
    )


@pytest.fixture
def mine(tmp_path: Path) -> Any:
    """The reading service's own database."""
    with closing(sqlite3.connect(tmp_path / "mine.db", timeout=PATIENCE)) as connection:
        connection.execute(TABLE)
        connection.commit()
        yield connection


def told(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    return connection.execute("SELECT stream, position FROM told ORDER BY n").fetchall()


def check(house: Any, connection: sqlite3.Connection) -> None:
    """Everything once, and in order for each case."""
    seen = told(connection)
    assert sorted(position for _, position in seen) == [*public(house)]
    for stream in {stream for stream, _ in seen}:
        mine = [position for other, position in seen if other == stream]
        assert mine == sorted(mine)


def test_every_event_is_handed_over_once_however_often_it_is_told(
    house, settings, relaying, mine, prefix
):
    fill(house, 5)
    runner = relaying(settings)
    runner.catch_up()
    runner.consumer.replay(0, house.log.head())

    def run() -> int:
        return read(note, settings.bootstrap, settings.topics.events, prefix, mine, idle_for=2)

    assert run() == len(public(house))
    assert run() == 0
    runner.consumer.replay(0, house.log.head())
    fill(house, 1)
    runner.catch_up()
    assert run() == 3
    check(house, mine)


def test_an_event_that_the_handler_fails_of_leaves_nothing_and_those_before_it_stay(
    house, settings, relaying, mine, prefix
):
    plan = house.start("plan").stream
    house.do(plan, "issue-baseline")
    house.do(plan, "close")
    relaying(settings).catch_up()

    def failing(connection: sqlite3.Connection, event: Event) -> None:
        note(connection, event)
        if event.name == "BaselineIssued":
            raise ValueError("cannot take that")

    with pytest.raises(ValueError, match="cannot take that"):
        read(failing, settings.bootstrap, settings.topics.events, prefix, mine, idle_for=2)
    assert (plan, 3) in told(mine)
    assert (plan, 4) not in told(mine)
    read(note, settings.bootstrap, settings.topics.events, prefix, mine, idle_for=2)
    check(house, mine)


@pytest.mark.parametrize("error", [ConnectionRefusedError, KafkaError])
def test_what_the_handler_raises_is_never_taken_for_trouble_with_the_broker(
    house, settings, relaying, mine, prefix, error
):
    """Else it would be asked again and again, and nobody would hear why nothing goes on."""
    fill(house, 1)
    relaying(settings).catch_up()
    warned: list[str] = []

    def failing(_connection: sqlite3.Connection, _event: Event) -> None:
        raise error("the service's own")

    topic = settings.topics.events
    with pytest.raises(error, match="the service's own"):
        read(failing, settings.bootstrap, topic, prefix, mine, idle_for=60, warn=warned.append)
    assert warned == []


def test_a_broker_that_is_away_takes_no_more_of_a_reader_at_every_try(
    mine, prefix, monkeypatch, caplog
):
    caplog.set_level("CRITICAL", "kafka")
    monkeypatch.setattr("consumers.kafka_reader.LONGEST_WAIT", 0.01)
    stop, taken = threading.Event(), []

    def count(_why: str) -> None:
        taken.append(threads_and_files())
        if len(taken) == 7:
            stop.set()

    quick = {"bootstrap_timeout_ms": 100}
    assert read(note, "127.0.0.1:1", "t", prefix, mine, stop=stop, warn=count, **quick) == 0
    check_no_more(taken)


class Stopping(logging.Handler):
    """Ends the reader once it has said why it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.stop = threading.Event()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())
        self.stop.set()


def test_a_reader_that_waits_says_why_though_nobody_asked(mine):
    told = Stopping()
    quick = {"bootstrap_timeout_ms": 200}
    with heard(told):
        read(note, "127.0.0.1:1", "t", "billing", mine, stop=told.stop, **quick)
    assert told.told[0].startswith("waiting: reader=billing why=waits and tries again: ")


def test_a_reader_of_a_topic_that_is_not_there_says_so(settings, mine, prefix, apache_kafka):
    told = Stopping()
    with heard(told):
        read(note, settings.bootstrap, f"{prefix}.evnts", prefix, mine, stop=told.stop)
    assert told.told == [
        f"waiting: reader={prefix} why=waits for a topic that is not there: {prefix}.evnts"
    ]


@contextmanager
def heard(handler: logging.Handler) -> Iterator[None]:
    log = logging.getLogger("pmo.kafka")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def test_two_readers_of_one_name_share_the_work_and_hand_nothing_over_twice(
    house, settings, relaying, mine, prefix, tmp_path
):
    fill(house, 20)
    relaying(settings).catch_up()
    stop = threading.Event()
    counts: list[int] = []

    def run() -> None:
        with closing(sqlite3.connect(tmp_path / "mine.db", timeout=PATIENCE)) as own:
            topic = settings.topics.events
            counts.append(read(note, settings.bootstrap, topic, prefix, own, stop=stop, at_once=5))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(told(mine)) == len(public(house)))
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert sum(counts) == len(public(house))
    check(house, mine)


READING = """
import os, signal, sqlite3, sys
from tests.kafka.test_reader import note
from consumers.kafka_reader import read

left = int(sys.argv[5])

def note_and_die(connection, event):
    global left
    note(connection, event)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

connection = sqlite3.connect(sys.argv[3], timeout=60)
read(note_and_die, sys.argv[1], sys.argv[2], sys.argv[4], connection, at_once=3)
"""


def test_a_reader_that_is_killed_in_mid_batch_again_and_again_hands_everything_over_once(
    house, settings, relaying, mine, prefix, tmp_path, lets_go
):
    fill(house, 30)
    relaying(settings).catch_up()
    words = [settings.bootstrap[0], settings.topics.events, str(tmp_path / "mine.db"), prefix]
    for events in ("2", "29"):
        died = subprocess.run(
            [sys.executable, "-c", READING, *words, events],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            timeout=PATIENCE,
            check=False,
        )
        assert died.returncode == -signal.SIGKILL
    assert 0 < len(told(mine)) < 31
    read(note, settings.bootstrap, settings.topics.events, prefix, mine, idle_for=15)
    check(house, mine)


def test_what_is_no_event_of_ours_is_passed_over(house, settings, relaying, mine, prefix):
    fill(house, 1)
    relaying(settings).catch_up()
    send_all(settings.bootstrap, settings.topics.events, [b"something else"])
    assert read(note, settings.bootstrap, settings.topics.events, prefix, mine, idle_for=2) == len(
        public(house)
    )


@pytest.mark.parametrize(
    ("header", "value", "why"),
    [
        ("", b"{", "unexpected end"),
        ("", b"[]", "not the body"),
        ("", b"{}", "not the body"),
        ("ce_sequence", b"{}", "not the body"),
        ("ce_id", b'{"name": "X"}', "decode"),
    ],
)
def test_what_says_it_is_an_event_and_is_none_holds_up_nobody(
    settings, mine, prefix, kafka, header, value, why, caplog
):
    """It comes first, and the service reads on, also when all of it is read again."""
    topic, good = settings.topics.events, json.dumps({"name": "PlanDrafted"}).encode()
    make_topics(settings, {topic: {}})
    with closing(connect(KafkaProducer, bootstrap_servers=settings.bootstrap)) as producer:
        broken = [("ce_id", b"1"), ("ce_type", b"t"), ("ce_subject", b"c"), ("ce_sequence", b"1")]
        broken = [(name, b"\xff" if name == header else said) for name, said in broken]
        whole = [("ce_id", b"2"), ("ce_type", b"t"), ("ce_subject", b"c"), ("ce_sequence", b"2")]
        producer.send(topic, value, b"c", broken, 0)
        producer.send(topic, good, b"c", whole, 0)
        producer.flush(PATIENCE)
    put_aside: list[Unreadable] = []

    def keep(connection: sqlite3.Connection, message: Unreadable) -> None:
        connection.execute("INSERT INTO told (stream, position) VALUES ('odd', -1)")
        put_aside.append(message)

    for count in (1, 0):
        assert count == read(
            note, settings.bootstrap, topic, prefix, mine, idle_for=2, on_unreadable=keep
        )
    assert told(mine) == [("odd", -1), ("c", 2)]
    (message,) = put_aside
    assert (message.topic, message.partition, message.offset) == (topic, 0, 0)
    assert (message.key, message.value) == (b"c", value)
    said = [one.getMessage() for one in caplog.records if one.name == "pmo.kafka"]
    assert len(said) == 1
    assert f"unreadable: reader={prefix} topic={topic} partition=0 offset=0 count=1" in said[0]


def test_a_process_that_is_back_under_its_name_has_its_partitions_at_once(
    house, settings, relaying, mine, prefix, tmp_path, apache_kafka
):
    """And not only when the session of the one that was killed has timed out."""
    fill(house, 10)
    relaying(settings).catch_up()
    words = [settings.bootstrap[0], settings.topics.events, str(tmp_path / "mine.db"), prefix]
    static = f"at_once=3, group_instance_id='one', session_timeout_ms={LONG}"
    died = subprocess.run(
        [sys.executable, "-c", READING.replace("at_once=3", static), *words, "5"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=PATIENCE,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    stop = threading.Event()

    def stop_at_the_end(connection: sqlite3.Connection, event: Event) -> None:
        note(connection, event)
        if len(told(connection)) == len(public(house)):
            stop.set()

    giving_up = threading.Timer(PATIENCE, stop.set)
    giving_up.start()
    read(
        *(stop_at_the_end, settings.bootstrap, settings.topics.events, prefix, mine),
        stop=stop,
        group_instance_id="one",
        session_timeout_ms=LONG,
    )
    giving_up.cancel()
    check(house, mine)


def test_a_connection_that_commits_by_itself_is_refused(tmp_path):
    with (
        closing(sqlite3.connect(tmp_path / "own.db", isolation_level=None)) as own,
        pytest.raises(BadInput, match="commits by itself"),
    ):
        read(note, "127.0.0.1:1", "t", "r", own)
