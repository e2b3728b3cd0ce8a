"""Every statement of the mission's text has a workflow, a scenario that holds, and a view."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scenarios.library import SCENARIOS, results

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "source.md").read_text(encoding="utf-8")
SOURCE = ROOT.parent / "shared" / "SOURCE.txt"
ROWS = re.findall(
    r"^\| (.+?) \| \[.+?\]\(\.\./(.+?)\) \| (.+?) \| `pmo view (.+?)` \|$", PAGE, re.MULTILINE
)

BAD = re.findall(
    r"^\| (.+?) \| \[(\S+?)\]\(\.\./(.+?)\) \| (.+?) \| ([^`|]+?) \|$", PAGE, re.MULTILINE
)


@pytest.mark.parametrize(("statement", "workflow", "scenario", "view"), ROWS)
def test_a_statement_has_a_workflow_a_scenario_and_a_view(
    statement: str, workflow: str, scenario: str, view: str
) -> None:
    assert (ROOT / workflow).is_file()
    told = (ROOT / workflow).with_suffix(".scenarios.yaml").read_text(encoding="utf-8")
    assert f"  - scenario: {scenario}\n" in told, statement
    assert (ROOT / "workflows" / "views" / f"{view}.yaml").is_file()


def test_no_statement_is_left_out() -> None:
    if not SOURCE.is_file():
        pytest.skip("the mission's text is not beside the project (../shared/SOURCE.txt)")
    text = SOURCE.read_text(encoding="utf-8")
    statements = [row[0] for row in ROWS]
    assert len(statements) == PAGE.count("pmo view ")
    assert [words for words in statements if words not in text] == []
    paragraphs = [line for line in text.splitlines() if line.strip()]
    assert [p for p in paragraphs if not any(words in p for words in statements)] == []


@pytest.mark.parametrize(("what", "workflow", "file", "name", "told"), BAD)
def test_bad_input_is_refused_for_its_reason_in_a_scenario(
    what: str, workflow: str, file: str, name: str, told: str
) -> None:
    assert (ROOT / file).is_file()
    (number,) = [
        n for n, one in enumerate(SCENARIOS[workflow][0].scenarios) if one.scenario == name
    ]
    scenario, result = SCENARIOS[workflow][0].scenarios[number], results(workflow)[number]
    assert result.failure == ""
    then = scenario.then
    wanted = [word for attempt in scenario.refuses for word in attempt.because]
    wanted += [*(then.refused or ()), then.bad_input or ""] if then else []
    reasons = [v.reason for refusal in result.refusals for v in refusal.verdicts]
    assert any(told in word for word in [*wanted, *reasons]), what


def test_no_kind_of_bad_input_is_left_out() -> None:
    table = PAGE[PAGE.index("| bad input |") :]
    assert len(BAD) == table.count("](../workflows/") == 19
