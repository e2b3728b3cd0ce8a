"""Ways around the rules that somebody inside might try, or come upon: none of them leads past."""

from __future__ import annotations

from typing import Any

import pytest

from engine.case import Case, Signature
from engine.clock import HandClock
from engine.commands import MigrateCase, Requester, Sign, StartCase
from engine.errors import BadInput, Refused
from engine.events import CaseTransitioned
from engine.votes import tally
from tests.deciding.conftest import publish
from tests.governance.conftest import REGISTERS, REQUESTER, Office, refused, taken

PETITION = """
workflow: petition
version: 1
title: Petition
key: PET
roles: {asker: {appointed_in: transport}, judge: {appointed_in: transport}, clerk: }
data:
  subject: {type: person}
  grounds: {type: text}
  papers: {type: list, of: text}
states: {open: {initial: true}, granted: , closed: {final: true}, shut: {final: true}}
start: {by: [asker, clerk]}
transitions:
  - {trigger: grant, from: open, to: granted, by: judge, not_by: [asker, clerk]}
  - {trigger: settle, from: open, to: shut, by: judge, not_by: [asker, clerk, subject]}
  - {trigger: close, from: granted, to: closed, by: judge, needs: [grounds, papers]}
"""
MOTION = """
workflow: motion
version: 1
title: Motion
key: MOT
roles: {clerk: , finance: {appointed_in: transport}}
data: {board: {type: text}, subject: {type: person}}
states: {open: {initial: true}, carried: {final: true}}
start: {by: clerk}
transitions:
  - trigger: carry
    from: open
    to: carried
    by: clerk
    quorum: {body: data.board, veto: finance, without: subject}
"""
CLERK = "clerk:clerk"
WITHHELD = {"withheld": "Not for everybody."}


def ask(office: Office, actor: str, on_behalf_of: str | None = None, **data: object) -> str:
    common = office._common(actor, on_behalf_of=on_behalf_of)
    return office.service.handle(StartCase(**common, workflow="petition", data=data)).stream


def lend(office: Office, giver: str, receiver: str, role: str) -> str:
    said = {"giver": giver, "receiver": receiver, "role": role, "unit": "transport"}
    return office.start("delegation", **said)


def sign(office: Office, case: str, actor: str, of: str, **more: Any) -> None:
    common = office._common(actor, **{"answer": "for"} | more)
    office.service.handle(Sign(**common, case=case, of=of))


@pytest.fixture
def petitions(office: Office) -> Office:
    publish(office.service, PETITION)
    for role, person in [("asker", "rosa"), ("judge", "rosa"), ("judge", "jo"), ("judge", "dan")]:
        office.appoint(role, person)
    return office


@pytest.fixture
def motions(office: Office) -> Office:
    publish(office.service, MOTION)
    return office


# --- keeping people apart -------------------------------------------------------------------------


def test_what_somebody_asked_on_my_behalf_i_have_asked(petitions: Office) -> None:
    key = lend(petitions, "rosa", "dan", "asker")
    case = ask(petitions, "dan", key)
    assert "rosa has already acted as asker" in refused(petitions, case, "grant", "rosa")
    assert "dan has already acted as asker" in refused(petitions, case, "grant", "dan")
    petitions.do(case, "grant", "jo")


@pytest.mark.parametrize("named", ["jo", "DEL-0001"])
def test_nobody_is_kept_out_by_whoever_merely_names_them(petitions: Office, named: str) -> None:
    petitions.do(lend(petitions, "jo", "clara", "asker"), "revoke")
    case = ask(petitions, "clara:clerk", named)
    petitions.do(case, "grant", "jo")


def test_another_case_of_letters_is_nobody_else(petitions: Office) -> None:
    petitions.appoint("judge", "Rosa")
    case = ask(petitions, "rosa")
    assert "Rosa has already acted as asker" in refused(petitions, case, "grant", "Rosa")


def test_nobody_decides_for_whoever_has_declared_a_conflict_however_they_write_themselves(
    petitions: Office,
) -> None:
    petitions.appoint("judge", "Jo")
    case = ask(petitions, "rosa")
    petitions.declare(case, "jo")
    told = refused(
        petitions, case, "grant", "dan", on_behalf_of=lend(petitions, "Jo", "dan", "judge")
    )
    assert "Jo, who gave DEL-0001, has declared a conflict" in told


