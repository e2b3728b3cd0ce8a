"""The file that views are in: connecting to it, what may be wrong with it, and in which words that
is told.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from engine.errors import StoreFailed
from engine.store.sqlite_file import address
from projections.sql import Unfit

FORM = 1
"""``PRAGMA user_version``. Views of another form are not read: they are built again."""

MEND = "pmo rebuild builds the views anew"

# What the machine did to us, as opposed to what an event did: never a reason to park an event.
_SURROUNDINGS = {
    sqlite3.SQLITE_BUSY: "another process holds the views; try again when it is done",
    sqlite3.SQLITE_LOCKED: "another process holds the views; try again when it is done",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_READONLY: "the file or its folder may not be written",
    sqlite3.SQLITE_IOERR: "the disk could not be read or written",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; pmo rebuild sets it aside and builds it again",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_NOTADB: "it is not a database; pmo rebuild sets it aside and builds it again",
}
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


# Binding None costs CPython 0.45 µs, because it looks for an adapter in vain: with rows half empty
# that was a third of the time of an insert. This one is found, and changes nothing.
sqlite3.register_adapter(type(None), {}.get)  # type: ignore[arg-type]


def set_aside(path: Path) -> Path | None:
    """Where what is at ``path`` was moved to, because no views can be read there; ``None`` where
    they can, or there are none.

    Raises ``StoreFailed``.
    """
    if not path.exists() or (path.is_file() and _is_sound(path)):
        return None
    aside = path.with_name(f"{path.name}.damaged")
    try:
        path.replace(aside)
        for journal in ("-wal", "-shm"):
            path.with_name(path.name + journal).unlink(missing_ok=True)
    except OSError as error:
        raise StoreFailed(f"{path}: it is damaged and cannot be moved: {error.strerror}") from None
    return aside


def _is_sound(path: Path) -> bool:
    try:
        with closing(connect(path, "rw", timeout=10)) as connection:
            ((sound,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
            ((form,),) = connection.execute("PRAGMA user_version").fetchall()
        return (sound, form) == ("ok", FORM)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
            raise explained(error, path) from error
        return False


def of_another_form(path: Path, form: int) -> StoreFailed:
    what = f"its views are of form {form}, which is not known here" if form else "it holds no views"
    return StoreFailed(f"{path}: {what}; {MEND}")


def checkpoint(path: Path) -> None:
    """It waits for the disk, twice, which a build's own commits had to. What the disk has against
    it, the build is told as well.
    """
    with suppress(sqlite3.Error, StoreFailed), closing(connect(path, "rw", timeout=0)) as beside:
        beside.execute("PRAGMA wal_checkpoint(PASSIVE)")


def connect(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            address(path, mode),
            uri=True,
            isolation_level=None,
            timeout=timeout,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise explained(error, path) from error


def explained(error: sqlite3.Error, path: Path) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if "Could not decode to UTF-8" in str(error):  # which has no code
        code = sqlite3.SQLITE_CORRUPT
    if code in _SURROUNDINGS:
        return StoreFailed(f"{path}: {_SURROUNDINGS[code]} ({error})")
    return Unfit(f"{error}")
