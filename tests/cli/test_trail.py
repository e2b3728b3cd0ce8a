"""What each event changed, from bare bodies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.trail import select, trail

STARTED, OBSERVED = "pmo.case.started.v1", "pmo.case.observed.v2"


def event(version, occurred_at, data, state=None, **more):
    return version, {
        "type": OBSERVED if version > 1 else STARTED,
        "name": "Told",
        "version": version,
        "recorded_at": f"2026-01-{version:02}T00:00:00.000000Z",
        "occurred_at": occurred_at,
        "actor": {"id": "pat", "kind": "human"},
        "definition": {"name": "plan", "version": 1, "hash": "0" * 64},
        "data": data,
        **({"state": state} if state else {}),
        **more,
    }


def changes(entry):
    return [(c.field, c.before, c.after, c.late) for c in entry.changes]


def test_a_first_value_was_missing_before():
    (entry,) = trail([event(1, "2026-01-01", {"a": 1}, "open")])
    assert changes(entry) == [("a", None, 1, False)]
    assert (entry.state_before, entry.state) == (None, "open")


def test_of_two_facts_of_one_moment_the_later_said_counts():
    _, second, third = trail(
        [event(n, "2026-01-01", {"a": n}, "open" if n == 1 else None) for n in (1, 2, 3)]
    )
    assert changes(second) == [("a", 1, 2, False)]
    assert changes(third) == [("a", 2, 3, False)]


def test_a_late_state_is_compared_with_the_one_of_its_time():
    entries = trail(
        [
            event(1, "2026-01-01", {}, "open"),
            event(2, "2026-03-01", {}, "closed"),
            event(3, "2026-02-01", {}, "waiting"),
        ]
    )
    assert entries[2].state_before == "open"


def test_what_was_so_on_a_day_counts_to_its_end():
    events = [event(1, "2026-01-01T23:00:00.000000Z", {}), event(2, "2026-01-02", {})]
    assert len(select(events, "2026-01-01", None)) == 1
    assert len(select(events, None, "2026-01-01")) == 1
    assert len(select(events, "2026-01-02", "2026-01-02")) == 2


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.integers(0, 3)), max_size=20)
)
def test_before_is_what_the_events_so_far_say_of_that_time(told):
    events = [
        event(version, f"2026-01-{day:02}", {field: value})
        for version, (field, day, value) in enumerate(told, 1)
    ]
    for number, entry in enumerate(trail(events)):
        (change,) = entry.changes
        earlier = [
            (body["occurred_at"], version, body["data"][change.field])
            for version, body in events[:number]
            if change.field in body["data"]
        ]
        so_then = [fact for fact in earlier if fact[0] <= entry.occurred_at]
        assert change.before == (max(so_then)[2] if so_then else None)
        assert change.late == (len(so_then) < len(earlier))
