"""Which store an address names."""

from __future__ import annotations

from pathlib import Path

from engine.store.log import Log
from engine.store.sqlite import SQLiteLog

MEMORY = ":memory:"
SCHEMES = ("postgresql://", "postgres://")


def open_log(address: str | Path) -> Log:
    """The log in memory for ``:memory:``, in PostgreSQL for ``postgresql://USER@HOST:PORT/DB``,
    else the SQLite ledger at this path; made if need be.

    Raises ``StoreFailed``.
    """
    address = str(address)
    if address == MEMORY:
        from engine.store.memory import MemoryLog

        return MemoryLog()
    if address.startswith(SCHEMES):
        from engine.store.postgres import PostgresLog  # its driver is not for those without it

        return PostgresLog(address)
    return SQLiteLog(address)
