"""The checker sees what it is there to see: each fault, put into a sound history, is named."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.chaos.checker import (
    Row,
    delivery_faults,
    faults,
    reader_faults,
    unanswered_faults,
)


def chained(bodies: list[dict[str, Any]]) -> list[Row]:
    rows, chain = [], bytes(32)
    for position, body in enumerate(bodies, 1):
        state = json.dumps(body).encode()
        chain = hashlib.sha256(chain + hashlib.sha256(b"\x00" + state).digest()).digest()
        rows.append(Row(position, state, chain))
    return rows


def body(case: str, version: int, command: str, source: str | None, state: str) -> dict[str, Any]:
    told = {"stream": case, "version": version, "command_id": command, "state": state, "reads": {}}
    at = {"event_id": f"{case}-{version}", "recorded_at": "2026-01-01T09:00:00.000000Z"}
    return told | at | ({"source": source} if source else {})


BODIES = [
    body("A", 1, "c1", None, "even"),
    body("A", 2, "c2", "even", "odd"),
    body("B", 1, "c3", None, "even"),
    body("A", 3, "c4", "odd", "even") | {"reads": {"B": 1}},
]
NOTES: list[dict[str, Any]] = [
    {"at": 1, "sent": "c1"},
    {"at": 2, "done": "c1", "position": 1, "version": 1},
    {"at": 3, "sent": "c2"},
    {"at": 4, "sent": "c5"},
    {"at": 5, "refused": "c5"},
    {"at": 6, "done": "c2", "position": 2, "version": 2},
    {"at": 7, "sent": "c3"},
    {"at": 8, "sent": "c4"},
    {"at": 9, "done": "c4", "position": 4, "version": 3},
]
SEEN = [{"saw": n, "id": one["event_id"]} for n, one in enumerate(BODIES, 1)]


def test_a_sound_history_has_no_faults() -> None:
    assert list(faults(chained(BODIES), [NOTES])) == []
    assert list(reader_faults(chained(BODIES), SEEN, "reader")) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda b: b.pop(1), "A has version 3 twice or late"),
        (lambda b: b.insert(2, b[1]), "A has version 2 twice or late"),
        (lambda b: b.append(body("B", 2, "c2", "even", "odd")), "c2 had its effect twice"),
        (lambda b: b.__setitem__(3, b[3] | {"source": "even"}), "A was not in even"),
        (lambda b: b.__setitem__(3, b[3] | {"reads": {"B": 0}}), "B was not at 0"),
        (lambda b: b.__setitem__(1, b[1] | {"recorded_at": "2025"}), "before the one before it"),
        (
            lambda b: b.append(body("C", 1, "c5", None, "even")),
            "c5 was refused, and had its effect",
        ),
        (lambda b: b.pop(), "c4 was acknowledged at 4, and is not there"),
    ],
)
def test_a_log_that_is_not_what_was_answered_is_told(change: Any, named: str) -> None:
    bodies = list(BODIES)
    change(bodies)
    assert any(named in fault for fault in faults(chained(bodies), [NOTES]))


@pytest.mark.parametrize(
    ("note", "named"),
    [
        ({"at": 10, "done": "c1", "position": 2, "version": 2}, "c1 got two receipts"),
        ({"at": 10, "refused": "c1"}, "c1 was refused after it had been acknowledged"),
        ({"at": 10, "done": "c9", "position": 3, "version": 1}, "c9 was acknowledged at 3"),
    ],
)
def test_answers_that_contradict_each_other_are_told(note: dict[str, Any], named: str) -> None:
    notes = [*NOTES, {"at": 1, "sent": "c9"}, note]
    assert any(named in fault for fault in faults(chained(BODIES), [notes]))


def test_an_order_other_than_that_of_the_callers_is_told() -> None:
    late = [note | {"at": 3.5} if note.get("done") == "c4" else note for note in NOTES]
    late = [note | {"at": 2.5} if note.get("sent") == "c4" else note for note in late]
    late = [note | {"at": 3.8} if note.get("sent") == "c2" else note for note in late]
    told = list(faults(chained(BODIES), [late]))
    assert told == ["position 2 was asked for after 4 had been acknowledged"]


def test_changed_bytes_break_the_chain() -> None:
    rows = chained(BODIES)
    rows[2] = Row(3, rows[2].state.replace(b"even", b"EVEN"), rows[2].chain)
    assert "position 3: the chain of hashes is broken" in list(faults(rows, [NOTES]))
    assert "position 3 is missing" in list(faults(rows[:2] + rows[3:], [NOTES]))


@pytest.mark.parametrize(
    ("seen", "named"),
    [
        (SEEN[:1] + SEEN[2:], "as number 2 it saw 3, not 2"),
        (SEEN[:2] + SEEN[1:], "as number 3 it saw 2, not 3"),
        (SEEN[:3], "it saw 3 of 4 events"),
    ],
)
def test_a_reader_that_skips_or_repeats_is_told(seen: list[dict[str, Any]], named: str) -> None:
    assert list(reader_faults(chained(BODIES), seen, "reader")) == [f"reader: {named}"]


def test_deliveries_are_held_against_the_order_of_each_case() -> None:
    rows = chained(BODIES)
    right = [("A", "A-1"), ("B", "B-1"), ("A", "A-2"), ("A", "A-3")]
    assert list(delivery_faults(rows, right, "kafka", once=True)) == []
    again = [*right, ("A", "A-2")]
    assert list(delivery_faults(rows, again, "kafka", once=False)) == []
    assert list(delivery_faults(rows, again, "kafka", once=True)) == [
        "kafka: 1 events had their effect twice"
    ]
    wrong = [("A", "A-2"), *right]
    assert list(delivery_faults(rows, wrong, "kafka", once=False)) == [
        "kafka: A is not as in the log (0 events are missing)"
    ]
    assert list(delivery_faults(rows, right[:3], "kafka", once=True)) == [
        "kafka: A is not as in the log (1 events are missing)"
    ]


def test_what_was_taken_and_never_answered_is_told() -> None:
    asked = [{"at": at, "there": command} for at, command in enumerate(("c1", "c2", "c3"))]
    answers = [{"at": 9, "done": "c1", "position": 1, "version": 1}, {"at": 9, "refused": "c3"}]
    assert list(unanswered_faults(asked, answers)) == ["command c2 was never answered"]
    assert list(faults(chained(BODIES), [NOTES, asked])) == []
