"""Deciding under governance: approvals whose authority is a body's (a ladder of two levels, five
members, quorum and majority), with separation of duties and evidence that is young and unchanged.
Beside it, in the same run: the same step with a role guard and a condition. Both in groups of 32,
durable before they are acknowledged.

    .venv/bin/python -m bench.governing
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median

from app.garbage import collect_seldom
from bench.report import Row, write
from engine.commands import (
    Command,
    PublishDefinition,
    PullTrigger,
    Requester,
    Sign,
    StartCase,
)
from engine.errors import PmoError
from engine.events import Evidence
from engine.loading import load_definition
from engine.service import Service
from engine.store.sqlite import SQLiteLog

CASES = 6_400
ROUND = 640
GROUP = 32
CLERK = Requester(id="clerk", roles=("clerk",))
MEMBERS = [Requester(id=f"member-{number}") for number in range(5)]
PAPER = Evidence(kind="business-case", as_of="2026-01-01", sha256="a" * 64)

BODY = """
workflow: body
version: 1
title: Body
key: BODY-{name}
register: body
in_force: [active]
data:
  name: {type: text, required: true}
  members: {type: list, of: person}
  chair: {type: person}
  quorum: {type: number}
states: {active: {initial: true}, dissolved: {final: true}}
transitions: [{trigger: dissolve, from: active, to: dissolved}]
"""
AUTHORITY = """
workflow: authority
version: 1
title: Authority
key: AUTH-{category}.{unit}.{level}
register: authority
in_force: [active]
data:
  category: {type: text, required: true}
  unit: {type: text, required: true}
  level: {type: number, required: true}
  limit: {type: money, currency: GBP}
  holder: {type: text}
  held_by: {type: choice, of: [role, body]}
states: {active: {initial: true}, revoked: {final: true}}
transitions: [{trigger: revoke, from: active, to: revoked}]
"""
DECISION = """
workflow: decision
version: 1
title: Governance decision
key: DEC
roles: {clerk: }
data:
  unit:   {type: text}
  amount: {type: money, currency: GBP}
states: {ready: {initial: true}, approved: {final: true}}
start: {by: clerk}
transitions:
  - {trigger: pass, from: ready, to: approved, by: clerk, when: data.amount <= 1000000}
  - trigger: approve
    from: ready
    to: approved
    by: {authority: {category: funding, value: data.amount, unit: data.unit}}
    not_by: clerk
    evidence: {kind: business-case, newer_than: 10 years, unchanged: true}
    when: data.amount <= 1000000
"""


def prepare(service: Service) -> list[str]:
    """Registers, and decisions that wait to be taken, each with its paper and three votes."""
    for number, text in enumerate((BODY, AUTHORITY, DECISION)):
        body = load_definition(text, "bench").body
        service.handle(
            PublishDefinition(command_id=f"p{number}", actor=CLERK, body=body, text=text)
        )
    rules = [
        {"level": 1, "limit": "10000", "holder": "director", "held_by": "role"},
        {"level": 2, "holder": "board", "held_by": "body"},
    ]
    members = {"members": [member.id for member in MEMBERS], "quorum": 60}
    entries = [("body", {"name": "board", **members})]
    entries += [("authority", {"category": "funding", "unit": "any", **rule}) for rule in rules]
    send(service, [_start(f"r{i}", name, data) for i, (name, data) in enumerate(entries)])
    data = {"unit": "transport", "amount": "90000"}
    send(service, [_start(f"d{n}", "decision", data) for n in range(CASES)])
    keys = [f"DEC-{number:04}" for number in range(1, CASES + 1)]
    send(service, votes(keys))
    return keys


def _start(command_id: str, workflow: str, data: Mapping[str, object]) -> StartCase:
    evidence = (PAPER,) if workflow == "decision" else ()
    return StartCase(
        command_id=command_id, actor=CLERK, workflow=workflow, data=dict(data), evidence=evidence
    )


def votes(keys: list[str]) -> Iterator[Sign]:
    for key in keys:
        for member in MEMBERS[:3]:
            yield Sign(
                command_id=f"{key}-{member.id}", actor=member, case=key, of="board", answer="for"
            )


def send(service: Service, commands: Iterable[Command]) -> None:
    for answer in service.handle_many(commands):
        if isinstance(answer, PmoError):
            raise answer


def rate(service: Service, keys: list[str], trigger: str, actor: Requester) -> float:
    """Steps a second, in groups."""
    commands = [
        PullTrigger(command_id=f"{trigger}-{key}", actor=actor, case=key, trigger=trigger)
        for key in keys
    ]
    started = time.perf_counter()
    for first in range(0, len(commands), GROUP):
        send(service, commands[first : first + GROUP])
    return len(commands) / (time.perf_counter() - started)


def main() -> None:
    collect_seldom()  # as ``pmo serve`` and ``pmo work`` do; it holds for both
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        log = SQLiteLog(Path(name) / "ledger.db")
        service = Service(log)
        keys = prepare(service)
        rounds = [keys[first : first + ROUND] for first in range(0, CASES, ROUND)]
        plain = median(rate(service, some, "pass", CLERK) for some in rounds[::2])
        governed = median(rate(service, some, "approve", MEMBERS[0]) for some in rounds[1::2])
        log.close()
    row = Row(
        "body, votes, evidence", f"{governed:,.0f}/s", f"{plain:,.0f}/s", f"{governed / plain:.2f}"
    )
    write("Deciding with authority, quorum and evidence", __doc__ or "", "a plain step", [row])


if __name__ == "__main__":
    main()
