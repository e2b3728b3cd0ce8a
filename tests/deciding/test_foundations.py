"""Canonical bytes, identifiers and instants."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from engine import canonical, clock, ids
from engine.commands import Command, PullTrigger, Requester
from engine.errors import BadInput
from engine.ticket import ticket_of

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
)


@given(json)
def test_canonical_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(json)
def test_canonical_bytes_survive_a_round_trip(value: Any) -> None:
    encoded = canonical.encode(value)
    assert canonical.encode(canonical.decode(encoded)) == encoded


@pytest.mark.parametrize("value", [2**53, float("nan"), float("inf"), {"a": [2**60]}])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical.encode(value)


def test_event_ids_ascend_and_are_uuid_version_7() -> None:
    made = [ids.new_id() for _ in range(5_000)]
    assert made == sorted(set(made))
    parsed = uuid.UUID(made[0])
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("2026-03-31", "2026-03-31"),
        ("2026-03-31T12:00", "2026-03-31T12:00:00.000000Z"),
        ("2026-03-31T12:00:00+02:00", "2026-03-31T10:00:00.000000Z"),
    ],
)
def test_moments_are_read_as_people_write_them(typed: str, read: str) -> None:
    assert clock.read_moment(typed) == read
    assert clock.is_instant_or_date(read)


@pytest.mark.parametrize("typed", ["", "soon", "31/03/2026", "2026-02-30", "99999-01-01"])
def test_what_is_no_moment_is_refused(typed: str) -> None:
    with pytest.raises(BadInput, match="not a date or time"):
        clock.read_moment(typed)


@pytest.mark.parametrize(
    ("period", "date"),
    [
        ("36 hours", "2026-03-30"),
        ("90 days", "2025-12-31"),
        ("2 weeks", "2026-03-17"),
        ("1 month", "2026-02-28"),
        ("1 year", "2025-03-31"),
        ("9999 years", "0001-01-01"),
    ],
)
def test_periods_go_back_by_the_calendar(period: str, date: str) -> None:
    assert clock.back("2026-03-31T12:00:00.000000Z", period) == date


def test_a_day_sorts_before_its_instants_and_covers_them() -> None:
    assert "2026-03-31" < "2026-03-31T00:00:00.000000Z" <= clock.last_instant("2026-03-31")


def test_what_a_command_leaves_out_is_empty() -> None:
    """Else its fingerprint, which is made of what was set, would miss it."""
    commands = Command.__subclasses__()
    left_out = [
        field.get_default(call_default_factory=True)
        for command in commands
        for field in command.model_fields.values()
        if not field.is_required()
    ]
    assert len(commands) == 9
    assert left_out
    assert not any(value or value == 0 for value in left_out)


def test_the_fingerprint_of_a_command_stays_what_it_was() -> None:
    """Ledgers hold it: a command that is sent again years later must be known by it."""
    command = PullTrigger(
        command_id="c",
        actor=Requester(id="ann", roles=("sponsor",)),
        case="DEC-0001",
        trigger="approve",
        data={"amount": 0, "note": None},
        expected_version=0,
        evidence=(),
    )
    said = (
        '["PullTrigger",{"actor":{"id":"ann","kind":"human","roles":["sponsor"]},"case":"DEC-0001",'
        '"command_id":"c","data":{"amount":0,"note":null},"expected_version":0,"trigger":"approve"}]'
    )
    assert ticket_of(command).fingerprint == hashlib.sha256(said.encode()).digest()
