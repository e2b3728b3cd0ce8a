"""What a shell completes: it asks ``pmo`` itself, by an environment variable."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from click.testing import CliRunner

from app.cli import main
from tests.cli.conftest import Pmo


def completed(home: object, line: str) -> list[str]:
    """What may stand in place of the last word of a line, as bash is told it."""
    words = line.split(" ")
    asked = {
        "_PMO_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = CliRunner(env=asked | {"PMO_HOME": str(home)}).invoke(main, [], prog_name="pmo")
    assert (result.exit_code, result.stderr) == (0, "")
    return [told.partition(",")[2] for told in result.stdout.split()]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pmo sh", ["show"]),
        ("pmo show D", ["DEC-0001"]),
        ("pmo show obj", ["OBJ-0001"]),
        ("pmo do ", ["DEC-0001", "OBJ-0001"]),
        ("pmo do DEC-0001 ", ["submit", "withdraw"]),
        ("pmo do DEC-0001 w", ["withdraw"]),
        ("pmo do DEC-0009 ", []),
        ("pmo start o", ["objective"]),
        ("pmo list ", ["decision", "objective", "project"]),
        ("pmo diagram o", ["objective", "OBJ-0001"]),
        ("pmo diagram D", ["DEC-0001"]),
        ("pmo view deci", ["decisions"]),
        ("pmo sign DEC-0001 a", ["against", "abstain"]),
        ("pmo show --as-of yesterday D", ["DEC-0001"]),
        ("pmo lst D", []),
    ],
)
def test_what_there_is_is_completed(decision: Pmo, line, told):
    assert completed(decision.home, line) == told


def test_the_home_that_the_line_names_is_looked_into(decision: Pmo, nowhere, tmp_path):
    assert completed(tmp_path / "no", f"pmo show --home {decision.home} D") == ["DEC-0001"]


def test_where_there_is_no_home_nothing_is_said(nowhere: Pmo):
    for line in ("pmo show D", "pmo do D ", "pmo list ", "pmo view d", "pmo diagram "):
        assert completed(nowhere.home, line) == []
    assert completed(nowhere.home, "pmo lis") == ["list"]
    assert not nowhere.home.exists()


def test_of_very_many_cases_the_first_are_told(decision: Pmo, monkeypatch):
    monkeypatch.setattr("app.cli.completing._MOST", 1)
    assert completed(decision.home, "pmo show ") == ["DEC-0001"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_the_manual_says_to_load_is_there(shell, tmp_path):
    asked = {"_PMO_COMPLETE": f"{shell}_source"}
    script = CliRunner(env=asked).invoke(main, [], prog_name="pmo").stdout
    assert f"_PMO_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        file = tmp_path / "completion"
        file.write_text(script, encoding="utf-8")
        subprocess.run([shell, "-n", str(file)], check=True)
