"""Published definitions, whole: what can happen next in a case is read from here."""

from __future__ import annotations

from typing import Any

from projections.store import Tables, from_json, read_sql, to_json
from projections.views import Batch

PUBLISHED = "pmo.definition.published.v1"
MIGRATED = "pmo.case.migrated.v1"

_SQL = read_sql("definitions.sql")


class Definitions:
    name = "definitions"
    version = 1

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def create(self) -> None:
        self._tables.run_script(_SQL["tables"])

    def index(self) -> None:
        """There are too few rows to wait for."""

    def apply(self, batch: Batch) -> None:
        for position, event in batch:
            if event["type"] == PUBLISHED:
                about, body = event["definition"], event["body"]
                self._tables.run(
                    _SQL["insert"],
                    [
                        position,
                        about["name"],
                        about["version"],
                        about["hash"],
                        body["title"],
                        event["recorded_at"],
                        event["actor"]["id"],
                        to_json(body),
                    ],
                )

    def write(self) -> None:
        """Nothing waits."""

    def forget(self) -> None:
        """Nothing is remembered."""


def published(tables: Tables) -> list[dict[str, Any]]:
    """Every definition: name, version, hash, title, published_at, published_by, position, body."""
    return [_whole(row) for row in tables.fetch(_SQL["all"])]


def definition(tables: Tables, workflow: str, version: int | None = None) -> dict[str, Any] | None:
    """One version of a workflow, the newest unless told; ``body`` is the definition as data."""
    if version is None:
        rows = tables.fetch(_SQL["newest"], [workflow])
    else:
        rows = tables.fetch(_SQL["exact"], [workflow, version])
    return _whole(rows[0]) if rows else None


def workflows(tables: Tables) -> list[str]:
    return [name for (name,) in tables.run(_SQL["workflows"])]


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"body": from_json(row["body"])}
