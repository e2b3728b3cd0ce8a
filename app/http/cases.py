"""``/v1/cases`` and ``/v1/waiting``: what the views say of cases, and for whom they wait."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Any

from app.cases import describe, listed
from app.home import Home
from app.offers import offers
from app.waiting import described, for_everybody, for_one
from engine import canonical
from engine.clock import read_moment
from engine.commands import Requester
from engine.events import to_bytes
from engine.store.log import Log
from engine.upcasts import Body
from projections.definitions import definition
from projections.store import Tables

MOST = 1_000
"""Cases, or events, in one answer."""


def read_case(
    tables: Tables, log: Log, key: str, as_of: str | None, known_at: str | None
) -> dict[str, Any] | None:
    """As ``app.cases.describe``, with ``next``: what can be asked for now.

    Raises ``BadInput`` for a moment that is none.
    """
    moments = [
        read_moment(moment, f"query/{name}") if moment is not None else None
        for name, moment in (("as_of", as_of), ("known_at", known_at))
    ]
    case = describe(tables, key, read_events(log, key), *moments)
    if case is None:
        return None
    return case | {"next": None if any(moments) else _next(tables, case)}


def _next(tables: Tables, case: dict[str, Any]) -> list[dict[str, Any]]:
    """What the definition says can be asked for. What is missing of votes, authority and children
    only the engine can tell, and does where it is asked: an empty list would say nothing is."""
    rules = definition(tables, case["workflow"], case["definition_version"])
    found = offers(rules["body"] if rules else {}, case["state"], case["data"])
    judged = {"decided_by", "missing", "warned", "may", "on_behalf_of"}
    return [
        {name: said for name, said in asdict(offer).items() if name not in judged}
        for offer in found
    ]


def read_waiting(
    tables: Tables, home: Home, asker: Requester | None, limit: int, offset: int
) -> dict[str, Any]:
    """What waits for one person, or for anybody: as ``pmo waiting --json`` has it."""
    if asker is None:
        return described(for_everybody(home, tables)[offset:], None, limit)
    return described([*islice(for_one(home, asker, tables, offset), limit + 1)], asker, limit)


def read_events(log: Log, key: str, after: int = 0) -> list[tuple[int, Body]]:
    """Position and body of a case's events with versions above ``after``, in order."""
    return [
        (recorded.position, canonical.decode(to_bytes(recorded.event)))
        for recorded in log.stream(key, after)
    ]


def read_cases(
    tables: Tables, workflow: str | None, state: str | None, limit: int, offset: int
) -> dict[str, Any]:
    rows, total = listed(tables, workflow=workflow, state=state, limit=limit, offset=offset)
    return {"total": total, "cases": rows}
