"""``pmo migrate``: running cases go on by another version, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.cli.conftest import Pmo

FIRST = """
workflow: plan
version: 1
title: Plan
key: PLAN
roles: {lead: , finance: }
data:
  title: {type: text}
  note: {type: text}
states:
  drafted: {initial: true}
  checked: {deadline: {within: 10 days, then: stop}}
  running:
  stopped: {final: true}
transitions:
  - {trigger: check, from: drafted, to: checked, by: lead}
  - {trigger: run, from: checked, to: running, by: lead, agreed_by: finance}
  - {trigger: stop, from: [drafted, checked, running], to: stopped}
"""
SECOND = (
    FIRST.replace("version: 1", "version: 2")
    .replace("  note: {type: text}\n", "  owner: {type: person}\n")
    .replace("checked", "reviewed")
    .replace("trigger: check", "trigger: review")
)


@pytest.fixture
def plans(pmo: Pmo, tmp_path: Path) -> Pmo:
    """Four cases of the first version (drafted, checked, stopped, drafted), one of the second."""
    for number, text in enumerate((FIRST, SECOND), 1):
        file = tmp_path / f"plan{number}.yaml"
        file.write_text(text, encoding="utf-8")
        pmo.done("publish", str(file))
        for title in ("One", "Two", "Three") if number == 1 else ("Five",):
            pmo.done("start", "plan", f"title={title}")
        if number == 1:
            pmo.done("start", "plan", "title=Four", "note=mind the gap")
    pmo.done("do", "PLAN-0002", "check", actor="lena:lead")
    pmo.done("sign", "PLAN-0002", "for", "--of", "finance", actor="fin:finance")
    pmo.done("do", "PLAN-0003", "stop")
    return pmo


ALL = ("migrate", "--workflow", "plan", "--from", "1", "--to", "2")


def test_a_migration_that_is_sent_twice_has_one_effect(plans: Pmo) -> None:
    words = ("migrate", "PLAN-0001", "--to", "2", "--reason", "one rule", "--id", "mig-1")
    first = plans.done(*words, "--json").json()
    plans.done("migrate", "PLAN-0001", "--to", "1", "--reason", "back", "--id", "mig-2")
    head = plans.done("status", "--json").json()["head"]
    assert plans.done(*words, "--json").json() == first
    assert plans.done("status", "--json").json()["head"] == head
    assert plans.done("show", "PLAN-0001", "--json").json()["definition_version"] == 1
    other = plans("migrate", "PLAN-0001", "--to", "2", "--reason", "another", "--id", "mig-1")
    assert other.code != 0
    assert "mig-1" in other.err


def test_of_several_cases_each_has_an_id_of_its_own(plans: Pmo) -> None:
    words = ("PLAN-0001", "PLAN-0002", "--to", "2", "--state", "reviewed", "--reason", "one rule")
    plans.done("migrate", *words, "--id", "all")
    head = plans.done("status", "--json").json()["head"]
    plans.done("migrate", *words, "--id", "all")
    assert plans.done("status", "--json").json()["head"] == head
    ids = [
        json.loads(line)["command_id"]
        for line in plans.done("log", "--json", "--after", str(head - 2)).out.splitlines()
    ]
    assert ids == ["all/PLAN-0001", "all/PLAN-0002"]
    assert plans(*ALL, "--reason", "the rest", "--id", "all").code == 1
    assert plans.done("status", "--json").json()["head"] == head


def test_a_dry_run_tells_of_every_running_case_what_would_become_of_it(plans: Pmo) -> None:
    head = plans.done("status", "--json").json()["head"]
    answer = plans(*ALL, "--dry-run")
    assert answer.code == 1
    assert answer.out.splitlines() == [
        "PLAN-0001  version 1 → 2  drafted  (dry run)",
        "PLAN-0002  stays as it is",
        "  - version 2 has no state checked; say where it goes on: drafted, reviewed, running",
        "PLAN-0004  stays as it is",
        "  - note is not there in version 2, and the case has a value of it",
        "1 would go to version 2, 2 stay",
    ]
    _, second, _ = plans(*ALL, "--dry-run", "--state", "reviewed", "--json").json()
    (due,) = second.pop("deadlines")
    assert due["then"] == "stop"
    assert second == {
        "case": "PLAN-0002",
        "before": 1,
        "after": 2,
        "state_before": "checked",
        "state": "reviewed",
        "lapsing": ["fin (finance)"],
        "position": None,
    }
    told = plans(*ALL, "--dry-run", "--state", "reviewed").out
    assert "  answers that no longer count: fin (finance)\n" in told
    assert plans.done("status", "--json").json()["head"] == head, "nothing is written"


def test_those_that_can_go_do_and_every_view_says_so(plans: Pmo) -> None:
    reason = ("--reason", "one rule for all")
    answer = plans(*ALL, "--state", "reviewed", *reason, actor="olaf:operator")
    assert (answer.code, answer.out.splitlines()[-1]) == (1, "2 went to version 2, 1 stay")
    shown = plans.done("show", "PLAN-0002").out
    assert shown.startswith("PLAN-0002  reviewed  Two\nplan 2, version 4")
    assert "finance has not agreed yet" in shown
    history = plans.done("history", "PLAN-0002").out
    assert "CaseMigrated  checked → reviewed\n" in history
    assert "olaf as operator\n" in history
    assert "    from version 1 of the workflow to version 2\n" in history
    assert "    because: one rule for all\n" in history
    listed = {row["key"]: row for row in plans.done("list", "--json").json()["cases"]}
    assert [listed[f"PLAN-000{n}"]["definition_version"] for n in range(1, 6)] == [2, 2, 1, 1, 2]
    outcomes = [
        d["outcome"] for d in plans.done("deadlines", "--all", "--json").json()["deadlines"]
    ]
    assert sorted(outcomes, key=str) == [None, "moved"]
    assert 'class="label taken"' not in plans.done("diagram", "PLAN-0002").out
    assert "say what the log says" in plans.done("verify").out
    plans.done("rebuild")
    assert "say what the log says" in plans.done("verify").out
    plans.done("do", "PLAN-0001", "review", actor="lena:lead")
    assert 'class="label taken"' in plans.done("diagram", "PLAN-0001").out


def test_it_is_taken_back(plans: Pmo) -> None:
    plans.done("migrate", "PLAN-0002", "--to", "2", "--state", "reviewed", "--reason", "new")
    back = plans.done("migrate", "PLAN-0002", "--to", "1", "--state", "checked", "--reason", "no")
    assert back.out.startswith("PLAN-0002  version 2 → 1  reviewed → checked  (position ")
    assert "can run" in plans.done("do", "PLAN-0002").out
    assert "say what the log says" in plans.done("verify").out
    moved = plans.done("migrate", "--workflow", "plan", "--to", "1", "--reason", "all of them").out
    assert moved.splitlines()[0].startswith("PLAN-0005  version 2 → 1  drafted")
    assert moved.splitlines()[-1] == "1 went to version 1, 0 stay"
    assert (
        plans.done("migrate", "--workflow", "plan", "--to", "1", "--dry-run", "--json").json() == []
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("PLAN-0001 --to 2", "say why: --reason; or look at it first: --dry-run"),
        ("--to 2 --dry-run", "name the cases, or a --workflow"),
        ("PLAN-0001 --workflow plan --to 2 --dry-run", "name the cases, or a --workflow"),
        ("PLAN-0001 --from 1 --to 2 --dry-run", "name the cases, or a --workflow"),
        ("PLAN-1 --to 2 --dry-run", "there is no case 'PLAN-1' (did you mean PLAN-0001?)"),
        (
            "--workflow plam --to 2 --dry-run",
            "no workflow 'plam' is published (did you mean 'plan'?)",
        ),
        ("--workflow plan --to 9 --dry-run", "there is no version 9 of plan (there is 1, 2)"),
        ("--workflow plan --from 9 --to 2 --dry-run", "there is no version 9 of plan"),
        ("PLAN-0001 --to 0 --reason x", "0 is not in the range"),
        ("PLAN-0001 --to 2 --reason", "Option '--reason' requires an argument"),
    ],
)
def test_what_cannot_be_meant_is_told(plans: Pmo, words: str, told: str) -> None:
    answer = plans("migrate", *words.split())
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err


def test_a_single_case_that_cannot_go_is_told_with_every_reason(plans: Pmo) -> None:
    answer = plans("migrate", "PLAN-0003", "--to", "7", "--reason", "x")
    assert (answer.code, answer.err) == (1, "")
    assert answer.out.splitlines() == [
        "PLAN-0003  stays as it is",
        "  - PLAN-0003 has ended (stopped), and stays as it was decided",
        "  - no version 7 of plan is published; pmo workflows lists them",
    ]


def test_its_event_is_part_of_the_contract(plans: Pmo) -> None:
    plans.done("migrate", "PLAN-0001", "--to", "2", "--reason", "new")
    assert "CaseMigrated" in plans.done("contract", "list", "plan").out
    schema = plans.done("contract", "schema", "plan", "CaseMigrated").json()
    event = json.loads(plans.done("log", "--json").out.splitlines()[-1])
    del event["position"]
    validator = Draft202012Validator(schema)
    assert event["name"] == "CaseMigrated"
    assert [*validator.iter_errors(event)] == []
    for name in ("former", "source", "state", "entered"):
        assert [*validator.iter_errors({k: v for k, v in event.items() if k != name})] != []
