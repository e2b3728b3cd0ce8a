"""Values: every type, as people and files write them, and what is turned away."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import values
from engine.definition import Field
from engine.errors import BadInput

TEXT = Field(type="text", longest=50)
NUMBER = Field(type="number", least=0, most=100)
MONEY = Field(type="money", currency="GBP")
SPENT = Field(type="money", currency="GBP", least=0, most=1000)


@pytest.mark.parametrize(
    ("raw", "amount"),
    [
        ("1250000", "1250000"),
        ("1.25m", "1250000.00"),
        ("GBP 1,250,000.50", "1250000.50"),
        ("12bn", "12000000000"),
        (" 10k gbp ", "10000"),
        (450.37, "450.37"),
        (-3, "-3"),
        ({"amount": "7.10", "currency": "GBP"}, "7.10"),
    ],
)
def test_money_is_exact_however_it_is_written(raw: Any, amount: str) -> None:
    assert values.read(MONEY, raw, "/x") == {"amount": amount, "currency": "GBP"}


@given(st.from_regex(r"[+-]?\d{1,16}(\.\d{0,4})?", fullmatch=True))
def test_money_reads_the_same_with_and_without_its_currency(text: str) -> None:
    def read(raw: str) -> Any:
        try:
            return values.read(MONEY, raw, "/x")
        except BadInput:
            return None

    assert read(text) == read(f"GBP {text}")


@pytest.mark.parametrize(
    ("field", "raw", "says"),
    [
        (MONEY, "Section 43", "not an amount of money"),
        (MONEY, "USD 12", "USD where GBP is needed"),
        (MONEY, True, "true/false where money is needed"),
        (MONEY, "1234567890123456", "more than 15 digits"),
        (MONEY, "9999999bn", "more than 15 digits"),
        (MONEY, math.nan, "not an amount"),
        (MONEY, "1,25m", "commas stand only before three digits"),
        (MONEY, "1,000,00", "commas stand only before three digits"),
        (NUMBER, "8,5", "commas stand only before three digits"),
        (SPENT, -1, "-1 is below 0"),
        (SPENT, "-0.01", "-0.01 is below 0"),
        (SPENT, "-50m", "-50,000,000 is below 0"),
        (SPENT, {"amount": "-7.10", "currency": "GBP"}, "-7.1 is below 0"),
        (SPENT, "1,000.01", "1,000.01 is above 1,000"),
        (TEXT, 7, "a number where text is needed"),
        (TEXT, "a\x00b", "NUL"),
        (TEXT, "x" * 51, "51 characters, at most 50 fit"),
        (TEXT, "\ud800", "surrogate"),
        (NUMBER, "many", "not a number"),
        (NUMBER, 101, "above 100"),
        (NUMBER, -1, "below 0"),
        (NUMBER, math.inf, "too large"),
        (NUMBER, "NaN", "too large"),
        (NUMBER, "60%", "'60%' is not a number (write 82 or 82.5)"),
        (Field(type="number", unit="%"), "60 days", "(write 82, 82.5 or 82 %)"),
        (Field(type="number", unit="%", most=100), "120%", "120 is above 100"),
        (NUMBER, "1e400", "too large"),
        (NUMBER, True, "true/false where a number is needed"),
        (Field(type="date"), "2023-14-05", "not a date"),
        (Field(type="date"), "05/06/2023", "not a date"),
        (Field(type="date"), 20230605, "not a date"),
        (Field(type="choice", of=["a", "b"]), "c", "choose one of: a, b"),
        (Field(type="choice", of=["a", "b"]), ["a"], "not a choice"),
        (Field(type="ref", to="objective"), "../etc", "not the key of a case"),
        (Field(type="person"), "pat:boss", "not a person's id"),
        (Field(type="list", of=["number"]), [1, "x"], "/x/1"),
        (Field(type="list", of=["text"]), {"a": 1}, "a map where a list is needed"),
        (Field(type="list", of=["text"]), ["x"] * 1001, "at most 1,000"),
        (Field(type="document"), {"sha256": "zz"}, "not a document"),
        (TEXT, {"withheld": 3}, "/x/withheld"),
    ],
)
def test_what_is_not_of_the_type_is_named(field: Field, raw: Any, says: str) -> None:
    with pytest.raises(BadInput) as error:
        values.read(field, raw, "/x")
    assert says in str(error.value)
    assert len(str(error.value)) < 300


def test_missing_withheld_and_zero_stay_three_things() -> None:
    assert values.read(MONEY, None, "/x") is None
    assert values.read(MONEY, {"withheld": "s. 43"}, "/x") == {"withheld": "s. 43"}
    assert values.read(MONEY, 0, "/x") == {"amount": "0", "currency": "GBP"}
    round_sum = values.read(MONEY, "3.2m", "/x")
    assert values.show(round_sum).endswith("3,200,000")
    shown = [values.show(v) for v in (None, {"withheld": "s. 43"}, values.read(MONEY, 0, "/x"))]
    assert shown == ["", "withheld: s. 43", "GBP 0"]


def test_numbers_and_lists_are_read_as_typed() -> None:
    assert values.read(NUMBER, "82", "/x") == 82
    assert values.read(NUMBER, "82.50", "/x") == 82.5
    assert values.read(Field(type="number"), "-1,250,000.5", "/x") == -1250000.5
    assert type(values.read(NUMBER, 82.0, "/x")) is int
    percent = Field(type="number", unit="%", most=100)
    assert [values.read(percent, said, "/x") for said in ("60%", "60 %", "60", 60)] == [60] * 4
    assert values.read(Field(type="number", unit="000"), "5000", "/x") == 5000
    numbers = Field(type="list", of=["number"])
    assert values.read(numbers, "1, 2.5", "/x") == [1, 2.5]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_reading_gives_a_value_or_says_what_is_wrong(raw: Any) -> None:
    for field in (TEXT, NUMBER, MONEY, Field(type="date"), Field(type="list", of=["text"])):
        try:
            value = values.read(field, raw, "/x")
        except BadInput:
            continue
        assert values.read(field, value, "/x") == value
