"""What people meet who write their first workflow: what they get wrong is told in their words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Pmo

CLERK = "regina:registrar"
PURCHASE = """
workflow: purchase
version: 1
title: Purchase
key: PUR
calendar: uk or usual
roles:
  buyer:
data:
  title: {type: text, required: true}
  unit: {type: text, required: true}
  board: {type: text}
  amount: {type: money, currency: GBP}
states:
  asked: {initial: true, deadline: {within: 10 working days, then: lapse}}
  lapsed: {final: true}
  approved: {final: true}
start: {by: buyer}
transitions:
  - trigger: approve
    from: asked
    to: approved
    by: {authority: {category: purchasing, value: data.amount, unit: data.unit}}
  - {trigger: bless, from: asked, to: approved, quorum: {body: purchase-board}}
  - {trigger: praise, from: asked, to: approved, quorum: {body: data.board}}
  - {trigger: lapse, from: asked, to: lapsed, by: timer}
"""


@pytest.fixture
def office(nowhere: Pmo) -> Pmo:
    """A home in which nothing is published but the registers that ship."""
    nowhere.done("init", "--bare", actor="olaf")
    registers = ROOT / "workflows" / "registers"
    files = [str(registers / f"{name}.yaml") for name in ("body", "authority", "calendar")]
    # Their scenarios appoint people first, and nobody is appointed here.
    nowhere.done("publish", *files, "--skip-scenarios", actor="olaf")
    return nowhere


@pytest.fixture
def purchase(office: Pmo, tmp_path: Path) -> Path:
    file = tmp_path / "purchase.yaml"
    file.write_text(PURCHASE, encoding="utf-8")
    return file


def body(office: Pmo, name: str, *more: str):
    words = (f"name={name}", "members=ann,bo,cy,di,ed", "chair=ann")
    return office.done("start", "body", *words, *more, actor=CLERK)


def test_a_quorum_is_written_and_shown_in_per_cent(office: Pmo) -> None:
    assert "warning" not in body(office, "board", "quorum=60%").out
    shown = office.done("show", "BODY-board").out
    assert "  quorum   60 %\n" in shown
    assert "%" not in next(line for line in shown.splitlines() if "least" in line)
    assert office.done("show", "BODY-board", "--json").json()["data"]["quorum"] == 60


def test_two_members_are_not_two_per_cent(office: Pmo) -> None:
    told = body(office, "board", "quorum=2").out
    assert "a quorum is in per cent of the members, and this is less than one" in told
    assert "say least=2" in told
    changed = ("do", "BODY-board", "change-members", "quorum=3")
    assert "a quorum is in per cent" in office.done(*changed, actor=CLERK).out
    assert "warning" not in office.done(*changed, "least=3", actor=CLERK).out


def test_what_a_definition_looks_up_and_nobody_has_begun_is_told_when_it_is_published(
    office: Pmo, purchase: Path
) -> None:
    told = office.done("publish", str(purchase), actor="olaf").err.splitlines()
    assert [line.partition(" (")[0] for line in told] == [
        "hint: there is no body BODY-purchase-board yet; no vote counts before there is",
        "hint: nobody has authority for purchasing yet; nobody can decide before somebody has",
    ]
    assert "(pmo start body name=purchase-board members=ann,bo,cy chair=ann quorum=60%)" in told[0]
    assert "(pmo start authority category=purchasing unit=any level=1 holder=sponsor" in told[1]


def test_a_slip_in_the_name_of_a_body_is_found_where_the_body_is_known(
    office: Pmo, purchase: Path
) -> None:
    body(office, "purchase-board", "quorum=60%")
    authority = ("category=purchase", "unit=any", "level=1", "holder=sponsor", "held_by=role")
    office.done("start", "authority", *authority, "from=2026-01-01", actor=CLERK)
    slip = PURCHASE.replace("purchase-board", "purchse-board")
    purchase.write_text(slip, encoding="utf-8")
    told = office.done("publish", str(purchase), actor="olaf").err.splitlines()
    assert [line.partition("(")[2] for line in told] == [
        "did you mean 'purchase-board'?)",
        "did you mean 'purchase'?)",
    ]
    mended = slip.replace("purchse-board", "purchase-board").replace("purchasing", "purchase")
    purchase.write_text(mended.replace("version: 1", "version: 2"), encoding="utf-8")
    assert office.done("publish", str(purchase), actor="olaf").err == ""


def test_a_calendar_that_is_not_there_yet_is_told(office: Pmo, purchase: Path) -> None:
    purchase.write_text(PURCHASE.replace("uk or usual", "uk"), encoding="utf-8")
    told = office.done("publish", str(purchase), actor="olaf").err
    assert "hint: there is no calendar CAL-uk yet; no case can start before there is" in told