def test_a_person_who_is_withheld_is_not_known_to_be_somebody_else(petitions: Office) -> None:
    case = ask(petitions, "rosa", subject=WITHHELD)
    told = refused(petitions, case, "settle", "jo")
    assert "who must not do this is not known: subject is withheld" in told


def test_no_migration_makes_anybody_forget_who_has_acted(petitions: Office) -> None:
    case = ask(petitions, "rosa")
    renamed = PETITION.replace("version: 1", "version: 2").replace("asker", "petitioner")
    publish(petitions.service, renamed)
    command = MigrateCase(**petitions._common("op", reason="New words."), case=case, to=2)
    with pytest.raises(Refused, match="rosa acted as asker, and the version would not know it"):
        petitions.service.handle(command)


# --- persons who look alike -----------------------------------------------------------------------

ALIKE = ["ann ", " ann", "ann  b", "a\u200bnn", "ann\u00a0b", "e\u0301va", "\uff41nn", "ann\u2028b"]


@pytest.mark.parametrize("person", ALIKE)
def test_who_only_looks_like_somebody_gets_no_seat_and_asks_nothing(
    motions: Office, person: str
) -> None:
    with pytest.raises(BadInput, match="write "):
        motions.body("board", ["bo", person])
    with pytest.raises(BadInput, match="write "):
        Requester.read(f"{person}:clerk")


def test_nobody_has_two_seats_by_another_case_of_letters(motions: Office) -> None:
    body = REGISTERS.split("---\n")[1].replace("version: 1", "version: 2")
    publish(motions.service, body.replace("of: person}", "of: person, unique: true}"))
    with pytest.raises(BadInput, match="Ann is named twice"):
        motions.body("board", ["ann", "bo", "Ann"])


# --- registers ------------------------------------------------------------------------------------


def test_an_appointment_is_only_to_what_it_says_though_keys_can_read_in_two_ways(
    office: Office,
) -> None:
    office.authorise(1, "director")
    office.appoint("director", "ann", unit="transport.rail")
    case = office.ready()
    told = refused(office, case, "approve", "rail.ann")
    assert "rail.ann is not appointed director in transport" in told


def test_an_authority_is_only_for_what_it_says_though_keys_can_read_in_two_ways(
    office: Office,
) -> None:
    office.authorise(1, "director", category="funding.small", unit="transport")
    office.appoint("director", "dora", unit="small.transport")
    case = office.ready(category="funding", unit="small.transport")
    told = refused(office, case, "approve", "dora")
    assert "no authority is granted for funding in small.transport" in told


@pytest.mark.parametrize("again", ["1.0", "01", 1.0, "+1"])
def test_a_level_is_granted_once_however_its_number_is_written(office: Office, again: Any) -> None:
    office.authorise(1, "director")
    said: Any = {"category": "funding", "unit": "transport", "level": again, "holder": "director"}
    with pytest.raises(Refused, match="exists already"):
        office.start("authority", **said)


@pytest.mark.parametrize("field", ["from", "until"])
def test_who_keeps_back_until_when_somebody_is_appointed_keeps_the_power_back(
    office: Office, field: str
) -> None:
    office.authorise(1, "director")
    kept_back: Any = {field: WITHHELD}
    office.appoint("director", "dora", **kept_back)
    told = refused(office, office.ready(), "approve", "dora")
    assert f"{field} of APPT-director.transport.dora is withheld" in told


@pytest.mark.parametrize("field", ["members", "chair", "quorum", "least", "weights"])
def test_a_body_that_keeps_back_how_it_votes_decides_nothing(motions: Office, field: str) -> None:
    said: Any = {"members": ["withheld", "bo"], field: WITHHELD}
    motions.body("board", **said)
    case = motions.start("motion", CLERK, board="board")
    for person in ("withheld", "bo"):
        with pytest.raises(Refused, match=f"{field} of BODY-board is withheld"):
            motions.sign(case, person, "board")
    assert f"{field} of BODY-board is withheld" in refused(motions, case, "carry", CLERK)


