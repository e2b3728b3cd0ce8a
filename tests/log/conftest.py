"""Small events to put into a log, and a ledger on SQLite to look into."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from engine import ids
from engine.events import Actor, CaseTransitioned, DefinitionRef
from engine.store import postgres, postgres_connection
from engine.store.log import Append
from engine.store.postgres_connection import PatientConnection
from engine.store.sqlite import SQLiteLog

NINE = "2026-01-01T09:00:00.000000Z"
JUST_BEFORE_TEN = "2026-01-01T09:59:59.000000Z"
TEN = "2026-01-01T10:00:00.000000Z"


def event(stream: str, version: int, at: str = NINE, **data: object) -> CaseTransitioned:
    return CaseTransitioned(
        event_id=ids.new_id(),
        stream=stream,
        version=version,
        name="DecisionTaken",
        recorded_at=at,
        occurred_at=at,
        actor=Actor(id="pat"),
        definition=DefinitionRef(name="decision", version=1, hash="0" * 64),
        command_id="c",
        correlation_id="c",
        trigger="approve",
        source="in_review",
        state="approved",
        data=data,
    )


def append(
    stream: str,
    version: int = 1,
    count: int = 1,
    at: str = NINE,
    command_id: str | None = None,
    reads: dict[str, int] | None = None,
) -> Append:
    """What a command wants that writes ``count`` events from ``version`` on."""
    command_id = command_id or ids.new_id()
    return Append(
        tuple(event(stream, version + i, at) for i in range(count)),
        {stream: version - 1, **(reads or {})},
        command_id,
        sha256(command_id.encode()).digest(),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SQLiteLog]:
    log = SQLiteLog(path)
    yield log
    log.close()


@pytest.fixture
def tamper(path: Path) -> Callable[..., None]:
    """Change the file behind the triggers' back."""

    def run(statement: str, *values: object) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            triggers = other.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            for (name,) in triggers.fetchall():
                other.execute(f"DROP TRIGGER {name}")
            other.execute(statement, values)

    return run


@contextmanager
def impatience() -> Iterator[None]:
    """Waits as in life, but for parts of a second; only while nobody can answer, since who does
    may be slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PatientConnection, "patience", 0.5)
        patch.setattr(postgres, "_PATIENCE", 0.5)
        patch.setitem(postgres_connection._DEFAULTS, "connect_timeout", "2")
        yield
