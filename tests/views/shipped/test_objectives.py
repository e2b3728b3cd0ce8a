"""Objectives, their measures, benefits and rewards: V4, V10, V12, V13, V15 and their metrics."""

from __future__ import annotations

import pytest

from projections.answers import Figure
from tests.views.asking import measured, opened
from tests.views.shipped.conftest import APRIL, JAN, JUNE, MARCH, column, gbp


@pytest.mark.parametrize(
    ("direction", "baseline", "target", "actual", "progress", "answer"),
    [
        ("increase", 82, 90, 84, 0.25, "on the way"),
        ("increase", 82, 90, 90, 1, "reached"),
        ("increase", 82, 90, 92, 1.25, "surpassed"),
        ("increase", 82, 90, 82, 0, "on the way"),
        ("increase", 82, 90, 80, -0.25, "regressed"),
        ("decrease", 10, 4, 7, 0.5, "on the way"),
        ("decrease", 10, 4, 12, pytest.approx(-1 / 3), "regressed"),
        ("increase", 90, 90, 95, None, "undefined"),
        ("maintain at or above", 80, 80, 80, None, "met"),
        ("maintain at or above", 80, 80, 79, None, "not met"),
        ("maintain at or below", 5, 6, 6, None, "met"),
        ("maintain at or below", 5, 6, 7, None, "not met"),
        ("milestone", 0, 1, 1, 1, "met"),
        ("milestone", 0, 1, 0, 0, "not met"),
        ("increase", 82, 90, None, None, "not measured"),
        ("increase", None, 90, 84, None, "no baseline"),
        ("increase", 82, None, 84, None, "no target"),
    ],
)
def test_v4_every_kind_of_objective_gets_its_own_answer(
    told, direction, baseline, target, actual, progress, answer
):
    told.fact(
        "OBJ-1", "objective", JAN, "active",
        direction=direction, baseline=baseline, target=target, actual=actual,
    )  # fmt: skip
    (row,) = opened(told.views, "objectives")
    assert (row["progress"], row["answer"]) == (progress, answer)


def test_v4_a_withheld_actual_is_not_a_missing_one(told):
    told.fact("OBJ-1", "objective", JAN, "active", direction="increase", baseline=0, target=9,
              actual={"withheld": "FOI s.22"})  # fmt: skip
    (row,) = opened(told.views, "objectives")
    assert row["progress"] == row["actual"] == {"withheld": "FOI s.22"}
    assert row["answer"] == "withheld"


def test_v4_the_first_target_stays_visible(told):
    told.fact("OBJ-1", "objective", JAN, "baselined", direction="increase", baseline=82, target=90)
    told.fact("OBJ-1", "objective", APRIL, name="TargetRevised", target=86, actual=84)
    (row,) = opened(told.views, "objectives")
    assert (row["target_first"], row["target_now"], row["target_changes"]) == (90, 86, 1)
    assert row["progress"] == 0.5
    (row,) = opened(told.views, "objectives", as_of=MARCH)
    assert (row["target_now"], row["target_changes"], row["answer"]) == (90, 0, "not measured")


def test_v10_orphans_are_seen_both_ways(told):
    told.fact("OBJ-1", "objective", JAN, "active", title="Calls")
    told.fact("OBJ-2", "objective", JAN, "active", title="Costs")
    told.fact("PRJ-1", "project", JAN, "active", title="Bridge", objective="OBJ-1")
    told.fact("PRJ-2", "project", JAN, "active", title="Tunnel")
    told.fact("PRJ-3", "project", JAN, "active", title="Vault", objective={"withheld": "secret"})
    told.fact("ALIGN-1", "alignment", JAN, "out_of_parameters", project="PRJ-1", objective="OBJ-1",
              verdict="out")  # fmt: skip
    found = [
        (row["project"], row["objective"], row["finding"])
        for row in opened(told.views, "alignment")
    ]
    assert sorted(found, key=str) == sorted(
        [
            ("PRJ-1", "OBJ-1", "out, and nothing decided"),
            ("PRJ-2", None, "project without objective"),
            ("PRJ-3", {"withheld": "secret"}, "objective withheld"),
            (None, "OBJ-2", "objective without project"),
        ],
        key=str,
    )
    told.fact("ALIGN-1", "alignment", APRIL, "settled", settlement="waiver")
    assert "out, and decided" in column(opened(told.views, "alignment"), "finding")
    assert "out, and nothing decided" in column(
        opened(told.views, "alignment", as_of=MARCH), "finding"
    )


