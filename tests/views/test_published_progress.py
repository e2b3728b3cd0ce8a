"""The scorecard's formula, on what a government published about its priority goals.

The rows are quarterly reports of fiscal year 2022. Where start, target and current value are
numbers and differ, the published progress is recomputed; thresholds and milestones are compared
with the words that were published. Not every row says enough for that.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from projections.opening import open_for_reading
from projections.runner import Runner
from tests.views.asking import opened
from tests.views.conftest import History
from tests.views.conftest import opened as opened_log
from tests.views.library import bodies

SHARED = Path(__file__).parents[3] / "shared"
REPORTS = SHARED / "data" / "us_apg" / "target_fy22_q1_q3.json"
FACTS = SHARED / "facts" / "us_apg.json"
DIRECTIONS = {
    "Measurable increase": "increase",
    "Measurable decrease": "decrease",
    "Maintain at or above threshold": "maintain at or above",
    "Maintain at or below threshold": "maintain at or below",
    "Complete milestone": "milestone",
}

pytestmark = pytest.mark.skipif(not REPORTS.exists(), reason="the published data are not here")


def number(text):
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


@pytest.fixture(scope="module")
def scorecard(tmp_path_factory):
    """Every report as an objective of its own, and what the view says of it."""
    folder = tmp_path_factory.mktemp("us")
    log = opened_log("sqlite", folder)
    history = History(log)
    (objective,) = [body for body in bodies() if body["workflow"] == "objective"]
    history.write(history.definition(**objective))
    reports = json.loads(REPORTS.read_text())
    facts = []
    for place, report in enumerate(reports):
        said = {
            "baseline": number(report["value_start"]),
            "target": number(report["value_target"]),
            "actual": number(report["value_current"]),
            "direction": DIRECTIONS.get(report["indicator_type"]),
        }
        data = {name: value for name, value in said.items() if value is not None}
        key = f"OBJ-{place:04}"
        facts.append(history.observed(key, data, state="active", workflow="objective"))
    history.write(*facts)
    runner = Runner(log, folder / "views.db")
    runner.catch_up()
    tables = open_for_reading(folder / "views.db")
    rows = {row["key"]: row for row in opened(tables, "objectives")}
    tables.close()
    runner.close()
    log.close()
    return [(report, rows[f"OBJ-{place:04}"]) for place, report in enumerate(reports)]


def test_the_published_progress_is_reproduced_wherever_it_can_be(scorecard):
    checked = [
        (float(report["progress_pct"]), row["progress"])
        for report, row in scorecard
        if report["indicator_type"].startswith("Measurable") and row["progress"] is not None
    ]
    facts = json.loads(FACTS.read_text())
    assert len(checked) == facts["progress_recomputed"] > 0
    assert all(published == pytest.approx(ours, abs=1e-6) for published, ours in checked)


def test_as_many_regressed_as_were_published(scorecard):
    ours = [row for _, row in scorecard if row["answer"] == "regressed"]
    assert len(ours) == json.loads(FACTS.read_text())["regressed"]


def test_thresholds_are_met_where_that_was_published(scorecard):
    checked = [
        (report["progress_threshold"].split(":")[0], row["answer"])
        for report, row in scorecard
        if report["progress_threshold"]
    ]
    assert len(checked) == 15
    assert all(published == f"Target {ours}" for published, ours in checked)


def test_milestones_are_met_where_that_was_published(scorecard):
    checked = [
        (report["progress_completions"].split(":")[0], row["answer"])
        for report, row in scorecard
        if report["progress_completions"]
    ]
    assert len(checked) == 42
    assert all(published == f"Target {ours}" for published, ours in checked)


def test_what_was_not_measured_is_neither_zero_nor_regressed(scorecard):
    facts = json.loads(FACTS.read_text())
    silent = [row for report, row in scorecard if number(report["value_current"]) is None]
    assert len(silent) == facts["missing_current"]
    assert {row["answer"] for row in silent} == {"not measured"}
    assert {row["progress"] for row in silent} == {None}
