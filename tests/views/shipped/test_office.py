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
    assert [row["title"] for row in opened(told.views, "raid", {"kind": "risk"})] == ["Rain"]
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


def asked_for(told, *skills, role="planner"):
    """A profile that asks for these skills, each at level 3, and three people who hold the role."""
    told.fact("STD-1", "standard", JAN, "effective", kind="skill profile", role=role,
              skills=list(skills), levels=[3] * len(skills))  # fmt: skip
    for person in ("ada", "bo", "cy"):
        told.fact(f"APPT-{role}.rail.{person}", "appointment", JAN, "active", role=role,
                  unit="rail", person=person, **{"from": JAN})  # fmt: skip


def mastered(told, person, skill, level, state="assessed", on=JAN, role="planner"):
    told.fact(f"SKL-{person}-{skill}", "skill-assessment", on, state, person=person, role=role,
              skill=skill, level=level, target_level=3)  # fmt: skip


def test_v14_coverage_counts_who_acknowledged_of_those_who_were_asked(told):
    told.fact("COM-1", "communication", JAN, "sent", subject="Plan", roles=["sponsor"])
    told.fact("COM-2", "communication", JAN, "drafted", subject="News")
    states = ["given", "asked", "overdue", "escalated", "excused"]
    for number, state in enumerate(states):
        told.fact(f"ACK-{number}", "acknowledgement", JAN, state, communication="COM-1", due=MARCH)
    one, two = sorted(opened(told.views, "communication"), key=lambda row: row["key"])
    assert one["roles"] == ["sponsor"]
    assert [one[name] for name in ("asked", "acknowledged", "missing", "overdue", "escalated")] == [
        4, 1, 3, 3, 1,
    ]  # fmt: skip
    assert one["coverage"] == 0.25
    assert (two["asked"], two["coverage"]) == (0, None)


def test_v14_says_no_coverage_of_those_who_happen_to_have_been_asked(told):
    told.fact("COM-1", "communication", JAN, "sending", subject="Plan")
    told.fact("ACK-1", "acknowledgement", JAN, "given", communication="COM-1", due=MARCH)
    ((one,),) = [opened(told.views, "communication")]
    assert (one["asked"], one["coverage"]) == (1, None)
    assert measured(told.views, "acknowledged") == []


def test_v14_coverage_of_a_past_day_is_what_it_was_then(told):
    told.fact("COM-1", "communication", JAN, "sent", subject="Plan")
    for person in ("ann", "bo"):
        told.fact(f"ACK-{person}", "acknowledgement", JAN, "asked", communication="COM-1", due=JUNE)
    told.fact("ACK-ann", "acknowledgement", MARCH, "given", known=APRIL)
    now = opened(told.views, "communication")
    then = opened(told.views, "communication", as_of=MARCH)
    known_then = opened(told.views, "communication", known_at=MARCH)
    found = [row["acknowledged"] for (row,) in (now, then, known_then)]
    assert found == [1, 1, 0]


def test_what_was_sent_and_asked_of_nobody_is_counted(told):
    states = {"COM-1": "sent", "COM-2": "sent", "COM-3": "approved", "COM-4": "sending"}
    for key, state in states.items():
        told.fact(key, "communication", JAN, state, subject="Plan")
    told.fact("ACK-1", "acknowledgement", JAN, "excused", communication="COM-1", due=MARCH)
    assert measured(told.views, "sent-to-nobody") == [Figure((), 1)]


def test_v14b_says_who_was_asked_and_who_is_missing(told):
    told.fact("COM-1", "communication", JAN, "sent", subject="Plan", people=["gone"])
    for person, state in (("ann", "given"), ("bo", "escalated"), ("cy", "asked")):
        told.fact(f"ACK-{person}", "acknowledgement", JAN, state, communication="COM-1",
                  person=person, due=MARCH)  # fmt: skip
    found = opened(told.views, "audience")
    assert [(row["person"], row["answer"], row["late"]) for row in found] == [
        ("ann", "given", None), ("bo", "escalated", 91), ("cy", "asked", 91),
    ]  # fmt: skip
    assert column(opened(told.views, "audience", {"missing": "yes"}), "person") == ["bo", "cy"]


def test_v14b_says_who_would_be_asked_before_it_is_sent(told):
    for role, unit, person, until in (
        ("sponsor", "rail", "sam", None),
        ("lead", "rail", "lea", None),
        ("lead", "rail", "left", JAN),
        ("lead", "bus", "bea", None),
        ("clerk", "port", "pia", None),
    ):
        told.fact(f"APPT-{role}.{unit}.{person}", "appointment", JAN, "active", role=role,
                  unit=unit, person=person, until=until, **{"from": JAN})  # fmt: skip
    told.fact("BODY-board", "body", JAN, "active", name_="board", members=["sam", "cy"])
    told.fact("COM-1", "communication", JAN, "approved", subject="Plan", roles=["lead in rail"],
              units=["port"], bodies=["board"], people=["LEA", "ann"])  # fmt: skip
    told.fact("COM-2", "communication", JAN, "drafted", subject="News", roles=["lead"])
    first = opened(told.views, "audience", {"communication": "COM-1"})
    assert [row["person"].lower() for row in first] == ["lea", "ann", "cy", "pia", "sam"]
    assert set(column(first, "answer")) == {"would be asked"}
    now, then = (
        column(opened(told.views, "audience", {"communication": "COM-2"}, **day), "person")
        for day in ({}, {"as_of": JAN})
    )
    assert (now, then) == (["bea", "lea"], ["bea", "lea", "left"])


