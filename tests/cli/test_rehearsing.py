"""``pmo rehearse``: what it says, and that it only reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import WORKFLOWS, Pmo


@pytest.fixture
def taken(decision: Pmo, submit) -> Pmo:
    """DEC-0001 is approved, after one attempt that was refused; DEC-0002 is a draft."""
    submit()
    assert decision("do", "DEC-0001", "approve", actor="ada:approver").code == 1
    decision.done("do", "DEC-0001", "approve", "rationale=It pays", actor="ada:approver")
    decision.done("start", "decision", "title=Another", "amount=1")
    return decision


@pytest.fixture
def changed(tmp_path):
    def changed(*changes: tuple[str, str]) -> str:
        text = (WORKFLOWS / "decision.yaml").read_text(encoding="utf-8")
        for old, new in (("version: 1", "version: 2"), *changes):
            assert old in text
            text = text.replace(old, new)
        file: Path = tmp_path / "changed.yaml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return changed


def test_where_nothing_differs_it_says_so(taken, changed):
    assert taken.done("rehearse", changed()).out == (
        "5 steps of 2 cases: 5 as they were, 0 otherwise\n"
    )


def test_what_differs_is_listed_with_case_position_day_trigger_actor_and_reasons(taken, changed):
    head = taken.done("status", "--json").json()["head"]
    file = changed(("5000000", "1000000"), ("emits: DecisionDrafted", "emits: DecisionBegun"))
    answer = taken("rehearse", file)
    day = taken.done("log", "--json").out[-1000:].split('"recorded_at":"')[1][:10]
    reason = (
        "the objective must be active, and the amount 5 million at most"
        ' (not so: objective.state == "active" && data.amount <= 1000000'
        " (objective.state is active, amount is GBP 1,250,000.00))"
    )
    assert answer.code == 1
    assert answer.out.splitlines() == [
        "5 steps of 2 cases: 2 as they were, 3 otherwise",
        f"DEC-0001  {day}  start by pat as requester  (position 6)",
        "    led to draft (DecisionDrafted); would lead to draft (DecisionBegun)",
        f"DEC-0001  {day}  approve by ada as approver  (position 9)",
        "    led to approved (DecisionTaken); would be refused:",
        f"    - {reason}",
        f"DEC-0002  {day}  start by pat as requester  (position 10)",
        "    led to draft (DecisionDrafted); would lead to draft (DecisionBegun)",
    ]
    assert taken.done("status", "--json").json()["head"] == head
    assert taken("rehearse", file, "DEC-0002").out.startswith("1 steps of 1 cases: 0 as they were")
    later = taken.done("rehearse", file, "--since", "2099-01-01")
    assert later.out == "0 steps of 0 cases: 0 as they were, 0 otherwise\n"


def test_refusals_are_rehearsed_as_far_as_they_are_recorded(taken, changed):
    gone = taken("rehearse", changed(("needs: rationale", "accepts: rationale")))
    assert gone.code == 1
    assert "approve by ada  (position 8)\n    was refused; would be allowed\n" in gone.out
    more = [("    needs: rationale", "    needs: category\n    accepts: rationale")]
    more += [("by: approver", "by: [approver, requester]")]
    hangs = taken("rehearse", changed(*more)).out
    assert hangs.startswith("5 steps of 2 cases: 4 as they were, 0 otherwise, 1 not known\n")
    assert (
        "was refused; now not known: a refusal keeps no roles, data and documents. Without" in hangs
    )


def test_programs_get_the_same_as_json(taken, changed):
    answer = taken("rehearse", changed(("5000000", "1000000")), "--json")
    assert answer.code == 1
    told = answer.json()
    (one,) = told.pop("different")
    assert told == {
        "workflow": "decision",
        "version": 2,
        "steps": 5,
        "cases": 2,
        "as_they_were": 4,
        "otherwise": 1,
        "not_known": 0,
    }
    (reason,) = one["now"].pop("reasons")
    assert "data.amount <= 1000000" in reason
    assert one.pop("recorded_at") == one.pop("occurred_at")
    assert one == {
        "case": "DEC-0001",
        "position": 9,
        "trigger": "approve",
        "actor": "ada",
        "role": "approver",
        "finding": "otherwise",
        "then": {"state": "approved", "event": "DecisionTaken", "reasons": []},
        "now": {"state": None, "event": None},
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["/no/such.yaml"], "/no/such.yaml: cannot be read"),
        ([str(WORKFLOWS)], "cannot be read: Is a directory"),
        ([str(WORKFLOWS / "decision.yaml"), "DEC-0099"], "there is no case 'DEC-0099'"),
        ([str(WORKFLOWS / "decision.yaml"), "OBJ-0001"], "OBJ-0001 is a case of objective"),
        ([str(WORKFLOWS / "decision.yaml"), "--since", "soon"], "'soon' is not a date"),
        ([str(WORKFLOWS / "objective.scenarios.yaml")], "this is scenarios and no definition"),
    ],
)
def test_what_it_cannot_use_is_told(decision, words, told):
    answer = decision("rehearse", *words)
    assert answer.code == 2
    assert told in answer.err


def test_a_workflow_that_was_never_published_has_no_past(decision, tmp_path):
    text = (WORKFLOWS / "decision.yaml").read_text(encoding="utf-8")
    file = tmp_path / "new.yaml"
    file.write_text(text.replace("workflow: decision", "workflow: decisions"), encoding="utf-8")
    answer = decision("rehearse", str(file))
    assert answer.code == 2
    assert "no workflow 'decisions' is published (did you mean 'decision'?)" in answer.err
