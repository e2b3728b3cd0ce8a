"""A page says what filtering, sorting and cutting all cases one by one says, whichever way finds
it: at any point of both clocks, for few cases and for many, for the first page and for later ones.
"""

from __future__ import annotations

import string
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput
from projections.opening import open_for_reading, open_for_writing
from projections.register import index_of, index_of_learnt
from projections.register_pages import Where, page
from projections.runner import Runner
from projections.store import Place
from tests.views.oracle import case_at
from tests.views.test_promises_views import CASES, Said, grounds, kept, moments, money, write

TITLES = ["", "One", "onE", "École", "école", "100 %", "100_", "a\\b", "İ"]
PARTS = ["", "ONE", "É", "COL", "%", "_", "\\", "0 ", "i"]
AMOUNTS = [0, 450.3, -7, 123456789012345]
said = st.builds(
    Said,
    case=st.sampled_from(CASES),
    at=moments,
    state=st.none() | st.sampled_from(["open", "closed"]),
    data=st.fixed_dictionaries(
        {},
        optional={
            "title": st.none() | grounds | st.sampled_from(TITLES),
            "cost": st.none() | grounds | money,
            "order": st.none() | grounds | st.sampled_from([0, 1, -2.5]),
        },
    ),
    migrates=st.just(False),
    later=st.sampled_from([0, 0, 1, 3]),
)
of_fields = st.builds(
    Where,
    st.sampled_from(["title", "cost", "order"]),
    st.sampled_from(["missing", "withheld", "present"]),
)
compared = st.sampled_from(["=", "!=", "<", ">="])
conditions = st.one_of(
    of_fields,
    st.builds(Where, st.just("title"), st.just("contains"), st.sampled_from(PARTS)),
    st.builds(Where, st.just("title"), compared, st.sampled_from(TITLES)),
    st.builds(Where, st.just("cost"), compared, st.sampled_from(AMOUNTS)),
    st.builds(Where, st.just("_state"), compared, st.sampled_from(["open", "closed"])),
    st.builds(Where, st.just("_key"), st.just("contains"), st.sampled_from(["a-", "_", "2"])),
)
questions = st.fixed_dictionaries(
    {
        "as_of": st.none() | moments,
        "known_at": st.none() | moments,
        "where": st.lists(conditions, max_size=3),
        "sort": st.sampled_from(["_key", "title", "cost", "order", "_state"]),
        "descending": st.booleans(),
        "limit": st.integers(1, 3),
        "after": st.none() | st.sampled_from(CASES),
    }
)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
@pytest.mark.parametrize("indexed", [False, True])
@settings(max_examples=40)
@given(
    told=st.lists(said, min_size=1, max_size=20),
    asked=st.lists(questions, min_size=1, max_size=10),
    counted=st.integers(1, 4),
    many=st.integers(0, 2),
)
def test_every_way_to_a_page_finds_what_looking_at_each_case_finds(
    store: str,
    indexed: bool,
    told: list[Said],
    asked: list[dict[str, Any]],
    counted: int,
    many: int,
) -> None:
    lot = patch("projections.register.LOT", 2), patch("projections.finding.LOT", 2)
    with lot[0], lot[1], kept(store) as (log, place):
        runner = Runner(log, place)
        write(log, told)
        runner.catch_up()
        bodies = log.bodies(0, log.head())
        tables = open_for_reading(place)
        with (
            patch("projections.register_pages.COUNTED", counted),
            patch("projections.register_pages._MANY", many),
            patch("projections.finding._RARE", 1),
        ):
            if indexed and store == "sqlite":
                have_indexes(place)
            for question in asked:
                limit, after = question["limit"], question["after"]
                rows, there = looked_at_one_by_one(bodies, question)
                if after and after not in there:
                    with pytest.raises(BadInput, match=f"there is no case '{after}'"):
                        page(tables, "plan", **question)
                    continue
                found = page(tables, "plan", **question)
                expected = [key for key in there if key in rows]
                behind = there[there.index(after) + 1 :] if after else there
                assert [row.key for row in found.rows] == [k for k in behind if k in rows][:limit]
                is_counted = len(expected) <= max(counted, limit)
                assert found.total == (len(expected) if is_counted else None)
        tables.close()
        runner.close()


def have_indexes(place: Path | Place) -> None:
    with closing(open_for_writing(place)) as tables:
        for column in ("title", "cost", "order"):
            tables.run(index_of("register_plan", column))
        tables.run(index_of_learnt("register_plan"))


def looked_at_one_by_one(bodies: list[Any], question: dict[str, Any]) -> tuple[set[str], list[str]]:
    """The cases that meet the conditions, and in order all that are there."""
    rows, met = [], set()
    for key in CASES:
        case = case_at(bodies, key, question["known_at"], question["as_of"])
        if case:
            state, data, _ = case
            row = {"_key": key, "_state": state} | data
            rows.append(row)
            if all(meets(row, condition) for condition in question["where"]):
                met.add(key)
    by = question["sort"]
    there = [row for row in rows if value(row, by) is not None]
    there.sort(key=lambda row: (value(row, by), row["_key"]), reverse=question["descending"])
    missing = [row for row in rows if value(row, by) is None]
    return met, [row["_key"] for row in [*there, *missing]]


def value(row: dict[str, Any], column: str) -> Any:
    said = row.get(column)
    if isinstance(said, dict):
        return float(said["amount"]) if "amount" in said else None
    return said


def meets(row: dict[str, Any], condition: Where) -> bool:
    said, here = row.get(condition.column), value(row, condition.column)
    match condition.comparison:
        case "missing":
            return said is None
        case "withheld":
            return here is None and said is not None
        case "present":
            return here is not None
        case _ if here is None:
            return False
        case "contains":
            return folded(condition.value) in folded(here)
        case "=":
            return bool(here == condition.value)
        case "!=":
            return bool(here != condition.value)
        case "<":
            return bool(here < condition.value)
        case _:
            return bool(here >= condition.value)


def folded(text: str) -> str:
    """As LIKE does: of the letters only those of ASCII."""
    return text.translate(str.maketrans(string.ascii_uppercase, string.ascii_lowercase))
