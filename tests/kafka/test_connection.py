"""What a client leaves behind that cannot reach the broker."""

from __future__ import annotations

import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from consumers.kafka_connection import EVENTS_KEPT, options, read_topics, ready_topics
from consumers.kafka_network import connect
from consumers.kafka_settings import KafkaSettings
from consumers.runner import MayPass
from tests.kafka.conftest import nothing_left, settings_at
from tests.kafka.test_security import need_openssl
from tests.kafka_broker import OwnBroker
from tests.patience import PATIENCE, wait_until

_LARGE, _LARGER = 16_000_000, 32_000_000
"""Bytes: several times what two sides of a connection hold."""


@contextmanager
def nobody() -> Iterator[int]:
    """A port that is taken, and nobody listens: who connects is refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def somebody_silent() -> Iterator[int]:
    """Takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@contextmanager
def somebody_else() -> Iterator[int]:
    """Takes connections, and speaks neither Kafka nor TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return  # it is over
                with connection:
                    connection.recv(1_000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            answering.join()


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
@pytest.mark.parametrize("there", [nobody, somebody_silent, somebody_else])
def test_a_try_that_fails_ends_and_leaves_no_socket_to_the_garbage_collector(there, protocol):
    with there() as port:
        settings = settings_at(
            f"127.0.0.1:{port}", "none", answers_within=1, security={"protocol": protocol}
        )
        with nothing_left(), pytest.raises(MayPass, match="nobody answers there"):
            read_topics(settings, ["none.events"])


@pytest.mark.parametrize("text", [None, "no certificate"])
@pytest.mark.parametrize("which", ["ca_file", "certificate_file"])
def test_a_certificate_that_cannot_be_read_is_named(tmp_path, which, text):
    path = tmp_path / "some.pem"
    if text:
        path.write_text(text)
    said = {"protocol": "SSL", which: str(path)}
    with pytest.raises(MayPass, match=rf"{which}.*some.pem\) cannot be read"):
        read_topics(settings_at("127.0.0.1:1", "none", security=said), ["none.events"])


def test_a_key_whose_password_is_not_given_is_told_and_not_asked_for(tmp_path):
    path = tmp_path / "key.pem"
    need_openssl()
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=x", "-passout"]
    made += ["pass:secret", "-keyout", str(path), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run(made, check=True, capture_output=True)
    said = {"certificate_file": str(tmp_path / "certificate.pem"), "key_file": str(path)}
    settings = settings_at("127.0.0.1:1", "none", security={"protocol": "SSL"} | said)
    with pytest.raises(MayPass, match="key_file"):
        options(settings, "test")


def test_nor_is_a_socket_left_of_which_a_broker_that_hangs_takes_nothing(own_kafka, settings):
    ready_topics(settings, {settings.topics.events: EVENTS_KEPT})
    with nothing_left():
        send_more_than_is_taken(own_kafka, settings)


def send_more_than_is_taken(broker: OwnBroker, settings: KafkaSettings) -> None:
    topic = settings.topics.events
    producer = connect(
        KafkaProducer, bootstrap_servers=settings.bootstrap, max_request_size=_LARGER
    )
    producer.send(topic, b"small", partition=0).get(PATIENCE)
    broker.pause()
    try:
        producer.send(topic, secrets.token_bytes(_LARGE), partition=0)
        wait_until(lambda: has_more(producer))
        with suppress(KafkaTimeoutError):
            producer.close(timeout=0)
        producer._sender.force_close()
        producer._sender.join(PATIENCE)
    finally:
        broker.go_on()
    assert not producer._sender.is_alive()


def has_more(producer: Any) -> bool:
    """What the operating system would not take of it any more."""
    connections = [*producer._sender._client._connections._conns.values()]
    return any(one.transport and one.transport._write_buffer for one in connections)
