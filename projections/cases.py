"""All cases across workflows, as they are now; and what was signed in them."""

from __future__ import annotations

from typing import Any

from projections.definitions import MIGRATED, PUBLISHED
from projections.gist import heed
from projections.recent import Recent
from projections.signatures import SIGNED, Signatures
from projections.store import Tables, read_sql
from projections.views import Batch

_SQL = read_sql("cases.sql")

_NO_CASES = frozenset((PUBLISHED, "pmo.claim.changed.v1"))
"""Events whose stream is no case: of definitions, and of claims that cases compete for."""

_OBSERVED = "pmo.case.observed.v2"

_TITLES = (("0", "name"), ("1", "title"))
"""The fields a case may be called by, the better one last, each with its rank."""

_NAMES = frozenset(field for _, field in _TITLES)

# A row, in the order of the columns.
_VERSION, _STATE, _STATE_SINCE, _TITLE, _TITLE_SINCE = 4, 5, 6, 7, 8
_NOTHING_KNOWN = (0, None, "", None, "", 0, "", "", "")


class Cases:
    name = "cases"
    version = 3

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._signatures = Signatures(tables)
        self._recent: Recent[list[Any]] = Recent(5_000)
        self._waiting: dict[str, list[Any]] = {}

    def create(self) -> None:
        self._tables.run_script(_SQL["tables"])
        self._signatures.create()

    def index(self) -> None:
        self._tables.run_script(_SQL["indexes"])
        self._signatures.index()

    def apply(self, batch: Batch) -> None:
        self.take([(position, heed(event)) for position, event in batch])

    def take(self, told: Batch) -> None:
        waiting, recent, signatures = self._waiting, self._recent, self._signatures
        for position, gist in told:
            (key, kind, workflow, definition, digest, version, at, recorded_at, name, state, data,
             signed) = gist  # fmt: skip
            if kind in _NO_CASES:
                continue
            row = waiting.get(key)
            if row is None:
                row = recent.get(key) or self._load(key, version)
                row = row or [key, workflow, definition, digest, *_NOTHING_KNOWN]
                waiting[key] = row
            if kind == MIGRATED:
                row[2:4] = definition, digest
                signatures.end(position, key, at)
            row[_VERSION] = version
            row[9:] = position, recorded_at, at, name
            # A late fact does not replace what came to be so after it.
            if state is not None and at >= row[_STATE_SINCE]:
                # A fact that tells of the state the case is in anyway does not enter it.
                if state != row[_STATE] or kind != _OBSERVED:
                    signatures.end(position, key, at)
                row[_STATE], row[_STATE_SINCE] = state, at
            elif kind == SIGNED:
                signatures.sign(position, key, at, signed)
            if data and not _NAMES.isdisjoint(data):
                _entitle(row, data, at)

    def write(self) -> None:
        self._tables.run_many(_SQL["put"], self._waiting.values())
        self._recent.update(self._waiting)
        self._waiting.clear()

    def forget(self) -> None:
        self._recent.clear()
        self._waiting.clear()
        self._signatures.forget()

    def _load(self, key: str, version: int) -> list[Any] | None:
        """The case's row as it is in the table; a first event has none."""
        found = self._tables.run(_SQL["one"], [key]) if version > 1 else []
        return list(found[0]) if found else None


def _entitle(row: list[Any], data: dict[str, Any], at: str) -> None:
    for rank, field in _TITLES:
        # The better field wins whenever it was said; of one field, what was so last.
        if field in data and (since := f"{rank} {at}") >= row[_TITLE_SINCE]:
            title = data[field]
            row[_TITLE], row[_TITLE_SINCE] = title if type(title) is str else None, since


def case(tables: Tables, key: str) -> dict[str, Any] | None:
    """One case as it is now: key, workflow, definition, version, state, title, when it changed."""
    rows = tables.fetch(_SQL["one"], [key])
    return rows[0] if rows else None


def cases(
    tables: Tables,
    *,
    workflow: str | None = None,
    state: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> tuple[list[dict[str, Any]], int]:
    """Cases, those changed last first, and how many there are in all."""
    given = {"workflow": workflow, "state": state, "limit": limit, "offset": offset}
    with tables.snapshot():
        return tables.fetch(_SQL["page"], given), int(tables.run(_SQL["count"], given)[0][0])


def of_workflow(tables: Tables, workflow: str) -> list[dict[str, Any]]:
    """All cases of a workflow by their keys: key, definition_version, state."""
    return tables.fetch(_SQL["of_workflow"], [workflow])


def states_by_version(tables: Tables) -> list[dict[str, Any]]:
    """In which states cases are, by which version: workflow, definition_version, state."""
    return tables.fetch(_SQL["states_by_version"])


def count_by_state(tables: Tables) -> list[dict[str, Any]]:
    """How many cases of each workflow are in each state: workflow, state, cases."""
    return tables.fetch(_SQL["states"])


def keys(tables: Tables, prefix: str, most: int) -> list[str]:
    """The first keys that begin so."""
    found = tables.run(_SQL["keys"], [prefix, f"{prefix}\U0010ffff", most])
    return [key for (key,) in found]
