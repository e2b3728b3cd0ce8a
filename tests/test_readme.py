"""The README is run: its commands in order, in an empty folder, and what it says comes of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PMO = Path(sys.executable).with_name("pmo")

MINE = """
workflow: my-workflow
version: 1
title: A workflow of my own
key: MY
data:
  title: {type: text, required: true}
states:
  open: {initial: true}
  done: {final: true}
transitions:
  - {trigger: finish, from: open, to: done}
"""


def commands() -> list[str]:
    """Every indented line that calls ``pmo``, continuation lines joined, comments dropped."""
    joined = re.sub(r" \\\n\s+", " ", README)
    return [
        re.sub(r"\s{2,}#.*", "", line).strip()
        for line in re.findall(r"^    (pmo .*)$", joined, re.MULTILINE)
    ]


def blocks() -> list[str]:
    """What the README shows as printed: the indented lines that are no commands."""
    found = re.findall(r"(?:^    (?!pmo |make | {4}).*\n(?:      .*\n)*)+", README, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() for block in found]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "business-case.txt").write_text("Clients wait nine minutes on average.\n")
    (folder / "my-workflow.yaml").write_text(MINE)
    (folder / "workflows").symlink_to(ROOT / "workflows")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PMO_")}
    environment |= {"PATH": f"{PMO.parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    output = []
    for command in commands():
        follows = "--follow" in command
        process = subprocess.Popen(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        if follows:
            output.append(process.stdout.readline())
            os.killpg(process.pid, 2)
            process.communicate()
            continue
        out, _ = process.communicate(timeout=PATIENCE)
        output.append(out)
        expected = 1 if " review " in command and "--as rosa:reviewer" in command else 0
        assert process.returncode == expected, f"{command}\n{out}"
    return "\n".join(output)


def test_every_command_of_the_tour_runs(printed: str) -> None:
    assert len(commands()) >= 15
    assert "DEC-0001" in printed


def test_what_the_tour_shows_is_what_it_prints(printed: str) -> None:
    shown = blocks()
    assert len(shown) >= 2
    for block in shown:
        for line in block.splitlines():
            assert line.strip() in printed, f"the README shows a line nobody printed: {line}"


def test_both_commands_for_newcomers_are_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_promise_names_a_test_that_exists() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py"))
    rows = re.findall(r"^\| (\d+) \| .*\| (.*) \|$", README, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [1, 2, 3, 4, 5, 6, 7, 8, 11, 12]
    for number, named in rows:
        names = re.findall(r"`(test_\w+)`", named)
        assert names, f"promise {number} names no test"
        for name in names:
            assert f"def {name}(" in tests, name


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)|src=\"([^\"]+)\"", README):
        path = target[0] or target[1]
        assert (ROOT / path).exists(), path
