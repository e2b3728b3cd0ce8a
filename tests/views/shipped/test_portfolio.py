"""The portfolio as reports tell of it, and records that were merged: V7."""

from __future__ import annotations

import pytest

from engine.loading import load_definition
from projections.answers import Figure
from tests.views.asking import measured, opened
from tests.views.shipped.conftest import APRIL, JAN, JUNE, MARCH, column, text_of


def test_v7_the_portfolio_is_what_was_known_on_the_day(told):
    told.fact("PRJ-1", "project", JAN, "active", title="Bridge", rating="green")
    told.fact("PRJ-1", "project", MARCH, rating="red", known=JUNE)
    told.fact("PRJ-2", "project", APRIL, "closed", title="Hall")
    assert column(opened(told.views, "portfolio", known_at=APRIL), "rating") == ["green"]
    assert column(opened(told.views, "portfolio"), "rating") == ["red"]
    assert column(opened(told.views, "portfolio", as_of=JAN), "rating") == ["green"]


def test_a_return_and_the_record_that_say_different_things_are_conflicting_sources(told):
    kept = {"withheld": "FOI s.43"}
    for number, (said, forecast) in enumerate([(APRIL, JUNE), (JUNE, JUNE), (kept, JUNE)]):
        project = f"PRJ-{number}"
        told.fact(project, "project", JAN, "active", forecast_end=forecast, rating="green")
        told.fact(f"RET-{number}", "return", JAN, "validated", project=project, as_of=JAN,
                  forecast_end=said, rating="green")  # fmt: skip
    assert measured(told.views, "conflicting-sources") == [Figure((), 1)]


def doubled(told):
    """Two records of one project, found out in June to have been doubles since the end of March."""
    major = load_definition(text_of("major-project"), "major-project")
    told._history.write(told._history.definition(**major.body))
    told.fact("GMPP-1", "major-project", JAN, "in_portfolio", name_="Railway", rating="Amber")
    told.fact("GMPP-2", "major-project", JAN, "in_portfolio", name_="The railway")
    told.fact("GMPP-1", "major-project", MARCH, "merged", "RecordMerged", known=JUNE, actor="ana",
              kept="GMPP-2", merge_cause="One of them was renamed.")  # fmt: skip


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ({}, [("GMPP-2", 1)]),
        ({"as_of": APRIL}, [("GMPP-2", 1)]),
        ({"as_of": JAN}, [("GMPP-1", 0), ("GMPP-2", 0)]),
        ({"as_of": APRIL, "known_at": APRIL}, [("GMPP-1", 0), ("GMPP-2", 0)]),
    ],
)
def test_v7_of_two_records_of_one_project_the_one_that_is_kept_is_shown(told, moments, expected):
    doubled(told)
    found = opened(told.views, "portfolio-reported", **moments)
    assert [(row["key"], row["merged"]) for row in found] == expected


def test_v7_counts_also_what_was_merged_into_a_record_that_is_merged_itself(told):
    doubled(told)
    told.fact("GMPP-3", "major-project", JAN, "in_portfolio", name_="A railway")
    told.fact("GMPP-2", "major-project", JUNE, "merged", "RecordMerged", kept="GMPP-3")
    found = opened(told.views, "portfolio-reported")
    assert [(row["key"], row["merged"]) for row in found] == [("GMPP-3", 2)]
    # Facts ask nobody: they can even tell of records that were merged into each other.
    told.fact("GMPP-3", "major-project", JUNE, "merged", "RecordMerged", kept="GMPP-2")
    assert opened(told.views, "portfolio-reported") == []


def test_v7_which_records_were_merged_restored_and_split_is_known_when_it_was_recorded(told):
    doubled(told)
    assert opened(told.views, "records", as_of=JAN) == []
    assert opened(told.views, "records", known_at=APRIL) == []
    (merged,) = opened(told.views, "records", as_of=APRIL)
    assert (merged["key"], merged["event"], merged["other"], merged["other_name"]) == (
        "GMPP-1", "RecordMerged", "GMPP-2", "The railway",
    )  # fmt: skip
    assert (merged["cause"], merged["occurred_at"], merged["actor"]) == (
        "One of them was renamed.", MARCH, "ana",
    )  # fmt: skip
    told.fact("GMPP-1", "major-project", JUNE, "in_portfolio", "RecordRestored",
              restore_cause="Two lines.")  # fmt: skip
    told.fact("GMPP-2", "major-project", JUNE, None, "RecordSplit", split_name="The tunnel",
              split_cause="Reported apart.")  # fmt: skip
    told.fact("GMPP-3", "major-project", JUNE, "in_portfolio", name_="The tunnel",
              split_from="GMPP-2")  # fmt: skip
    found = opened(told.views, "records")
    assert [(row["key"], row["event"], row["other"], row["other_name"]) for row in found] == [
        ("GMPP-2", "RecordSplit", "GMPP-3", "The tunnel"),
        ("GMPP-1", "RecordRestored", "GMPP-2", "The railway"),
        ("GMPP-1", "RecordMerged", "GMPP-2", "The railway"),
    ]
    assert column(found, "cause") == ["Reported apart.", "Two lines.", "One of them was renamed."]
    of_the_tunnel = opened(told.views, "records", {"record": "GMPP-3"})
    assert column(of_the_tunnel, "event") == ["RecordSplit"]
