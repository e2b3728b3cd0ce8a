"""Numbered keys: dense, whoever else starts cases, and found in few look-ups."""

from __future__ import annotations

import pytest

from engine.clock import HandClock
from engine.keys import Keys
from engine.loading import load_definition
from engine.service import Service
from engine.store.memory import MemoryLog
from tests.deciding.conftest import DECISION, OBJECTIVE, publish
from tests.deciding.test_service import start

CLOCK = HandClock("2026-03-01T09:00:00.000000Z")


class CountingLog(MemoryLog):
    looks = 0

    def version(self, stream: str) -> int:
        self.looks += 1
        return super().version(stream)


@pytest.mark.parametrize("others", [0, 1, 2, 3, 7, 8, 30])
def test_the_number_after_those_that_others_took_is_found_from_where_one_was(others: int) -> None:
    log = CountingLog()
    service = Service(log, CLOCK)
    for text in (OBJECTIVE, DECISION):
        publish(service, text)
    keys, definition = Keys(log), load_definition(DECISION, "test.yaml")
    for _ in range(100):
        start(service)
    assert keys.propose(definition, {}) == "DEC-0101"
    for _ in range(others):
        start(service)
    keys.forget()
    log.looks = 0
    assert keys.propose(definition, {}) == f"DEC-{101 + others:04}"
    assert log.looks <= 10
