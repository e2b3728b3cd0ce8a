"""Bodies that vote: quorum, majorities, recusal, vetoes."""

from __future__ import annotations

import pytest

from engine.case import Signature
from engine.errors import Refused
from engine.votes import tally
from tests.deciding.conftest import publish
from tests.governance.conftest import Office, refused, taken

VOTED = """
workflow: motion
version: 1
title: Motion
key: MOT
roles: {clerk: , finance: {appointed_in: transport}}
data: {board: {type: text}}
states: {open: {initial: true}, again: , carried: {final: true}}
start: {by: clerk}
transitions:
  - trigger: carry
    from: open
    to: carried
    by: clerk
    quorum: {body: data.board, rule: two thirds, veto: finance}
  - {trigger: reopen, from: open, to: open, by: clerk}
  - {trigger: pause, from: open, to: again, by: clerk}
  - {trigger: resume, from: again, to: open, by: clerk}
"""
CLERK = "clerk:clerk"
FIVE = ["m1", "m2", "m3", "m4", "m5"]


@pytest.fixture
def voting(office: Office) -> Office:
    publish(office.service, VOTED)
    return office


def motion(office: Office, **data: object) -> str:
    office.body("board", FIVE, chair="m1", **{"quorum": 60} | data)
    return office.start("motion", CLERK, board="board")


def test_a_body_that_votes_by_its_authority_and_by_a_quorum_is_told_once(office: Office) -> None:
    publish(
        office.service,
        "{workflow: plea, version: 1, title: Plea, key: PLEA, roles: {clerk: },"
        " data: {unit: {type: text}, board: {type: text}},"
        " states: {open: {initial: true}, granted: {final: true}}, start: {by: clerk},"
        " transitions: [{trigger: grant, from: open, to: granted,"
        " by: {authority: {category: funding, unit: data.unit}},"
        " quorum: {body: data.board, rule: simple}}]}",
    )
    office.body("board", ["m1", "m2", "m3"], quorum=60)
    office.authorise(1, "board", "body")
    case = office.start("plea", CLERK, unit="transport", board="board")
    told = refused(office, case, "grant", "m1")
    assert told.count("board has no quorum: 0 of 3 have voted, 2 must") == 1
    office.sign(case, "m1", "board")
    office.sign(case, "m2", "board")
    office.do(case, "grant", "m1")
    event = taken(office, case)
    assert event.basis
    assert [vote.body for vote in event.basis.votes] == ["board"]


def test_a_body_decides_by_quorum_and_majority_and_the_event_keeps_the_vote(
    voting: Office,
) -> None:
    case = motion(voting)
    assert "0 of 5 have voted, 3 must" in refused(voting, case, "carry", CLERK)
    voting.sign(case, "m1", "board")
    voting.sign(case, "m2", "board", "against")
    assert "2 of 5 have voted, 3 must" in refused(voting, case, "carry", CLERK)
    voting.sign(case, "m3", "board")
    voting.do(case, "carry", CLERK)
    event = taken(voting, case)
    assert event.basis is not None
    (vote,) = event.basis.votes
    assert (vote.body, vote.rule, vote.needed) == ("board", "two thirds", 3)
    assert vote.votes == {"m1": "for", "m2": "against", "m3": "for"}
    assert event.reads["BODY-board"] == 1


def test_recusal_takes_the_vote_away_and_changes_the_quorum(voting: Office) -> None:
    case = motion(voting, quorum=80)
    for member in ("m1", "m2", "m3"):
        voting.sign(case, member, "board")
    assert "3 of 5 have voted, 4 must" in refused(voting, case, "carry", CLERK)
    voting.declare(case, "m5")
    with pytest.raises(Refused, match="m5 has declared a conflict"):
        voting.sign(case, "m5", "board")
    assert "3 of 4 have voted, 4 must" in refused(voting, case, "carry", CLERK)
    voting.declare(case, "m3")
    assert "2 of 3 have voted, 3 must; the vote of m3 does not count" in refused(
        voting, case, "carry", CLERK
    )
    voting.sign(case, "m4", "board")
    voting.do(case, "carry", CLERK)


def test_a_quorum_that_nobody_can_reach_is_told_as_such(voting: Office) -> None:
    case = motion(voting, least=5)
    voting.declare(case, "m5")
    assert "cannot reach its quorum: 5 must vote, and only 4 of 5 may" in refused(
        voting, case, "carry", CLERK
    )


