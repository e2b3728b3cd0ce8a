"""What is published has been played: a definition whose own scenarios fail is not put in force."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Pmo

WORKFLOWS = Path(__file__).parent / "workflows"


@pytest.fixture
def folder(tmp_path):
    """Two definitions, of which one has scenarios, in a second version."""
    copy = tmp_path / "definitions"
    copy.mkdir()
    for name in ("objective.yaml", "objective.scenarios.yaml", "decision.yaml"):
        shutil.copy(WORKFLOWS / name, copy)
    edit(copy / "objective.yaml", "version: 1", "version: 2")
    return copy


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def fail(folder: Path) -> None:
    """One scenario expects what does not come about."""
    edit(folder / "objective.scenarios.yaml", "state: active", "state: closed")


def newest(pmo: Pmo, workflow: str) -> int:
    rows = pmo.done("workflows", "--json").json()
    return max(row["version"] for row in rows if row["name"] == workflow)


def test_what_holds_is_published(pmo, folder):
    answer = pmo.done("publish", str(folder))
    assert "objective version 2 is published" in answer.out
    assert "decision version 1 was published already" in answer.out


def test_nothing_is_published_where_a_scenario_fails_and_it_is_told_as_check_tells_it(pmo, folder):
    fail(folder)
    edit(folder / "decision.yaml", "version: 1", "version: 2")
    before = pmo.done("status", "--json").json()["head"]
    answer = pmo("publish", str(folder))
    assert (answer.code, answer.out) == (1, "")
    *why, last = answer.err.splitlines()
    checked = pmo("check", str(folder)).out.splitlines()
    assert "objective 2: 3 states, 2 transitions, 1 of 2 scenarios hold" in why[0]
    assert why[1:]
    assert {*why} <= {*checked}
    assert last.startswith("error: nothing is published, because scenarios")
    assert pmo.done("status", "--json").json()["head"] == before


def test_as_json_the_report_is_one_line(pmo, folder):
    fail(folder)
    answer = pmo("publish", "--json", str(folder))
    (line,) = answer.err.splitlines()
    told = json.loads(line)
    assert (answer.code, answer.out, told["error"]) == (1, "", "scenarios-fail")
    ((objective),) = [one for one in told["definitions"] if one["workflow"] == "objective"]
    assert [one["where"] for one in objective["failed"]]
    assert (told["ok"], objective["scenarios"]) == (False, 2)


def test_scenarios_that_cannot_be_read_are_none_that_hold(pmo, folder):
    edit(folder / "objective.scenarios.yaml", "scenarios:", "scenarois:")
    answer = pmo("publish", str(folder))
    assert answer.code == 1
    assert "objective.scenarios.yaml:" in answer.err
    assert "did you mean 'scenarios'?" in answer.err
    assert newest(pmo, "objective") == 1


def test_who_means_it_publishes_all_the_same(pmo, folder):
    fail(folder)
    answer = pmo.done("publish", "--skip-scenarios", str(folder))
    assert "objective version 2 is published" in answer.out


def test_what_is_published_already_is_not_played_again(pmo, folder):
    pmo.done("publish", str(folder))
    fail(folder)
    answer = pmo.done("publish", str(folder))
    assert "objective version 2 was published already" in answer.out
    edit(folder / "decision.yaml", "version: 1", "version: 2")
    assert "decision version 2 is published" in pmo.done("publish", str(folder)).out


def test_scenarios_are_played_among_what_is_published_with_them(pmo, folder):
    (folder / "decision.scenarios.yaml").write_text(
        "background:\n"
        "  - {start: objective, as: 'sue:sponsor', data: {title: Kept, due: 2099-12-31}}\n"
        "  - {do: activate, of: OBJ-0001, as: 'sue:sponsor'}\n"
        "scenarios:\n"
        "  - scenario: A decision serves an objective\n"
        "    when: {start: decision, as: 'pat:requester', data: {title: It, objective: OBJ-0001}}\n"
        "    then: {state: draft}\n",
        encoding="utf-8",
    )
    edit(folder / "decision.yaml", "version: 1", "version: 2")
    pmo.done("publish", str(folder))
    edit(folder / "decision.yaml", "version: 2", "version: 3")
    pmo.done("publish", str(folder / "decision.yaml"))
    assert newest(pmo, "decision") == 3
