"""Who signed for what, and for how long it stood: votes, agreements and their withdrawal.

A signature stands until its person signs anew for the same, or the case enters a state: what was
agreed to then is not what is asked now.
"""

from __future__ import annotations

from projections.store import Tables, read_sql
from projections.views import Batch

SIGNED = "pmo.case.signed.v1"

_SQL = read_sql("signatures.sql")


class Signatures:
    name = "signatures"
    version = 2

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._signed: set[str] | None = None  # the cases with signatures that stand

    def create(self) -> None:
        self._tables.run_script(_SQL["tables"])

    def index(self) -> None:
        self._tables.run_script(_SQL["indexes"])

    def apply(self, batch: Batch) -> None:
        signed = self._signed
        if signed is None:
            signed = self._signed = {key for (key,) in self._tables.run(_SQL["standing"])}
        for position, body in batch:
            key, at = body["stream"], body["occurred_at"]
            if body["type"] == SIGNED:
                of, person = body["of"], body["actor"]["id"]
                self._tables.run(_SQL["end_one"], [position, at, key, of, person])
                row = [position, key, of, person, body["answer"], at]
                self._tables.run(_SQL["sign"], row)
                signed.add(key)
            elif key in signed and body.get("state") is not None and not body.get("stays"):
                self._tables.run(_SQL["end_all"], [position, at, key])
                signed.discard(key)

    def write(self) -> None:
        """Nothing waits."""

    def forget(self) -> None:
        self._signed = None
