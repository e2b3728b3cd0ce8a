"""Deciding together, as people type it: sign, declare a conflict, override, see what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Pmo
from tests.governance.conftest import REGISTERS

MATTER = """
workflow: matter
version: 1
title: Matter
key: MAT
roles:
  requester:
  finance: {appointed_in: data.unit}
  sponsor:
data:
  title: {type: text, required: true}
  category: {type: text, required: true}
  unit: {type: text, required: true}
  amount: {type: money, currency: GBP}
  note: {type: text}
states:
  ready: {initial: true}
  approved:
  done: {final: true}
start: {by: requester}
transitions:
  - trigger: approve
    from: ready
    to: approved
    by: {authority: {category: data.category, value: data.amount, unit: data.unit}}
    not_by: requester
    agreed_by: finance
    children: {workflow: condition, in: met}
    emits: MatterDecided
  - trigger: finish
    from: approved
    to: done
    by: sponsor
    accepts: note
    evidence: report
    should: {needs: note}
    override: {by: sponsor, of: evidence}
"""
CONDITION = """
workflow: condition
version: 1
title: Condition
key: COND
data:
  title: {type: text}
  matter: {type: ref, to: matter, parent: true}
states: {open: {initial: true}, met: {final: true}}
transitions: [{trigger: meet, from: open, to: met}]
"""


BOUGHT = """
workflow: purchase
version: 1
title: Purchase
key: BUY
roles: {lead: , clerk: }
data:
  amount: {type: money, currency: GBP, required: true}
  until: {type: date}
states: {asked: {initial: true}, bought: {final: true}}
transitions:
  - trigger: buy
    from: asked
    to: bought
    by: lead
    when: [{check: data.amount <= 50000, otherwise: above 50 thousand the clerk buys}]
  - trigger: buy
    from: asked
    to: bought
    by: clerk
    accepts: until
    when: ["data.until > now", actor.id != "lea"]
"""


def test_a_condition_that_nobody_can_help_is_told_before_anybody_asks(
    pmo: Pmo, tmp_path: Path
) -> None:
    file = tmp_path / "purchase.yaml"
    file.write_text(BOUGHT, encoding="utf-8")
    pmo.done("publish", str(file), actor="operator")
    pmo.done("start", "purchase", "amount=60000")
    first, second = pmo.done("show", "BUY-0001", "--json").json()["next"]
    assert [reason.split(" (")[0] for reason in first["missing"]] == [
        "above 50 thousand the clerk buys"
    ]
    assert second["missing"] == [], "a day that comes along, and who asks, may help"


PAUSED = """
workflow: work
version: 1
title: Work
key: WORK
data: {cause: {type: text}}
states: {going: {initial: true}, paused: {deadline: {within: 10 days, then: resume}}}
transitions:
  - {trigger: pause, from: going, to: paused, anew: cause}
  - {trigger: resume, from: paused, to: going, anew: reason, evidence: {kind: report, anew: true}}
  - {trigger: resume, from: paused, to: going, needs: cause, by: timer}
"""


def test_what_must_come_with_a_step_is_told_before_it_is_asked_for_and_when_it_is_lacking(
    pmo: Pmo, tmp_path: Path, paper: Path
) -> None:
    file = tmp_path / "work.yaml"
    file.write_text(PAUSED, encoding="utf-8")
    pmo.done("publish", str(file), actor="operator")
    pmo.done("start", "work")
    pmo.done("do", "WORK-0001", "pause", "cause=No money.")
    told = pmo.done("show", "WORK-0001").out
    way = "anybody; says with this step reason; with a report that comes with this step"
    assert f"  can resume -> going  ({way})\n" in told
    report = ("-e", f"report={paper}")
    lacking = pmo("do", "WORK-0001", "resume", *report)
    assert lacking.code == 1
    assert "say it with this step: a reason is missing" in lacking.err
    back = pmo.done("do", "WORK-0001", "resume", *report, "--reason", "There is money again.").out
    assert "can pause -> paused  (anybody; says with this step cause)" in back
    (pause,) = pmo.done("do", "WORK-0001", "--json").json()
    assert (pause["needs"], pause["anew"]) == ([], ["cause"])
    assert "say it with this step: cause is missing" in pmo("do", "WORK-0001", "pause").err
    pmo.done("do", "WORK-0001", "pause", "cause=The roof leaks.")
    # The report of the first time is there; that another has to come is no hurdle of the case's.
    assert "still missing" not in pmo.done("show", "WORK-0001").out
    told = pmo.done("history", "WORK-0001").out
    assert "There is money again." in told


CARD = """
workflow: card
version: 1
title: Card
key: CARD
roles: {clerk: }
data: {title: {type: text}}
states: {shelved: {initial: true}, lost: {final: true}}
transitions:
  - {trigger: lose, from: shelved, to: lost}
  - trigger: correct-record
    from: [shelved, lost]
    by: clerk
    corrects: title
    emits: RecordCorrected
