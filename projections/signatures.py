"""Who signed for what, and for how long it stood: votes, agreements and their withdrawal.

A signature stands until its person signs anew for the same, or the case enters a state: what was
agreed to then is not what is asked now. Only who knows the case's state can tell whether an event
enters one, so ``projections.cases`` keeps these tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from projections.store import Tables, read_sql

SIGNED = "pmo.case.signed.v1"

_SQL = read_sql("signatures.sql")


class Signatures:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._signed: set[str] | None = None  # the cases with signatures that stand

    def create(self) -> None:
        self._tables.run_script(_SQL["tables"])

    def index(self) -> None:
        self._tables.run_script(_SQL["indexes"])

    def sign(self, position: int, key: str, at: str, signed: Sequence[str]) -> None:
        """For what, by whom and with which answer it was ``signed``."""
        of, person, answer = signed
        self._tables.run(_SQL["end_one"], [position, at, key, of, person])
        self._tables.run(_SQL["sign"], [position, key, of, person, answer, at])
        self._cases().add(key)

    def end(self, position: int, key: str, at: str) -> None:
        """A state was entered: what was signed before does not count any more."""
        if key in self._cases():
            self._tables.run(_SQL["end_all"], [position, at, key])
            self._cases().discard(key)

    def forget(self) -> None:
        self._signed = None

    def _cases(self) -> set[str]:
        if self._signed is None:
            self._signed = {key for (key,) in self._tables.run(_SQL["standing"])}
        return self._signed


def standing(tables: Tables, key: str) -> list[tuple[str, str, str]]:
    """What counts in a case: for what, who and with which answer, in order of text."""
    return sorted(tuple(row) for row in tables.run(_SQL["of_case"], [key]))
