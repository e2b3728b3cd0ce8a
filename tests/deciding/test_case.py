"""Folding: two clocks, determinism, and nothing changed in place."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.case import Case, evolve, fold
from engine.events import (
    Actor,
    AnyEvent,
    CaseObserved,
    Conformance,
    DefinitionRef,
    Source,
    from_bytes,
    to_bytes,
)

DATES = [f"2026-01-{day:02}" for day in range(1, 8)]
FIELDS = ["rating", "end", "cost"]


@st.composite
def histories(draw: st.DrawFn) -> list[AnyEvent]:
    """Facts about one case, recorded in any order of the days on which they were so."""
    facts: list[tuple[str, str | None, dict[str, Any]]] = draw(
        st.lists(
            st.tuples(
                st.sampled_from(DATES),
                st.none() | st.sampled_from(["open", "shut"]),
                st.dictionaries(st.sampled_from(FIELDS), st.none() | st.integers(0, 5), max_size=3),
            ),
            min_size=1,
            max_size=12,
        )
    )
    return [
        CaseObserved(
            event_id=f"e{version}",
            stream="X-1",
            version=version,
            name="Reported",
            recorded_at="2026-02-01T00:00:00.000000Z",
            occurred_at=day,
            actor=Actor(id="importer", kind="import"),
            definition=DefinitionRef(name="thing", version=1, hash="0" * 64),
            command_id=f"c{version}",
            correlation_id=f"c{version}",
            state=state or ("open" if version == 1 else None),
            data=data,
            conformance=Conformance(verdict="conforms"),
            origin=Source(name="report"),
        )
        for version, (day, state, data) in enumerate(facts, 1)
    ]


def latest(events: list[AnyEvent], what: str) -> Any:
    """The value that occurred last, and of those the one recorded last: the definition itself."""
    mentions = [
        (event.occurred_at, event.version, event.data.get(what) if what else event.state)
        for event in events
        if isinstance(event, CaseObserved)
        and (what in event.data if what else event.state is not None)
    ]
    return max(mentions, default=(None, None, None))[2]


@given(histories())
def test_a_late_fact_never_overwrites_what_came_to_be_so_after_it(events: list[AnyEvent]) -> None:
    case = fold(events)
    assert case is not None
    assert case.state == latest(events, "")
    assert {name: case.data.get(name) for name in FIELDS} == {
        name: latest(events, name) for name in FIELDS
    }


@given(histories(), st.data())
def test_folding_in_parts_from_bytes_gives_the_same_case(
    events: list[AnyEvent], data: st.DataObject
) -> None:
    split = data.draw(st.integers(0, len(events)))
    stored = [from_bytes(to_bytes(event)) for event in events]
    whole, parts = fold(events), fold(stored[split:], fold(stored[:split]))
    assert whole == parts
    assert whole is not None
    assert parts is not None
    assert whole.digest() == parts.digest()


@given(histories())
def test_a_case_is_never_changed_in_place(events: list[AnyEvent]) -> None:
    case: Case | None = None
    for event in events:
        before = case and (case, case.digest())
        case = evolve(case, event)
        assert before is None or before[0].digest() == before[1]
