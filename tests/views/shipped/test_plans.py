"""Plans, their versions, gates and what they cost: V5, V6, V8 and their metrics."""

from __future__ import annotations

from projections.answers import Figure
from tests.views.asking import measured, opened
from tests.views.shipped.conftest import APRIL, JAN, JUNE, MARCH, column, gbp


def test_v5_plans_of_both_templates_stand_side_by_side(told):
    told.fact("PLAN-1", "strategic-plan", JAN, "in_execution", unit="pmo", plan_version=1)
    told.fact("PLAN5-1", "strategic-plan-five", JAN, "opened", unit="transport")
    told.fact("PREM-1", "premise", JAN, "invalidated", plan="PLAN-1")
    told.linked("PLAN-1", "PREM-1", "premise", JAN)
    one, five = opened(told.views, "plans")
    assert (one["template"], one["premises"], one["premises_in_doubt"]) == ("seven steps", 1, 1)
    assert (five["template"], five["plan_version"], five["premises"]) == ("five steps", None, 0)


def test_v5_a_version_says_what_it_changed(told):
    told.fact("PLAN-1", "strategic-plan", JAN, "in_execution", title="Grow", plan_version=1)
    told.fact("PLAN-1", "strategic-plan", APRIL, name="PlanRevised", title="Mend", plan_version=2)
    found = [row for row in opened(told.views, "plan-changes") if row["event"] == "PlanRevised"]
    assert [(row["field"], row["before"], row["after"]) for row in found] == [
        ("plan_version", "1", "2"),
        ("title", "Grow", "Mend"),
    ]


def test_v5_each_change_stands_under_the_version_it_belongs_to(told):
    for on, state, name, data in (
        (JAN, "opened", "PlanningCycleOpened", {"cycle": "2026"}),
        ("2026-02-10", "in_execution", "PlanVersionApproved", {"plan_version": 1}),
        ("2026-02-11", None, "PlanMoved", {"unit": "pmo"}),
        (MARCH, "under_review", "PlanRevised", {"cycle": "2027"}),
        (APRIL, "in_execution", "PlanVersionApproved", {"plan_version": 2}),
        (JUNE, None, "PlanMoved", {"unit": "hall"}),
    ):
        told.fact("PLAN-1", "strategic-plan", on, state, name=name, **data)
    found = opened(told.views, "plan-changes")
    assert [(row["of_version"], row["field"], row["after"]) for row in found] == [
        (1, "cycle", "2026"),
        (1, "plan_version", "1"),
        (1, "unit", "pmo"),
        (2, "cycle", "2027"),
        (2, "plan_version", "2"),
        (2, "unit", "hall"),
    ]
    second = opened(told.views, "plan-changes", {"of_version": 2})
    assert column(second, "field") == ["cycle", "plan_version", "unit"]


def test_v5_a_premise_that_was_not_checked_is_overdue(told):
    told.fact("PREM-1", "premise", JAN, "recorded", check_by=MARCH)
    assert column(opened(told.views, "premises"), "late") == ["overdue"]
    assert column(opened(told.views, "premises", as_of=MARCH), "late") == [None]


def test_v6_growth_and_slip_count_from_the_first_baseline(told):
    told.fact("PRJ-1", "project", JAN, "active", baseline_end="2027-01-01", baseline_cost=gbp(100))
    told.fact("PRJ-1", "project", APRIL, name="BaselineIssued", baseline_end="2027-02-01",
              baseline_cost=gbp(150))  # fmt: skip
    told.fact("PRJ-1", "project", JUNE, forecast_end="2027-03-01", forecast_cost=gbp(180))
    told.fact("PRJ-2", "project", JUNE, "active", baseline_cost={"withheld": "FOI s.43"})
    one, two = opened(told.views, "baselines")
    assert (one["original_end"], one["baseline_end"], one["slip"]) == (
        "2027-01-01",
        "2027-02-01",
        59,
    )
    assert (one["original_cost"], one["growth"], one["baselines_issued"]) == (100, 0.8, 1)
    assert two["growth"] == {"withheld": "FOI s.43"}
    assert (two["slip"], two["original_cost"]) == (None, None)


def test_v6_each_baseline_has_a_number(told):
    told.fact("PRJ-1", "project", JAN, "active", baseline_end="2027-01-01", baseline_version=1)
    told.fact("PRJ-1", "project", APRIL, name="BaselineIssued", baseline_end="2027-02-01",
              baseline_version=2)  # fmt: skip
    assert column(opened(told.views, "baselines"), "baseline_version") == [2]
    assert column(opened(told.views, "baselines", as_of=MARCH), "baseline_version") == [1]


def test_v6_a_forecast_that_is_withheld_is_not_the_promise(told):
    told.fact("PRJ-1", "project", JAN, "active", baseline_end="2027-01-01", baseline_cost=gbp(100))
    kept = {"withheld": "FOI s.43"}
    told.fact("PRJ-1", "project", JUNE, forecast_end=kept, forecast_cost=kept)
    (one,) = opened(told.views, "baselines")
    assert (one["slip"], one["growth"]) == (kept, kept)
    assert measured(told.views, "slip-against-original") == [Figure((), None)]
    assert measured(told.views, "spend-per-objective") == []
    told.fact("MS-1", "milestone", JAN, "open", baseline=JAN, forecast=MARCH)
    told.fact("MS-2", "milestone", JAN, "reached", baseline=JAN, forecast=MARCH, actual=kept)
    assert column(opened(told.views, "milestones"), "slip") == [59, kept]


