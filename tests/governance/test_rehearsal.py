"""A changed definition is asked what it would have decided, under the registers as they were."""

from __future__ import annotations

import pytest

from engine.clock import HandClock
from engine.definition import Definition
from engine.events import ClaimChanged
from engine.loading import load_definition
from engine.past import Past
from engine.rehearsal import Judged, rehearse
from tests.deciding.conftest import publish
from tests.governance.conftest import DECISION, Office, paper
from tests.governance.test_cases_together import FACTOR, LEAD, PLAN, runnable


def version(text: str, *changes: tuple[str, str]) -> Definition:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return load_definition(text, "changed.yaml")


def otherwise(office: Office, candidate: Definition) -> list[Judged]:
    judged = rehearse(office.service.log, candidate)
    return [one for one in judged if one.finding != "as it was"]


@pytest.fixture
def decided(office: Office, clock: HandClock) -> Office:
    """DEC-0001 is approved by a director, DEC-0002 by a board, DEC-0003 endorsed by agreement. Then
    nobody is in office any more; and DEC-0001 is done, against the rules, by a sponsor who may."""
    dora = office.appoint("director", "dora")
    signers = [office.appoint("finance", "fay"), office.appoint("assurer", "amy")]
    sponsor = office.appoint("sponsor", "sven")
    board = office.body("board", ["ben", "bea"])
    office.authorise(1, "director", limit="100000")
    office.authorise(2, "board", "body")
    small, large, agreed = office.ready(), office.ready("5m"), office.ready()
    office.do(small, "approve", "dora")
    for member in ("ben", "bea"):
        office.sign(large, member, "board")
    office.do(large, "approve", "bea")
    for person, role in (("fay", "finance"), ("amy", "assurer")):
        office.sign(agreed, person, role)
    office.do(agreed, "endorse", "analyst:requester")
    office.do(small, "finish", "sven", override=True, reason="The report is late.")
    clock.advance(days=1)
    for entry in (dora, *signers, sponsor):
        office.do(entry, "end")
    office.do(board, "dissolve")
    return office


def test_who_was_in_office_then_may_though_nobody_is_now(decided: Office) -> None:
    judged = list(rehearse(decided.service.log, version(DECISION)))
    assert len(judged) == 3 * 2 + 4
    assert {one.finding for one in judged} == {"as it was"}


def test_who_is_kept_from_a_step_now_is_told(decided: Office) -> None:
    candidate = version(DECISION, ("by: sponsor\n    needs", "by: assurer\n    needs"))
    assert [(one.event.stream, one.now.reasons) for one in otherwise(decided, candidate)] == [
        ("DEC-0001", ("needs assurer; sven acts as sponsor",))
    ]
    strict = version(DECISION, ("    override: {by: sponsor, of: evidence}\n", ""))
    assert [(one.event.stream, one.now.reasons) for one in otherwise(decided, strict)] == [
        (
            "DEC-0001",
            ("nothing about finish may be overridden here", "needs a report as evidence"),
        )
    ]


def test_another_role_that_somebody_held_by_appointment_counts(office: Office) -> None:
    """The event has the one they acted in; the register knows the other."""
    office.appoint("director", "dora")
    office.authorise(1, "director")
    office.appoint("sponsor", "sven")
    office.appoint("assurer", "sven")
    case = office.ready()
    office.do(case, "approve", "dora")
    office.do(case, "finish", "sven", evidence=(paper("report"),))
    assurer = version(DECISION, ("by: sponsor\n    needs", "by: assurer\n    needs"))
    finance = version(DECISION, ("by: sponsor\n    needs", "by: finance\n    needs"))
    assert otherwise(office, assurer) == []
    assert [one.now.reasons for one in otherwise(office, finance)] == [
        ("needs finance; sven acts as sponsor",)
    ]


def test_votes_are_those_that_were_cast(decided: Office) -> None:
    candidate = version(DECISION, ("agreed_by: [finance, assurer]", "agreed_by: [sponsor]"))
    assert [(one.event.stream, one.now.reasons) for one in otherwise(decided, candidate)] == [
        ("DEC-0003", ("sponsor has not agreed yet",))
    ]


def test_before_a_command_nothing_of_what_it_brought_about_is_there(office: Office) -> None:
    publish(office.service, PLAN)
    publish(office.service, FACTOR)
    plan = runnable(office, "transport")
    office.do(plan, "run", LEAD)
    log = office.service.log
    taken, run = log.read(log.head() - 2, 2)
    assert isinstance(taken.event, ClaimChanged)
    past = Past(log)
    past.go_to(run)
    assert past.find(taken.event.stream) is None
    assert (case := past.find(plan))
    assert (case.state, case.children) == ("drafted", (("factor", "FACT-0001"),))
    assert {one.finding for one in rehearse(log, version(PLAN))} == {"as it was"}
