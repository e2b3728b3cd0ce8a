"""Promises 3 and 8 of the README, on every store that ships."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store.log import Log
from projections.opening import open_for_reading
from projections.postgres import PostgresPlace
from projections.register_pages import one, page
from projections.runner import Runner
from projections.store import Place
from projections.verify import verify
from tests.postgres import server
from tests.views.conftest import History, contents, opened
from tests.views.oracle import case_at

STORES = pytest.mark.parametrize("store", ["memory", "sqlite", "postgres"])
CASES = ("A-1", "A-2", "B_3")

# Few moments, so that equal ones, and dates beside instants of the same day, are common.
DAYS = [f"2026-03-0{day}" for day in range(1, 7)]
INSTANTS = [f"{day}T{hour:02}:00:00.000000Z" for day in DAYS for hour in (0, 9, 23)]
moments = st.sampled_from(sorted([*DAYS, *INSTANTS]))
grounds = st.sampled_from(["s. 43", 'a "ground": %_', "commercial"]).map(lambda g: {"withheld": g})
money = st.sampled_from(["0", "450.3", "-7", "123456789012345"]).map(
    lambda amount: {"amount": amount, "currency": "GBP"}
)
data = st.fixed_dictionaries(
    {},
    optional={
        "title": st.none() | grounds | st.sampled_from(["", "One", "'; DROP TABLE audit; --"]),
        "cost": st.none() | grounds | money,
        "order": st.none() | grounds | st.sampled_from([0, 1, -2.5, 2**53 - 1]),
        "tags": st.none() | grounds | st.just([]) | st.just(["x", "y"]),
    },
)


@dataclass(frozen=True)
class Said:
    case: str
    at: str
    state: str | None
    data: dict[str, Any]
    migrates: bool  # to the other of two versions, if there is the case, and then nothing else
    later: int  # how much later than the one before it is recorded, in steps of INSTANTS


said = st.builds(
    Said,
    case=st.sampled_from(CASES),
    at=moments,
    state=st.none() | st.sampled_from(["open", "closed"]),
    data=data,
    migrates=st.sampled_from([False, False, False, True]),
    later=st.sampled_from([0, 0, 1, 3]),
)
histories = st.lists(said, min_size=1, max_size=25)


def write(log: Log, told: list[Said]) -> None:
    history, step = History(log), 0
    history.write(history.definition())
    begun: dict[str, str] = {}
    reached: dict[str, str] = {}
    rules = dict.fromkeys(CASES, 1)
    for item in told:
        step = min(step + item.later, len(INSTANTS) - 1)
        if item.migrates and item.case in reached:
            state, at = item.state or "checked", max(reached[item.case], INSTANTS[step])
            if at == begun[item.case]:
                continue  # nobody can know a case in the moment in which it begins
            to = rules[item.case] = 3 - rules[item.case]
            reached[item.case] = at
            history.write(history.migrated(item.case, to, "open", state, at, INSTANTS[step]))
            continue
        state = item.state or (None if item.case in reached else "open")
        begun.setdefault(item.case, item.at)
        if state or item.data:
            reached[item.case] = max(item.at, reached.get(item.case, ""))
        event = history.observed(
            item.case, item.data, state=state, at=item.at, recorded_at=INSTANTS[step]
        )
        history.write(event)


@contextmanager
def kept(store: str) -> Iterator[tuple[Log, Path | Place]]:
    """A log of an example's own, and where its views are."""
    with tempfile.TemporaryDirectory() as folder:
        address = server().new_database() if store == "postgres" else ""
        log = opened(store, Path(folder), address)
        yield log, PostgresPlace(address) if address else Path(folder) / "views.db"
        log.close()
        if address:
            server().drop_database(address)


@STORES
@settings(max_examples=30)
@given(told=histories, cuts=st.lists(st.integers(1, 7), min_size=1))
def test_promise_3_replay_equals_live(store: str, told: list[Said], cuts: list[int]) -> None:
    """Views that went along with the log, in batches of any size, are those of a rebuild."""
    with kept(store) as (log, place):
        runner = Runner(log, place)
        runner.catch_up()
        write(log, told)
        reached = 0
        while reached < log.head():
            reached = runner.catch_up(to=min(log.head(), reached + cuts[reached % len(cuts)]))
        tables = open_for_reading(place)
        live = contents(tables)
        report = verify(log, place)
        runner.rebuild()
        assert contents(tables) == live
        assert report.sound, report.differences
        assert report.cases == len({item.case for item in told})
        tables.close()
        runner.close()


@STORES
@settings(max_examples=40)
@given(
    told=histories,
    points=st.lists(st.tuples(st.none() | moments, st.none() | moments), min_size=1, max_size=8),
)
def test_promise_8_two_clocks(
    store: str, told: list[Said], points: list[tuple[str | None, str | None]]
) -> None:
    """A register says, at any point of both clocks, what filtering and folding all events says."""
    with kept(store) as (log, place):
        runner = Runner(log, place)
        write(log, told)
        runner.catch_up()
        bodies = log.bodies(0, log.head())
        tables = open_for_reading(place)
        for known_at, as_of in points:
            expected = {key: case_at(bodies, key, known_at, as_of) for key in CASES}
            found = page(tables, "plan", as_of=as_of, known_at=known_at)
            told_now = {
                row.key: (row.state, row.data, row.definition_version) for row in found.rows
            }
            assert told_now == {key: case for key, case in expected.items() if case}
            assert found.total == len(told_now)
            for key in CASES:
                row = one(tables, key, as_of=as_of, known_at=known_at)
                assert (row and (row.state, row.data, row.definition_version)) == expected[key]
        tables.close()
        runner.close()