def test_v8_a_gate_that_was_not_rated_in_time_is_overdue(told):
    told.fact("PRJ-1", "project", JAN, "active", title="Bridge")
    told.fact("GATE-1", "gate", JAN, "scheduled", project="PRJ-1", gate="3", scheduled_on=APRIL)
    told.fact("GATE-2", "gate", JAN, "rated", project="PRJ-1", scheduled_on=MARCH, dca="amber")
    rated, due = opened(told.views, "gates")
    assert (rated["dca"], rated["late"], rated["days_to_go"]) == ("amber", None, None)
    assert (due["title"], due["late"], due["days_to_go"]) == ("Bridge", "overdue", -61)


def test_v8_health_checks_are_in_the_same_plan(told):
    told.fact("GATE-1", "gate", JAN, "scheduled", project="PRJ-1", gate="3", scheduled_on=APRIL)
    told.fact("HC-1", "health-check", JAN, "missed", project="PRJ-1", scheduled_on=MARCH)
    told.fact("HC-2", "health-check", JAN, "cancelled", project="PRJ-1", scheduled_on=MARCH)
    assert [
        (row["key"], row["gate"], row["late"])
        for row in opened(told.views, "gates", {"project": "PRJ-1"})
    ] == [("HC-1", "health check", "overdue"), ("GATE-1", "3", "overdue")]


def test_what_belongs_to_a_plan_in_five_steps_is_found_by_it(told):
    told.fact("OBJ-1", "objective", JAN, "active", title="Calls", plan_five="PLAN5-1")
    told.fact("OBJ-2", "objective", JAN, "active", title="Costs", plan="PLAN-1")
    found = opened(told.views, "objectives", {"plan": "PLAN5-1"})
    assert column(found, "key") == ["OBJ-1"]
    told.fact("COM-1", "communication", JAN, "sent", subject="Plan", plan_five="PLAN5-1")
    assert column(opened(told.views, "communication"), "about") == ["PLAN5-1"]


def test_of_a_plan_the_newest_version_that_was_told_counts(told):
    for number, on in ((1, JAN), (2, MARCH)):
        told.fact(f"COM-{number}", "communication", on, "sent", plan="PLAN-1")
        for person, state in (("ada", "given"), ("bo", "given" if number == 1 else "asked")):
            told.fact(f"ACK-{number}-{person}", "acknowledgement", on, state, person=person,
                      communication=f"COM-{number}")  # fmt: skip
    told.fact("COM-3", "communication", APRIL, "drafted", plan="PLAN-1")
    assert measured(told.views, "acknowledged-current") == [Figure(("PLAN-1",), 0.5)]


def test_a_plan_in_five_steps_lacks_none_of_the_supporting_plans_that_it_does_not_need(told):
    for key, workflow in (
        ("PLAN-1", "strategic-plan"),
        ("PLAN5-1", "strategic-plan-five"),
        ("PLAN5-2", "strategic-plan-five"),
    ):
        told.fact(key, workflow, JAN, "in_execution", name="PlanVersionApproved")
    for plan in ({"plan": "PLAN-1"}, {"plan_five": "PLAN5-1"}):
        for kind in ("budget", "risk"):
            key = f"SUPP-{kind}-{'-'.join(plan.values())}"
            told.fact(key, "supporting-plan", JAN, "linked", kind=kind, **plan)
    told.fact("SUPP-9", "supporting-plan", JAN, "linked", kind="resources", plan_five="PLAN5-2")
    assert measured(told.views, "plans-lacking-support") == [Figure((), 2)]
    for kind in ("resources", "communication"):
        told.fact(f"SUPP-{kind}", "supporting-plan", APRIL, "linked", kind=kind, plan="PLAN-1")
    assert measured(told.views, "plans-lacking-support") == [Figure((), 1)]


def test_growth_leaves_out_what_is_withheld_or_missing(told):
    told.fact("PRJ-1", "project", JAN, "active", baseline_cost=gbp(100))
    told.fact("PRJ-1", "project", JUNE, forecast_cost=gbp(150))
    told.fact("PRJ-2", "project", JAN, "active", baseline_cost=gbp(100))
    told.fact("PRJ-2", "project", JUNE, forecast_cost={"withheld": "FOI s.43"})
    told.fact("PRJ-3", "project", JAN, "active")
    assert measured(told.views, "growth-against-original") == [Figure((), 0.5)]


def test_earned_value_is_told_of_those_who_report_it(told):
    told.fact("PRJ-1", "project", JAN, "active", planned_value=gbp(100), earned_value=gbp(80),
              actual_cost=gbp(160))  # fmt: skip
    told.fact("PRJ-2", "project", JAN, "active", earned_value=gbp(80),
              actual_cost={"withheld": "FOI s.43"})  # fmt: skip
    told.fact("PRJ-3", "project", JAN, "active", earned_value=gbp(0), planned_value=gbp(0))
    assert measured(told.views, "schedule-performance") == [
        Figure(("PRJ-1",), 0.8),
        Figure(("PRJ-3",), None),
    ]
    assert measured(told.views, "cost-performance") == [Figure(("PRJ-1",), 0.5)]
