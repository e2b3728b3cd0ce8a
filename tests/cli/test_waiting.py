"""What waits for me, and what I may do: ``pmo waiting``, and ``--as`` where nobody acts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.tables import MISSING
from tests.cli.conftest import Pmo
from tests.cli.matters import MEMO, begin, gone_up
from tests.postgres import server


@pytest.fixture(scope="module")
def in_a_folder(tmp_path_factory: pytest.TempPathFactory) -> Pmo:
    folder = tmp_path_factory.mktemp("waiting")
    return begin(Pmo(folder / "home"), folder)


@pytest.fixture(scope="module")
def in_a_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pmo]:
    address = server().new_database()
    yield begin(Pmo(address), tmp_path_factory.mktemp("waiting"))
    server().drop_database(address)


@pytest.fixture(params=["in_a_folder", "in_a_database"])
def home(request: pytest.FixtureRequest) -> Pmo:
    """Looked at only: what changes it is in a home of its own."""
    found: Pmo = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def own(tmp_path: Path) -> Pmo:
    return begin(Pmo(tmp_path / "home"), tmp_path)


def told(pmo: Pmo, who: str) -> dict[str, tuple[list[str], list[str], list[str]]]:
    """By case: what they can do, sign, and cannot."""
    cases = pmo.done("waiting", "--as", who, "--json").json()["cases"]
    return {
        c["key"]: (
            [o["trigger"] for o in c["can"]],
            [ballot["of"] for ballot in c["sign"]],
            list(c["cannot"]),
        )
        for c in cases
    }


def test_a_member_of_a_board_sees_what_to_vote_on_the_overdue_first(home: Pmo) -> None:
    lines = home.done("waiting", "--as", "bea").out.splitlines()
    assert lines[0] == "2 cases wait for bea, 1 overdue"
    assert lines[2:6] == [
        "MAT-0004  Old  overdue",
        "  matter, ready since 2026-01-05, until 2026-01-10",
        "  can sign --of board",
        "  cannot approve: board has no quorum: 0 of 2 have voted, 2 must",
    ]
    assert lines[7].startswith("MAT-0001  Bridge")
    assert told(home, "bea") == {
        "MAT-0004": ([], ["board"], ["approve"]),
        "MAT-0001": ([], ["board"], ["approve"]),
    }


def test_who_has_authority_sees_what_is_within_it_and_nothing_else(home: Pmo) -> None:
    found = told(home, "hal")
    assert found["MAT-0002"] == (["approve", "reject"], [], [])
    assert found["MAT-0001"] == (["reject"], [], []), "what is the board's to approve is not asked"


def test_a_delegate_is_told_by_which_delegation(home: Pmo) -> None:
    (case,) = [
        case
        for case in home.done("waiting", "--as", "dee", "--json").json()["cases"]
        if case["key"] == "MAT-0002"
    ]
    assert [(o["trigger"], o["on_behalf_of"]) for o in case["can"]] == [
        ("approve", "DEL-0001"),
        ("reject", "DEL-0001"),
    ]
    assert "(head)  --on-behalf-of DEL-0001" in home.done("waiting", "--as", "dee").out


def test_who_asked_for_it_is_not_asked_to_decide_it_though_on_the_board(home: Pmo) -> None:
    answer = home.done("waiting", "--as", "pat")
    assert answer.out == "nothing waits for pat\n"
    assert answer.err == "hint: in a role that you say you have: --as pat:ROLE\n"


def test_a_role_that_somebody_says_they_have_counts(home: Pmo) -> None:
    assert told(home, "ron:reviewer") == {"MAT-0003": (["submit"], [], [])}
    assert told(home, "ron") == {}


def test_who_is_named_and_can_do_nothing_is_told_why(own: Pmo) -> None:
    own.done("sign", "MAT-0001", "for", "--of", "board", actor="bea")
    lines = own.done("waiting", "--as", "bea").out.splitlines()
    assert "1 more names bea, who can do nothing now" in lines
    at = lines.index("MAT-0001  Bridge")
    assert lines[at + 2] == ("  cannot approve: board has no quorum: 1 of 2 have voted, 2 must")
    own.done("sign", "MAT-0001", "for", "--of", "board", actor="bob")
    assert told(own, "bea")["MAT-0001"] == (["approve"], [], [])
    own.done("declare-conflict", "MAT-0001", actor="bob")
    assert "MAT-0001" not in told(own, "bob")


def test_what_is_done_does_not_wait(own: Pmo) -> None:
    own.done("do", "MAT-0002", "approve", "note=Sound.", actor="hal")
    assert "MAT-0002" not in told(own, "hal")
    assert "MAT-0002" not in own.done("waiting", "--everybody").out


def test_the_operator_sees_what_waits_for_anybody_and_for_whom(home: Pmo) -> None:
    lines = home.done("waiting", "--everybody").out.splitlines()
    assert lines[0] == "4 cases wait for somebody, 1 overdue"
    assert lines[2].split() == ["until", "chased", "case", "title", "state", "since", "for"]
    assert lines[3].split()[:6] == ["2026-01-10", MISSING, "overdue", "MAT-0004", "Old", "ready"]
    assert lines[3].endswith("  board, dee, hal")
    assert [line.split()[0] for line in lines[3:]][-1] == MISSING, "no day asks for the draft"
    cases = home.done("waiting", "--everybody", "--json").json()["cases"]
    assert [case["asked"] for case in cases][-1] == ["reviewer"]


def test_what_is_left_out_is_said(home: Pmo) -> None:
    answer = home.done("waiting", "--as", "bea", "--limit", "1")
    assert "MAT-0001" not in answer.out
    assert answer.err == "these are the first 1 cases; --limit shows more\n"
    assert home.done("waiting", "--as", "bea", "--limit", "1", "--json").json()["more"]
    all_of_them = home.done("waiting", "--everybody", "--limit", "2")
    assert all_of_them.err == "these are the first 2 of 4; --limit shows more\n"


def test_the_view_is_of_whoever_is_named_and_of_everybody_unless_somebody_is(home: Pmo) -> None:
    mine = home.done("view", "waiting", "--as", "bea", "--json").json()
    assert mine["as"] == "bea"
    assert {(row["can"], row["person"]) for row in mine["rows"]} == {
        ("approve", "bea"),
        ("sign", "bea"),
    }
    assert "for bea" in home.done("view", "waiting", "--as", "bea").out.splitlines()
    all_of_them = home.done("view", "waiting", "--json", actor="bea").json()
    assert all_of_them["as"] is None, "PMO_AS says who acts, and asks nothing"
    assert {row["key"] for row in all_of_them["rows"]} == {f"MAT-000{n}" for n in (1, 2, 3, 4)}


def test_do_without_a_trigger_puts_what_one_may_first_and_says_why_not_the_rest(home: Pmo) -> None:
    approve = "who has authority for funding; not who acted as requester; needs note"
    assert home.done("do", "MAT-0002", "--as", "hal").out.splitlines() == [
        "MAT-0002  ready",
        f"  can approve -> approved  ({approve})",
        "      note=  text",
        "  can reject -> rejected  (head)",
        "  can call-in -> ready  (who has authority for funding; needs level)",
        "      level=  number",
    ]
    no_head = "rex is not appointed head in it (there is no appointment APPT-head.it.rex)"
    assert home.done("do", "MAT-0002", "--as", "rex:reviewer").out.splitlines() == [
        "MAT-0002  ready",
        f"  cannot approve: needs whoever has authority for funding; {no_head}",
        "  cannot reject: needs head; rex acts as reviewer",
        f"  cannot call-in: needs whoever has authority for funding; {no_head}",
    ]
    assert home.done("do", "MAT-0002", "--as", "hal:reviewer").out.splitlines()[1] == (
        f"  can approve -> approved  ({approve})"
    )


def test_who_may_take_a_step_from_a_higher_level_only_may_take_it(home: Pmo) -> None:
    listed = home.done("do", "MAT-0002", "--as", "bea", "--json").json()
    call_in = next(offer for offer in listed if offer["trigger"] == "call-in")
    assert not call_in["may"]
    no_quorum = "bring level=2, but board has no quorum: 0 of 3 have voted, 2 must"
    assert call_in["missing"] == [no_quorum], "the board would vote"
    assert f"  cannot call-in: {no_quorum}\n" in home.done("do", "MAT-0002", "--as", "bea").out
    approve = next(offer for offer in listed if offer["trigger"] == "approve")
    assert not approve["may"]


def test_show_says_what_somebody_may_do_who_is_named(home: Pmo) -> None:
    told = home.done("show", "MAT-0001", "--as", "bea").out
    assert "\nnext\n  can sign --of board\n" in told
    assert "  cannot reject: " in told
    assert "decided by board" in home.done("show", "MAT-0001", actor="bea").out
    (first, *_) = home.done("show", "MAT-0002", "--as", "hal", "--json").json()["next"]
    assert (first["trigger"], first["may"]) == ("approve", True)


def test_a_conflict_that_was_declared_is_why_one_cannot_vote(own: Pmo) -> None:
    own.done("declare-conflict", "MAT-0001", actor="bob")
    told = own.done("do", "MAT-0001", "--as", "bob").out
    assert "  cannot sign --of board: bob has declared a conflict of interest\n" in told
    own.done("sign", "MAT-0001", "against", "--of", "board", actor="bea")
    assert (
        "  can sign --of board  (you are against, so far)\n"
        in own.done("do", "MAT-0001", "--as", "bea").out
    )


def test_asking_records_nothing(home: Pmo) -> None:
    before = home.done("log", "--limit", "1000").out
    for who in ("bea", "hal", "dee", "rex:reviewer"):
        home.done("waiting", "--as", who)
        home.done("do", "MAT-0001", "--as", who)
    assert home.done("log", "--limit", "1000").out == before


def test_what_must_come_with_the_step_is_not_warned_of_before_it_comes(tmp_path: Path) -> None:
    note = tmp_path / "note.yaml"
    note.write_text(
        "{workflow: note, version: 1, title: Note, key: NOTE, states: {open: {initial: true}},"
        " transitions: ["
        "{trigger: keep, from: open, should: {evidence: {kind: minutes, anew: true}}},"
        "{trigger: file, from: open, should: {evidence: {kind: minutes, newer_than: 1 day}}}]}",
        encoding="utf-8",
    )
    pmo, paper = Pmo(tmp_path / "home"), tmp_path / "paper.txt"
    paper.write_text("agreed", encoding="utf-8")
    pmo.done("init", "--bare", actor="operator")
    pmo.done("publish", str(note), actor="operator")
    pmo.done("start", "note")
    pmo.done("attach", "NOTE-0001", str(paper), "--kind", "minutes", "--as-of-date", "2026-01-31")
    anew, old = pmo.done("do", "NOTE-0001", "--as", "ann", "--json").json()
    assert anew["warned"] == []
    assert len(old["warned"]) == 1


def test_a_delegate_is_told_that_they_can_sign_and_by_which_delegation(own: Pmo) -> None:
    deal = own.home.parent / "deal.yaml"
    deal.write_text(
        "{workflow: deal, version: 1, title: Deal, key: DEAL, data: {note: {type: text}},"
        " roles: {buyer: , head: {appointed_in: it}},"
        " states: {open: {initial: true}, done: {final: true}}, transitions: ["
        "{trigger: buy, from: open, to: done, by: buyer, agreed_by: head}]}",
        encoding="utf-8",
    )
    own.done("publish", str(deal), actor="operator")
    own.done("start", "deal", actor="eve")
    can = "  can sign --of head --on-behalf-of DEL-0001\n"
    for look in (("waiting",), ("do", "DEAL-0001"), ("show", "DEAL-0001")):
        assert can in own.done(*look, "--as", "dee").out
    assert told(own, "dee")["DEAL-0001"] == ([], ["head"], [])
    cases = own.done("waiting", "--as", "dee", "--json").json()["cases"]
    (deal,) = (case for case in cases if case["key"] == "DEAL-0001")
    assert deal["sign"] == [{"of": "head", "on_behalf_of": "DEL-0001"}]
    own.done("sign", "DEAL-0001", "for", "--of", "head", "--on-behalf-of", "DEL-0001", actor="dee")
    assert "DEAL-0001" not in told(own, "dee")


def test_a_case_without_a_title_is_known_by_what_it_was_begun_with(own: Pmo) -> None:
    visit = own.home.parent / "visit.yaml"
    visit.write_text(
        "{workflow: visit, version: 1, title: Visit, key: VIS,"
        " roles: {guard: , head: {appointed_in: data.unit}},"
        " data: {site: {type: text, required: true}, note: {type: text},"
        " unit: {type: text, required: true}, fee: {type: money, currency: GBP, required: true},"
        " day: {type: date, required: true}}, start: {by: [guard, head]},"
        " states: {open: {initial: true}, done: {final: true}}, transitions: ["
        "{trigger: end, from: open, to: done, by: guard}]}",
        encoding="utf-8",
    )
    own.done("publish", str(visit), actor="operator")
    said = ["site=North pier", "unit=it", "fee=20", "day=2026-03-01", "note=Mind the step"]
    own.done("start", "visit", *said, actor="gus:guard")
    lines = own.done("waiting", "--as", "gus:guard").out.splitlines()
    assert "VIS-0001  North pier, it, GBP 20" in lines
    no_unit = own("start", "visit", "site=Pier", actor="gus").err
    assert "gus is not known to be appointed head: in which unit is missing" in no_unit


PURCHASE = """
workflow: purchase
version: 1
title: Purchase
key: BUY
roles: {lead: , secretary: , auditor: }
data: {spend: {type: money, currency: GBP, required: true}, grounds: {type: text}}
states: {asked: {initial: true}, bought: {final: true}, dropped: {final: true}}
transitions:
  - {trigger: approve, from: asked, to: bought, by: secretary, needs: grounds}
  - {trigger: approve, from: asked, to: bought, by: lead, agreed_by: [secretary, auditor]}
  - {trigger: drop, from: asked, to: dropped, by: service}
  - trigger: drop
    from: asked
    to: dropped
    by: secretary
    needs: grounds
    when: [{check: data.spend > 10, otherwise: so little is not dropped}]
  - {trigger: forget, from: asked, to: dropped, by: service}
