"""A case as people read it: its register's row, and from its events who acted, signed and agreed,
its papers and its children; now, or as it stood or was believed to stand at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.participation import participation
from app.trail import papers, select
from engine.upcasts import Body
from projections import register_pages
from projections.cases import case as case_now
from projections.cases import cases
from projections.store import Tables

Events = Sequence[tuple[int, Body]]


def describe(
    tables: Tables, key: str, events: Events, as_of: str | None, known_at: str | None
) -> dict[str, Any] | None:
    """``None`` where there is no such case, or nothing was so, or known, of it by then.

    ``events`` are the case's own, in order; what the views do not show yet is left out.
    """
    about = case_now(tables, key)
    row = register_pages.one(tables, key, as_of=as_of, known_at=known_at)
    if about is None or row is None:
        return None
    shown = [(at, body) for at, body in events if at <= about["position"]]
    recorded_at = next(body["recorded_at"] for at, body in shown if at == row.known_from)
    shown = select(shown, as_of, known_at)
    taking_part = participation(shown)
    children = [
        {"key": child, "workflow": workflow, "state": now.state if now else None}
        for child, workflow in taking_part.children
        for now in [register_pages.one(tables, child, as_of=as_of, known_at=known_at)]
    ]
    return asdict(row) | {
        "workflow": about["workflow"],
        "title": row.data.get("title", row.data.get("name")),
        "recorded_at": recorded_at,
        "as_of": as_of,
        "known_at": known_at,
        "evidence": [paper for _, body in shown for paper in papers(body)],
        "acted": _acted(shown),
        "signed": [asdict(signed) for signed in taking_part.signed],
        "recused": list(taking_part.recused),
        "children": children,
        "gone_up": _gone_up(shown),
    }


def _gone_up(events: Events) -> dict[str, Any] | None:
    """From whom the case has gone up, to whom, and when, if it is still in that state."""
    since, found = "", None
    for _, body in events:
        at = body["occurred_at"]
        if body.get("state") is None or at < since:
            continue  # says nothing of the state, or what came to be so after it
        if not body.get("stays"):
            since, found = at, None
        said = body.get("escalated") or {}
        if to := said.get("to"):
            source = said.get("source") or {}
            found = {"from": source.get("name"), "to": to["name"], "on": at}
    return found


def _acted(events: Events) -> dict[str, list[str]]:
    """Who acted in which role, each once."""
    acted: dict[str, dict[str, None]] = {}
    for _, body in events:
        if body.get("role") and body["type"] != "pmo.case.refused.v1":
            acted.setdefault(body["role"], {})[body["actor"]["id"]] = None
    return {role: list(who) for role, who in acted.items()}


def listed(
    tables: Tables,
    *,
    workflow: str | None = None,
    state: str | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[list[dict[str, Any]], int]:
    """As ``projections.cases.cases``; a title that is withheld is there with its ground."""
    rows, total = cases(tables, workflow=workflow, state=state, limit=limit, offset=offset)
    for row in rows:
        if row["title"] is None and (shown := register_pages.one(tables, row["key"])):
            row["title"] = shown.data.get("title", shown.data.get("name"))
    return rows, total
