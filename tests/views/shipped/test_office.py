"""Risks, standards, skills, the office itself and its record: V9, V11, V14, V16 to V19."""

from __future__ import annotations

import pytest

from projections.answers import Figure
from tests.views.asking import measured, opened
from tests.views.shipped.conftest import APRIL, JAN, JUNE, MARCH, column, decided


def test_v9_raid_leaves_out_what_is_closed(told):
    told.fact("RAID-1", "raid", JAN, "open", kind="risk", title="Rain", due=MARCH)
    told.fact("RAID-2", "raid", JAN, "closed", kind="risk", title="Snow")
    assert [(row["title"], row["late"]) for row in opened(told.views, "raid")] == [
        ("Rain", "overdue")
    ]
    assert opened(told.views, "raid", {"kind": "issue"}) == []


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


def test_v14_coverage_counts_who_acknowledged(told):
    told.fact("COM-1", "communication", JAN, "sent", subject="Plan", audience=["all", "board"])
    told.fact("COM-2", "communication", JAN, "drafted", subject="News")
    for number, state in enumerate(["given", "asked", "overdue", "excused"]):
        told.fact(f"ACK-{number}", "acknowledgement", JAN, state, communication="COM-1", due=MARCH)
    one, two = sorted(opened(told.views, "communication"), key=lambda row: row["key"])
    assert (one["addressed"], one["asked"], one["acknowledged"], one["overdue"]) == (2, 3, 1, 2)
    assert one["coverage"] == pytest.approx(1 / 3)
    assert two["coverage"] is None


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
