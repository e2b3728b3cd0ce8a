"""Numbered keys: dense, whoever else starts cases, and found in few look-ups."""

from __future__ import annotations

import pytest

from engine import ids
from engine.clock import HandClock
from engine.commands import StartCase
from engine.errors import BadInput
from engine.keys import Keys
from engine.loading import load_definition
from engine.service import Service
from engine.store.log import Log
from engine.store.memory import MemoryLog
from tests.deciding.asking import start
from tests.deciding.conftest import DECISION, OBJECTIVE, PAT, publish

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


REQUEST = """
workflow: request
version: 1
title: Request
key: REQ-{year}-{number}
data:
  year: {type: text, required: true}
  note: {type: text}
states:
  open: {initial: true}
  closed: {final: true}
start: {emits: RequestMade}
transitions:
  - {trigger: close, from: open, to: closed, accepts: note, emits: RequestClosed}
"""


def asked_in(service: Service, year: str) -> str:
    command = StartCase(command_id=ids.new_id(), actor=PAT, workflow="request", data={"year": year})
    return service.handle(command).stream


def test_a_key_of_fields_and_a_number_counts_for_each_value_of_the_fields(log: Log) -> None:
    service = Service(log, CLOCK)
    publish(service, REQUEST)
    keys = [asked_in(service, year) for year in ("2026", "2026", "2027", "2026")]
    assert keys == ["REQ-2026-0001", "REQ-2026-0002", "REQ-2027-0001", "REQ-2026-0003"]


def test_the_number_that_another_process_took_is_passed_over_and_no_ground_for_refusal(
    log: Log,
) -> None:
    here, elsewhere = Service(log, CLOCK), Service(log, CLOCK)
    publish(here, REQUEST)
    assert asked_in(here, "2026") == "REQ-2026-0001"
    assert asked_in(elsewhere, "2026") == "REQ-2026-0002"
    assert asked_in(here, "2026") == "REQ-2026-0003"


def test_a_value_that_looks_like_the_counter_cannot_pass_for_it() -> None:
    keys, definition = Keys(MemoryLog()), load_definition(REQUEST, "test.yaml")
    with pytest.raises(BadInput, match="cannot be the key of a case"):
        keys.propose(definition, {"year": "{number}"})


def test_a_value_too_long_for_a_key_is_told_how_long_one_may_be() -> None:
    keys, definition = Keys(MemoryLog()), load_definition(REQUEST, "test.yaml")
    with pytest.raises(BadInput, match=r"made as REQ-.*, of at most 80 letters"):
        keys.propose(definition, {"year": "2" * 80})


def test_what_makes_the_key_is_set_once_also_where_it_counts() -> None:
    text = REQUEST.replace("accepts: note", "accepts: [note, year]")
    with pytest.raises(BadInput, match="year is part of the key"):
        load_definition(text, "test.yaml")