def test_v12_the_tracker_counts_returns_freezes_and_restatements(told):
    told.fact("REP-1", "reporting-period", JAN, "opened", unit="pmo", due=MARCH)
    for number, state in enumerate(["validated", "requested", "late", "excused"]):
        told.fact(f"RET-{number}", "return", JAN, state, cycle="REP-1", due=MARCH)
    told.fact("REP-1", "reporting-period", APRIL, "frozen", name="PeriodFrozen", position=17)
    told.fact("REP-1", "reporting-period", JUNE, name="FigureRestated")
    (row,) = opened(told.views, "reporting")
    counted = ("returns_asked", "returns_in", "returns_late", "frozen_at_position", "restatements")
    assert [row[name] for name in counted] == [3, 1, 2, 17, 1]
    (row,) = opened(told.views, "reporting", as_of=MARCH)
    assert (row["frozen_at"], row["restatements"], row["returns_late"]) == (None, 0, 1)


def test_v13_a_benefit_shows_how_much_of_it_is_there(told):
    told.fact("BEN-1", "benefit", JAN, "in_realisation", baseline=10, target=20, actual=12)
    told.fact("BEN-2", "benefit", JAN, "in_realisation", baseline=10, target=20,
              actual={"withheld": "commercial"})  # fmt: skip
    told.fact("BEN-3", "benefit", JAN, "in_realisation", baseline=10, target=10, actual=12)
    assert column(opened(told.views, "benefits"), "realised") == [
        0.2,
        {"withheld": "commercial"},
        None,
    ]


def test_v15_a_reward_on_figures_that_were_restated_is_marked(told):
    told.fact("PERF-1", "performance-review", JAN, "reward_decided", name="RewardDecided",
              actor="body", reward_amount=gbp(0), figures="REP-1", figures_position=3)  # fmt: skip
    told.fact("PERF-2", "performance-review", JAN, "period_open", figures="REP-2")
    told.fact("REP-1", "reporting-period", JUNE, "published", name="FigureRestated")
    one, two = opened(told.views, "rewards")
    assert (one["reward_amount"], one["decided_by"], one["figures_were"]) == (
        0,
        "body",
        "restated since",
    )
    assert (two["reward_amount"], two["figures_were"]) == (None, None)
    assert opened(told.views, "rewards", as_of=APRIL)[0]["figures_were"] is None


def test_shares_of_objectives(told):
    told.fact("OBJ-1", "objective", JAN, "active", direction="increase", baseline=1, target=3,
              actual=0, due=JUNE, owner="olga")  # fmt: skip
    told.fact(
        "OBJ-2", "objective", JAN, "active", direction="decrease", baseline=5, target=3, actual=3
    )
    assert measured(told.views, "objectives-complete") == [Figure((), 0.5)]
    assert measured(told.views, "objectives-on-target") == [Figure((), 0.5)]
    assert measured(told.views, "objectives-regressed") == [Figure((), 0.5)]
    assert measured(told.views, "orphan-goals") == [Figure((), 2)]
    assert measured(told.views, "progress-reports-late") == [Figure((), 0)]


def test_the_balance_of_the_portfolio_is_by_perspective(told):
    told.fact("OBJ-1", "objective", JAN, "active", perspective="customer")
    told.fact("PRJ-1", "project", JAN, "active", objective="OBJ-1", baseline_cost=gbp(300))
    told.fact("PRJ-2", "project", JAN, "active", baseline_cost=gbp(100))
    told.fact("PRJ-3", "project", JAN, "active", objective="OBJ-1", baseline_cost=gbp(100),
              forecast_cost={"withheld": "FOI s.43"})  # fmt: skip
    assert measured(told.views, "portfolio-balance") == [
        Figure(("customer",), 0.75),
        Figure(("none said",), 0.25),
    ]


def test_a_programme_counts_by_its_projects(told):
    told.fact("OBJ-1", "objective", JAN, "active", perspective="customer")
    told.fact("PRJ-1", "project", JAN, "active", objective="OBJ-1", baseline_cost=gbp(500))
    for number in (2, 3):
        told.fact(f"PRJ-{number}", "project", JAN, "active", objective="OBJ-1", programme="PRJ-1",
                  baseline_cost=gbp(200))  # fmt: skip
    assert measured(told.views, "spend-per-objective") == [Figure(("OBJ-1",), 400)]
    assert measured(told.views, "portfolio-balance") == [Figure(("customer",), 1)]
