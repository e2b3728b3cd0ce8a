"""Ranges that no value meets are found, and none that a value meets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cel.conditions import compile_condition, contradiction_in

JANUARY, MARCH = 'timestamp("2026-01-01T00:00:00Z")', 'timestamp("2026-03-31T00:00:00Z")'

NOBODY = [
    ("data.share > 5 && data.share < 3", "no data.share is > 5 and < 3"),
    ("data.share < 3 && data.share > 5", "no data.share is < 3 and > 5"),
    ("data.share >= 3 && data.share < 3", "no data.share is >= 3 and < 3"),
    ("data.share > 3 && data.share == 3.0", "no data.share is > 3 and == 3.0"),
    ("data.share == 1 && data.share == 2", "no data.share is == 1 and == 2"),
    ("5 < data.share && 3 > data.share", "no data.share is > 5 and < 3"),
    ("data.share > -1 && data.share < -2.5", "no data.share is > -1 and < -2.5"),
    ("data.share >= 0x10 && data.share <= 0xf", "no data.share is >= 0x10 and <= 0xf"),
    ("data.amount > 1000000 && data.amount < 1e5", "no data.amount is > 1000000 and < 1e5"),
    (
        "(data.share > 5 && has(data.title)) && (data.share < 3)",
        "no data.share is > 5 and < 3",
    ),
    (
        "data.share < 9 && data.weight > 1 && data.share > 5 && data.share < 3",
        "no data.share is > 5 and < 3",
    ),
    (f"data.due > {MARCH} && data.due < {JANUARY}", f"no data.due is > {MARCH} and < {JANUARY}"),
    ("objective.data.target > 5 && objective.data.target < 3", "no objective.data.target is > 5"),
]

SOMEBODY = [
    "data.share > 3 && data.share < 5",
    "data.share >= 3 && data.share <= 3",
    "data.share > 5 && data.weight < 3",
    "data.share > 5 || data.share < 3",
    "(data.share > 5 || has(data.title)) && data.share < 3",
    "data.share > 5 ? data.share < 3 : true",
    "!(data.share > 5) && data.share < 3",
    "data.share > 5.0 - 4.0 && data.share < 3",
    "data.share + 1.0 > 5 && data.share < 3",
    "data.scores.exists(s, s > 5) && data.scores.exists(s, s < 3)",
    "size(data.tags) > 5 && data.share < 3",
    "data.share > 5 && data.share < data.weight",
    'now > timestamp("2026-01-01T00:00:00Z") && now < timestamp("2026-01-01T00:00:00.5Z")',
    'objective.data.due > timestamp("2026-01-01T00:00:00Z") || objective.data.due < 3',
    f"objective.data.due > 5 && objective.data.due < {JANUARY}",
    f"data.due > {JANUARY} && data.due < {MARCH}",
    "data.share > 5",
    "has(data.share)",
]


@pytest.mark.parametrize(("source", "told"), NOBODY)
def test_a_range_that_nothing_is_in_is_told(definition, source, told):
    compile_condition(source, definition)
    assert contradiction_in(source, definition).startswith(told)


@pytest.mark.parametrize("source", SOMEBODY)
def test_of_all_else_nothing_is_said(definition, source):
    compile_condition(source, definition)
    assert contradiction_in(source, definition) == ""


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from(["<", "<=", ">", ">=", "=="]), st.integers(-3, 3), st.booleans()),
        min_size=1,
        max_size=4,
    )
)
def test_it_is_told_where_and_only_where_no_number_makes_the_condition_hold(
    definition, environment, said
):
    terms = [
        f"{n} {sign} data.share" if turned else f"data.share {sign} {n}" for sign, n, turned in said
    ]
    source = " && ".join(terms)
    condition = compile_condition(source, definition)
    numbers = [half / 2 for half in range(-8, 9)]
    holds = any(
        condition.evaluate(environment._replace(data={"share": number}))[0] for number in numbers
    )
    assert bool(contradiction_in(source, definition)) is not holds