def test_nobody_decides_for_a_day_on_which_they_had_no_authority_yet(
    office: Office, clock: HandClock
) -> None:
    office.authorise(1, "director", **{"from": "2026-01-01"})
    office.appoint("director", "dora", **{"from": "2026-04-01"})
    case = office.ready()
    clock.at = "2026-04-10T09:00:00.000000Z"
    told = refused(office, case, "approve", "dora", occurred_at="2026-03-05")
    assert "APPT-director.transport.dora is in force only from 2026-04-01" in told
    office.do(case, "approve", "dora", occurred_at="2026-04-02")


# --- votes and agreement --------------------------------------------------------------------------


def agreeing(office: Office) -> str:
    office.appoint("finance", "fay")
    office.appoint("assurer", "al")
    return office.ready()


def test_a_delegate_agrees_for_whoever_has_delegated_it_as_long_as_that_holds(
    office: Office,
) -> None:
    case = agreeing(office)
    key = lend(office, "fay", "dan", "finance")
    sign(office, case, "dan", "finance", on_behalf_of=key)
    sign(office, case, "al", "assurer")
    office.do(key, "revoke")
    assert "finance has not agreed yet" in refused(office, case, "endorse", "analyst:requester")
    key = lend(office, "fay", "dan", "finance")
    sign(office, case, "dan", "finance", on_behalf_of=key)
    office.do(case, "endorse", REQUESTER)
    basis = taken(office, case).basis
    assert basis is not None
    assert basis.agreed == {"assurer": "al", "finance": "dan"}


def test_nobody_agrees_through_another_to_what_they_may_not_do(office: Office) -> None:
    case = agreeing(office)
    key = lend(office, "fay", "dan", "finance")
    sign(office, case, "dan", "finance", on_behalf_of=key)
    sign(office, case, "al", "assurer")
    office.declare(case, "fay")
    assert "finance has not agreed yet" in refused(office, case, "endorse", "analyst:requester")


def test_the_event_names_who_agreed_and_counted_and_not_who_has_left(office: Office) -> None:
    case = agreeing(office)
    left = office.appoint("finance", "fred")
    for person, role in [("fay", "finance"), ("fred", "finance"), ("al", "assurer")]:
        office.sign(case, person, role)
    office.do(left, "end")
    office.do(case, "endorse", REQUESTER)
    basis = taken(office, case).basis
    assert basis is not None
    assert basis.agreed == {"assurer": "al", "finance": "fay"}


def test_a_veto_goes_with_the_role(motions: Office) -> None:
    role = motions.appoint("finance", "fay")
    motions.body("board", ["fay", "m1", "m2"])
    case = motions.start("motion", CLERK, board="board")
    for person, answer in [("fay", "against"), ("m1", "for"), ("m2", "for")]:
        motions.sign(case, person, "board", answer)
    assert "finance (fay) has vetoed it" in refused(motions, case, "carry", CLERK)
    motions.do(role, "end")
    motions.do(case, "carry", CLERK)


def test_a_deputys_veto_goes_with_the_delegation_and_with_who_gave_it(motions: Office) -> None:
    motions.appoint("finance", "fay")
    key = lend(motions, "fay", "dan", "finance")
    motions.body("board", ["dan", "m1", "m2"])
    case = motions.start("motion", CLERK, board="board")
    for person in ("m1", "m2"):
        motions.sign(case, person, "board")
    sign(motions, case, "dan", "board", answer="against", on_behalf_of=key)
    assert "finance (dan) has vetoed it" in refused(motions, case, "carry", CLERK)
    motions.declare(case, "fay")
    motions.do(case, "carry", CLERK)


def test_nobody_has_voted_before_they_were_asked(motions: Office, clock: HandClock) -> None:
    motions.body("board", ["m1"])
    case = motions.start("motion", CLERK, board="board")
    with pytest.raises(Refused, match="before MOT-0001 came to open"):
        sign(motions, case, "m1", "board", occurred_at="2025-12-31")
    clock.advance(days=2)
    sign(motions, case, "m1", "board", occurred_at="2026-03-02")
    motions.do(case, "carry", CLERK)


def test_whom_a_case_is_about_has_no_vote_by_being_withheld(motions: Office) -> None:
    motions.body("board", ["m1", "None"])
    case = motions.start("motion", CLERK, board="board", subject=WITHHELD)
    motions.sign(case, "m1", "board")
    told = refused(motions, case, "carry", CLERK)
    assert "who has no vote is not known: subject is withheld" in told


