"""The views that ship: each answers its question, on both clocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import NotFound
from engine.loading import load_definition
from engine.store.log import Log
from projections.answers import Figure, ask, figures
from projections.opening import open_for_reading
from projections.relations import Relations
from projections.runner import Runner
from projections.store import Place, Tables
from projections.view_definitions import (
    Question,
    load_metrics,
    load_view,
)
from tests.views.asking import SHIPPED, measured, opened, relations
from tests.views.conftest import History
from tests.views.conftest import opened as opened_log
from tests.views.library import bodies
from workflows import shipped

JAN, MARCH, APRIL, JUNE = "2026-01-31", "2026-03-31", "2026-04-30", "2026-06-15"
RENEWED = {"decision": 4, "objective": 2}
OPTIONS = {"options": "yes"}
"""Workflows whose first versions had fewer fields than the views show."""

VIEWS = sorted(file.stem for file in SHIPPED.glob("*.yaml") if file.stem != "metrics")


def gbp(amount):
    return {"amount": str(amount), "currency": "GBP"}


class Told:
    """Facts about cases of the library, each with the day on which it was so and recorded."""

    def __init__(self, log: Log, place: Path | Place) -> None:
        self._log = log
        self._history = History(self._log)
        self._place = place
        self._runner = Runner(self._log, place)
        self._open: list[Tables] = []
        for body in bodies():
            self._history.write(self._history.definition(**body))

    def fact(self, key, workflow, on, state=None, name="Reported", known=None, actor="pat", **data):
        """``name_`` is the field called name."""
        if (called := data.pop("name_", None)) is not None:
            data["name"] = called
        self._history.write(
            self._history.observed(
                key,
                data,
                state=state,
                name=name,
                at=on,
                recorded_at=f"{known or on}T09:00:00.000000Z",
                workflow=workflow,
                actor=actor,
            )
        )

    def linked(self, parent, child, workflow, on):
        self._history.write(self._history.linked(parent, child, workflow, at=on))

    def paper(self, key):
        self._history.write(self._history.attached(key))

    @property
    def views(self):
        self._runner.catch_up()
        self._open.append(open_for_reading(self._place))
        return self._open[-1]

    def close(self):
        for tables in self._open:
            tables.close()
        self._runner.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def store(request):
    return request.param


@pytest.fixture
def told(log, place):
    told = Told(log, place)
    yield told
    told.close()


def column(found, name):
    return [row[name] for row in found]


# --- all of them --------------------------------------------------------------------------------


def test_every_view_of_the_domain_ships():
    found = {load_view((SHIPPED / f"{name}.yaml").read_bytes(), name, name).id for name in VIEWS}
    assert {f"V{number}" for number in range(1, 20)} <= found


def test_only_what_is_about_persons_is_restricted():
    views = [load_view((SHIPPED / f"{name}.yaml").read_bytes(), name, name) for name in VIEWS]
    assert {view.id for view in views if view.restricted} == {"V15", "V16"}


def questions() -> list[Question]:
    views = [load_view((SHIPPED / f"{name}.yaml").read_bytes(), name, name) for name in VIEWS]
    return [*views, *load_metrics((SHIPPED / "metrics.yaml").read_bytes(), "metrics.yaml")]


@pytest.mark.parametrize("moments", [{}, {"as_of": MARCH, "known_at": APRIL}], ids=["now", "then"])
def test_every_view_and_metric_answers_where_nothing_has_happened(told, moments):
    major = load_definition(_read("major-project"), "major-project")
    told._history.write(told._history.definition(**major.body))
    tables = told.views
    at = relations(tables, **moments)
    for question in questions():
        assert _answer(tables, at, question) is not None


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_every_view_and_metric_fits_the_workflows_that_ship(question, fitted):
    """Those whose workflows are not all there yet cannot be judged."""
    tables, at = fitted
    if at.missing(question.select):
        pytest.skip(f"not shipped: {', '.join(at.missing(question.select))}")
    assert _answer(tables, at, question) is not None


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    log = opened_log("sqlite", folder)
    history = History(log)
    for file in shipped():
        body = load_definition(file.read_bytes(), file.name).body
        if body["version"] >= RENEWED.get(body["workflow"], 1):
            history.write(history.definition(**body))
    runner = Runner(log, folder / "views.db")
    runner.catch_up()
    tables = open_for_reading(folder / "views.db")
    yield tables, relations(tables)
    tables.close()
    runner.close()
    log.close()


def test_every_metric_belongs_to_a_view_that_ships():
    metrics = load_metrics((SHIPPED / "metrics.yaml").read_bytes(), "metrics.yaml")
    views = {load_view((SHIPPED / f"{name}.yaml").read_bytes(), name, name).id for name in VIEWS}
    assert {metric.view for metric in metrics} <= views


def test_no_shipped_view_uses_what_only_one_database_knows():
    for question in questions():
        assert not re.search(
            r"(?i)julianday|strftime|json_|ifnull|\|\||printf|glob\b", question.select.text
        )


def _answer(tables: Tables, at: Relations, question: Question):
    if hasattr(question, "version"):
        return figures(tables, at, question)
    return ask(tables, at, question, dict.fromkeys(question.parameters), 10)


def _read(workflow):
    (file,) = [file for file in shipped() if file.stem == workflow]
    return file.read_bytes()


# --- V1 to V19 ----------------------------------------------------------------------------------


def decided(told):
    told.fact(
        "DEC-1",
        "decision",
        JAN,
        "draft",
        title="Desk",
        amount=gbp(0),
        unit="pmo",
        options=["a", "b"],
    )
    told.fact("DEC-1", "decision", "2026-02-01", "submitted", name="DecisionRequested")
    told.fact(
        "DEC-1", "decision", "2026-02-11", "approved", name="DecisionTaken", actor="ada",
        rationale="needed", effective_on="2026-02-01", known=APRIL,
    )  # fmt: skip
    told.fact("DEC-2", "decision", APRIL, "ready", title="Hall", amount={"withheld": "tender"})
    told.fact("DEC-3", "decision", APRIL, "in_review", title="Yard")


def test_v1_the_decision_register_says_who_decided_when_and_what_is_open(told):
    decided(told)
    told.fact("COND-1", "condition", APRIL, "open", decision="DEC-1")
    told.linked("DEC-1", "COND-1", "condition", APRIL)
    one, two, three = opened(told.views, "decisions")
    assert (one["decider"], one["decided_at"], one["options"]) == ("ada", "2026-02-11", ["a", "b"])
    assert one["open_conditions"] == 1
    assert [row["amount"] for row in (one, two, three)] == [0, {"withheld": "tender"}, None]
    assert two["decider"] is None


def test_v1_says_who_carries_it_out_until_when_and_how_late_that_is(told):
    decided(told)
    old = {"decision": "DEC-1", "performer": "ola", "due": MARCH}
    told.fact("IMPL-1", "implementation", "2026-02-12", "withdrawn", **old)
    given = {"decision": "DEC-1", "performer": "lea", "due": MARCH}
    told.fact("IMPL-2", "implementation", "2026-02-13", "open", **given)
    one, *_ = opened(told.views, "decisions", as_of="2026-03-30")
    assert (one["performer"], one["perform_by"], one["days_late"]) == ("lea", MARCH, None)
    one, *_ = opened(told.views, "decisions", as_of="2026-04-03")
    assert (one["performed_on"], one["days_late"]) == (None, 3)
    told.fact("IMPL-2", "implementation", "2026-04-10", "performed", "ImplementationPerformed")
    one, two, _ = opened(told.views, "decisions")
    assert (one["performed_on"], one["days_late"]) == ("2026-04-10", 10), "late, and stays so"
    assert (two["performer"], two["days_late"]) == (None, None)


def test_v1_a_decision_recorded_late_was_not_known_before(told):
    decided(told)
    (before,) = opened(told.views, "decisions", as_of=MARCH, known_at=MARCH)
    (after,) = opened(told.views, "decisions", as_of=MARCH)
    assert (before["state"], before["decider"]) == ("submitted", None)
    assert (after["state"], after["decider"]) == ("approved", "ada")


def test_v2_what_waits_says_for_whom_and_since_when(told):
    decided(told)
    told.fact("APPT-1", "appointment", JAN, "active", role="approver", unit="pmo", person="ada")
    told.fact("APPT-2", "appointment", JAN, "active", role="approver", unit="health", person="hal")
    told.fact(
        "APPT-3", "appointment", JAN, "active", role="approver", unit="pmo", person="old",
        until=MARCH,
    )  # fmt: skip
    told.fact("DEC-4", "decision", JUNE, "ready", title="Roof", unit="pmo")
    told.fact("OBJ-1", "objective", JUNE, "active", title="Calls", owner="olga")
    found = opened(told.views, "waiting", {"person": "ada"})
    assert [(row["key"], row["can"], row["since"]) for row in found] == [("DEC-4", "approve", JUNE)]
    assert found[0]["days_waiting"] == pytest.approx(15.5)
    assert column(opened(told.views, "waiting", {"person": "olga"}), "key") == ["OBJ-1"]
    assert column(opened(told.views, "waiting", {"person": "old", **OPTIONS}), "key") == []
    assert "hal" not in column(opened(told.views, "waiting", OPTIONS), "person")


def test_v2_nothing_waits_for_the_timer_or_in_a_final_state(told):
    decided(told)
    told.fact("DEC-2", "decision", JUNE, "rejected")
    assert "lapse" not in column(opened(told.views, "waiting", OPTIONS), "can")
    assert "DEC-2" not in column(opened(told.views, "waiting", OPTIONS), "key")


def test_v3_authority_is_as_it_was_on_the_day(told):
    grant = {"category": "funding", "unit": "pmo", "holder": "sponsor"}
    told.fact("AUTH-1", "authority", JAN, "active", level=1, limit=gbp(100), **grant)
    told.fact("AUTH-2", "authority", JAN, "active", level=2, until=MARCH, **grant)
    told.fact("AUTH-1", "authority", JUNE, limit=gbp(900))
    told.fact("AUTH-3", "authority", JAN, "revoked", level=3, **grant)
    assert [(row["key"], row["limit"]) for row in opened(told.views, "authority", as_of=MARCH)] == [
        ("AUTH-1", 100),
        ("AUTH-2", None),
    ]
    assert [(row["key"], row["limit"]) for row in opened(told.views, "authority")] == [
        ("AUTH-1", 900)
    ]


def test_v3_a_delegation_ends_with_its_last_day(told):
    told.fact("DEL-1", "delegation", JAN, "active", giver="a", receiver="b", until=MARCH)
    assert column(opened(told.views, "delegations", as_of=MARCH), "receiver") == ["b"]
    assert opened(told.views, "delegations", as_of=APRIL) == []


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


def test_v7_the_portfolio_is_what_was_known_on_the_day(told):
    told.fact("PRJ-1", "project", JAN, "active", title="Bridge", rating="green")
    told.fact("PRJ-1", "project", MARCH, rating="red", known=JUNE)
    told.fact("PRJ-2", "project", APRIL, "closed", title="Hall")
    assert column(opened(told.views, "portfolio", known_at=APRIL), "rating") == ["green"]
    assert column(opened(told.views, "portfolio"), "rating") == ["red"]
    assert column(opened(told.views, "portfolio", as_of=JAN), "rating") == ["green"]


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


def test_v9_raid_leaves_out_what_is_closed(told):
    told.fact("RAID-1", "raid", JAN, "open", kind="risk", title="Rain", due=MARCH)
    told.fact("RAID-2", "raid", JAN, "closed", kind="risk", title="Snow")
    assert [(row["title"], row["late"]) for row in opened(told.views, "raid")] == [
        ("Rain", "overdue")
    ]
    assert opened(told.views, "raid", {"kind": "issue"}) == []


def test_v10_orphans_are_seen_both_ways(told):
    told.fact("OBJ-1", "objective", JAN, "active", title="Calls")
    told.fact("OBJ-2", "objective", JAN, "active", title="Costs")
    told.fact("PRJ-1", "project", JAN, "active", title="Bridge", objective="OBJ-1")
    told.fact("PRJ-2", "project", JAN, "active", title="Tunnel")
    told.fact("PRJ-3", "project", JAN, "active", title="Vault", objective={"withheld": "secret"})
    told.fact("ALIGN-1", "alignment", JAN, "out_of_parameters", project="PRJ-1", objective="OBJ-1",
              verdict="out")  # fmt: skip
    assert {
        (row["project"], row["objective"], row["finding"])
        for row in opened(told.views, "alignment")
    } == {
        ("PRJ-1", "OBJ-1", "out, and nothing decided"),
        ("PRJ-2", None, "project without objective"),
        ("PRJ-3", None, "objective withheld"),
        (None, "OBJ-2", "objective without project"),
    }
    told.fact("ALIGN-1", "alignment", APRIL, "settled", settlement="waiver")
    assert "out, and decided" in column(opened(told.views, "alignment"), "finding")
    assert "out, and nothing decided" in column(
        opened(told.views, "alignment", as_of=MARCH), "finding"
    )


def test_v11_a_standard_shows_its_review_and_who_departs_from_it(told):
    told.fact("STD-1", "standard", JAN, "effective", title="Gates", review_on=MARCH)
    told.fact("WAV-1", "waiver", JAN, "granted", standard="STD-1", until=JUNE)
    told.fact("WAV-2", "waiver", JAN, "expired", standard="STD-1")
    (standard,) = opened(told.views, "standards")
    assert (standard["review"], standard["waivers"], standard["next_waiver_ends"]) == (
        "overdue",
        1,
        JUNE,
    )
    assert [
        (row["key"], row["days_left"]) for row in opened(told.views, "waivers", as_of=APRIL)
    ] == [
        ("WAV-2", None),
        ("WAV-1", 46),
    ]


def test_v11_a_standard_shows_how_many_checks_found_it_followed(told):
    told.fact("STD-1", "standard", JAN, "effective", title="Gates")
    for number, said in enumerate(["compliant", "waived", "not compliant"]):
        told.fact(f"HC-{number}", "health-check", JAN, "rated", standard="STD-1", compliance=said)
    told.fact("HC-4", "health-check", JAN, "scheduled", standard="STD-1")
    (standard,) = opened(told.views, "standards")
    assert (standard["checked"], standard["followed"]) == (3, 1)
    told.fact("GATE-1", "gate", JAN, "rated", compliance="compliant")
    told.fact("GATE-2", "gate", JAN, "scheduled")
    assert measured(told.views, "compliance-rate") == [Figure((), 0.5)]


def test_what_belongs_to_a_plan_in_five_steps_is_found_by_it(told):
    told.fact("OBJ-1", "objective", JAN, "active", title="Calls", plan_five="PLAN5-1")
    told.fact("OBJ-2", "objective", JAN, "active", title="Costs", plan="PLAN-1")
    found = opened(told.views, "objectives", {"plan": "PLAN5-1"})
    assert column(found, "key") == ["OBJ-1"]
    told.fact("COM-1", "communication", JAN, "sent", subject="Plan", plan_five="PLAN5-1")
    assert column(opened(told.views, "communication"), "about") == ["PLAN5-1"]


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


def test_v14_coverage_counts_who_acknowledged(told):
    told.fact("COM-1", "communication", JAN, "sent", subject="Plan", audience=["all", "board"])
    told.fact("COM-2", "communication", JAN, "drafted", subject="News")
    for number, state in enumerate(["given", "asked", "overdue", "excused"]):
        told.fact(f"ACK-{number}", "acknowledgement", JAN, state, communication="COM-1", due=MARCH)
    one, two = sorted(opened(told.views, "communication"), key=lambda row: row["key"])
    assert (one["addressed"], one["asked"], one["acknowledged"], one["overdue"]) == (2, 3, 1, 2)
    assert one["coverage"] == pytest.approx(1 / 3)
    assert two["coverage"] is None


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


def test_v16_the_heat_map_says_how_many_are_able(told):
    for number, level in enumerate([1, 3]):
        told.fact(f"SKL-{number}", "skill-assessment", JAN, "assessed", person=f"p{number}",
                  role="analyst", skill="risk", level=level, target_level=3)  # fmt: skip
    (row,) = opened(told.views, "skills")
    assert (row["people"], row["able"], row["level"], row["covered"]) == (2, 1, 2, 0.5)


def test_v16_maturity_shows_the_level_before(told):
    told.fact("MAT-1", "maturity-assessment", JAN, "assessed", unit="pmo", level=2)
    told.fact("MAT-1", "maturity-assessment", APRIL, level=3)
    (row,) = opened(told.views, "maturity")
    assert (row["level"], row["level_before"]) == (3, 2)


def test_v17_set_up_shows_its_step_and_routines_when_they_were_kept(told):
    told.fact("SETUP-1", "pmo-setup", JAN, "defining_objectives", unit="pmo", objectives=["a"])
    told.fact("SETUP-1", "pmo-setup", JUNE, "winning_sponsor")
    told.fact("ROU-1", "routine", JAN, "waiting", title="Data due", rule="FREQ=MONTHLY")
    told.fact("ROU-1", "routine", MARCH, name="RoutineCompleted")
    told.fact("ROU-1", "routine", APRIL, name="RoutineMissed")
    (setup,) = opened(told.views, "setup")
    assert (setup["state"], setup["objectives"]) == ("winning_sponsor", 1)
    assert setup["days_in_step"] == pytest.approx(15.5)
    (routine,) = opened(told.views, "routines")
    assert (routine["done"], routine["missed"], routine["kept"]) == (1, 1, 0.5)


def test_v18_the_audit_trail_is_everything_newest_first(told):
    decided(told)
    found = opened(told.views, "audit", {"case": "DEC-1"})
    assert column(found, "event") == ["DecisionTaken", "DecisionRequested", "Reported"]
    assert column(opened(told.views, "audit", {"actor": "ada"}), "event") == ["DecisionTaken"]
    early = opened(told.views, "audit", {"case": "DEC-1"}, known_at=MARCH)
    assert column(early, "event") == ["DecisionRequested", "Reported"]


def test_v19_a_subscriber_shows_how_far_it_is_behind(told):
    assert opened(told.views, "subscribers") == [
        {"name": "views", "reached": 3, "head": 5, "behind": 2, "waiting": 1}
    ]


def test_support_tasks_and_milestones_show_what_is_open(told):
    told.fact("SUP-1", "support-request", JAN, "requested", title="Help")
    told.fact("SUP-2", "support-request", JAN, "confirmed", title="Done")
    told.fact("TASK-1", "task", JAN, "done", title="First")
    told.fact("TASK-2", "task", JAN, "todo", title="Then", depends_on="TASK-1", due=MARCH)
    told.fact("MS-1", "milestone", JAN, "open", title="Roof", baseline=MARCH, forecast=APRIL)
    told.fact("SUP-3", "support-request", JAN, "declined", title="No")
    told.fact("TASK-3", "task", JAN, "dropped", title="Never", due=MARCH, project="PRJ-1")
    told.fact("MS-2", "milestone", JAN, "dropped", title="Spire", baseline=JAN, forecast=JUNE)
    assert column(opened(told.views, "support"), "key") == ["SUP-1"]
    assert measured(told.views, "tasks-overdue") == [Figure(("none",), 1)]
    assert measured(told.views, "milestone-slip") == [Figure((), 30)]
    (task,) = opened(told.views, "tasks")
    assert (task["key"], task["late"], task["depends_on_state"]) == ("TASK-2", "overdue", "done")
    assert column(opened(told.views, "milestones"), "key") == ["MS-1", "MS-2"]


# --- metrics ------------------------------------------------------------------------------------


def test_lead_times_are_counted_from_the_request_to_the_decision(told):
    decided(told)
    assert measured(told.views, "decision-lead-time-median") == [Figure((), 10)]
    assert measured(told.views, "decision-lead-time-p90") == [Figure((), 10)]
    assert measured(told.views, "decision-lead-time-median", known_at=MARCH) == [Figure((), None)]


def test_shares_of_decisions(told):
    decided(told)
    told.fact("DEC-4", "decision", JUNE, "ready", name="DecisionEscalated")
    told.fact("DEC-4", "decision", JUNE, "approved", name="DecisionTaken")
    assert measured(told.views, "decisions-on-time") == [Figure((), 0.5)]
    told.fact("DEC-6", "decision", JUNE, "closed", name="DecisionLapsed")
    told.fact("DEC-7", "decision", JUNE, "rejected", name="DecisionRejected")
    assert measured(told.views, "decisions-on-time") == [Figure((), 0.5)]
    assert measured(told.views, "decisions-by-authority") == [Figure((), 0)]
    assert measured(told.views, "retrospective-approvals") == [Figure((), 1)]
    assert measured(told.views, "decisions-ageing") == [Figure(("3: 30 days and more",), 2)]


def test_a_decision_is_traceable_by_a_document_and_up_to_a_plan(told):
    told.fact("OBJ-1", "objective", JAN, "active", plan="PLAN-1")
    told.fact("OBJ-2", "objective", JAN, "active", parent="OBJ-1")
    told.fact("OBJ-3", "objective", JAN, "active")
    for number, serves in enumerate(
        [{"objective": "OBJ-2"}, {"plan": "PLAN-1"}, {"objective": "OBJ-3"}, {"objective": "OBJ-1"}]
    ):
        key = f"DEC-{number}"
        told.fact(key, "decision", JAN, "approved", name="DecisionTaken", **serves)
        if number < 3:
            told.paper(key)
    assert measured(told.views, "decisions-traceable") == [Figure((), 0.5)]


def test_of_a_plan_the_newest_version_that_was_told_counts(told):
    for number, on in ((1, JAN), (2, MARCH)):
        told.fact(f"COM-{number}", "communication", on, "sent", plan="PLAN-1")
        for person, state in (("ada", "given"), ("bo", "given" if number == 1 else "asked")):
            told.fact(f"ACK-{number}-{person}", "acknowledgement", on, state, person=person,
                      communication=f"COM-{number}")  # fmt: skip
    told.fact("COM-3", "communication", APRIL, "drafted", plan="PLAN-1")
    assert measured(told.views, "acknowledged-current") == [Figure(("PLAN-1",), 0.5)]


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


def test_growth_leaves_out_what_is_withheld_or_missing(told):
    told.fact("PRJ-1", "project", JAN, "active", baseline_cost=gbp(100))
    told.fact("PRJ-1", "project", JUNE, forecast_cost=gbp(150))
    told.fact("PRJ-2", "project", JAN, "active", baseline_cost=gbp(100))
    told.fact("PRJ-2", "project", JUNE, forecast_cost={"withheld": "FOI s.43"})
    told.fact("PRJ-3", "project", JAN, "active")
    assert measured(told.views, "growth-against-original") == [Figure((), 0.5)]


def test_what_standards_are_to_make_less(told):
    decided(told)
    told.fact("DEC-5", "decision", JAN, "ready", name="DecisionRequested")
    told.fact("DEC-5", "decision", MARCH, "draft", name="DecisionReturned")
    told.fact("RET-1", "return", JAN, "submitted", name="ReturnSubmitted")
    sent_back = {one.group: one.value for one in measured(told.views, "rework")}
    asked = len(opened(told.views, "audit", {"event": "DecisionRequested"}))
    assert sent_back[("decision",)] == pytest.approx(1 / asked)
    assert (sent_back[("return",)], sent_back[("standard",)]) == (0, None)
    assert measured(told.views, "lead-time-spread") == [Figure(("2026",), 0)]


def test_a_return_and_the_record_that_say_different_things_are_conflicting_sources(told):
    kept = {"withheld": "FOI s.43"}
    for number, (said, forecast) in enumerate([(APRIL, JUNE), (JUNE, JUNE), (kept, JUNE)]):
        project = f"PRJ-{number}"
        told.fact(project, "project", JAN, "active", forecast_end=forecast, rating="green")
        told.fact(f"RET-{number}", "return", JAN, "validated", project=project, as_of=JAN,
                  forecast_end=said, rating="green")  # fmt: skip
    assert measured(told.views, "conflicting-sources") == [Figure((), 1)]


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


def doubled(told):
    """Two records of one project, found out in June to have been doubles since the end of March."""
    major = load_definition(_read("major-project"), "major-project")
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


def test_seniors_are_held_against_the_mix_that_is_wanted(told):
    told.fact("STD-1", "standard", JAN, "effective", kind="skill profile", seniors=50)
    for person in ("ada", "bo", "cy", "di"):
        told.fact(f"SKL-{person}", "skill-assessment", JAN, "assessed", person=person,
                  role="planner", profile="STD-1",
                  experience="senior" if person == "ada" else "junior")  # fmt: skip
    assert measured(told.views, "seniors-lacking") == [Figure(("planner",), -0.25)]


def test_nothing_to_count_is_missing_and_not_zero(told):
    for metric in ("decisions-on-time", "growth-against-original", "benefits-realised"):
        assert measured(told.views, metric) == [Figure((), None)]
    assert measured(told.views, "waivers-open") == [Figure((), 0)]


def test_days_per_step_of_a_set_up(told):
    told.fact("SETUP-1", "pmo-setup", JAN, "defining_objectives", unit="pmo")
    told.fact("SETUP-1", "pmo-setup", "2026-02-10", "winning_sponsor")
    assert measured(told.views, "setup-days-per-step") == [Figure(("defining_objectives",), 10)]


def test_a_definition_that_is_not_published_is_named_by_the_view(tmp_path):
    log = opened_log("sqlite", tmp_path)
    runner = Runner(log, tmp_path / "views.db")
    runner.catch_up()
    tables = open_for_reading(tmp_path / "views.db")
    with pytest.raises(NotFound, match="V9 needs the workflow raid, which is not published"):
        opened(tables, "raid")
    tables.close()
    runner.close()
    log.close()
