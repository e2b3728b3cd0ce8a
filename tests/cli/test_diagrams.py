"""Workflows and cases on the command line, drawn: ``pmo diagram``."""

from __future__ import annotations

import errno
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest


def test_a_workflow_and_a_case_are_drawn(decision, tmp_path):
    file = tmp_path / "case.svg"
    decision.done("diagram", "DEC-0001", "-o", str(file))
    assert ET.parse(file).getroot().tag.endswith("svg")
    assert decision.done("diagram", "decision").out.lstrip().startswith("<")
    mermaid = decision.done("diagram", "DEC-0001", "--format", "mermaid").out
    assert mermaid.startswith("stateDiagram-v2")
    assert "current" in mermaid


@pytest.mark.parametrize("words", [["decison"], ["DEC-1"], ["decision", "-o", "/nowhere/a.svg"]])
def test_what_cannot_be_drawn_is_told(decision, words):
    answer = decision("diagram", *words)
    assert answer.code == 2
    assert answer.err.startswith("error: ")


TWO_WAYS = """
workflow: tender
version: 1
title: Tender
key: TEN
roles: {requester: }
data: {amount: {type: number}, reason: {type: text}}
states: {open: {initial: true}, awarded: {final: true}}
start: {by: requester}
transitions:
  - {trigger: award, from: open, to: awarded, by: requester, needs: amount, when: data.amount < 5}
  - {trigger: award, from: open, to: awarded, by: requester, needs: [amount, reason]}
"""


@pytest.mark.parametrize(("given", "tip"), [([], "data.amount"), (["reason=large"], "reason")])
def test_of_two_ways_by_one_trigger_the_diagram_of_a_case_marks_the_one_it_took(
    pmo, tmp_path, given, tip
):
    file = tmp_path / "tender.yaml"
    file.write_text(TWO_WAYS, encoding="utf-8")
    pmo.done("publish", str(file))
    pmo.done("start", "tender", "amount=4")
    pmo.done("do", "TEN-0001", "award", *given)
    picture = pmo.done("diagram", "TEN-0001").out
    (taken,) = re.findall('<g class="label taken">.*?<title>(.*?)</title>', picture, re.DOTALL)
    assert tip in taken


def test_a_diagram_that_cannot_be_written_leaves_what_was_there(pmo, tmp_path, monkeypatch):
    picture = tmp_path / "decision.svg"
    picture.write_text("the one before", encoding="utf-8")

    def fill_the_disk(file, text, **_):
        file.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", fill_the_disk)
        answer = pmo("diagram", "decision", "-o", str(picture))
    assert answer.code == 2
    assert "cannot be written: No space left on device" in answer.err
    assert [file.name for file in tmp_path.glob("*decision.svg*")] == ["decision.svg"]
    assert picture.read_text(encoding="utf-8") == "the one before"


def test_a_diagram_goes_where_a_link_points(pmo, tmp_path):
    (tmp_path / "link.svg").symlink_to(tmp_path / "real.svg")
    (tmp_path / "real.svg").write_text("", encoding="utf-8")
    pmo.done("diagram", "decision", "-o", str(tmp_path / "link.svg"))
    assert (tmp_path / "link.svg").is_symlink()
    assert "<svg" in (tmp_path / "real.svg").read_text(encoding="utf-8")
