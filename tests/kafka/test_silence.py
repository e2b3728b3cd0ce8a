"""Who reads until nothing comes any more does not end before all that was there was read."""

from __future__ import annotations

import pytest
from kafka.errors import IllegalStateError

from consumers.kafka_connection import Silence


class Member:
    """Of a consumer group, as far as a silence looks at it: partitions with their ends and how far
    each is read."""

    def __init__(self) -> None:
        self.parts: dict[str, tuple[int | None, int]] = {}
        self.taken_away: set[str] = set()

    def assignment(self) -> set[str]:
        return {*self.parts}

    def highwater(self, part: str) -> int | None:
        if part in self.taken_away:
            raise IllegalStateError
        return self.parts[part][0]

    def position(self, part: str) -> int:
        return self.parts[part][1]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("consumers.kafka_connection.monotonic", lambda: now[0])
    return now


def test_a_partition_whose_end_is_not_known_or_not_reached_is_no_silence(now):
    silence, member = Silence(), Member()
    for parts in ({"a": (None, 0)}, {"a": (7, 6)}, {"a": (7, 7), "b": (None, 0)}):
        member.parts = parts
        now[0] += 5
        assert silence.lasts(member, came=False) == 0
    member.parts = {"a": (7, 7), "b": (0, 0)}
    now[0] += 5
    assert silence.lasts(member, came=False) == 5
    now[0] += 5
    assert silence.lasts(member, came=False) == 10
    assert silence.lasts(member, came=True) == 0


def test_a_partition_that_goes_to_another_member_at_that_moment_is_no_silence(now):
    silence, member = Silence(), Member()
    member.parts, member.taken_away = {"a": (7, 7)}, {"a"}
    now[0] += 5
    assert silence.lasts(member, came=False) == 0


def test_a_broker_that_is_gone_and_a_group_without_a_partition_to_give_are_not_waited_for(now):
    gone, surplus, silence, other = Member(), Member(), Silence(), Silence()
    gone.parts = {"a": (None, 0)}
    for _ in range(90):
        now[0] += 1
        lasted, waited = silence.lasts(gone, came=False), other.lasts(surplus, came=False)
    assert (lasted, waited) == (90 - 59, 90 - 14)