def test_who_leaves_the_body_before_the_decision_is_not_counted(voting: Office) -> None:
    case = motion(voting)
    for member in ("m1", "m2", "m3"):
        voting.sign(case, member, "board")
    voting.do("BODY-board", "change", data={"members": ["m1", "m2", "m4", "m5"]})
    assert "the vote of m3 does not count any more" in refused(voting, case, "carry", CLERK)


def test_votes_count_for_the_state_they_were_given_in(voting: Office) -> None:
    case = motion(voting)
    for member in ("m1", "m2", "m3"):
        voting.sign(case, member, "board")
    voting.do(case, "reopen", CLERK)
    assert "0 of 5 have voted" in refused(voting, case, "carry", CLERK)
    voting.do(case, "pause", CLERK)
    with pytest.raises(Refused, match="nothing is up for it"):
        voting.sign(case, "m1", "board")


def test_after_the_decision_nobody_votes(voting: Office) -> None:
    case = motion(voting)
    for member in ("m1", "m2", "m3"):
        voting.sign(case, member, "board")
    voting.do(case, "carry", CLERK)
    with pytest.raises(Refused, match="nothing is up for it"):
        voting.sign(case, "m4", "board", "against")


def test_only_members_vote_and_a_vote_can_be_changed_and_withdrawn(voting: Office) -> None:
    case = motion(voting)
    with pytest.raises(Refused, match="m9 is not a member of board"):
        voting.sign(case, "m9", "board")
    voting.sign(case, "m1", "board", "against")
    voting.sign(case, "m1", "board", "for")
    voting.sign(case, "m2", "board")
    voting.sign(case, "m3", "board")
    voting.sign(case, "m3", "board", "withdrawn")
    assert "2 of 5 have voted" in refused(voting, case, "carry", CLERK)


def test_a_veto_stops_what_a_majority_wants(voting: Office) -> None:
    voting.appoint("finance", "m2")
    case = motion(voting)
    for member in ("m1", "m3", "m4", "m5"):
        voting.sign(case, member, "board")
    voting.sign(case, "m2", "board", "against")
    assert "finance (m2) has vetoed it" in refused(voting, case, "carry", CLERK)


def test_one_person_has_one_vote_however_many_posts(voting: Office) -> None:
    case = motion(voting)
    voting.sign(case, "m1:clerk", "board")
    voting.sign(case, "m1:finance", "board")
    assert "1 of 5 have voted" in refused(voting, case, "carry", CLERK)


def test_a_body_without_an_entry_decides_nothing(voting: Office) -> None:
    case = voting.start("motion", CLERK, board="board")
    told = "there is no body BODY-board (start one: pmo start body"
    assert told in refused(voting, case, "carry", CLERK)
    other = voting.start("motion", CLERK)
    assert "board is missing: which body votes?" in refused(voting, other, "carry", CLERK)


@pytest.mark.parametrize(
    ("rule", "votes", "carried"),
    [
        ("simple", "ffaa-", False),
        ("simple", "ffa--", True),
        ("simple", "ff00-", True),
        ("two thirds", "ffffa", True),
        ("two thirds", "fffaa", False),
        ("two thirds", "ff0a-", True),
        ("two thirds", "000--", False),
        ("unanimous", "fff0-", True),
        ("unanimous", "ffffa", False),
        ("weighted", "faaaa", True),
        ("weighted", "affff", False),
    ],
)
def test_majorities(office: Office, rule: str, votes: str, carried: bool) -> None:
    """Weights: m1 has 5 votes, everybody else 1. ``0`` abstains, ``-`` does not vote."""
    office.body("board", FIVE, quorum=50, weights=[5, 1, 1, 1, 1])
    answers = {"f": "for", "a": "against", "0": "abstain"}
    given = [
        Signature(person, "board", answers[letter], None)  # type: ignore[arg-type]
        for person, letter in zip(FIVE, votes, strict=True)
        if letter != "-"
    ]
    assert tally(office.service.case("BODY-board"), given, (), rule).carried is carried


@pytest.mark.parametrize(("chair", "carried"), [("m1", True), ("m3", False)])
def test_the_chair_breaks_a_tie(office: Office, chair: str, carried: bool) -> None:
    office.body("board", FIVE, chair=chair, quorum=50)
    given = [Signature(p, "board", "for", None) for p in ("m1", "m2")]
    given += [Signature(p, "board", "against", None) for p in ("m3", "m4")]
    body = office.service.case("BODY-board")
    assert tally(body, given, (), "simple", casting=True).carried is carried
    assert not tally(body, given, (), "simple").carried


