"""Which store an address names."""

from __future__ import annotations

from pathlib import Path

from engine.store.log import Log
from engine.store.memory import MemoryLog
from engine.store.sqlite import SQLiteLog

MEMORY = ":memory:"


def open_log(address: str | Path) -> Log:
    """The log in memory for ``:memory:``, else the SQLite ledger at this path, made if need be.

    Raises ``StoreFailed``.
    """
    return MemoryLog() if str(address) == MEMORY else SQLiteLog(address)