"""


def test_before_one_asks_the_same_way_is_told_as_when_one_is_refused(tmp_path: Path) -> None:
    """Not the way against which the fewest reasons stand, which is for others; and not a
    program's, where there is one for people."""
    pmo = Pmo(tmp_path / "home")
    file = tmp_path / "purchase.yaml"
    file.write_text(PURCHASE, encoding="utf-8")
    pmo.done("init", "--bare", actor="operator")
    pmo.done("publish", str(file), actor="operator")
    pmo.done("start", "purchase", "spend=5")
    agree = "secretary has not agreed yet; auditor has not agreed yet"
    drop = "needs secretary; lena acts as lead; so little is not dropped (not so: "
    drop += "data.spend > 10 (spend is GBP 5))"
    assert pmo.done("do", "BUY-0001", "--as", "lena:lead").out.splitlines() == [
        "BUY-0001  asked",
        f"  cannot approve: {agree}",
        f"  cannot drop: {drop}",
    ]
    refused = pmo("do", "BUY-0001", "approve", "--as", "lena:lead").err
    assert [line[4:] for line in refused.splitlines() if line[:4] == "  - "] == agree.split("; ")
    refused = pmo("do", "BUY-0001", "drop", "--as", "lena:lead").err
    assert "service" not in refused
    assert "so little is not dropped" in refused
    refused = pmo("do", "BUY-0001", "forget", "--as", "lena:lead").err
    assert "needs service" in refused