@pytest.mark.parametrize(
    ("rule", "carried"),
    [("simple", True), ("weighted", True), ("two thirds", False), ("unanimous", False)],
)
def test_no_casting_vote_makes_more_of_a_tie_than_a_majority(
    office: Office, rule: str, carried: bool
) -> None:
    office.body("board", FIVE, chair="m1", quorum=40)
    office.authorise(1, "board", "body", rule=rule)
    case = office.ready()
    office.sign(case, "m1", "board")
    office.sign(case, "m2", "board", "against")
    if carried:
        office.do(case, "approve", "m1")
    else:
        told = refused(office, case, "approve", "m1")
        assert told == f"board is not for it ({rule}): 1 for, 1 against"


def test_who_may_not_decide_has_no_vote_either_and_the_quorum_is_one_of_fewer(
    office: Office,
) -> None:
    """analyst asks, and sits on the board: what they may not approve they do not vote on."""
    office.body("board", ["analyst", "m2", "m3"], quorum=60)
    office.authorise(1, "board", "body")
    case = office.ready()
    with pytest.raises(Refused, match="analyst has already acted as requester"):
        office.sign(case, "analyst", "board")
    office.sign(case, "m2", "board")
    assert "1 of 2 have voted, 2 must" in refused(office, case, "approve", "m2")
    office.sign(case, "m3", "board")
    office.do(case, "approve", "m2")
    event = taken(office, case)
    assert event.basis is not None
    (vote,) = event.basis.votes
    assert (vote.entitled, vote.recused, vote.needed) == (("m2", "m3"), ("analyst",), 2)


def test_where_the_authority_is_a_bodys_it_votes_by_the_majority_of_the_rule(
    office: Office,
) -> None:
    office.body("board", FIVE, quorum=60)
    office.authorise(1, "board", "body", rule="unanimous")
    case = office.ready()
    assert "clerk is not a member of board" in refused(office, case, "approve", "clerk")
    for member in ("m1", "m2"):
        office.sign(case, member, "board")
    office.sign(case, "m3", "board", "against")
    assert "board is not for it (unanimous): 2 for, 1 against" in refused(
        office, case, "approve", "m1"
    )
    office.sign(case, "m3", "board")
    office.declare(case, "m4")
    assert "m4 has declared a conflict" in refused(office, case, "approve", "m4")
    office.do(case, "approve", "m1")


AGAINST = """
workflow: appeal
version: 1
title: Appeal
key: APP
roles: {clerk: }
data: {unit: {type: text}, subject: {type: person}, note: {type: text}}
states: {open: {initial: true}, granted: {final: true}, dismissed: {final: true}}
start: {by: clerk}
transitions:
  - trigger: grant
    from: open
    to: granted
    by: {authority: {category: appeal, unit: data.unit, without: subject}}
  - trigger: dismiss
    from: open
    to: dismissed
    by: {authority: {category: appeal, unit: data.unit, without: subject, answer: against}}
  - {trigger: remark, from: open, by: clerk, needs: note}
"""


@pytest.fixture
def appealing(office: Office) -> Office:
    publish(office.service, AGAINST)
    office.body("board", FIVE, quorum=60)
    office.authorise(1, "board", "body", category="appeal")
    return office


def appeal(office: Office) -> str:
    return office.start("appeal", CLERK, unit="transport", subject="m5")


def test_a_body_that_was_not_for_it_has_answered_too(appealing: Office) -> None:
    case = appeal(appealing)
    assert "0 of 4 have voted" in refused(appealing, case, "dismiss", "m1")
    appealing.sign(case, "m1", "board")
    appealing.sign(case, "m2", "board")
    appealing.sign(case, "m3", "board", "against")
    assert "board is for it" in refused(appealing, case, "dismiss", "m3")
    appealing.sign(case, "m2", "board", "against")
    assert "1 for, 2 against" in refused(appealing, case, "grant", "m1")
    appealing.do(case, "dismiss", "m3")


def test_whom_a_case_is_about_has_no_vote_in_it(appealing: Office) -> None:
    case = appeal(appealing)
    for member in ("m1", "m2", "m5"):
        appealing.sign(case, member, "board")
    assert "2 of 4 have voted, 3 must; the vote of m5 does not count" in refused(
        appealing, case, "grant", "m1"
    )


def test_a_step_that_leads_nowhere_leaves_votes_and_state_as_they_are(appealing: Office) -> None:
    case = appeal(appealing)
    appealing.sign(case, "m1", "board")
    before = appealing.service.case(case)
    receipt = appealing.do(case, "remark", CLERK, {"note": "heard"})
    after = appealing.service.case(case)
    assert (receipt.state, receipt.names) == ("open", ("AppealRemark",))
    assert (after.signatures, after.entered, after.since[""]) == (
        before.signatures,
        before.entered,
        before.since[""],
    )