def test_where_nobody_is_named_everybody_has_a_vote(motions: Office) -> None:
    motions.body("board", ["None", "m1"], quorum=100)
    case = motions.start("motion", CLERK, board="board")
    motions.sign(case, "m1", "board")
    motions.sign(case, "None", "board")
    motions.do(case, "carry", CLERK)
    event = taken(motions, case)
    assert event.basis is not None
    assert event.basis.votes[0].entitled == ("None", "m1")


def body_of(members: list[str], **data: object) -> Case:
    said = {"name": "board", "members": members} | data
    ref: Any = None
    return Case("BODY-board", ref, 1, "active", said, {"": "2026-01-01"}, (), {})


def test_weights_are_what_is_written_to_the_last_digit() -> None:
    body = body_of(["a", "b", "c"], weights=[0.1, 0.2, 0.3])
    answers = {"a": "for", "b": "for", "c": "against"}
    signed = [Signature(p, "board", answer, None) for p, answer in answers.items()]  # type: ignore[arg-type]
    assert tally(body, signed, (), "weighted").reason.endswith("0.3 for, 0.3 against")


def test_no_vote_weighs_less_than_nothing() -> None:
    body = body_of(["a", "b", "c"], weights=[1, 1, -5])
    signed = [Signature("a", "board", "for", None), Signature("c", "board", "against", None)]
    assert tally(body, signed, (), "weighted").reason.endswith("weighs less than nothing")


@pytest.mark.parametrize(
    ("count", "share", "needed"), [(375, 8.8, 33), (250, 64.4, 161), (3, 0, 1)]
)
def test_a_share_asks_for_no_vote_more_than_it_says(count: int, share: float, needed: int) -> None:
    members = [f"m{number}" for number in range(count)]
    assert tally(body_of(members, quorum=share), (), (), "simple").vote.needed == needed


def test_a_part_of_a_vote_is_a_vote() -> None:
    assert tally(body_of(["a", "b", "c"], quorum=1, least=1.5), (), (), "simple").vote.needed == 2


# --- what looks like something and says nothing ---------------------------------------------------


@pytest.mark.parametrize("given", [{"grounds": "  "}, {"grounds": ""}, {"papers": []}])
def test_what_is_empty_is_not_what_is_needed(petitions: Office, given: dict[str, Any]) -> None:
    case = ask(petitions, "rosa")
    petitions.do(case, "grant", "jo")
    data = {"grounds": "So it is.", "papers": ["one"]} | given
    assert "is empty" in refused(petitions, case, "close", "jo", data=data)


def test_blanks_are_no_reason_to_override(office: Office) -> None:
    office.authorise(1, "director")
    office.appoint("director", "dora")
    office.appoint("sponsor", "sam")
    case = office.ready()
    office.do(case, "approve", "dora")
    told = refused(office, case, "finish", "sam", override=True, reason=" \n ")
    assert "give a reason" in told
    assert isinstance(taken(office, case), CaseTransitioned)


NAMED = """
workflow: duty
version: 1
title: Duty
key: DUT
roles: {clerk: }
data:
  owner: {type: person}
states: {open: {initial: true}, done: {final: true}}
start: {by: clerk, accepts: owner}
transitions:
  - {trigger: report, from: open, by: {person: owner}}
  - {trigger: confirm, from: open, to: done, by: clerk, not_by: [owner, clerk]}
"""


def test_who_is_only_named_is_told_so_and_who_has_acted_that_they_have(office: Office) -> None:
    publish(office.service, NAMED)
    case = office.start("duty", "cleo:clerk", owner="ann")
    named = "ann is named as owner; somebody else must do this"
    assert refused(office, case, "confirm", "ann:clerk") == named
    office.do(case, "report", "ann")
    acted = "ann has already acted as owner; somebody else must do this"
    assert refused(office, case, "confirm", "ann:clerk") == acted
    case = office.start("duty", "cleo:clerk", owner="cleo")
    both = "cleo has already acted as clerk and is named as owner; somebody else must do this"
    assert refused(office, case, "confirm", "cleo:clerk") == both
