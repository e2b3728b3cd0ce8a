"""Matters that wait for people, and memos that have gone up to them."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Pmo
from tests.governance.conftest import REGISTERS

MATTER = """
workflow: matter
version: 1
title: Matter
key: MAT
roles:
  requester:
  reviewer:
  head: {appointed_in: data.unit}
data:
  title: {type: text, required: true}
  unit: {type: text}
  amount: {type: money, currency: GBP}
  level: {type: number}
  note: {type: text}
states:
  draft: {initial: true}
  ready: {awaits: [approve, reject], deadline: {within: 5 days, then: lapse}}
  approved: {awaits: []}
  rejected: {final: true}
start: {by: requester}
transitions:
  - {trigger: submit, from: draft, to: ready, by: reviewer, not_by: requester}
  - trigger: approve
    from: ready
    to: approved
    by: {authority: {category: funding, value: data.amount, unit: data.unit}}
    not_by: requester
    needs: note
  - {trigger: reject, from: ready, to: rejected, by: head}
  - trigger: call-in
    from: ready
    to: ready
    by: {authority: {category: funding, value: data.amount, unit: data.unit, least: data.level}}
    needs: level
  - {trigger: lapse, from: ready, to: rejected, by: timer}
  - {trigger: reopen, from: approved, to: ready, by: head}
"""


def begin(pmo: Pmo, folder: Path) -> Pmo:
    """Hal decides up to 10,000, the board above; dee has what hal lent her. MAT-0001 is the
    board's and overdue, MAT-0002 is hal's, MAT-0003 is a draft; pat has asked for all of them."""
    files = []
    for number, text in enumerate([*REGISTERS.split("---\n"), MATTER]):
        files.append(folder / f"{number}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    pmo.done("init", "--bare", actor="operator")
    pmo.done("publish", *map(str, files), actor="operator")
    pmo.done("start", "body", "name=board", "members=bea,bob,pat", "chair=bea", "quorum=60")
    rule = ("start", "authority", "category=funding", "unit=it")
    pmo.done(*rule, "level=1", "limit=10k", "holder=head", "held_by=role")
    pmo.done(*rule, "level=2", "holder=board", "held_by=body", "rule=simple")
    pmo.done("start", "appointment", "role=head", "unit=it", "person=hal")
    pmo.done("start", "delegation", "giver=hal", "receiver=dee", "role=head", "unit=it")
    for title, amount in (("Bridge", "50k"), ("Bench", "1k"), ("Bin", "10")):
        pmo.done("start", "matter", f"title={title}", "unit=it", f"amount={amount}")
    early = ("--occurred-at", "2026-01-05")
    pmo.done("start", "matter", "title=Old", "unit=it", "amount=50k", *early)
    pmo.done("do", "MAT-0004", "submit", *early, actor="rex:reviewer")
    for key in ("MAT-0001", "MAT-0002"):
        pmo.done("do", key, "submit", actor="rex:reviewer")
    return pmo


MEMO = """
workflow: memo
version: 1
title: Memo
key: MEMO
roles: {clerk: , head: {appointed_in: it}}
data: {title: {type: text}, level: {type: number}, boss: {type: person}}
states: {open: {initial: true}, read: {final: true}}
transitions:
  - {trigger: file, from: open, to: read, by: clerk}
  - trigger: raise
    from: open
    by: clerk
    escalates:
      from: head
      to: {authority: {category: funding, unit: it, least: data.level}}
  - {trigger: tell, from: open, by: clerk, escalates: {from: clerk, to: {person: boss}}}
"""


def gone_up(pmo: Pmo, folder: Path) -> Pmo:
    """MEMO-0001 has gone up to the board, MEMO-0002 to zoe; no step in their state is theirs."""
    file = folder / "memo.yaml"
    file.write_text(MEMO, encoding="utf-8")
    pmo.done("publish", str(file), actor="operator")
    pmo.done("start", "memo", "title=Roof", "level=2", actor="cleo:clerk")
    pmo.done("start", "memo", "title=Desk", "boss=zoe", actor="cleo:clerk")
    pmo.done("do", "MEMO-0001", "raise", actor="cleo:clerk")
    pmo.done("do", "MEMO-0002", "tell", actor="cleo:clerk")
    return pmo
