"""What the broker did and could not say: acknowledgements that are lost, a broker that hangs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.kafka.conftest import check_told, read_all, settings_at
from tests.kafka.test_relay import fill
from tests.kafka_broker import ApacheKafka, OwnBroker
from tests.network import Wire, hang_up
from tests.patience import PATIENCE, wait_until

PRODUCE = 0


class LosesAnswers(Wire):
    """Of the next ``lose`` requests to produce it passes the request on, and hangs up instead of
    passing the answer back."""

    lose = 0
    lost = 0

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        doomed = threading.Event()
        back = threading.Thread(target=self._answer, args=[server, client, doomed])
        back.start()
        while (request := _frame(client)) is not None:
            if self.lose and int.from_bytes(request[4:6]) == PRODUCE:
                self.lose -= 1
                doomed.set()
            server.sendall(request)
        hang_up(server)
        back.join(10)

    def _answer(
        self, server: socket.socket, client: socket.socket, doomed: threading.Event
    ) -> None:
        while (answer := _frame(server)) is not None:
            if doomed.is_set():
                self.lost += 1
                break
            client.sendall(answer)
        hang_up(client)


def _frame(connection: socket.socket) -> bytes | None:
    """A request or an answer with its length before it; ``None`` at the end."""
    try:
        head = connection.recv(4, socket.MSG_WAITALL)
        rest = connection.recv(int.from_bytes(head), socket.MSG_WAITALL)
    except OSError:
        return None
    return head + rest if len(head) == 4 and len(rest) == int.from_bytes(head) else None


@pytest.fixture
def lossy(apache_kafka: ApacheKafka) -> Iterator[LosesAnswers]:
    with closing(LosesAnswers(apache_kafka.behind, apache_kafka.proxied)) as wire:
        yield wire


def test_acknowledgements_that_are_lost_neither_lose_nor_repeat_an_event(
    house, kafka, apache_kafka, lossy, prefix, relaying
):
    settings = settings_at(f"127.0.0.1:{apache_kafka.proxied}", prefix)
    runner = relaying(settings, batch=15)
    runner.catch_up()
    for _ in range(4):
        lossy.lose = 1
        fill(house, 5)
        runner.catch_up()
    assert lossy.lost == 4
    # The producer asks again under the same number, and the broker knows that it has it already.
    check_told(house, read_all(kafka.bootstrap, settings.topics.events), once=True)
    assert runner.consumer.again == 0


@pytest.fixture
def wire(apache_kafka: ApacheKafka) -> Iterator[Wire]:
    with closing(Wire(apache_kafka.behind, apache_kafka.proxied)) as wire:
        yield wire


def test_a_network_that_is_cut_between_relay_and_broker_and_heals_loses_nothing(
    house, kafka, apache_kafka, wire, prefix, relaying
):
    settings = settings_at(f"127.0.0.1:{wire.port}", prefix, answers_within=2)
    reasons: list[str] = []
    runner = relaying(settings, told=lambda error, seconds: reasons.append(str(error)), batch=7)
    runner.catch_up()
    stop = threading.Event()
    follower = threading.Thread(target=runner.follow, args=[stop])
    follower.start()
    for _ in range(2):
        wire.cut()
        heard = len(reasons)
        fill(house, 5)
        wait_until(lambda heard=heard: len(reasons) > heard)
        wire.mend()
        wait_until(lambda: runner.lag() == 0)
    stop.set()
    follower.join(PATIENCE)
    check_told(house, read_all(kafka.bootstrap, settings.topics.events))


def test_a_broker_that_hangs_is_given_up_and_told_again_when_it_goes_on(
    house, prefix, relaying, own_kafka: OwnBroker
):
    settings = settings_at(own_kafka.bootstrap, prefix, answers_within=2)
    heard = threading.Event()
    runner = relaying(settings, told=lambda error, seconds: heard.set())
    runner.catch_up()
    stop = threading.Event()
    follower = threading.Thread(target=runner.follow, args=[stop])
    own_kafka.pause()
    try:
        fill(house, 10)
        follower.start()
        wait_until(heard.is_set)
    finally:
        own_kafka.go_on()
    fill(house, 2)
    wait_until(lambda: runner.lag() == 0)
    stop.set()
    follower.join(PATIENCE)
    check_told(house, read_all(own_kafka.bootstrap, settings.topics.events))
    assert runner.consumer.again > 0
