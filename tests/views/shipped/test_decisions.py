"""Decisions, what waits, and by which authority: V1 to V3 and their metrics."""

from __future__ import annotations

import pytest

from projections.answers import Figure
from tests.views.asking import measured, opened
from tests.views.shipped.conftest import APRIL, JAN, JUNE, MARCH, column, decided, gbp

OPTIONS = {"options": "yes"}
"""For the view of what waits: also what can be done, but nobody waits for."""


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
