"""The tutorials are run as they stand: their files are written, their commands typed, and what they
show comes of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def write(folder: Path, block: str) -> None:
    """A file, or a change to it: its first line says which."""
    head, text = block.split("\n", 1)
    name, _, how = head.removeprefix("# ").partition(", ")
    file = folder / name
    before = file.read_text(encoding="utf-8") if how else ""
    if not how:
        text = block
    elif how == "at the end":
        text = before + text
    elif how == "instead of the states":
        text = re.sub(r"^states:\n(?:  .*\n)+", lambda _: text, before, flags=re.MULTILINE)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Each command, and the lines shown as printed by it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


@pytest.mark.parametrize(
    ("page", "types", "draws"),
    [("tutorial.md", 23, "supplier.svg"), ("tutorial-board.md", 51, "vendor.svg")],
)
def test_a_tutorial_holds_from_the_first_line_to_the_last(
    page: str, types: int, draws: str, tmp_path: Path
) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PMO_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment |= {"PATH": path, "NO_COLOR": "1"}
    typed = 0
    for kind, block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if kind == "yaml":
            write(tmp_path, block)
            continue
        for command, shown in commands(block):
            done = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            typed += 1
            fails = any(line.startswith(("refused:", "error:")) for line in shown)
            assert done.returncode == int(fails), f"{command}\n{done.stdout}"
            for line in shown:
                assert line in done.stdout, f"{command} does not print {line!r}\n{done.stdout}"
    assert typed == types
    assert (tmp_path / draws).is_file()
