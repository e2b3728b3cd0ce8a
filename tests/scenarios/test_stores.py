"""Every scenario passes on every store: in files and in PostgreSQL as in memory.

A ledger in which the definitions are published is made once. Each scenario begins with it as it
was: of a file a copy is taken, in a database whatever came after is taken out again, which only its
owner can do, who has lifted the triggers that keep a ledger as it is.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from engine.scenarios.stage import run
from engine.store.log import Log
from engine.store.opening import open_log
from engine.store.sqlite import SQLiteLog
from tests.postgres_server import Server
from tests.scenarios.library import PUBLISHED, SCENARIOS

OWN = """
ALTER TABLE pmo_log.events DISABLE TRIGGER events_stay_as_written;
ALTER TABLE pmo_log.command_markers DISABLE TRIGGER markers_stay_as_written;
"""
REWIND = """
DELETE FROM pmo_log.events WHERE position > {head};
DELETE FROM pmo_log.command_markers WHERE first_position > {head};
"""
NewLog = Callable[[], Log]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def new_log(request: pytest.FixtureRequest) -> Iterator[NewLog]:
    if request.param == "sqlite":
        # In memory where there is such a folder: what a disk costs is not the question here.
        shared = Path("/dev/shm")
        folder = tempfile.mkdtemp(dir=shared if shared.is_dir() else None)
        yield in_files(Path(folder))
        shutil.rmtree(folder)
        return
    postgres: Server = request.getfixturevalue("postgres")
    address = postgres.new_database()
    with psycopg.connect(address, autocommit=True) as owner:
        yield from in_database(address, owner)
    postgres.drop_database(address)


def in_files(folder: Path) -> NewLog:
    prepared, played = folder / "prepared.db", folder / "played.db"
    PUBLISHED.on(lambda: SQLiteLog(prepared)).close()

    def new_log() -> Log:
        for file in folder.glob("played.db*"):  # with what SQLite keeps beside it
            file.unlink()
        return SQLiteLog(shutil.copyfile(prepared, played))

    return new_log


def in_database(address: str, owner: psycopg.Connection) -> Iterator[NewLog]:
    log = PUBLISHED.on(lambda: open_log(address))
    rewind = REWIND.format(head=log.head())
    owner.execute(OWN)
    lasting = Lasting(log)

    def new_log() -> Log:
        owner.execute(rewind)
        return lasting

    yield new_log
    log.close()


class Lasting:
    """A log that whoever has played a scenario does not close: opening one takes as long again."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("workflow", SCENARIOS)
def test_every_scenario_passes_on_every_store(workflow: str, new_log: NewLog) -> None:
    results = [*run(*SCENARIOS[workflow], PUBLISHED, new_log)]
    assert [(one.where, one.failure) for one in results if one.failure] == []
    assert len(results) == len(SCENARIOS[workflow][0].scenarios)