def test_one_asks_for_somebody_or_for_everybody(home: Pmo) -> None:
    answer = home.run("waiting", "--everybody", "--as", "bea")
    assert answer.code == 2
    assert "say --as or --everybody, not both" in answer.err


def test_whoever_it_has_gone_up_to_hears_of_it_though_nothing_is_theirs_to_do(own: Pmo) -> None:
    gone_up(own, own.home.parent)
    lines = own.done("waiting", "--as", "bea").out.splitlines()
    assert "MEMO-0001  Roof" in lines
    assert lines[-2].startswith("  gone up from head to board on 20")
    assert lines[-1:] == ["  gone up to you; nothing here is yours to do"]
    everybody = own.done("waiting", "--everybody").out
    (roof,) = (line for line in everybody.splitlines() if "MEMO-0001" in line)
    assert roof.endswith("  clerk, board")
    *_, zoes = own.done("waiting", "--as", "zoe", "--json").json()["cases"]
    assert (zoes["key"], zoes["may"], zoes["can"], zoes["cannot"]) == ("MEMO-0002", False, [], {})
    assert (zoes["gone_up"]["from"], zoes["gone_up"]["to"]) == ("clerk", "zoe")


def test_a_case_that_has_gone_up_says_so_while_it_is_so(own: Pmo) -> None:
    gone_up(own, own.home.parent)
    told = "gone up from head to board on 20"
    assert f"\n{told}" in own.done("show", "MEMO-0001").out
    assert own.done("show", "MEMO-0002", "--json").json()["gone_up"]["to"] == "zoe"
    mine = own.done("waiting", "--as", "cleo:clerk").out
    assert f"\n  {told}" in mine, "whoever has a step reads it, too"
    own.done("do", "MEMO-0001", "file", actor="cleo:clerk")
    assert "gone up" not in own.done("show", "MEMO-0001").out
    assert own.done("show", "MAT-0001", "--json").json()["gone_up"] is None