"""


def test_the_trail_shows_a_correction_with_what_was_what_is_who_and_why(
    pmo: Pmo, tmp_path: Path
) -> None:
    file = tmp_path / "card.yaml"
    file.write_text(CARD, encoding="utf-8")
    pmo.done("publish", str(file), actor="operator")
    pmo.done("start", "card", "title=Bred", "--occurred-at", "2026-01-05")
    told = pmo.done("do", "CARD-0001", "lose", "--occurred-at", "2026-02-05").out
    assert "can correct-record -> lost  (clerk; corrects title; says with this step reason)" in told
    why = ("--reason", "a letter was missing")
    assert "needs clerk" in pmo("do", "CARD-0001", "correct-record", "title=Bread", *why).err
    mend = ("do", "CARD-0001", "correct-record", "title=Bread")
    assert "a reason is missing" in pmo(*mend, actor="cleo:clerk").err
    pmo.done(*mend, *why, actor="cleo:clerk")
    entry = pmo.done("history", "CARD-0001", "--json").json()[-1]
    assert (entry["name"], entry["state_before"], entry["state"]) == (
        "RecordCorrected",
        "lost",
        "lost",
    )
    assert entry["occurred_at"] == "2026-01-05"
    told = pmo.done("history", "CARD-0001").out
    last = told[told.index("RecordCorrected") :]
    assert "cleo as clerk" in last
    assert "title: Bred → Bread\n" in last
    assert "because: a letter was missing" in last
    # As of a day before it was lost, the case shows what is right, in the state of that day.
    then = pmo.done("show", "CARD-0001", "--as-of", "2026-01-10").out
    assert "Bread" in then
    assert "shelved" in then


@pytest.fixture
def board(pmo: Pmo, tmp_path: Path) -> Pmo:
    """A board of three that may decide on up to a million; MAT-0001 waits for it."""
    texts = [*REGISTERS.split("---\n"), MATTER, CONDITION]
    files = []
    for number, text in enumerate(texts):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        files.append(str(file))
    pmo.done("publish", *files, actor="operator")
    pmo.done("start", "body", "name=board", "members=a, b, c", "chair=a", "quorum=60")
    pmo.done(
        *("start", "authority", "category=funding", "unit=transport", "level=1", "limit=1m"),
        *("holder=board", "held_by=body", "rule=simple"),
    )
    pmo.done("start", "appointment", "role=finance", "unit=transport", "person=fin")
    pmo.done("start", "matter", "title=Bridge", "category=funding", "unit=transport", "amount=0.5m")
    return pmo


def approved(board: Pmo) -> Pmo:
    for person in ("a", "b"):
        board.done("sign", "MAT-0001", "for", "--of", "board", actor=person)
    board.done("sign", "MAT-0001", "for", "--of", "finance", actor="fin:finance")
    board.done("do", "MAT-0001", "approve", actor="a")
    return board


def test_a_case_shows_who_decides_and_what_is_still_missing(board: Pmo) -> None:
    told = board.done("show", "MAT-0001").out
    assert "      decided by board, up to GBP 1,000,000 (AUTH-funding.transport.1)" in told
    assert "      still missing: finance has not agreed yet" in told
    assert "still missing: board has no quorum: 0 of 3 have voted, 2 must" in told
    (step,) = board.done("show", "MAT-0001", "--json").json()["next"]
    assert len(step["missing"]) == 2


def test_votes_agreement_and_recusal_are_shown_until_the_state_is_left(board: Pmo) -> None:
    answer = board.done("sign", "MAT-0001", "for", "--of", "board", actor="a")
    assert answer.out.startswith("MAT-0001  ready  Signed  (position ")
    board.done("sign", "MAT-0001", "against", "--of", "board", actor="b")
    board.done("sign", "MAT-0001", "for", "--of", "board", actor="b")
    board.done("sign", "MAT-0001", "for", "--of", "finance", actor="fin:finance")
    board.done("declare-conflict", "MAT-0001", "--reason", "owns land there", actor="c")
    told = board.done("show", "MAT-0001").out
    assert "\nsigned\n  board    a for, b for\n  finance  fin for\n" in told
    assert "\nrecused\n  c\n" in told
    assert "still missing" not in told
    board.done("do", "MAT-0001", "approve", actor="a")
    case = board.done("show", "MAT-0001", "--json").json()
    assert case["signed"] == []
    assert case["recused"] == ["c"]


def test_a_withdrawn_answer_counts_no_more(board: Pmo) -> None:
    board.done("sign", "MAT-0001", "for", "--of", "board", actor="a")
    board.done("sign", "MAT-0001", "withdrawn", "--of", "board", actor="a")
    assert board.done("show", "MAT-0001", "--json").json()["signed"] == []


@pytest.mark.parametrize(
    ("words", "actor", "told"),
    [
        (["sign", "MAT-0001", "for", "--of", "council"], "a", "what counts: finance, board"),
        (["sign", "MAT-0001", "for", "--of", "board"], "zoe", "zoe is not a member of board"),
        (["sign", "MAT-0001", "for", "--of", "finance"], "zoe:finance", "zoe is not appointed"),
        (["do", "MAT-0001", "approve"], "a", "board has no quorum"),
        (["do", "MAT-0001", "approve", "--override"], "a", "nothing about approve may be"),
    ],
)
def test_who_may_not_sign_or_go_ahead_is_told_why(
    board: Pmo, words: list[str], actor: str, told: str
) -> None:
    answer = board(*words, actor=actor)
    assert answer.code == 1
    assert told in answer.err


def test_a_conflict_is_declared_once(board: Pmo) -> None:
    board.done("declare-conflict", "MAT-0001", actor="c")
    assert board("declare-conflict", "MAT-0001", actor="c").code == 1
    answer = board("sign", "MAT-0001", "for", "--of", "board", actor="c")
    assert "c has declared a conflict of interest" in answer.err


def test_children_are_shown_with_their_states_and_hold_up_their_parent(board: Pmo) -> None:
    board.done("start", "condition", "title=Survey", "matter=MAT-0001")
    told = board.done("show", "MAT-0001").out
    assert "\nchildren\n  COND-0001  condition  open\n" in told
    assert "still missing: every condition must be in met: COND-0001 is open" in told
    board.done("do", "COND-0001", "meet")
    (child,) = board.done("show", "MAT-0001", "--json").json()["children"]
    assert child == {"key": "COND-0001", "workflow": "condition", "state": "met"}
    assert "    child: COND-0001" in board.done("history", "MAT-0001").out


def test_what_only_should_be_so_and_what_was_overridden_is_told_again_when_sent_again(
    board: Pmo,
) -> None:
    approved(board)
    words = ["do", "MAT-0001", "finish", "--id", "f1", "--override", "--reason", "it is urgent"]
    overriding = "overridden: needs a report as evidence"
    assert board("do", "MAT-0001", "finish", actor="s:sponsor").code == 1
    done = board.done(*words, actor="s:sponsor").out
    assert f"  warning: {overriding}\n  warning: needs more: note is missing\n" in done
    receipt = board.done(*words, "--json", actor="s:sponsor").json()
    assert receipt["warnings"] == [overriding, "should: needs more: note is missing"]
    told = board.done("history", "MAT-0001").out
    assert f"    warning: {overriding}\n    warning: needs more: note is missing\n" in told


@pytest.mark.parametrize(
    "own", ["deadline:MAT-0001:1:0:100%:2026-01-01", "reaction:1:e:0:MAT-0001"]
)
def test_nobody_uses_up_the_ids_of_the_engines_own_commands(board: Pmo, own: str) -> None:
    refused = board("do", "MAT-0001", "finish", "--id", own, actor="s:sponsor")
    assert (refused.code, "is the engine's own; use a UUID" in refused.err) == (2, True)


def test_a_should_warns_and_lets_pass(board: Pmo, paper: Path) -> None:
    approved(board)
    told = board.done("show", "MAT-0001").out
    assert "can be overridden: evidence by sponsor" in told
    finish = ["do", "MAT-0001", "finish", "-e", f"report={paper}", "--json"]
    warnings = board.done(*finish, actor="s:sponsor").json()["warnings"]
    assert warnings == ["should: needs more: note is missing"]


def test_the_trail_tells_what_a_decision_rested_on(board: Pmo) -> None:
    board.done("sign", "MAT-0001", "against", "--of", "board", actor="b")
    board.done("declare-conflict", "MAT-0001", actor="c")
    approved(board)
    told = board.done("history", "MAT-0001").out
    assert "    against, for board\n" in told
    assert "    c takes no part from now on\n" in told
    assert "    by authority of AUTH-funding.transport.1, version 1, up to GBP 1,000,000\n" in told
    assert "    agreed by finance: fin\n" in told
    vote = "    vote of board (simple): a for, b for; 2 of 2 had to vote; recused: c\n"
    assert vote in told
    entry = board.done("history", "MAT-0001", "--json").json()[-1]
    assert entry["basis"]["agreed"] == {"finance": "fin"}


def test_signatures_are_shown_as_they_stood(board: Pmo) -> None:
    board.done("sign", "MAT-0001", "for", "--of", "board", actor="a")
    before = board.done("show", "MAT-0001", "--as-of", "2999-01-01", "--json").json()
    assert [one["person"] for one in before["signed"]] == ["a"]
    assert before["next"] == []
