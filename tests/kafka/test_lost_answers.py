"""What the broker did and could not say: acknowledgements that are lost, a broker that hangs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.kafka.conftest import check_told, read_all, settings_at
from tests.kafka.test_relay import fill, wait_until
from tests.kafka_broker import ApacheKafka, OwnBroker
from tests.network import Wire

PRODUCE = 0


class Proxy:
    """Between a client and the broker: of the next ``lose`` requests to produce, it passes the
    request on and cuts the connection instead of passing the answer back."""

    def __init__(self, port: int, behind: int) -> None:
        self.lose = 0
        self.lost = 0
        self._behind = behind
        self._server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # else who waits in accept() keeps the port
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._behind)) as broker:
            doomed = threading.Event()
            back = threading.Thread(target=self._answer, args=[broker, client, doomed])
            back.start()
            while (request := _frame(client)) is not None:
                if self.lose and int.from_bytes(request[4:6]) == PRODUCE:
                    self.lose -= 1
                    doomed.set()
                broker.sendall(request)
            _cut(broker)
            back.join(10)

    def _answer(
        self, broker: socket.socket, client: socket.socket, doomed: threading.Event
    ) -> None:
        while (answer := _frame(broker)) is not None:
            if doomed.is_set():
                self.lost += 1
                break
            client.sendall(answer)
        _cut(client)


def _frame(connection: socket.socket) -> bytes | None:
    """A request or an answer with its length before it; ``None`` at the end."""
    try:
        head = connection.recv(4, socket.MSG_WAITALL)
        rest = connection.recv(int.from_bytes(head), socket.MSG_WAITALL)
    except OSError:
        return None
    return head + rest if len(head) == 4 and len(rest) == int.from_bytes(head) else None


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other end was quicker


@pytest.fixture
def proxy(apache_kafka: ApacheKafka) -> Iterator[Proxy]:
    proxy = Proxy(apache_kafka.proxied, apache_kafka.behind)
    yield proxy
    proxy.close()


def test_acknowledgements_that_are_lost_neither_lose_nor_repeat_an_event(
    house, kafka, apache_kafka, proxy, prefix, relaying
):
    settings = settings_at(f"127.0.0.1:{apache_kafka.proxied}", prefix)
    runner = relaying(settings, batch=15)
    runner.catch_up()
    for _ in range(4):
        proxy.lose = 1
        fill(house, 5)
        runner.catch_up()
    assert proxy.lost == 4
    # The producer asks again under the same number, and the broker knows that it has it already.
    check_told(house, read_all(kafka.bootstrap, settings.topics.events), once=True)
    assert runner.consumer.again == 0


@pytest.fixture
def wire(apache_kafka: ApacheKafka) -> Iterator[Wire]:
    wire = Wire(apache_kafka.behind, apache_kafka.proxied)
    yield wire
    wire.close()


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
    follower.join(60)
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
    follower.join(60)
    check_told(house, read_all(own_kafka.bootstrap, settings.topics.events))
    assert runner.consumer.again > 0
