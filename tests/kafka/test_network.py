"""A real network between us and the broker that is cut without a word, and heals."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from consumers.kafka_connection import make_topics
from consumers.kafka_intake import KafkaIntake
from consumers.kafka_reader import read
from tests.kafka.conftest import (
    asking,
    check_told,
    intake_of,
    public,
    read_all,
    replies,
    send,
    settings_at,
    starts,
    topics,
)
from tests.kafka.test_reader import TABLE, check, note, told
from tests.kafka.test_relay import fill
from tests.kafka_broker import ApacheKafka, need_apache
from tests.network import Cable, cable
from tests.patience import PATIENCE, wait_until


@pytest.fixture(scope="module")
def network() -> Iterator[Cable]:
    with cable() as network:
        yield network


@pytest.fixture(scope="module")
def far(network: Cable) -> Iterator[ApacheKafka]:
    """A broker that is reached over the network alone."""
    jars = need_apache("a network is cut between us and a broker of our own")
    with tempfile.TemporaryDirectory(prefix="pmo-kafka-") as name:
        broker = ApacheKafka(Path(name), jars, network=network)
        broker.start()
        yield broker
        broker.close()


def test_relay_and_reader_lose_nothing_and_keep_the_order_over_a_network_that_is_cut(
    house, network, far, prefix, relaying, tmp_path
):
    """Twice, for longer than either waits for an answer, while events go on being recorded."""
    settings = settings_at(far.bootstrap, prefix, answers_within=2)
    heard: list[str] = []
    runner = relaying(settings, told=lambda error, _: heard.append(str(error)), batch=7)
    runner.catch_up()
    stop = threading.Event()

    def read_on() -> None:
        with closing(sqlite3.connect(tmp_path / "mine.db", timeout=PATIENCE)) as own:
            waits = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 1_000}
            read(note, far.bootstrap, settings.topics.events, prefix, own, stop=stop, **waits)

    with closing(sqlite3.connect(tmp_path / "mine.db", timeout=PATIENCE)) as mine:
        mine.execute(TABLE)
        mine.commit()

        def has_everything() -> bool:
            return len(told(mine)) == len(public(house))

        with running(stop, lambda: runner.follow(stop), read_on):
            for _ in range(2):
                fill(house, 5)
                wait_until(has_everything)
                with cut(network):
                    before = len(heard)
                    fill(house, 5)
                    wait_until(lambda before=before: len(heard) > before + 1)
                    assert not has_everything()
            wait_until(has_everything)
        check(house, mine)
    check_told(house, read_all(far.bootstrap, settings.topics.events))


def test_the_intake_answers_every_command_once_over_a_network_that_is_cut_before_it_could(
    house, network, far, prefix
):
    settings = settings_at(far.bootstrap, prefix, answers_within=2, intake=intake_of(prefix))
    make_topics(settings, {name: {} for name in topics(settings)})
    commands = [f"c{number:02}" for number in range(40)]
    send(settings, *map(asking, commands))
    handle_many, cuts, heard = house.service.handle_many, ExitStack(), list[str]()

    def handle_and_cut(group: Any) -> Any:
        answers = handle_many(group)
        if len(starts(house)) == 12:
            cuts.enter_context(cut(network))
        return answers

    house.service.handle_many = handle_and_cut
    intake = KafkaIntake(
        house.service, settings, told=lambda error, _: heard.append(str(error)), group=4
    )
    stop = threading.Event()
    with running(stop, lambda: intake.run(stop)), cuts:
        wait_until(lambda: len(heard) > 1)
        house.service.handle_many = handle_many
        cuts.close()
        wait_until(lambda: {one["command_id"] for one in replies(settings)} == {*commands})
    assert starts(house) == commands
    for reply in replies(settings):
        assert reply["outcome"] == "done"


@contextmanager
def cut(network: Cable) -> Iterator[None]:
    network.cut()
    try:
        yield
    finally:
        network.mend()


@contextmanager
def running(stop: threading.Event, *works: Callable[[], object]) -> Iterator[None]:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
