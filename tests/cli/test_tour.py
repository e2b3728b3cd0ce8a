"""docs/year.md is run: every command of the tour works, and what it shows as printed is printed."""

from __future__ import annotations

import re
import shlex
from xml.etree import ElementTree as ET

import pytest

from tests.cli.conftest import ROOT

PAGE = (ROOT / "docs" / "year.md").read_text(encoding="utf-8")
COMMANDS = [
    line for line in re.findall(r"^    (pmo .*)$", PAGE, re.MULTILINE) if line != "pmo demo"
]
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
SHOWN = re.findall(r"^    (?!pmo |export |  )(\S.*)$", PROSE, re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_tour_works_and_has_something_to_show(line, demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pmo, _ = demo
    answer = pmo.done(*shlex.split(line)[1:])
    assert (answer.out + answer.err).strip()
    assert not answer.out.rstrip().endswith("\n\nnothing"), "an empty view is no tour"


def test_the_tour_has_something_for_everybody():
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert {"PMO people", "Sponsors and boards", "Auditors", "Operators"} <= set(headings)
    assert len(COMMANDS) >= 35


def test_what_the_tour_shows_is_what_it_prints(demo):
    pmo, _ = demo
    printed = pmo.done("history", "DEC-0003").out
    assert len(SHOWN) == 2
    for line in SHOWN:
        assert line in printed


def test_the_picture_in_the_docs_is_the_one_that_is_drawn(demo, tmp_path):
    pmo, _ = demo
    pmo.done("demo", "--home", str(pmo.home), "--picture", str(tmp_path / "year.svg"))
    drawn = (tmp_path / "year.svg").read_text(encoding="utf-8")
    assert drawn == (ROOT / "docs" / "year.svg").read_text(encoding="utf-8")
    assert ET.fromstring(drawn).get("role") == "img"
