"""What consumers remember, in ``consumers.db`` beside the ledger: how far each has come, and what
it could not do. The only module here that knows SQLite.

Unlike the views this cannot be made again from the log: without it nobody knows what the world has
been told already. Every change is durable before it counts (``synchronous = FULL``).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import StoreFailed
from engine.store.sqlite_file import address

_FORM = 1

_PLAIN_WORDS = {
    sqlite3.SQLITE_BUSY: "another process holds it; try again when it is done",
    sqlite3.SQLITE_FULL: "the disk is full; make room and try again",
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_READONLY: "it is read-only; check the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and may be written",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup of the same moment or earlier",
    sqlite3.SQLITE_NOTADB: "it is not a database; restore it from a backup",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a consumer could not do. ``item`` tells apart what one event makes it do ("": all)."""

    position: int
    stream: str
    reason: str
    item: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Parked work, until somebody has retried or dismissed it (``closed_at``)."""

    number: int
    consumer: str
    position: int
    item: str
    stream: str
    what: str
    reason: str
    parked_at: str
    tries: int
    closed_at: str | None
    closed_by: str | None
    closed_for: str | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``began``: the position after which the consumer was switched on; ``position``: done."""

    consumer: str
    began: int
    position: int


class Store:
    """One connection, for one thread at a time; other processes may have theirs."""

    def __init__(self, path: Path, reading: bool = False) -> None:
        """Opens it, and makes it where there is none; if only for ``reading``, it must be there.

        Raises ``StoreFailed``.
        """
        self._path = path
        with self._told():
            self._connection = sqlite3.connect(
                address(path, "rw" if reading else "rwc"),
                uri=True,
                isolation_level=None,
                timeout=10,
                check_same_thread=False,
            )
            try:
                self._prepare(reading)
            except BaseException:
                self._connection.close()
                raise

    def begin(self, consumer: str, position: int) -> None:
        """Switch a consumer on after ``position``; one that has been switched on stays as it is."""
        with self._transaction():
            self._run("begin", {"consumer": consumer, "position": position})

    def checkpoints(self) -> list[Checkpoint]:
        return [Checkpoint(*row) for row in self._run("checkpoints")]

    def position(self, consumer: str) -> int | None:
        """How far it has come; ``None`` if it was never switched on."""
        rows = self._run("position", [consumer])
        return int(rows[0][0]) if rows else None

    def finish(self, consumer: str, position: int, troubles: Iterable[Trouble], at: str) -> None:
        """Everything up to ``position`` is done, or parked: both in one transaction."""
        with self._transaction():
            for trouble in troubles:
                said = {
                    "consumer": consumer,
                    "position": trouble.position,
                    "item": trouble.item,
                    "stream": trouble.stream,
                    "what": trouble.what,
                    "reason": trouble.reason,
                    "at": at,
                }
                self._run("park", said)
            self._run("advance", {"consumer": consumer, "position": position})

    def held(self, consumer: str) -> set[str]:
        """The streams of which something is parked."""
        return {stream for (stream,) in self._run("held", [consumer])}

    def incidents(
        self, consumer: str | None = None, number: int | None = None, closed: bool = False
    ) -> list[Incident]:
        """Parked work, oldest first; with ``closed`` also what was retried or dismissed."""
        said = {"consumer": consumer, "number": number, "closed": closed}
        return [Incident(*row) for row in self._run("open", said)]

    def counts(self) -> dict[str, int]:
        """How many incidents each consumer has; none of those that have none."""
        return dict(self._run("count"))

    def tried(self, number: int, reason: str) -> None:
        with self._transaction():
            self._run("tried", {"number": number, "reason": reason})

    def close_incident(self, number: int, at: str, by: str, why: str) -> bool:
        """Whether it was open until now."""
        with self._transaction():
            return bool(self._run("close", {"number": number, "at": at, "by": by, "why": why}))

    def close(self) -> None:
        self._connection.close()

    def _prepare(self, reading: bool) -> None:
        (form,) = self._connection.execute("PRAGMA user_version").fetchone()
        if form not in ((_FORM,) if reading else (0, _FORM)):
            raise StoreFailed(
                f"{self._path}: of form {form}, this program knows {_FORM}; use the version of pmo"
                " that wrote it"
            )
        if reading:
            self._connection.execute("PRAGMA query_only = ON")
            return
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if form != _FORM:
            with self._transaction():
                for statement in _SQL["tables"].split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {_FORM}")

    def _run(self, name: str, said: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        with self._told():
            return self._connection.execute(_SQL[name], said).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The machine's failures in words that a user can act on."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            raise StoreFailed(f"{self._path}: {_PLAIN_WORDS.get(code, error)}") from error


def _read_sql() -> dict[str, str]:
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


_SQL = _read_sql()
