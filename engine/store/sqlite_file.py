"""The ledger's file: opening it, and saying in plain words why it cannot be read or written.

Imports neither events nor ``eventsourcing``, so a process that only asks how far the log has come
(``head_of``) starts in a third of the time.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from engine.errors import StoreFailed

BUSY_SECONDS = 10
SCHEMA_VERSION = 2
_APPLICATION_ID = 0x504D4F31
CHECKPOINT_PAGES = 8_000
"""Of 4 KiB: SQLite moves its journal into the file after 32 MB, not 4. Each move syncs the file and
writes the hottest pages once more; commits are as durable without it."""
_SCHEMA = Path(__file__).with_name("ledger.sql")

# Every event names its command. Where one cannot be read, the hash stays that the command was known
# by, for `pmo verify` to tell of. One command wrote each event: of several rows at one, all but one
# were written by hand, and keep theirs.
_COMMANDS_OF_VERSION_1 = """
CREATE TEMP TABLE commands AS
SELECT coalesce(
    CASE WHEN place = 1 AND json_valid(told)
    THEN CAST(json_extract(told, '$.command_id') AS TEXT) END,
    hex(marker)
) AS command_id, first_position, count, fingerprint
FROM (
    SELECT *, row_number() OVER (PARTITION BY first_position ORDER BY count DESC, marker) AS place
    FROM command_markers
)
LEFT JOIN (SELECT position, CAST(state AS TEXT) AS told FROM events) ON position = first_position
ORDER BY 1
"""

# Binding bytes costs CPython 0.2 µs, because it looks for an adapter in vain: this one is found,
# and changes nothing. A command binds five and more.
sqlite3.register_adapter(bytes, bytes)

_PLAIN_WORDS = {
    sqlite3.SQLITE_BUSY: f"another process kept it locked for more than {BUSY_SECONDS} seconds",
    sqlite3.SQLITE_FULL: "the disk is full; make room and try again",
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_READONLY: "it is read-only; check the permissions of the file and its folder",
    sqlite3.SQLITE_NOTADB: "it is not a ledger: not an SQLite database",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup (pmo verify: from where on)",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and may be written",
}


def connect(path: str) -> sqlite3.Connection:
    """A connection that commits durably (WAL, ``synchronous=FULL``), for one thread at a time.

    Makes the ledger where there is none. One that may only be read can be read. Raises
    ``sqlite3.Error``, or ``StoreFailed`` for what is not a ledger of a known version.
    """
    if Path(path).is_dir():
        raise StoreFailed(f"{path}: it is a folder; name the file of the ledger")
    connection = sqlite3.connect(
        address(Path(path), "rwc"),
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        if not is_read_only(Path(path)):
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        if _kind(connection) != (_APPLICATION_ID, SCHEMA_VERSION):
            _make(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def is_read_only(path: Path) -> bool:
    """Whether there is a database that can only be read.

    SQLite writes its journals beside the file, so a folder that may not be written is enough.
    """
    return path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def address(path: Path, mode: str) -> str:
    """The URI under which SQLite opens a database, for reading only where nothing else is possible.

    A database in WAL mode needs its ``-shm`` file even to be read. Where that cannot be made and no
    ``-wal`` file tells of somebody at work, the file is taken for what it is on a write-protected
    medium: ``immutable``. What others write meanwhile is not seen then.
    """
    if is_read_only(path):
        journal = path.with_name(path.name + "-wal")
        unused = not journal.exists() or journal.stat().st_size == 0
        alone = unused and not os.access(path.parent, os.W_OK)
        mode = "ro&immutable=1" if alone else "ro"
    return f"{path.absolute().as_uri()}?mode={mode}"


def head_of(path: str) -> int:
    """The last position in the ledger at ``path``. Raises ``StoreFailed`` where there is none."""
    if not Path(path).is_file():
        raise StoreFailed(f"{path}: there is no ledger here")
    try:
        with closing(connect(path)) as connection:
            row = connection.execute("SELECT max(position) FROM events").fetchone()
            return int(row[0] or 0)
    except sqlite3.Error as error:
        raise failed(path, error) from error


_NO_TEXT = "Could not decode to UTF-8"


def failed(path: str, error: BaseException) -> StoreFailed:
    """The same failure in words that a user can act on."""
    return StoreFailed(f"{path}: {_PLAIN_WORDS.get(_code(error), error)}")


def is_damage(error: BaseException) -> bool:
    """Also text that is none, where bytes were: Python says so, without a code."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or _NO_TEXT in str(error)