def test_v14b_says_which_offices_nobody_holds_before_it_is_sent(told):
    told.fact("APPT-1", "appointment", JAN, "active", role="lead", unit="rail", person="lea")
    told.fact("BODY-1", "body", JAN, "active", name_="board", members=["sam"])
    told.fact("COM-1", "communication", JAN, "drafted", subject="Plan",
              roles=["lead", "ghost", "lead in rail", "lead in port"], units=["rail", "moon"],
              bodies=["board", "club"], people=["ann"])  # fmt: skip
    found = opened(told.views, "audience", {"communication": "COM-1"})
    vacant = [row for row in found if row["person"] is None]
    assert sorted(column(vacant, "answer")) == [
        "no body club is in force",
        "nobody is appointed ghost",
        "nobody is appointed in moon",
        "nobody is appointed lead in port",
    ]
    asked = [row for row in found if row["answer"] == "would be asked"]
    assert column(asked, "person") == ["ann", "lea", "sam"]
    assert len(found) == 7
    assert opened(told.views, "audience", {"missing": "yes"}) == []


def test_v16_what_was_never_assessed_is_neither_zero_nor_a_gap(told):
    asked_for(told, "plans", "risk")
    mastered(told, "ada", "plans", 4)
    mastered(told, "bo", "plans", 0)
    mastered(told, "cy", "plans", 3, state="ended")
    plans, risk = opened(told.views, "skills")
    names = ("skill", "needed", "people", "assessed", "able", "gaps", "never_assessed", "level")
    assert [plans[name] for name in names] == ["plans", 3, 3, 2, 1, 1, 0, 2]
    assert [risk[name] for name in names] == ["risk", 3, 3, 0, 0, 0, 3, None]
    assert plans["covered"] == pytest.approx(1 / 3)
    assert measured(told.views, "skills-never-assessed") == [Figure(("planner",), 3)]
    assert measured(told.views, "required-skills-met") == [Figure(("planner",), 1 / 6)]


def test_v16_a_role_that_nobody_holds_and_a_skill_that_nobody_asks_for_are_there_too(told):
    told.fact("STD-1", "standard", JAN, "effective", kind="skill profile", role="seer",
              skills=["foresight"], levels=[5])  # fmt: skip
    mastered(told, "ada", "juggling", 4)
    rows = opened(told.views, "skills")
    assert [(row["role"], row["skill"], row["needed"], row["people"]) for row in rows] == [
        ("planner", "juggling", None, 1), ("seer", "foresight", 5, 0),
    ]  # fmt: skip
    told_of = opened(told.views, "skill-gaps")
    assert [(row["person"], row["answer"]) for row in told_of] == [
        (None, "nobody holds the role"), ("ada", "met"),
    ]  # fmt: skip


def test_v16c_says_of_each_person_what_is_met_a_gap_withheld_ended_and_never_assessed(told):
    asked_for(told, "maps", "plans", "risk")
    mastered(told, "ada", "maps", 3)
    mastered(told, "ada", "plans", 1)
    mastered(told, "bo", "maps", {"withheld": "privacy"})
    mastered(told, "bo", "plans", 5, state="ended")
    rows = opened(told.views, "skill-gaps")
    assert [(row["person"], row["skill"], row["answer"], row["gap"]) for row in rows] == [
        ("ada", "maps", "met", None), ("ada", "plans", "gap", 2),
        ("ada", "risk", "never assessed", None), ("bo", "maps", "withheld", None),
        ("bo", "plans", "ended", None), ("bo", "risk", "never assessed", None),
        ("cy", "maps", "never assessed", None), ("cy", "plans", "never assessed", None),
        ("cy", "risk", "never assessed", None),
    ]  # fmt: skip
    never = opened(told.views, "skill-gaps", {"answer": "never assessed", "person": "ada"})
    assert column(never, "skill") == ["risk"]


def test_v16c_of_a_past_day_knows_no_profile_and_no_assessment_that_came_later(told):
    asked_for(told, "maps")
    mastered(told, "ada", "maps", 4, on=APRIL)
    assert opened(told.views, "skill-gaps", as_of="2026-01-30") == []
    before, after = (
        column(opened(told.views, "skill-gaps", {"person": "ada"}, as_of=day), "answer")
        for day in (MARCH, APRIL)
    )
    assert (before, after) == (["never assessed"], ["met"])
