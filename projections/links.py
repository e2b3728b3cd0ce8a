"""Which cases belong to which: one row for each child a case has heard of."""

from __future__ import annotations

from projections.store import Tables, read_sql
from projections.views import Batch

LINKED = "pmo.case.linked.v1"

_SQL = read_sql("links.sql")


class Links:
    name = "links"
    version = 1

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def create(self) -> None:
        self._tables.run_script(_SQL["tables"])

    def index(self) -> None:
        self._tables.run_script(_SQL["indexes"])

    def apply(self, batch: Batch) -> None:
        self._tables.insert(
            _SQL["insert"],
            [
                (position, body["stream"], body["child"], body["workflow"], body["occurred_at"])
                for position, body in batch
                if body["type"] == LINKED
            ],
        )

    def write(self) -> None:
        """Nothing waits."""

    def forget(self) -> None:
        """Nothing is remembered."""
