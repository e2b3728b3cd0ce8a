"""Every statement of the mission's text has a workflow, a scenario that holds, and a view."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "source.md").read_text(encoding="utf-8")
SOURCE = ROOT.parent / "shared" / "SOURCE.txt"
ROWS = re.findall(
    r"^\| (.+?) \| \[.+?\]\(\.\./(.+?)\) \| (.+?) \| `pmo view (.+?)` \|$", PAGE, re.MULTILINE
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
