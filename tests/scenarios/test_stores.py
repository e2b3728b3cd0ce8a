"""Every scenario passes on every store: in files and in PostgreSQL as in memory.

A ledger in which the definitions are published is made once. Each scenario begins with it as it
was: of a file a copy is taken, in a database whatever came after is taken out again, which only its
owner can do, who has lifted the triggers that keep a ledger as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from engine.stage import run
from engine.store.log import Log
from engine.store.opening import open_log
from engine.store.sqlite import SQLiteLog
from tests.postgres import Server
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
def new_log(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewLog]:
    if request.param == "sqlite":
        yield in_files(tmp_path_factory.mktemp("ledgers"))
        return
    postgres: Server = request.getfixturevalue("postgres")
    address = postgres.new_database()
    with psycopg.connect(address, autocommit=True) as owner:
        yield in_database(address, owner)
    postgres.drop_database(address)


def in_files(folder: Path) -> NewLog:
    prepared, numbers = folder / "prepared.db", count()
    PUBLISHED.on(lambda: SQLiteLog(prepared)).close()

    def new_log() -> Log:
        file = folder / f"{next(numbers)}.db"
        return SQLiteLog(shutil.copyfile(prepared, file))

    return new_log


def in_database(address: str, owner: psycopg.Connection) -> NewLog:
    log = PUBLISHED.on(lambda: open_log(address))
    rewind = REWIND.format(head=log.head())
    log.close()
    owner.execute(OWN)

    def new_log() -> Log:
        owner.execute(rewind)
        return open_log(address)

    return new_log


@pytest.mark.parametrize("workflow", SCENARIOS)
def test_every_scenario_passes_on_every_store(workflow: str, new_log: NewLog) -> None:
    results = [*run(*SCENARIOS[workflow], PUBLISHED, new_log)]
    assert [(one.where, one.failure) for one in results if one.failure] == []
    assert len(results) == len(SCENARIOS[workflow][0].scenarios)