def test_a_check_says_to_whom_a_matter_goes_up_that_has_no_step_then(own: Pmo) -> None:
    file = own.home.parent / "memo.yaml"
    file.write_text(MEMO, encoding="utf-8")
    assert own.done("check", str(file), "--json").json()["definitions"][0]["only_told"] == [
        "raise: whoever has authority in open",
        "tell: the boss in open",
    ]
    line = "\n  goes up to whom no step there is given: tell: the boss in open\n"
    assert line in own.done("check", str(file)).out
    theirs = "  - {trigger: hear, from: open, to: read, by: {person: boss}}\n"
    rule = "{authority: {category: funding, unit: it}}"
    decide = f"  - {{trigger: rule, from: open, to: read, by: {rule}}}\n"
    file.write_text(MEMO + theirs + decide, encoding="utf-8")
    assert "goes up to" not in own.done("check", str(file)).out


def test_a_level_above_has_no_step_that_takes_no_level(own: Pmo) -> None:
    file = own.home.parent / "memo.yaml"
    rule = "{authority: {category: funding, unit: it, least: data.level}}"
    ladder = (
        f"  - {{trigger: climb, from: open, by: clerk, escalates: {{from: {rule}, to: {rule}}}}}\n"
    )
    decide = f"  - {{trigger: rule, from: open, to: read, by: {rule}"
    line = "goes up to whom no step there is given: climb: the level of authority above in open"
    file.write_text(f"{MEMO}{ladder}{decide}}}\n", encoding="utf-8")
    assert line in own.done("check", str(file)).out
    file.write_text(f"{MEMO}{ladder}{decide}, anew: level}}\n", encoding="utf-8")
    assert line not in own.done("check", str(file)).out


