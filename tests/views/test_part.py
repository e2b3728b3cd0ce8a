"""A long build is divided between two processes, and nobody can tell."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import orjson
import pytest

from engine.errors import StoreFailed
from engine.store.sqlite import SQLiteLog
from projections import part, sqlite
from projections import runner as runners
from projections.audit import Audit
from projections.cases import Cases, cases
from projections.opening import open_for_reading
from projections.part import Apart, Part
from projections.register import Registers
from projections.register_pages import page
from projections.runner import Runner
from projections.shipped import PROJECTIONS
from projections.sqlite import Scratch
from projections.verify import verify
from projections.views import Batch, ProjectionClass
from tests.patience import PATIENCE, wait_until
from tests.views.conftest import NINE, History, contents

Build = Callable[..., Runner]


class Fastidious(Registers):
    """Takes no case by the name of Poison."""

    def take(self, told: Batch) -> None:
        taste(told)
        super().take(told)


class Particular(Cases):
    """As fastidious, of the case list."""

    def take(self, told: Batch) -> None:
        taste(told)
        super().take(told)


def taste(told: Batch) -> None:
    if any({"title": "Poison"} in gist for _, gist in told):
        raise ValueError("not to my taste")


def all_with(other: Apart) -> tuple[ProjectionClass, ...]:
    """All projections, one of them another than is shipped."""
    return tuple(other if p.name == other.name else p for p in PROJECTIONS)


def apart_with(other: Apart) -> tuple[Apart, ...]:
    return tuple(other if p.name == other.name else p for p in (Cases, Registers))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SQLiteLog]:
    with closing(SQLiteLog(tmp_path / "ledger.db")) as log:
        history = History(log)
        history.write(history.definition())
        for round_ in range(3):
            keys = (f"A-{n}" for n in range(100))
            history.write(*(history.observed(key, {"order": round_}) for key in keys))
        history.write(history.observed("B-1", {"title": "Poison"}))
        yield log


@pytest.fixture
def build(log: SQLiteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Builds with a second process, however few events there are."""
    monkeypatch.setattr(runners, "_WORTH_TWO", 1)
    opened = []

    def build(projections: tuple[ProjectionClass, ...] = PROJECTIONS) -> Runner:
        runner = Runner(log, tmp_path / "views.db", projections)
        opened.append(runner)
        runner.rebuild()
        return runner

    yield build
    for runner in opened:
        runner.close()


def test_two_processes_build_the_same_views_as_one(log, build, tmp_path):
    """Of every kind of event: the second process has only what its projections say they read."""
    history = History(log)
    history.write(
        history.started("D-1", "open"),
        history.signed("D-1", "plan", "for", "ana"),
        history.signed("D-1", "plan", "withdrawn", "bo"),
        replace(history.transitioned("D-1", "note", "open", "open"), stays=True),
        history.linked("D-1", "A-1", "plan"),
        history.attached("D-1"),
        history.started("D-2", "open"),
        history.signed("D-2", "plan", "for", "ana"),
        history.transitioned("D-2", "close", "open", "closed"),
        history.migrated("D-2", 2, "closed", "open"),
    )
    build()
    with closing(Runner(log, tmp_path / "one.db")) as alone:
        alone.rebuild()
    two, one = (open_for_reading(tmp_path / name) for name in ("views.db", "one.db"))
    with closing(two), closing(one):
        assert contents(two) == contents(one)
        assert shape(two._connection) == shape(one._connection)
    assert verify(log, tmp_path / "views.db").sound


def test_views_that_two_processes_built_go_on_with_the_log(log, build, tmp_path):
    runner = build()
    history = History(log)
    history.write(*(history.observed(f"C-{n}") for n in range(5)))
    runner.catch_up()
    assert verify(log, tmp_path / "views.db").sound


def test_a_workflow_published_while_two_processes_build_gets_its_indexes(log, tmp_path, build):
    history = History(log)
    new: list[int] = []

    def meanwhile(reached: int, goal: int) -> None:
        history.write(history.definition(workflow="other"))
        new.append(log.head())

    with closing(Runner(log, tmp_path / "views.db")) as runner:
        assert [runner.rebuild(progress=meanwhile)] == new
    with closing(Runner(log, tmp_path / "one.db")) as alone:
        alone.rebuild()
    two, one = (open_for_reading(tmp_path / name) for name in ("views.db", "one.db"))
    with closing(two), closing(one):
        assert shape(two._connection) == shape(one._connection)


@pytest.mark.parametrize("late", [True, False])
def test_a_register_that_is_built_finds_cases_by_an_index_only_if_facts_come_late(
    log, tmp_path, late
):
    """Without it each late fact would read the whole register; with it each event costs more."""
    history = History(log)
    at = "2025-12-31T09:00:00.000000Z" if late else NINE
    history.write(history.started("C-1", "open"))
    history.write(history.observed("C-1", {"order": 7}, at=at))
    found: list[bool] = []

    def meanwhile(reached: int, goal: int) -> None:
        with closing(sqlite3.connect(tmp_path / "views.db")) as beside:
            made = beside.execute("SELECT name FROM sqlite_master WHERE type = 'index'").fetchall()
        found.append(("b1_register_plan_by_key",) in made)

    with closing(Runner(log, tmp_path / "views.db")) as runner:
        runner.rebuild(progress=meanwhile)
    assert found == [late]
    assert verify(log, tmp_path / "views.db").sound


