"""Large ledgers, made quickly: cases of many observations each, through the log's own append."""

from __future__ import annotations

from pathlib import Path

from engine import ids
from engine.clock import SystemClock
from engine.commands import PublishDefinition, Requester
from engine.events import Actor, CaseObserved, Conformance, DefinitionRef, Source
from engine.loading import load_definition
from engine.service import Service
from engine.store.log import Append, Appended
from engine.store.sqlite import SQLiteLog

DEFINITION = """
workflow: project
version: 1
title: Project
key: PRJ
data:
  name:   {type: text}
  rating: {type: choice, of: [Green, Amber, Red]}
  end:    {type: date}
  cost:   {type: money, currency: GBP}
states:
  reported: {initial: true, final: true}
"""
EVENTS_A_CASE = 50
IMPORTER = Actor(id="importer", kind="import")


def fill(path: Path, events: int, each: int = EVENTS_A_CASE) -> SQLiteLog:
    """A ledger of about that many events, ``each`` a case; these are ``PRJ-000001`` and so on."""
    log = SQLiteLog(path)
    definition = load_definition(DEFINITION, "bench")
    requester = Requester(id="importer", kind="import")
    Service(log).handle(
        PublishDefinition(command_id="p", actor=requester, body=definition.body, text=DEFINITION)
    )
    ref = DefinitionRef(name="project", version=1, hash=definition.hash)
    group = 1_000 // each
    for first in range(0, events // each, group):
        now = SystemClock().now()
        cases = [_case(number + 1, ref, each, now) for number in range(first, first + group)]
        assert all(isinstance(answer, Appended) for answer in log.append(cases))
    return log


def _case(number: int, definition: DefinitionRef, events: int, now: str) -> Append:
    key, versions = f"PRJ-{number:06}", range(1, events + 1)
    return Append(
        events=tuple(_observed(number, version, definition, now) for version in versions),
        expected={key: 0},
        command_id=key,
        fingerprint=bytes(32),
    )


def _observed(number: int, version: int, definition: DefinitionRef, now: str) -> CaseObserved:
    key, year = f"PRJ-{number:06}", 1970 + version
    return CaseObserved(
        event_id=ids.new_id(),
        stream=key,
        version=version,
        name="RatingChanged",
        recorded_at=now,
        occurred_at=f"{year}-03-31",
        actor=IMPORTER,
        definition=definition,
        command_id=key,
        correlation_id=key,
        state="reported" if version == 1 else None,
        data={
            "name": f"Project {key}",
            "rating": ("Green", "Amber", "Red")[(number + version) % 3],
            "end": f"{year + 20 + number % 10}-03-31",
            "cost": {"amount": f"{number * 7919 % 1000 + version}000000", "currency": "GBP"},
        },
        conformance=Conformance(verdict="conforms"),
        origin=Source(name=f"report {year}"),
    )
