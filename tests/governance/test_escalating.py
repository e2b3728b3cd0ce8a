"""To whom a matter goes up: the event says from whom, and to whom, as the registers had it then."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from app.cli.tables import show_escalation
from engine.commands import MigrateCase
from engine.events import CaseTransitioned, Escalated, Party, from_bytes, to_bytes
from engine.service import Service
from tests.deciding.conftest import OPERATOR, publish
from tests.governance.conftest import REQUESTER, Office
from tests.governance.test_authority import refused

MATTER = """
workflow: matter
version: 1
title: Matter
key: MAT
roles:
  requester:
  checker:
  sponsor: {appointed_in: data.unit}
data:
  unit: {type: text}
  amount: {type: money, currency: GBP}
  level: {type: number}
  owner: {type: person}
states:
  checked: {initial: true, deadline: {within: 2 days, then: escalate}}
  ready: {deadline: {within: 2 days, then: escalate}}
  doing: {deadline: {within: 2 days, then: escalate}}
  over: {final: true}
start: {by: requester, accepts: [unit, amount, level, owner]}
transitions:
  - {trigger: check, from: checked, to: ready, by: checker}
  - {trigger: do, from: ready, to: doing, by: checker}
  - {trigger: end, from: [checked, ready, doing], to: over, by: checker}
  - trigger: escalate
    from: checked
    escalates:
      from: checker
      to: {authority: {category: funding, value: data.amount, unit: data.unit, least: data.level}}
  - trigger: escalate
    from: ready
    escalates:
      from: {authority: {category: funding, value: data.amount, unit: data.unit, least: data.level}}
      to:
        - {authority: {category: funding, value: data.amount, unit: data.unit, least: data.level}}
        - sponsor
  - trigger: escalate
    from: doing
    escalates:
      from: {person: owner}
      to: {authority: {category: funding, value: data.amount, unit: data.unit, least: data.level}}
"""
LEVEL_1, LEVEL_2 = "AUTH-funding.transport.1", "AUTH-funding.transport.2"
DIRECTOR = Party(held_by="role", name="director", unit="transport", rule=LEVEL_1, version=1)
BOARD = Party(held_by="body", name="board", rule=LEVEL_2, version=1)
SPONSOR = Party(held_by="role", name="sponsor", unit="transport")


@pytest.fixture
def ladder(office: Office) -> Office:
    publish(office.service, MATTER)
    office.authorise(1, "director", limit="100000")
    office.authorise(2, "board", "body")
    return office


def matter(office: Office, *steps: str, **data: object) -> str:
    case = office.start("matter", REQUESTER, **({"unit": "transport", "amount": "5"} | data))
    for step in steps:
        office.do(case, step, "cyril:checker")
    return case


def escalated(office: Office, case: str) -> Escalated | None:
    office.do(case, "escalate", REQUESTER)
    event = office.service.log.stream(case)[-1].event
    assert isinstance(event, CaseTransitioned)
    assert from_bytes(to_bytes(event)) == event
    return event.escalated


def test_what_a_role_has_not_done_goes_to_whoever_has_the_authority(ladder: Office) -> None:
    case = matter(ladder)
    checker = Party(held_by="role", name="checker")
    assert escalated(ladder, case) == Escalated(source=checker, to=DIRECTOR)


def test_what_an_authority_has_not_decided_goes_to_the_level_above(ladder: Office) -> None:
    case = matter(ladder, "check")
    assert escalated(ladder, case) == Escalated(source=DIRECTOR, to=BOARD)
    event = ladder.service.log.stream(case)[-1].event
    assert event.reads[LEVEL_1] == event.reads[LEVEL_2] == 1, "or it could have changed meanwhile"


def test_from_the_highest_level_it_goes_to_the_next_who_is_named(ladder: Office) -> None:
    case = matter(ladder, "check", amount="100001")
    assert escalated(ladder, case) == Escalated(source=BOARD, to=SPONSOR)


def test_a_level_that_the_same_body_holds_is_passed_over(ladder: Office) -> None:
    for level in (1, 2):
        ladder.authorise(level, "board", "body", unit="roads", limit=f"{level}000")
    ladder.authorise(3, "director", unit="roads")
    found = escalated(ladder, matter(ladder, "check", unit="roads"))
    assert found is not None
    assert found.source is not None
    assert found.to is not None
    assert (found.source.rule, found.to.rule) == ("AUTH-funding.roads.1", "AUTH-funding.roads.3")


def test_a_level_that_is_not_in_force_is_passed_over(ladder: Office) -> None:
    ladder.do(LEVEL_2, "revoke")
    assert escalated(ladder, matter(ladder, "check")) == Escalated(source=DIRECTOR, to=SPONSOR)


def test_what_a_superior_has_called_in_goes_up_from_there(ladder: Office) -> None:
    case = matter(ladder, "check", level=2)
    assert escalated(ladder, case) == Escalated(source=BOARD, to=SPONSOR)


def test_what_a_person_has_not_done_goes_from_them(ladder: Office) -> None:
    owner = Party(held_by="person", name="olga")
    case = matter(ladder, "check", "do", owner="olga")
    assert escalated(ladder, case) == Escalated(source=owner, to=DIRECTOR)


def test_where_nobody_is_in_force_or_above_the_event_says_that_nobody_is(ladder: Office) -> None:
    case = matter(ladder, "check", "do", unit="nowhere")
    said = Escalated(source=None, to=None, why="owner is missing")
    assert escalated(ladder, case) == said
    assert show_escalation(asdict(said)) == "owner is missing, and nobody is above"


@pytest.mark.parametrize(
    ("owner", "why"),
    [(None, "owner is missing"), ({"withheld": "personal-data"}, "owner is withheld")],
)
def test_it_is_said_why_it_comes_from_nobody(ladder: Office, owner: object, why: str) -> None:
    given = {"owner": owner} if owner else {}
    found = escalated(ladder, matter(ladder, "check", "do", **given))
    assert found == Escalated(source=None, to=DIRECTOR, why=why)
    told = f"from nobody ({why}) to director in transport ({LEVEL_1})"
    assert show_escalation(asdict(found)) == told


def test_an_authority_that_is_not_in_force_is_told_as_why_it_comes_from_nobody(
    ladder: Office,
) -> None:
    ladder.do(LEVEL_1, "revoke")
    ladder.do(LEVEL_2, "revoke")
    found = escalated(ladder, matter(ladder, "check"))
    assert found is not None
    assert (found.source, found.to) == (None, SPONSOR)
    assert "funding" in (found.why or "")


def test_one_person_is_not_two_by_another_case_of_letters(ladder: Office) -> None:
    said = "to: [{person: deputy}, sponsor]"
    text = MATTER.replace(
        "  owner: {type: person}", "  owner: {type: person}\n  deputy: {type: person}"
    )
    text = text.replace("level, owner]", "level, owner, deputy]")
    head, _, _ = text.rpartition("to: {authority")
    publish(ladder.service, f"{head}{said}\n".replace("version: 1", "version: 2"))
    found = escalated(ladder, matter(ladder, "check", "do", owner="O1", deputy="o1"))
    assert found == Escalated(source=Party(held_by="person", name="O1"), to=SPONSOR)


def test_a_step_that_takes_it_nowhere_says_nothing_of_it(ladder: Office) -> None:
    case = matter(ladder, "check")
    event = ladder.service.log.stream(case)[-1].event
    assert b"escalated" not in to_bytes(event)


HEEDED = (
    MATTER.replace("version: 1", "version: 2")
    + """
  - trigger: hear
    from: checked
    by: {authority: {category: funding, value: data.amount, unit: data.unit, least: data.level}}
    gone_up: true
  - {trigger: hear, from: ready, to: ready, by: sponsor, gone_up: true}
  - {trigger: ask, from: ready, escalates: {from: checker, to: {person: owner}}}
  - {trigger: tell, from: ready, to: doing, escalates: {from: checker, to: {person: owner}}}
  - {trigger: heed, from: [ready, doing], by: {person: owner}, gone_up: true}
