"""What the chain of hashes does not cover: the markers beside it, and what stands before it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest

from engine.commands import PublishDefinition, Requester, StartCase
from engine.errors import LogDamaged
from engine.loading import load_definition
from engine.service import Service
from engine.store.commands import check_commands
from engine.store.log import Log
from engine.store.opening import open_log

NOTE = """
workflow: note
version: 1
title: Note
key: NOTE
data: {text: {type: text}}
states: {draft: {initial: true}, sent: {final: true}}
transitions: [{trigger: send, from: draft, to: sent}]
"""
PAT = Requester(id="pat")
ON_DISK = pytest.mark.parametrize("address", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def log(address: str) -> Iterator[Log]:
    """A definition at position 1, and three notes."""
    log = open_log(address)
    service = Service(log)
    body = load_definition(NOTE, "note").body
    service.handle(PublishDefinition(command_id="p", actor=PAT, body=body, text=NOTE))
    for number in range(3):
        service.handle(StartCase(command_id=f"c{number}", actor=PAT, workflow="note"))
    yield log
    log.close()


@pytest.fixture
def tamper(address: str, log: Log) -> Callable[[str], None]:
    """Change rows behind the triggers' back, and leave no trace of it in the schema."""
    return _tamper_postgres(address) if "://" in address else _tamper_file(address)


def _tamper_file(address: str) -> Callable[[str], None]:
    def run(statement: str) -> None:
        with closing(sqlite3.connect(address, isolation_level=None)) as other:
            found = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
            triggers = other.execute(found).fetchall()
            for name, _ in triggers:
                other.execute(f"DROP TRIGGER {name}")
            other.execute(statement)
            for _, sql in triggers:
                other.execute(sql)

    return run


def _tamper_postgres(address: str) -> Callable[[str], None]:
    def run(statement: str) -> None:
        with psycopg.connect(address, autocommit=True) as other:
            other.execute("SET search_path TO pmo_log")
            triggers = other.execute(
                "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal"
                " AND tgrelid IN ('events'::regclass, 'command_markers'::regclass)"
            ).fetchall()
            for table, name in triggers:
                other.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
            other.execute(statement)
            for table, name in triggers:
                other.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")

    return run


def test_markers_are_those_of_the_commands_that_wrote_the_events(log: Log) -> None:
    check_commands(log)


@ON_DISK
@pytest.mark.parametrize("position", [0, -1])
def test_an_event_before_the_first_is_found(
    log: Log, tamper: Callable[[str], None], position: int
) -> None:
    """A forged approval there would count for who reads the case, and no chain would show it."""
    tamper(
        f"INSERT INTO events SELECT {position}, originator_id, 2, topic, state, chain"
        " FROM events WHERE position = 2"
    )
    assert len(log.stream("NOTE-0001")) == 2
    with pytest.raises(LogDamaged, match=f"position {position}: an event stands before the first"):
        log.check()
    assert log.check(after=1) == 3


@ON_DISK
@pytest.mark.parametrize(("first", "count"), [(3, 0), (5, 0), (5, -1)])
def test_a_marker_of_a_command_that_wrote_nothing_is_found(
    log: Log, tamper: Callable[[str], None], first: int, count: int
) -> None:
    """It would keep a command from ever having its effect."""
    tamper(
        f"INSERT INTO command_markers SELECT 'another', {first}, {count}, chain FROM events LIMIT 1"
    )
    with pytest.raises(LogDamaged, match=f"position {first}: a command is marked that wrote no"):
        check_commands(log)
