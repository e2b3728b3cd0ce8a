"""Where a home can be: in a folder, or in a PostgreSQL database. What a home is made of, and where
each part is, is known here and nowhere else.

Nothing heavy is imported before it is needed, and no driver of a database that is not used.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.errors import BadInput, StoreFailed

if TYPE_CHECKING:
    from consumers.memory import Place as Memories
    from engine.store.log import Log
    from engine.store.postgres_glance import Glance
    from engine.upcasts import Body
    from projections.store import Place as Views

Address = Path | str
"""A folder, or ``postgresql://USER@HOST:PORT/DATABASE``."""

LEDGER = "ledger.db"
VIEWS = "views.db"
SETTINGS = "settings.yaml"
SCHEDULER = "scheduler.db"
"""What is due and was refused: without it, it is tried anew."""
CONSUMERS = "consumers.db"

_DATABASE = re.compile(r"postgres(ql)?:/")
_OTHER_SCHEME = re.compile(r"(?!postgres(?:ql)?:)([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


class Place(Protocol):
    """The parts of a home: where they are, and what can be told of them without opening them."""

    @property
    def folder(self) -> Path | None:
        """Where a home may have settings and views of its own."""

    @property
    def lacks(self) -> str:
        """What is missing where there is no home."""

    @property
    def views(self) -> Path | Views: ...

    @property
    def memories(self) -> Path | Memories:
        """What consumers remember."""

    @property
    def refusals(self) -> Path | Memories:
        """What is due and was refused."""

    def __str__(self) -> str:
        """As it may be shown: without a password."""

    def exists(self) -> bool: ...

    def make(self) -> None:
        """Make it ready for a ledger. Raises ``BadInput``, ``StoreFailed``."""

    def admit(self, role: str) -> None:
        """Let a role of the database work with the home that is there, and not rewrite its log.
        Raises ``BadInput`` where there are no roles."""

    def open_log(self) -> Log: ...

    def head(self) -> int:
        """The last position in the ledger. Raises ``StoreFailed`` where there is none."""

    def stream(self, key: str) -> list[tuple[int, Body]]:
        """The events of one stream in order: position, and body lifted to today's form."""

    def has_views(self) -> bool: ...

    def has_memories(self) -> bool: ...

    def has_refusals(self) -> bool: ...

    def may_write_views(self) -> bool: ...

    def sizes(self) -> tuple[int, int]:
        """Bytes of the ledger, and of its views."""

    def close(self) -> None: ...


def read_address(text: Path | str) -> Address:
    """What somebody named as a home. Raises ``BadInput`` for an address of another kind."""
    if other := _OTHER_SCHEME.match(str(text)):
        raise BadInput.one(
            str(text),
            f"a home is not kept in {other[1]}",
            "name a folder, or postgresql://USER@HOST:PORT/DATABASE",
        )
    return str(text) if is_database(text) else Path(text)


def is_database(address: Address) -> bool:
    return _DATABASE.match(str(address)) is not None


def place_of(address: Address) -> Place:
    return Database(str(address)) if is_database(address) else Folder(Path(address))


class Folder:
    """A home in files, on SQLite."""

    lacks = f"there is no ledger ({LEDGER})"

    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder
        self._ledger = folder / LEDGER
        self._path = folder
        self.views = folder / VIEWS
        self.memories = folder / CONSUMERS
        self.refusals = folder / SCHEDULER

    def __str__(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        try:
            return self._ledger.is_file()
        except OSError as error:
            raise StoreFailed(f"{self}: {error.strerror}") from None

    def make(self) -> None:
        path = self._path
        try:
            if path.exists() and not path.is_dir():
                raise BadInput.one(str(path), "is a file", "name a folder, or one to be made")
            # The demo makes its home inside the one that is made next.
            if path.is_dir() and not all((inside / LEDGER).is_file() for inside in path.iterdir()):
                raise BadInput.one(
                    str(path), "other things are in this folder", "name an empty or a new one"
                )
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreFailed(f"{path}: a home cannot be made here: {error.strerror}") from None

    def admit(self, role: str) -> None:
        raise BadInput.one("--admit", f"{self} is a folder, and {role} a role of a database")

    def open_log(self) -> Log:
        from engine.store.opening import open_log

        return open_log(self._ledger)

    def head(self) -> int:
        from engine.store.sqlite_file import head_of

        return head_of(str(self._ledger))

    def stream(self, key: str) -> list[tuple[int, Body]]:
        from engine.store.glance import read_stream

        return read_stream(self._ledger, key)

    def has_views(self) -> bool:
        return self.views.exists()

    def has_memories(self) -> bool:
        return self.memories.exists()

    def has_refusals(self) -> bool:
        return self.refusals.exists()

    def may_write_views(self) -> bool:
        from engine.store.sqlite_file import is_read_only

        return os.access(self._path, os.W_OK) and not is_read_only(self.views)

    def sizes(self) -> tuple[int, int]:
        views = self.views.stat().st_size if self.has_views() else 0
        return self._ledger.stat().st_size, views

    def close(self) -> None:
        """Nothing is held."""


class Database:
    """A home in the schemas ``pmo_log``, ``pmo_views`` and ``pmo_consumers`` of a database."""

    folder: Path | None = None
    lacks = "there is no ledger in this database"

    def __init__(self, address: str) -> None:
        self._address = address

    def __str__(self) -> str:
        from engine.store.postgres_connection import plain_address

        return plain_address(self._address)

    def exists(self) -> bool:
        return self._glance.is_there()

    def make(self) -> None:
        from projections.postgres import PostgresPlace

        # Whether it sorts as it must is found out before there is a ledger in it.
        PostgresPlace(self._address).open_for_writing().close()

    def admit(self, role: str) -> None:
        from projections.postgres import PostgresPlace

        self._glance.admit(role)
        PostgresPlace(self._address).hand_over(role)

    def open_log(self) -> Log:
        from engine.store.opening import open_log

        return open_log(self._address)

    def head(self) -> int:
        return self._glance.head()

    def stream(self, key: str) -> list[tuple[int, Body]]:
        return self._glance.stream(key)

    @cached_property
    def views(self) -> Views:
        from projections.postgres import PostgresPlace

        return PostgresPlace(self._address)

    @cached_property
    def memories(self) -> Memories:
        from consumers.postgres import PostgresMemories

        return PostgresMemories(self._address)

    @property
    def refusals(self) -> Memories:
        return self.memories

    def has_views(self) -> bool:
        from projections.postgres import PostgresPlace

        return PostgresPlace(self._address).is_built()

    def has_memories(self) -> bool:
        from consumers.postgres import PostgresMemories

        return PostgresMemories(self._address).is_made()

    def has_refusals(self) -> bool:
        return self.has_memories()

    def may_write_views(self) -> bool:
        return self._glance.may_write()

    def sizes(self) -> tuple[int, int]:
        return self._glance.size("pmo_log"), self._glance.size("pmo_views%")

    def close(self) -> None:
        if glance := self.__dict__.pop("_glance", None):
            glance.close()

    @cached_property
    def _glance(self) -> Glance:
        from engine.store.postgres_glance import Glance

        return Glance(self._address)