"""
)
NOBODY = "it has not gone up to anybody"


@pytest.fixture
def heeding(ladder: Office) -> Office:
    publish(ladder.service, HEEDED)
    ladder.appoint("director", "dora")
    ladder.appoint("sponsor", "sid")
    return ladder


def test_a_step_for_what_has_gone_up_is_for_whom_it_has_gone_up_to(heeding: Office) -> None:
    case = matter(heeding)
    assert NOBODY in refused(heeding, case, "hear", "dora")
    heeding.do(case, "escalate", REQUESTER)
    assert "sid is not appointed director" in refused(heeding, case, "hear", "sid")
    heeding.do(case, "hear", "dora")
    heeding.do(case, "hear", "dora")  # it stays, and so does whose it is


def test_what_has_gone_past_somebody_is_not_theirs(heeding: Office) -> None:
    case = matter(heeding, "check")
    heeding.do(case, "escalate", REQUESTER)
    told = "it has gone up to board, and not to sid"
    assert told in refused(heeding, case, "hear", "sid")
    heeding.do(LEVEL_2, "revoke")
    heeding.do(case, "escalate", REQUESTER)
    heeding.do(case, "hear", "sid")
    assert NOBODY in refused(heeding, case, "hear", "sid"), "the state has begun anew"


def test_whom_a_field_names_is_whom_it_has_gone_up_to_or_not(heeding: Office) -> None:
    case = matter(heeding, "check", owner="olga")
    heeding.do(case, "ask", REQUESTER)
    heeding.do(case, "heed", "olga")
    heeding.do(case, "do", "cyril:checker")
    assert NOBODY in refused(heeding, case, "heed", "olga"), "it is in another state"
    case = matter(heeding, "check", owner="olga")
    heeding.do(case, "tell", REQUESTER)
    heeding.do(case, "heed", "olga")


def test_it_is_folded_alike_from_the_log_and_in_passing(heeding: Office) -> None:
    case = matter(heeding, "check", owner="olga")
    heeding.do(case, "ask", REQUESTER)
    kept = heeding.service.case(case)
    assert kept.gone_up == Party(held_by="person", name="olga")
    afresh = Service(heeding.service.log).case(case)
    assert kept == afresh
    assert kept.digest() == afresh.digest()


@pytest.mark.parametrize(
    ("within", "keeps"), [("2 days", True), ("3 days", False)], ids=["same days", "other days"]
)
def test_a_migration_that_gives_a_state_other_days_begins_it_anew(
    heeding: Office, within: str, keeps: bool
) -> None:
    case = matter(heeding, "check")
    heeding.do(LEVEL_2, "revoke")
    heeding.do(case, "escalate", REQUESTER)
    text = HEEDED.replace("version: 2", "version: 3")
    publish(
        heeding.service,
        text.replace("ready: {deadline: {within: 2 days", f"ready: {{deadline: {{within: {within}"),
    )
    said = {"command_id": f"to-3-{within}", "actor": OPERATOR, "reason": "New words."}
    heeding.service.handle(MigrateCase(**said, case=case, to=3))
    assert (heeding.service.case(case).gone_up == SPONSOR) is keeps