def test_an_index_that_somebody_asked_for_is_made_again(build, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "_LARGE", 1)
    runner = build()
    assert "register_plan_by_order" not in shape_of(tmp_path)
    with closing(open_for_reading(tmp_path / "views.db")) as tables:
        page(tables, "plan", sort="order")
    wait_until(lambda: "register_plan_by_order" in shape_of(tmp_path))
    runner.rebuild()
    assert "register_plan_by_order" in shape_of(tmp_path)


@pytest.mark.parametrize(("choosy", "rows"), [(Fastidious, (100, 101)), (Particular, (101, 100))])
def test_what_the_second_process_parks_is_parked(build, monkeypatch, tmp_path, choosy, rows):
    monkeypatch.setattr(runners, "_APART", apart_with(choosy))
    runner = build(all_with(choosy))
    assert runner._views.parked() == [(302, choosy.name, "B-1", "ValueError: not to my taste")]
    with closing(open_for_reading(tmp_path / "views.db")) as tables:
        assert (page(tables, "plan").total, cases(tables)[1]) == rows


class Wary(Audit):
    """As fastidious, in the builder itself."""

    def apply(self, batch: Batch) -> None:
        if any((event.get("data") or {}).get("title") == "Poison" for _, event in batch):
            raise ValueError("not to my taste")
        super().apply(batch)


def test_what_the_builder_reads_again_is_told_once(log, build, tmp_path):
    build(tuple(Wary if p is Audit else p for p in PROJECTIONS))
    with closing(Runner(log, tmp_path / "one.db")) as alone:
        alone.rebuild()
    two, one = (open_for_reading(tmp_path / name) for name in ("views.db", "one.db"))
    with closing(two), closing(one):
        assert two.run("SELECT projection, position FROM parked") == [("audit", 302)]
        for table in ("cases", "register_plan"):
            rows = f"SELECT * FROM {table} ORDER BY 1, 2, 3"
            assert two.run(rows) == one.run(rows)


@pytest.mark.parametrize("begun", [b"", b"\0\0", b"\0\0\0\x64half a message"])
def test_the_second_process_ends_with_the_one_that_started_it(tmp_path, begun):
    about = Part(Scratch(tmp_path / "part.db", "b1_"), (Registers,))
    command = [sys.executable, "-m", "projections.part"]
    said = pickle.dumps(about) + begun
    ended = subprocess.run(command, input=said, capture_output=True, check=False, timeout=PATIENCE)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, b"", b"")


def test_a_transaction_of_large_events_ends_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr(part, "_KEPT", 2_000)
    said = [orjson.dumps((position, [("x" * 900,)])) for position in range(1, 8)]
    pipe = BytesIO(b"".join(len(each).to_bytes(4) + each for each in said) + bytes(4))
    told = part._Told(pipe)
    found = [
        [position for batch in batches() for position, _ in batch]
        for batches in told.transactions()
    ]
    assert found == [[1, 2, 3], [4, 5, 6], [7]]


def test_no_file_of_a_build_is_left(build, tmp_path):
    build()
    assert not list(tmp_path.glob("views.db-b*"))


class Stopped(Registers):
    def create(self) -> None:
        raise StoreFailed("views.db: the disk is gone")


class BreaksDown(Registers):
    def take(self, told: Batch) -> None:
        raise StoreFailed("views.db: the disk is full")


class Killed(Registers):
    def take(self, told: Batch) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class EndsBadly(Registers):
    def index(self) -> None:
        raise MemoryError


@pytest.mark.parametrize(
    ("fails", "why"),
    [
        (Stopped, "the disk is gone"),
        (BreaksDown, "the disk is full"),
        (Killed, "exit -9"),
        (EndsBadly, "MemoryError"),
    ],
)
def test_a_second_process_that_fails_is_told_of_and_the_old_views_stand(
    build, tmp_path, monkeypatch, fails, why
):
    runner = build()
    before = runner.status()
    monkeypatch.setattr(runners, "_APART", apart_with(fails))
    with pytest.raises(StoreFailed, match=why):
        build(all_with(fails))
    assert runner.status() == before
    assert not list(tmp_path.glob("views.db-b*part"))
    runner.rebuild()
    assert not list(tmp_path.glob("views.db-b*"))


def test_a_build_leaves_alone_what_another_one_is_building(log, tmp_path):
    with (
        closing(Runner(log, tmp_path / "views.db")) as slow,
        closing(Runner(log, tmp_path / "views.db")) as quick,
    ):
        told: list[int] = []

        def meanwhile(reached: int, goal: int) -> None:
            told.append(quick.rebuild())

        assert slow.rebuild(progress=meanwhile) == log.head()
        assert told == [log.head()]
    assert verify(log, tmp_path / "views.db").sound
    assert not list(tmp_path.glob("views.db-b*"))


def test_what_a_build_has_written_goes_into_the_file_beside_it(log, tmp_path, monkeypatch):
    """So that no commit has to wait for the disk."""
    monkeypatch.setattr(sqlite, "_EVERY", 0.01)
    views = tmp_path / "views.db"
    told: list[int] = []

    def meanwhile(reached: int, goal: int) -> None:
        wait_until(lambda: b"CREATE TABLE b1_audit" in views.read_bytes())
        told.append(reached)

    with closing(Runner(log, views)) as runner:
        runner.rebuild(progress=meanwhile)
    assert told == [log.head()]


def shape_of(folder: Path) -> str:
    with closing(open_for_reading(folder / "views.db")) as tables:
        return str(shape(tables._connection))


def shape(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """The kind of each table and index, and the table it is of, but not its number."""
    rows = connection.execute("SELECT type, tbl_name, sql FROM sqlite_master")
    return {(kind, f"{table} {str(sql).replace('b1_', '')}") for kind, table, sql in rows}
