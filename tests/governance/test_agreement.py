"""Agreement in roles; and who takes no part, being kept apart or having a conflict."""

from __future__ import annotations

import pytest

from engine.errors import Refused
from engine.service import Service
from tests.deciding.conftest import publish
from tests.governance.conftest import Office, refused

CLERK = "clerk:clerk"

AGREED = """
workflow: motion
version: 1
title: Motion
key: MOT
roles: {clerk: , chief: , finance: {appointed_in: transport}}
states: {open: {initial: true}, carried: {final: true}}
start: {by: clerk}
transitions:
  - {trigger: carry, from: open, to: carried, by: chief, not_by: clerk, agreed_by: finance}
  - {trigger: wave, from: open, to: carried, by: clerk, agreed_by: finance}
"""

APART = """
workflow: purchase
version: 1
title: Purchase
key: PUR
roles: {clerk: , chief: }
states: {open: {initial: true}, bought: {final: true}, withdrawn: {final: true}}
start: {by: clerk}
transitions:
  - {trigger: buy, from: open, to: bought, by: chief, not_by: clerk}
  - {trigger: withdraw, from: open, to: withdrawn, by: clerk}
"""


def test_whoever_has_declared_a_conflict_does_not_decide_where_people_are_kept_apart(
    office: Office,
) -> None:
    publish(office.service, APART)
    case = office.start("purchase", CLERK)
    office.declare(case, "hana:chief")
    assert refused(office, case, "buy", "hana:chief") == "hana has declared a conflict of interest"
    office.do(case, "buy", "ida:chief")
    other = office.start("purchase", CLERK)
    office.declare(other, CLERK)
    office.do(other, "withdraw", CLERK)


def test_nobody_agrees_to_what_they_may_not_do_themselves(office: Office) -> None:
    publish(office.service, AGREED)
    office.appoint("finance", "fred")
    office.appoint("finance", "faye")
    case = office.start("motion", "fred:clerk")
    office.sign(case, "fred", "finance")
    assert refused(office, case, "carry", "carl:chief") == "finance has not agreed yet"
    office.do(case, "wave", "fred:clerk")
    other = office.start("motion", "fred:clerk")
    office.sign(other, "faye", "finance")
    office.do(other, "carry", "carl:chief")


def test_roles_agree_in_any_order_and_one_against_is_enough(office: Office) -> None:
    office.appoint("finance", "fred")
    office.appoint("finance", "faye")
    post = office.appoint("assurer", "anna")
    case = office.ready()
    asks = "analyst:requester"
    with pytest.raises(Refused, match="eve is not appointed assurer"):
        office.sign(case, "eve", "assurer")
    office.sign(case, "anna", "assurer")
    assert refused(office, case, "endorse", asks) == "finance has not agreed yet"
    office.sign(case, "fred", "finance")
    office.sign(case, "faye", "finance", "against")
    assert refused(office, case, "endorse", asks) == "finance (faye) is against it"
    office.sign(case, "faye", "finance", "withdrawn")
    office.do(post, "end")
    assert refused(office, case, "endorse", asks) == "assurer has not agreed yet"


def test_folds_from_the_log_are_those_that_were_kept(office: Office) -> None:
    office.appoint("finance", "fred")
    case = office.ready()
    office.sign(case, "fred", "finance")
    office.declare(case, "dora")
    kept = office.service.case(case)
    afresh = Service(office.service.log).case(case)
    assert kept == afresh
    assert kept.digest() == afresh.digest()
    assert (afresh.signatures[0].person, afresh.recused) == ("fred", ("dora",))
