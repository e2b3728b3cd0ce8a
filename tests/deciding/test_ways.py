"""Where several ways lead on by one trigger, a refusal speaks of the one that was meant."""

from __future__ import annotations

import pytest

from engine.clock import HandClock
from engine.commands import PullTrigger, Requester, StartCase
from engine.errors import Refused
from engine.service import Service
from engine.store.log import Log
from tests.deciding.conftest import publish

PURCHASE = """
workflow: purchase
version: 1
title: Purchase
key: PUR
record_refusals: true
roles: {buyer: , lead: , secretary: }
data:
  spend: {type: money, currency: GBP, required: true}
  grounds: {type: text}
  minutes: {type: text}
states: {asked: {initial: true}, bought: {final: true}}
start: {by: buyer}
transitions:
  - trigger: approve
    from: asked
    to: bought
    by: lead
    not_by: buyer
    needs: grounds
    evidence: [quote, credit-report, plan]
    when:
      - check: data.spend <= 100000
        otherwise: above 100,000 the board approves
  - trigger: approve
    from: asked
    to: bought
    by: secretary
    not_by: buyer
    needs: [grounds, minutes]
    agreed_by: secretary
    when:
      - check: data.spend > 100000
        otherwise: up to 100,000 the lead approves
  - trigger: return
    from: asked
    to: asked
    by: [lead, secretary]
    accepts: minutes
    evidence: quote
  - {trigger: return, from: asked, to: asked, by: [lead, secretary], evidence: plan}
  - {trigger: settle, from: asked, to: bought, by: lead, when: data.spend <= 100000}
  - {trigger: settle, from: asked, to: bought, by: secretary, evidence: quote}
"""
BEA = Requester(id="bea", roles=("buyer",))
LEAD = Requester(id="lena", roles=("lead",))
SECRETARY = Requester(id="sid", roles=("secretary",))


@pytest.fixture
def purchases(log: Log) -> Service:
    service = Service(log, HandClock("2026-03-01T09:00:00.000000Z"))
    publish(service, PURCHASE)
    return service


def reasons(service: Service, spend: str, actor: Requester, trigger: str, **data: str) -> list[str]:
    """Why it is refused to the actor, of a purchase of so much."""
    start = StartCase(
        command_id=f"start {spend}", actor=BEA, workflow="purchase", data={"spend": spend}
    )
    case = service.handle(start).stream
    asked = PullTrigger(
        command_id=f"do {spend}", actor=actor, case=case, trigger=trigger, data=data
    )
    with pytest.raises(Refused) as refused:
        service.handle(asked)
    recorded = service.log.stream(case)[-1].event
    assert [v.reason for v in recorded.verdicts if not v.held] == [*refused.value.reasons]
    return [*refused.value.reasons]


def test_who_lacks_much_is_not_told_of_the_way_that_is_for_others(purchases: Service) -> None:
    """The other way lacks less, and is not for a lead, nor for so small a matter."""
    assert reasons(purchases, "80k", LEAD, "approve") == [
        "needs more: grounds is missing",
        "needs a quote as evidence",
        "needs a credit-report as evidence",
        "needs a plan as evidence",
    ]


def test_who_does_not_say_enough_is_told_of_the_way_that_is_for_them(purchases: Service) -> None:
    assert reasons(purchases, "250k", SECRETARY, "approve", minutes="Yes.") == [
        "needs more: grounds is missing",
        "secretary has not agreed yet",
    ]


def test_of_ways_that_are_as_near_each_reason_says_of_which_it_is(purchases: Service) -> None:
    told = reasons(purchases, "80k", LEAD, "return")
    assert told == [
        "way 1 of 2: needs a quote as evidence",
        "way 2 of 2: needs a plan as evidence",
    ]


def test_what_stands_against_all_ways_is_told_once(purchases: Service) -> None:
    told = reasons(purchases, "80k", BEA, "return")
    assert told == [
        "needs lead or secretary; bea acts as buyer",
        "way 1 of 2: needs a quote as evidence",
        "way 2 of 2: needs a plan as evidence",
    ]


def test_a_way_against_which_a_single_thing_stands_is_always_told(purchases: Service) -> None:
    """It says of the matter, or of people, what the nearest way leaves out."""
    told = reasons(purchases, "80k", SECRETARY, "settle")
    assert told == [
        "way 1 of 2: needs lead; sid acts as secretary",
        "way 2 of 2: needs a quote as evidence",
    ]
    large = reasons(purchases, "250k", SECRETARY, "settle")
    assert large == ["needs a quote as evidence"]


def test_data_that_only_one_way_takes_tells_which_was_meant(purchases: Service) -> None:
    assert reasons(purchases, "80k", LEAD, "return", minutes="No.") == ["needs a quote as evidence"]