def is_cut_off(error: BaseException) -> bool:
    return _code(error) == sqlite3.SQLITE_CORRUPT


def first_unreadable(path: str) -> int:
    """The first position that a damaged file does not give any more."""
    reached = 0
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(address(Path(path), "ro"), uri=True)) as connection,
    ):
        # Else SQLite reads nothing at all of a file that is shorter than its first page says.
        connection.execute("PRAGMA writable_schema = ON")
        for position, _ in connection.execute("SELECT position, state FROM events ORDER BY 1"):
            reached = position
    return reached + 1


def _code(error: BaseException) -> int:
    """SQLite's primary result code, also where ``eventsourcing`` has wrapped the error; else 0."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.Error):
        cause = cause.__cause__
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF


def _use_wal(connection: sqlite3.Connection) -> None:
    """SQLite waits for locks, but not for this one: six processes opening a new file collide."""
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _make(connection: sqlite3.Connection, path: str) -> None:
    if _kind(connection) == (_APPLICATION_ID, 1) and is_read_only(Path(path)):
        raise StoreFailed(
            f"{path}: its schema has version 1; open it once where it may be written, and it is"
            f" brought to version {SCHEMA_VERSION}"
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        kind = _kind(connection)
        if kind == (_APPLICATION_ID, 1):
            _bring_up_to_date(connection)
        elif kind != (_APPLICATION_ID, SCHEMA_VERSION):  # else another process was quicker
            if kind[0] == _APPLICATION_ID:
                raise StoreFailed(
                    f"{path}: its schema has version {kind[1]}, this program knows"
                    f" {SCHEMA_VERSION}; use the version of pmo that wrote it"
                )
            if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                raise StoreFailed(f"{path}: it is not a ledger but some other SQLite database")
            for statement in _statements(_SCHEMA.read_text(encoding="utf-8")):
                connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """From version 1 of the schema, where commands were known by a hash of their ids
    (docs/adr/0030-commands-by-their-ids.md). Their events stay as they are."""
    connection.execute(_COMMANDS_OF_VERSION_1)
    connection.execute("DROP TABLE command_markers")
    for statement in _statements(_SCHEMA.read_text(encoding="utf-8")):
        if "command_markers" in statement:
            connection.execute(statement)
    connection.execute("INSERT INTO command_markers SELECT * FROM temp.commands")
    connection.execute("DROP TABLE temp.commands")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _kind(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


_KINDS = {"table": "a table", "index": "an index", "view": "a view", "trigger": "a trigger"}


class _Thing(NamedTuple):
    """A row of ``sqlite_schema``; SQLite's own indexes have no SQL."""

    name: str
    kind: str
    table: str
    sql: str | None


def compare_schema(connection: sqlite3.Connection) -> str:
    """What tells a ledger's schema from what it was made with; empty if nothing.

    A dropped trigger lets events be changed, one that was added can change them as they come; a
    unique index keeps some from coming. What SQLite itself notes for an operator's ``ANALYZE`` is
    no difference.
    """
    found = _things(connection)
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in _statements(_SCHEMA.read_text(encoding="utf-8")):
            fresh.execute(statement)
        wanted = _things(fresh)
        fresh.execute("ANALYZE")
        allowed = _things(fresh)
    names = {thing.name for thing in wanted}
    for name in sorted(names - {thing.name for thing in found}):
        return f"{name}, which the ledger was made with, is missing"
    # Counted, because rows that were written by hand can have one name twice.
    for thing in sorted((found - allowed).keys(), key=repr):
        if thing.name in names:
            return f"{thing.name} is not what the ledger was made with"
        kind = _KINDS.get(thing.kind, "something")
        return f"{thing.name} is {kind} that the ledger was not made with"
    return ""


def _things(connection: sqlite3.Connection) -> Counter[_Thing]:
    rows = connection.execute("SELECT name, type, tbl_name, sql FROM sqlite_schema")
    return Counter(_Thing(*row) for row in rows)


def _statements(script: str) -> list[str]:
    """One by one, because ``executescript`` commits the transaction it is called in."""
    statements = [""]
    for line in script.splitlines():
        statements[-1] += line + "\n"
        if sqlite3.complete_statement(statements[-1]):
            statements.append("")
    return [statement for statement in statements if statement.strip()]