def test_what_is_theirs_only_once_it_has_gone_up_says_so_before(own: Pmo) -> None:
    file = own.home.parent / "memo.yaml"
    mine = "  - {trigger: hear, from: open, to: read, by: {person: boss}, gone_up: true}\n"
    file.write_text(MEMO + mine, encoding="utf-8")
    own.done("publish", str(file), actor="operator")
    own.done("start", "memo", "title=Desk", "boss=zoe", actor="cleo:clerk")
    never = "it has not gone up to anybody"
    assert f"  cannot hear: {never}" in own.done("do", "MEMO-0001", "--as", "zoe").out
    offered = own.done("do", "MEMO-0001", "--json").json()
    (hear,) = (offer for offer in offered if offer["trigger"] == "hear")
    assert hear["missing"] == [never], "whoever asks"
    own.done("do", "MEMO-0001", "tell", actor="cleo:clerk")
    (memo,) = own.done("waiting", "--as", "zoe", "--json").json()["cases"]
    assert [offer["trigger"] for offer in memo["can"]] == ["hear"]
    own.done("do", "MEMO-0001", "hear", actor="zoe")


def test_a_word_is_a_word_though_a_field_is_called_so(own: Pmo) -> None:
    file = own.home.parent / "memo.yaml"
    rule = "{authority: {category: funding, unit: it, least: data.level}}"
    decide = f"  - {{trigger: rule, from: open, to: read, by: {rule}}}\n"
    field = "boss: {type: person}, funding: {type: text}"
    file.write_text(MEMO.replace("boss: {type: person}", field) + decide, encoding="utf-8")
    own.done("publish", str(file), actor="operator")
    own.done("start", "memo", "title=Roof", "level=2", "funding=none", actor="cleo:clerk")
    assert "MEMO-0001  Roof" in own.done("waiting", "--as", "bea").out


def test_nothing_is_up_any_more_once_its_state_has_begun_anew(own: Pmo) -> None:
    file = own.home.parent / "memo.yaml"
    timed = "open: {initial: true, deadline: {within: 10 days, then: lapse}}"
    again = """\
  - {trigger: again, from: open, to: open, by: {person: boss}, gone_up: true}
  - {trigger: lapse, from: open, to: read, by: timer}
"""
    text = MEMO.replace("open: {initial: true}", timed) + again
    file.write_text(text, encoding="utf-8")
    own.done("publish", str(file), actor="operator")
    own.done("start", "memo", "title=Desk", "boss=zoe", actor="cleo:clerk")
    own.done("do", "MEMO-0001", "tell", actor="cleo:clerk")
    (memo,) = own.done("waiting", "--as", "zoe", "--json").json()["cases"]
    assert (memo["may"], memo["gone_up"]["to"]) == (True, "zoe")
    own.done("do", "MEMO-0001", "again", actor="zoe")
    (memo,) = own.done("waiting", "--as", "zoe", "--json").json()["cases"]
    assert (memo["may"], memo["gone_up"]) == (False, None)
    assert "gone up from" not in own.done("show", "MEMO-0001").out
