"""What a client leaves behind that cannot reach the broker."""

from __future__ import annotations

import gc
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consumers.kafka_connection import read_topics
from consumers.runner import MayPass
from tests.kafka.conftest import settings_at


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
def test_no_socket_of_a_try_that_failed_is_left_to_the_garbage_collector(there, protocol):
    with there() as port:
        settings = settings_at(
            f"127.0.0.1:{port}", "none", answers_within=1, security={"protocol": protocol}
        )
        gc.collect()  # what other tests left
        gc.disable()
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                with pytest.raises(MayPass, match="nobody answers there"):
                    read_topics(settings, ["none.events"])
                gc.collect()
        finally:
            gc.enable()
    assert [str(one.message) for one in told if one.category is ResourceWarning] == []
