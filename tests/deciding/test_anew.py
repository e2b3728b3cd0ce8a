"""What must come with a step itself: fields, the command's own reason, documents. What was said of
an earlier step, or of this one the first time, is no answer to why it is taken now."""

from __future__ import annotations

from typing import Any

import pytest

from app.offers import offers
from engine.clock import HandClock
from engine.commands import AttachEvidence, Fact, Requester, StartCase
from engine.definition import Definition
from engine.errors import Refused
from engine.events import CaseObserved, CaseTransitioned, Evidence
from engine.loading import load_definition
from engine.rehearsal import rehearse
from engine.service import Service
from engine.store.log import Log
from tests.deciding import asking
from tests.deciding.asking import taken
from tests.deciding.conftest import publish

BILL = """
workflow: bill
version: 1
title: Bill
key: BILL
data:
  title: {type: text, required: true}
  rationale: {type: text}
  until: {type: date}
states:
  tabled: {initial: true}
  deferred:
  rejected:
  passed: {final: true}
start: {accepts: title, anew: reason}
transitions:
  - {trigger: defer, from: tabled, to: deferred, anew: [rationale, until]}
  - {trigger: resume, from: [deferred, rejected], to: tabled, anew: reason}
  - {trigger: reject, from: tabled, to: rejected, anew: rationale,
     evidence: {kind: minutes, anew: true}}
  - {trigger: amend, from: tabled, accepts: rationale, should: {anew: [rationale, reason]}}
  - {trigger: pass, from: tabled, to: passed, needs: until,
     evidence: {kind: minutes, newer_than: 30 days, anew: true}}
"""

MEMBER = Requester(id="mel")


@pytest.fixture
def house(log: Log, clock: HandClock) -> Service:
    service = Service(log, clock)
    publish(service, BILL)
    return service


@pytest.fixture
def bill(house: Service) -> str:
    command = StartCase(
        command_id="start",
        actor=MEMBER,
        workflow="bill",
        data={"title": "Bins"},
        reason="asked for",
    )
    return house.handle(command).stream


def minutes(as_of: str = "2026-02-20", letter: str = "a") -> Evidence:
    return Evidence(kind="minutes", sha256=letter * 64, as_of=as_of)


def take(house: Service, bill: str, trigger: str, **said: Any) -> CaseTransitioned:
    return taken(house, bill, trigger, MEMBER, **said)


def refused(house: Service, bill: str, trigger: str, **said: Any) -> list[str]:
    version = house.case(bill).version
    with pytest.raises(Refused) as refusal:
        take(house, bill, trigger, **said)
    assert house.case(bill).version == version
    return [verdict.reason for verdict in refusal.value.verdicts if not verdict.held]


DEFERRED = {"rationale": "too early", "until": "2026-06-30"}


def test_a_field_that_was_given_the_first_time_is_asked_for_again_the_second(
    house: Service, bill: str
) -> None:
    take(house, bill, "defer", data=DEFERRED)
    take(house, bill, "resume", reason="time has come")
    assert house.case(bill).data["rationale"] == "too early", "it is still there"
    lacking = "say it with this step: rationale is missing, until is missing"
    assert refused(house, bill, "defer") == [lacking]
    lacking = "say it with this step: rationale is missing"
    assert refused(house, bill, "defer", data={"until": "2026-09-30"}) == [lacking]
    event = take(house, bill, "defer", data={"rationale": "no money", "until": "2026-09-30"})
    assert event.data["rationale"] == "no money"


def test_what_another_step_was_given_does_not_count_either(house: Service, bill: str) -> None:
    take(house, bill, "defer", data=DEFERRED)
    take(house, bill, "resume", reason="time has come")
    assert refused(house, bill, "reject", evidence=(minutes(),)) == [
        "say it with this step: rationale is missing"
    ]


def test_the_same_words_may_be_said_again(house: Service, bill: str) -> None:
    for _ in range(2):
        take(house, bill, "defer", data=DEFERRED)
        take(house, bill, "resume", reason="time has come")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("  ", "rationale is missing"),
        (None, "rationale is missing"),
        ({"withheld": "section 43"}, "rationale is withheld (section 43)"),
    ],
)
def test_cleared_blank_or_withheld_is_not_said(
    house: Service, bill: str, value: object, told: str
) -> None:
    data = {"rationale": value, "until": "2026-06-30"}
    assert refused(house, bill, "defer", data=data) == [f"say it with this step: {told}"]


def test_what_a_step_needs_may_still_be_there_from_before(house: Service, bill: str) -> None:
    take(house, bill, "defer", data=DEFERRED)
    take(house, bill, "resume", reason="time has come")
    assert take(house, bill, "pass", evidence=(minutes(),)).data == {}


@pytest.mark.parametrize("reason", [None, "  "])
def test_a_step_can_want_the_reason_of_the_command_itself(
    house: Service, bill: str, reason: str | None
) -> None:
    take(house, bill, "defer", data=DEFERRED)
    told = ["say it with this step: a reason is missing"]
    assert refused(house, bill, "resume", reason=reason) == told
    assert take(house, bill, "resume", reason="time has come").reason == "time has come"


def test_so_can_a_start(house: Service) -> None:
    command = StartCase(command_id="s", actor=MEMBER, workflow="bill", data={"title": "Bins"})
    with pytest.raises(Refused, match="say it with this step: a reason is missing"):
        house.handle(command)


