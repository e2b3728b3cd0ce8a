"""Questions to views, as a test asks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from projections.answers import Figure, ask, figures
from projections.relations import Moments, Relations, Subscriber
from projections.store import Tables
from projections.view_definitions import (
    in_force,
    load_metrics,
    load_view,
    read_parameters,
)

SHIPPED = Path(__file__).parents[2] / "workflows" / "views"
NOW = "2026-06-30T12:00:00.000000Z"


def relations(
    tables: Tables, as_of: str | None = None, known_at: str | None = None, now: str = NOW
) -> Relations:
    given = as_of or known_at
    moments = Moments(as_of, known_at, f"{given}T23:59:59.999999Z" if given else now)
    return Relations(tables, moments, lambda: [Subscriber("views", 3, 5, 1)])


def rows(tables: Tables, sql: str, *, words: Any = (), **moments: Any) -> list[dict[str, Any]]:
    """What a view with this SQL says."""
    text = "id: T1\ntitle: T\nabout: t\nsql: |\n" + "".join(f"  {x}\n" for x in sql.splitlines())
    return _rows(tables, load_view(text, "t.yaml", "t"), {}, **moments)


def opened(tables: Tables, name: str, words: Any = None, **moments: Any) -> list[dict[str, Any]]:
    """What a shipped view says."""
    file = SHIPPED / f"{name}.yaml"
    return _rows(tables, load_view(file.read_bytes(), str(file), name), words or {}, **moments)


def measured(tables: Tables, metric: str, **moments: Any) -> list[Figure]:
    """What a shipped metric says."""
    file = SHIPPED / "metrics.yaml"
    (found,) = [
        one
        for one in in_force(load_metrics(file.read_bytes(), str(file)), "2026-06-30")
        if one.id == metric
    ]
    return figures(tables, relations(tables, **moments), found)


def _rows(tables: Tables, view: Any, words: Any, **moments: Any) -> list[dict[str, Any]]:
    given = read_parameters(view, words, lambda _: None)  # any word will do
    answer = ask(tables, relations(tables, **moments), view, given, 1_000)
    names = [column.name for column in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]
