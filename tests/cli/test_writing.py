"""What an operator types all day: start, do, attach, observe."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

HERE = __file__
AGED = "with a business-case newer than 90 days"


def test_starting_a_case_says_what_was_recorded_and_what_can_be_done_next(pmo):
    answer = pmo.done("start", "decision", "title=Extend the pilot")
    first, *rest = answer.out.splitlines()
    assert first == "DEC-0001  draft  DecisionDrafted  (position 4)"
    assert "  can withdraw -> withdrawn  (requester)" in rest


def test_data_is_read_as_its_fields_say(decision):
    data = decision.done("show", "DEC-0001", "--json").json()["data"]
    assert data == {
        "title": "Extend the pilot",
        "amount": {"amount": "1250000", "currency": "GBP"},
        "objective": "OBJ-0001",
    }


def test_data_comes_from_words_options_files_and_json(pmo, tmp_path):
    (tmp_path / "title.txt").write_text("From a file", encoding="utf-8")
    pmo.done(
        "start",
        "decision",
        f"title=@{tmp_path / 'title.txt'}",
        "--data",
        "category=scope",
        "--data-json",
        '{"amount": 12}',
    )
    data = pmo.done("show", "DEC-0001", "--json").json()["data"]
    assert data["title"] == "From a file"
    assert data["category"] == "scope"
    assert data["amount"]["amount"] == "12"


def test_two_signs_stand_for_text_that_begins_with_one(pmo):
    pmo.done("start", "decision", "title=@@home")
    assert pmo.done("show", "DEC-0001", "--json").json()["data"]["title"] == "@home"


def test_nothing_after_the_sign_is_missing_and_withheld_has_its_ground(pmo):
    observed = ["observe", "PRJ-0001", "FiguresReported", "--workflow", "project"]
    pmo.done(*observed, "name=Bridge", "cost=", "--withhold", "end=FOI s.43", "--source", "R")
    data = pmo.done("show", "PRJ-0001", "--json").json()["data"]
    assert data == {"name": "Bridge", "end": {"withheld": "FOI s.43"}}


def test_a_transition_says_from_where_to_where(submit):
    answer = submit("--reason", "the board asked")
    assert answer.out.startswith("DEC-0001  draft → in_review  DecisionRequested  (position 7)\n")


def test_evidence_is_recorded_by_its_hash_and_the_day_it_speaks_of(decision, paper):
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    decision.done(
        "do",
        "DEC-0001",
        "submit",
        "category=policy",
        "-e",
        f"business-case={paper}@{yesterday}",
    )
    (evidence,) = decision.done("show", "DEC-0001", "--json").json()["evidence"]
    assert evidence["sha256"] == hashlib.sha256(paper.read_bytes()).hexdigest()
    assert (evidence["kind"], evidence["as_of"]) == ("business-case", yesterday)


def test_a_file_may_have_the_sign_before_a_date_in_its_name(decision, tmp_path):
    (tmp_path / "from@20.11.2026").write_text("why", encoding="utf-8")
    decision.done("attach", "DEC-0001", str(tmp_path / "from@20.11.2026"), "--kind", "minutes")
    word = f"minutes={tmp_path / 'from@20.11.2026'}"
    decision.done(
        "do", "DEC-0001", "submit", "category=policy", "-e", word, "-e", f"business-case={HERE}"
    )
    evidence = decision.done("show", "DEC-0001", "--json").json()["evidence"]
    assert [one["name"] for one in evidence][:2] == ["from@20.11.2026"] * 2


def test_without_a_trigger_it_says_what_can_be_asked_for_by_whom_and_with_what(decision):
    answer = decision.done("do", "DEC-0001")
    assert answer.out.splitlines() == [
        "DEC-0001  draft",
        f"  can submit -> in_review  (requester; needs category; {AGED})",
        "      category=     one of: funding, scope, policy",
        "      [objective=]  the key of a case: objective; now OBJ-0001",
        "  can withdraw -> withdrawn  (requester)",
    ]


def test_what_can_be_asked_for_comes_as_json_too(decision):
    offers = decision.done("do", "DEC-0001", "--json").json()
    assert [(offer["trigger"], offer["needs"]) for offer in offers] == [
        ("submit", ["category"]),
        ("withdraw", []),
    ]


def test_the_receipt_comes_as_json(pmo):
    receipt = pmo.done("start", "decision", "title=A", "--json").json()
    assert receipt["stream"] == "DEC-0001"
    assert receipt["position"] == 4
    assert receipt["names"] == ["DecisionDrafted"]


def test_a_refusal_gives_every_reason_and_changes_nothing(decision):
    answer = decision("do", "DEC-0001", "submit", actor="vic:visitor")
    assert answer.code == 1
    assert answer.out == ""
    refused, *reasons = answer.err.splitlines()
    assert refused == "refused: DEC-0001: submit is refused"
    assert len(reasons) >= 3
    assert all(reason.startswith("  - ") for reason in reasons)
    assert decision.done("show", "DEC-0001", "--json").json()["state"] == "draft"


def test_a_refusal_comes_as_json_too(decision):
    answer = decision("do", "DEC-0001", "submit", "--json", actor="vic:visitor")
    told = json.loads(answer.err)
    assert told["error"] == "refused"
    assert {v["rule"] for v in told["verdicts"] if not v["held"]} >= {"by", "needs"}


def test_who_asks_in_no_role_is_told_how_to_name_one(decision):
    answer = decision("do", "DEC-0001", "withdraw", actor="vic")
    assert "--as" in answer.err.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["do", "DEC-0001", "sumbit"], "no such trigger (did you mean 'submit'?)"),
        (["do", "DEC-0001", "submit", "categry=x"], "no such field (did you mean 'category'?)"),
        (["do", "DEC-0001", "submit", "amount=1", "amount=2"], "amount: is given twice"),
        (["do", "DEC-0001", "submit", "amount=1", "--withhold", "amount=x"], "is given twice"),
        (["do", "DEC-0001", "submit", "--data-json", '{"a": 1, "a": 2}'], "a: is given twice"),
        (["observe", "DEC-0001", "fell over", "--source", "R"], "like DecisionTaken"),
        (["observe", "NEW-1", "Fell", "--source", "R"], "name its workflow: --workflow"),
        (["do", "DEC-0001", "withdraw", "--id", ""], "error: --id: is empty"),
        (["do", "DEC-0001", "submit", "=x"], "no field before the '='"),
        (["do", "dec-1", "submit"], "there is no case 'dec-1' (did you mean DEC-0001?)"),
        (["do", "DEC-0011"], "there is no case 'DEC-0011' (did you mean DEC-0001?)"),
        (["do", "XYZ"], "there is no case 'XYZ' (pmo list shows what there is)"),
        (["start", "decison"], "no workflow 'decison' is published (did you mean 'decision'?)"),
        (["start", "decision", "title"], "title: there is no '=' in it (write FIELD=VALUE)"),
        (["start", "decision", "title=@/nowhere"], "title: /nowhere cannot be read"),
        (["start", "decision", "--data-json", "[1]"], "--data-json: is not an object"),
        (["start", "decision", "--data-json", "{"], "--data-json: is not JSON"),
        (["start", "decision", "--data-json", '{"title": "\\ud800"}'], "--data-json: is not JSON"),
        (["start", "decision", "--data-json", "[" * 100_000], "--data-json: is not JSON"),
        (["start", "decision", "title=\udcff"], "is not text in UTF-8"),
        (["start", "decision", "title=A", "--id", "x" * 201], "error: --id: "),
        (["start", "decision", "title=A", "--reason", "x" * 2001], "error: --reason: "),
        (["do", "DEC-0001", "submit", "--if-version", str(10**30)], "--if-version"),
        (["start", "decision", "amount=lots"], "amount: 'lots' is not an amount of money"),
        (["start", "decision", "--occurred-at", "yesterday"], "'yesterday' is not a date or time"),
        (["start", "decision", "title=A", "--occurred-at", "2999-01-01"], "--occurred-at: 2999"),
        (["start", "decision", "title=A", "reason=x"], "field (it is an option: --reason ...)"),
        (["do", "DEC-0001", "submit", "if_version=7"], "(it is an option: --if-version ...)"),
        (["start", "decision", "title=A", "if-version=7"], "no such field (there is title"),
        (["start", "decision", "-e", "paper"], "--evidence: 'paper' is no evidence"),
        (["start", "decision", "-e", "a=/nowhere"], "/nowhere: cannot be read"),
        (["start", "decision", "-e", "a=/nowhere@20.11.2026"], "20.11.2026' is no date (write"),
        (["start", "decision", "-e", f"a={HERE}@2026-11-31"], "--evidence: '2026-11-31' is not"),
        (["start", "decision", "title=A", "-e", f"a={HERE}@2999-01-01"], "of the evidence: 2999"),
        (["start", "decision", "title=A", "-e", f"A={HERE}"], "kind of the evidence: 'A' is"),
        (["attach", "DEC-0001", HERE, "--kind", "A B"], "error: kind of the evidence: 'A B' is"),
        (["attach", "DEC-0001", HERE, "--kind", "a", "--as-of-date", "1.1.26"], "-date: '1.1.26'"),
        (["start", "decision", "title=A", "--as", "a/b"], "--as: 'a/b' is not an actor"),
        (["start", "decision", "title=A", "--as", "x" * 9_000], "has 9,000 signs, an actor"),
        (["attach", "DEC-0001", "/nowhere", "--kind", "minutes"], "/nowhere: cannot be read"),
        (["observe", "P-1", "x", "--workflow", "project", "--source", "R"], "'x' cannot stand"),
        (["observe", "PRJ-1", "X", "--source", "R"], "there is no case 'PRJ-1'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_and_never_sent(decision, words, told):
    head = decision.done("status", "--json").json()["head"]
    answer = decision(*words)
    assert answer.code == 2
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert decision.done("status", "--json").json()["head"] == head


def test_all_that_is_wrong_is_told_at_once(pmo):
    answer = pmo("start", "decision", "title=A", "amount=lots", "category=fun")
    assert len(answer.err.splitlines()) == 2


def test_a_case_that_has_moved_on_is_not_written_to(submit, decision):
    assert submit("--if-version", "1").code == 0
    answer = decision("do", "DEC-0001", "withdraw", "--if-version", "1")
    assert answer.code == 1
    assert "is at version 2, not 1" in answer.err


def test_who_acted_for_whom_why_and_when_is_kept(decision):
    decision.done(
        "do",
        "DEC-0001",
        "withdraw",
        "--on-behalf-of",
        "quinn",
        "--reason",
        "not needed",
    )
    last = decision.done("history", "DEC-0001", "--json").json()[-1]
    assert last["on_behalf_of"] == "quinn"
    assert last["reason"] == "not needed"
    assert (last["actor"], last["role"]) == ("pat", "requester")


def test_a_document_is_attached_and_stays_where_it_is(decision, paper):
    answer = decision.done(
        "attach", "DEC-0001", str(paper), "--kind", "minutes", "--as-of-date", "2026-02-01"
    )
    assert answer.out.startswith("DEC-0001  draft  EvidenceAttached")
    (evidence,) = decision.done("show", "DEC-0001", "--json").json()["evidence"]
    assert evidence["as_of"] == "2026-02-01"
    assert paper.exists()


def test_a_fact_is_recorded_whatever_the_rules_say(decision):
    answer = decision.done(
        "observe", "DEC-0001", "FoundApproved", "--state", "approved", "--source", "minutes"
    )
    assert answer.out.startswith("DEC-0001  approved  FoundApproved")
    last = decision.done("history", "DEC-0001", "--json").json()[-1]
    assert last["conformance"]["verdict"] == "violates"


def test_the_next_command_sees_what_was_written(pmo):
    for number in range(1, 4):
        pmo.done("start", "decision", f"title=Case {number}")
        assert pmo.done("list", "decision", "--json").json()["total"] == number


def test_what_is_recorded_stays_recorded_when_the_views_cannot_be_written(pmo):
    Path(pmo.home, "views.db").unlink()
    Path(pmo.home, "views.db").mkdir()
    answer = pmo("start", "decision", "title=A")
    assert answer.code == 0
    assert "it is recorded, but the views are behind" in answer.err


def test_an_empty_id_or_actor_is_not_a_missing_one(decision):
    assert decision("do", "DEC-0001", "withdraw", "--id", "").code == 2
    assert decision("do", "DEC-0001", "withdraw", "--as", "").code == 2


def test_evidence_of_tomorrow_is_no_evidence(decision, paper):
    answer = decision(
        "attach", "DEC-0001", str(paper), "--kind", "note", "--as-of-date", "2999-01-01"
    )
    assert answer.code == 2
    assert "2999-01-01 is still to come" in answer.err


def test_unknown_fields_do_not_hide_what_else_is_wrong(decision):
    answer = decision("do", "DEC-0001", "submit", "amount=abc", "nofield=1")
    assert answer.code == 2
    assert "nofield: there is no such field" in answer.err
    assert "amount: " in answer.err


def test_a_document_is_a_file_named_by_its_sign(pmo, paper):
    answer = pmo("start", "decision", "title=A", f"paper={paper}")
    assert answer.code == 2
    assert f"name a file: paper=@{paper}" in answer.err
    pmo.done("start", "decision", "title=A", f"paper=@{paper}")
    data = pmo.done("show", "DEC-0001", "--json").json()["data"]
    assert data["paper"]["name"] == paper.name