def test_where_a_field_is_called_reason_the_field_is_meant(log: Log, clock: HandClock) -> None:
    service = Service(log, clock)
    text = BILL.replace("[rationale, reason]", "rationale").replace("rationale", "reason")
    publish(service, text.replace("anew: reason}", "needs: title}"))
    case = service.handle(
        StartCase(command_id="s", actor=MEMBER, workflow="bill", data={"title": "Bins"})
    ).stream
    until = {"until": "2026-06-30"}
    told = ["say it with this step: reason is missing"]
    assert refused(service, case, "defer", data=until, reason="too early") == told
    assert take(service, case, "defer", data={**until, "reason": "too early"}).reason is None


def test_a_document_must_come_with_the_step_whatever_was_attached_before(
    house: Service, bill: str
) -> None:
    said: dict[str, Any] = {"data": {"rationale": "too dear"}}
    take(house, bill, "reject", evidence=(minutes(),), **said)
    take(house, bill, "resume", reason="a vote was not counted")
    house.handle(
        AttachEvidence(command_id="attach", actor=MEMBER, case=bill, evidence=minutes(letter="b"))
    )
    told = ["needs a minutes as evidence, with this step"]
    assert refused(house, bill, "reject", **said) == told
    take(house, bill, "reject", evidence=(minutes(letter="b"),), **said)


def test_its_age_is_that_of_the_document_that_comes_along(house: Service, bill: str) -> None:
    house.handle(
        AttachEvidence(command_id="attach", actor=MEMBER, case=bill, evidence=minutes("2026-02-28"))
    )
    old = (minutes("2026-01-01", "b"),)
    assert refused(house, bill, "pass", data={"until": "2026-06-30"}, evidence=old) == [
        "the newest minutes is of 2026-01-01, older than 30 days"
    ]


def test_what_should_be_said_is_told_and_stops_nobody(house: Service, bill: str) -> None:
    take(house, bill, "amend", data={"rationale": "a slip"}, reason="a slip")
    event = take(house, bill, "amend")
    assert [(v.rule, v.weight, v.reason) for v in event.verdicts if not v.held] == [
        (
            "anew",
            "should",
            "say it with this step: rationale is missing, a reason is missing",
        )
    ]


def observed(house: Service, bill: str, name: str, state: str, **data: Any) -> CaseObserved:
    return asking.observed(house, "bill", bill, Fact(name=name, state=state, data=data))


def test_a_fact_violates_the_rules_where_it_does_not_say_it_anew(house: Service, bill: str) -> None:
    take(house, bill, "defer", data=DEFERRED)
    take(house, bill, "resume", reason="time has come")
    again = observed(house, bill, "BillDeferred", "deferred", until="2026-09-30").conformance
    assert (again.verdict, again.rules) == (
        "violates",
        ("anew: say it with this step: rationale is missing",),
    )
    # Why somebody did it, and on which papers, a report need not know: nobody can say.
    resumed = observed(house, bill, "BillTabled", "tabled").conformance
    assert (resumed.verdict, resumed.rules) == (
        "not_evaluable",
        ("anew: say it with this step: a reason is missing",),
    )
    rejected = observed(house, bill, "BillRejected", "rejected", rationale="too dear").conformance
    assert rejected.verdict == "not_evaluable"


def test_rehearsed_a_step_that_rested_on_what_was_there_would_be_refused(
    log: Log, clock: HandClock
) -> None:
    lax = BILL.replace("anew: [rationale, until]", "needs: [rationale, until]")
    service = Service(log, clock)
    publish(service, lax)
    case = service.handle(
        StartCase(
            command_id="s", actor=MEMBER, workflow="bill", data={"title": "Bins"}, reason="asked"
        )
    ).stream
    take(service, case, "defer", data=DEFERRED)
    take(service, case, "resume", reason="time has come")
    take(service, case, "defer")
    newer = load_definition(BILL.replace("version: 1", "version: 2"), "bill.yaml")
    judged = [one for one in rehearse(log, newer) if one.finding != "as it was"]
    assert [(one.finding, one.now.reasons) for one in judged] == [
        ("otherwise", ("say it with this step: rationale is missing, until is missing",))
    ]


def bare(definition: Definition) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    data = {"rationale": "too early", "until": "2026-06-30"}
    return {one.trigger: (one.needs, one.anew) for one in offers(definition.body, "tabled", data)}


def test_an_offer_says_what_is_to_come_with_the_step_also_where_it_is_there() -> None:
    definition = load_definition(BILL, "bill.yaml")
    found = bare(definition)
    assert found["defer"] == ((), ("rationale", "until"))
    assert found["pass"] == ((), ())
    told = {one.trigger: str(one) for one in offers(definition.body, "tabled", {})}
    assert told["defer"] == "defer -> deferred  (anybody; says with this step rationale, until)"
    assert told["reject"].endswith("with a minutes that comes with this step)")


def test_a_definition_that_wants_nothing_anew_keeps_the_hash_it_was_published_by() -> None:
    text = BILL.split("transitions:")[0].replace(", anew: reason", "") + (
        "transitions:\n"
        "  - {trigger: defer, from: [tabled, rejected], to: deferred, needs: rationale}\n"
        "  - {trigger: reject, from: tabled, to: rejected, evidence: minutes}\n"
        "  - {trigger: pass, from: deferred, to: passed}\n"
    )
    known = "b23898c3850664745ed18e6b62b87ba399ebc808451f1e9b5d97bcedd8e0503c"
    assert load_definition(text, "bill.yaml").hash == known
