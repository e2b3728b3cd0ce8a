"""Whom a field names is kept out by ``not_by``, whether they have done anything or not."""

from __future__ import annotations

import pytest

from engine.commands import DeclareConflict, Sign, StartCase
from engine.errors import Refused
from tests.deciding.conftest import publish
from tests.governance.conftest import Office, refused

AWARD = """
workflow: award
version: 1
title: Award
key: AW
roles: {clerk: }
data:
  subject: {type: person, required: true}
  keeper: {type: person}
states: {open: {initial: true}, kept: , closed: {final: true}}
start: {by: clerk, not_by: subject}
transitions:
  - {trigger: keep, from: open, to: kept, by: clerk, not_by: [keeper, subject], needs: keeper}
  - {trigger: take-over, from: kept, to: closed, by: {person: keeper}}
  - {trigger: settle, from: open, to: closed, by: clerk, not_by: subject, quorum: {body: panel}}
"""


@pytest.fixture
def awards(office: Office) -> Office:
    publish(office.service, AWARD)
    office.start("body", name="panel", members=["ann", "bo", "cy"], chair="ann", quorum=60)
    return office


def start(office: Office, actor: str, subject: str) -> str:
    common = office._common(actor)
    command = StartCase(**common, workflow="award", data={"subject": subject})
    return office.service.handle(command).stream


def test_nobody_starts_what_is_about_themselves(awards):
    with pytest.raises(Refused, match="Ann is named as subject"):
        start(awards, "Ann:clerk", "ann")
    assert start(awards, "bo:clerk", "ann") == "AW-0001"


def test_who_is_to_act_later_is_kept_out_before(awards):
    case = start(awards, "bo:clerk", "ann")
    told = refused(awards, case, "keep", "kim:clerk", data={"keeper": "kim"})
    assert "kim is named as keeper; somebody else must do this" in told
    awards.do(case, "keep", "bo:clerk", {"keeper": "kim"})
    told = refused(awards, case, "take-over", "bo:clerk")
    assert told == "needs the person in keeper; bo acts as clerk (keeper is kim)"
    awards.do(case, "take-over", "kim")


def test_who_is_named_has_no_vote_and_the_quorum_is_one_of_fewer(awards):
    case = start(awards, "bo:clerk", "ann")

    def sign(who: str) -> None:
        common = awards._common(who, answer="for")
        awards.service.handle(Sign(**common, case=case, of="panel"))

    with pytest.raises(Refused, match="ann is named as subject"):
        sign("ann")
    sign("bo")
    assert "1 of 2 have voted" in refused(awards, case, "settle", "clara:clerk")
    awards.service.handle(DeclareConflict(**awards._common("cy"), case=case))
    awards.do(case, "settle", "clara:clerk")
