"""What a client leaves behind that cannot reach the broker."""

from __future__ import annotations

import gc
import socket
import warnings

import pytest

from consumers.kafka_connection import read_topics
from consumers.runner import MayPass
from tests.kafka.conftest import settings_at


def test_no_socket_that_was_refused_is_left_to_the_garbage_collector():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        settings = settings_at(f"127.0.0.1:{taken.getsockname()[1]}", "none", answers_within=1)
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
