"""A look at one stream of a ledger, for processes that must start fast.

Neither ``eventsourcing`` nor the event models are imported: what is read was validated on its way
in. Whoever writes, or reads more than a case, opens the log (``engine.store.opening``).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import orjson

from engine.errors import StoreFailed
from engine.store import sqlite_file
from engine.upcasts import Body, read

_STREAM = "SELECT position, state FROM events WHERE originator_id = ? ORDER BY originator_version"


def read_stream(path: Path, stream: str) -> list[tuple[int, Body]]:
    """The events of one stream in order: position, and body lifted to today's form.

    Raises ``StoreFailed``.
    """
    if not path.is_file():
        raise StoreFailed(f"{path}: there is no ledger here")
    try:
        with closing(sqlite_file.connect(str(path))) as connection:
            rows = connection.execute(_STREAM, (stream,)).fetchall()
    except sqlite3.Error as error:
        raise sqlite_file.failed(str(path), error) from error
    return [(position, read(position, state, orjson.loads)) for position, state in rows]
