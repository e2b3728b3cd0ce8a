"""A log on every store that ships: a test that takes ``log`` runs once on each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.log import Log
from engine.store.opening import open_log

STORES = ("memory", "sqlite", "postgres")


@pytest.fixture(params=STORES)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty log can be opened, on each store."""
    if request.param == "postgres":
        return str(request.getfixturevalue("database"))
    return ":memory:" if request.param == "memory" else str(tmp_path / "ledger.db")


@pytest.fixture
def log(address: str) -> Iterator[Log]:
    log = open_log(address)
    yield log
    log.close()
