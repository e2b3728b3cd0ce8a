"""The views keep up with the log, whatever happens to those who keep them up."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import StoreFailed
from engine.store.sqlite import SQLiteLog
from projections.audit import Audit
from projections.cases import Cases, case
from projections.opening import open_for_reading
from projections.register_pages import one, page
from projections.runner import Runner
from projections.shipped import PROJECTIONS
from projections.store import Tables, read_sql
from projections.verify import verify
from projections.views import Batch, reached
from tests.views.conftest import NINE, History, contents


class Choosy(Cases):
    """Takes no case by the name of Poison, until it is mended."""

    name = "choosy"
    mended = False

    def apply(self, batch: Batch) -> None:
        for _, event in batch:
            if event.get("data", {}).get("title") == "Poison" and not self.mended:
                raise ValueError("not to my taste")
        super().apply(batch)


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from engine.store.sqlite import SQLiteLog
from projections import postgres, postgres_connection, runner, sqlite

folder, place, verb, statement, left = *sys.argv[1:5], int(sys.argv[5])

def deadly(execute):
    def execute_or_die(self, sql, parameters=()):
        global left
        if sql.lstrip().startswith(statement):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return execute(self, sql, parameters)
    return execute_or_die

sqlite.SQLiteTables.run = deadly(sqlite.SQLiteTables.run)
postgres_connection.Session.ask = deadly(postgres_connection.Session.ask)
runner._BATCH = runner.BUILD_BATCH = runner._WORTH_TWO = 300
place = postgres.PostgresPlace(place) if "://" in place else Path(place)
getattr(runner.Runner(SQLiteLog(Path(folder) / "ledger.db"), place), verb)()
"""


@pytest.mark.parametrize(
    ("store", "verb", "statement", "time"),
    [
        ("sqlite", "catch_up", "UPDATE $checkpoint", 2),
        ("sqlite", "catch_up", "COMMIT", 3),
        ("sqlite", "rebuild", "INSERT OR FAIL INTO $audit", 9),
        ("sqlite", "rebuild", "CREATE INDEX", 4),
        ("sqlite", "rebuild", "INSERT INTO main.", 2),
        ("sqlite", "rebuild", "ALTER TABLE", 3),
        ("postgres", "catch_up", "UPDATE checkpoint", 2),
        ("postgres", "catch_up", "COMMIT", 3),
        ("postgres", "rebuild", "UPDATE checkpoint", 2),
        ("postgres", "rebuild", "CREATE INDEX", 4),
        ("postgres", "rebuild", "UPDATE pmo_views.standing", 1),
    ],
)
def test_a_killed_process_leaves_rows_and_checkpoint_together(
    store, place, tmp_path, request, verb, statement, time
):
    log = SQLiteLog(tmp_path / "ledger.db")
    history = History(log)
    history.write(history.definition(), *(history.observed(f"A-{n}") for n in range(300)))
    runner = Runner(log, place)
    runner.catch_up()
    history.write(*(history.observed(f"B-{n}") for n in range(700)))
    address = request.getfixturevalue("database") if store == "postgres" else str(place)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT, tmp_path, address, verb, statement, str(time)],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    report = verify(log, place)
    assert report.sound, report.differences
    assert 301 <= report.position < 1_001
    runner.rebuild()
    assert verify(log, place).position == 1_001
    assert len(sets(runner._tables, store)) == 1
    runner.close()
    log.close()


def sets(tables: Tables, store: str) -> set[str]:
    """The sets of views there are, those included that nobody reads."""
    if store == "postgres":
        rows = tables.run("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pmo_views_b%'")
        return {name for (name,) in rows}
    rows = tables.run("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%cases'")
    return {name for (name,) in rows}


def test_poison_is_parked_with_what_follows_it_in_its_stream_and_all_else_goes_on(
    log, history, place, look
):
    history.write(
        history.definition(),
        history.observed("A-1", {"title": "Fine"}),
        history.observed("B-1", {"title": "Poison"}),
        history.observed("A-1", {"title": "Finer"}),
        history.observed("B-1", {"title": "Cured"}),
    )
    runner = Runner(log, place, [Audit, Choosy])
    runner.catch_up()
    history.write(history.observed("B-1", {"title": "Well"}), history.observed("C-1"))
    runner.catch_up()
    status = runner.status()
    assert (status.checkpoint, status.lag, status.parked) == (7, 0, 3)
    parked = look().run("SELECT projection, position, stream, reason FROM parked ORDER BY position")
    assert parked == [
        ("choosy", 3, "B-1", "ValueError: not to my taste"),
        ("choosy", 5, "B-1", "waits for an earlier event of its stream"),
        ("choosy", 6, "B-1", "waits for an earlier event of its stream"),
    ]
    assert case(look(), "A-1")["title"] == "Finer"
    assert case(look(), "B-1") is None
    assert case(look(), "C-1") is not None
    assert look().run("SELECT count(*) FROM audit") == [(7,)]
    runner.close()


@pytest.mark.parametrize("others", [1, 200])
def test_a_text_that_the_database_cannot_keep_holds_up_no_other_case(
    store, log, history, runner, look, others
):
    """PostgreSQL keeps no NUL character, and an event that has one would have stopped all views."""
    history.write(history.definition(), history.started("A-1", "open"))
    history.write(replace(history.transitioned("A-1", "close", "open", "shut"), reason="a\x00b"))
    history.write(*(history.started(f"B-{n}", "open") for n in range(others)))
    assert runner.catch_up() == log.head()
    (last,) = look().run("SELECT max(position) FROM audit")
    assert last == (log.head(),)
    assert runner.status().parked == (1 if store == "postgres" else 0)


def test_what_was_parked_is_projected_in_order_once_it_is_mended(
    log, history, place, look, monkeypatch
):
    history.write(
        history.definition(),
        history.observed("B-1", {"title": "Poison"}),
        history.observed("B-1", {"title": "Well"}),
        history.observed("C-1", {"title": "Poison"}),
    )
    runner = Runner(log, place, [Audit, Choosy])
    runner.catch_up()
    assert runner.retry_parked() == 0
    assert runner.status().parked == 3
    monkeypatch.setattr(Choosy, "mended", True)
    assert runner.retry_parked() == 3
    assert runner.status().parked == 0
    assert case(look(), "B-1")["title"] == "Well"
    assert case(look(), "B-1")["version"] == 2
    history.write(history.observed("B-1", {"title": "Better"}))
    runner.catch_up()
    assert case(look(), "B-1")["title"] == "Better"
    runner.close()


def test_what_could_not_be_shown_is_told_though_somebody_took_it_off_the_list(
    log, history, runner, place
):
    history.write(history.observed("A-1"), history.definition(), history.observed("A-2"))
    runner.catch_up()
    with runner._tables.transaction():
        runner._tables.run("DELETE FROM $parked")
    assert runner.status().parked == 0
    report = verify(log, place)
    assert [parked[:3] for parked in report.parked] == [(1, "registers", "A-1")]
    assert not report.sound


def test_a_register_that_cannot_take_a_case_is_right_again_after_the_mending(
    log, history, runner, place
):
    """No definition of its workflow is there yet: an event that nobody but a broken tool writes."""
    history.write(
        history.observed("A-1", {"title": "Early"}, at="2026-01-02"),
        history.observed("A-1", {"title": "Late"}, at="2026-01-01"),
        history.definition(),
        history.observed("A-2"),
    )
    runner.catch_up()
    assert [parked[:3] for parked in verify(log, place).parked] == [
        (1, "registers", "A-1"),
        (2, "registers", "A-1"),
    ]
    assert runner.retry_parked() == 2
    tables = open_for_reading(place)
    assert one(tables, "A-1").data == {"title": "Early"}
    assert one(tables, "A-1", as_of="2026-01-01").data == {"title": "Late"}
    tables.close()


def test_a_rebuild_leaves_readers_undisturbed_and_swaps_all_at_once(log, history, runner, look):
    history.write(history.definition(), *(history.observed(f"A-{n}") for n in range(500)))
    runner.catch_up()
    before, outside = look(), look()
    seen: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            found = page(outside, "plan", limit=1)
            seen.append(found.total)

    reader = threading.Thread(target=read)
    reader.start()
    with before.snapshot():
        assert page(before, "plan").total == 500
        history.write(*(history.observed(f"B-{n}") for n in range(100)))
        for _ in range(3):
            runner.rebuild()
        assert page(before, "plan").total == 500
    stop.set()
    reader.join()
    assert set(seen) <= {500, 600}
    assert page(before, "plan").total == 600
    assert contents(before).keys() == contents(outside).keys()


def test_views_of_another_version_of_a_projection_are_rebuilt(log, history, place, look):
    class Renamed(Cases):
        version = Cases.version + 1

        def apply(self, batch: Batch) -> None:
            super().apply([(at, event | {"name": event["name"].upper()}) for at, event in batch])

    history.write(history.definition(), history.observed("A-1"))
    first = Runner(log, place)
    first.catch_up()
    assert case(look(), "A-1")["last_name"] == "Reported"
    second = Runner(log, place, [Renamed if p is Cases else p for p in PROJECTIONS])
    assert second.status().checkpoint == 0
    second.catch_up()
    assert case(look(), "A-1")["last_name"] == "REPORTED"
    with pytest.raises(StoreFailed, match="of a newer version of pmo"):
        first.catch_up()
    assert case(look(), "A-1")["last_name"] == "REPORTED"
    first.close()
    second.close()


def test_two_runners_on_one_file_project_every_event_once(log, history, place):
    history.write(history.definition())
    runners = [Runner(log, place), Runner(log, place)]
    runners[0].catch_up()
    for round_ in range(20):
        history.write(*(history.observed(f"A-{n}", {"order": round_}) for n in range(5)))
        runners[round_ % 2].catch_up()
    history.write(*(history.observed(f"B-{n}") for n in range(2_000)))
    threads = [threading.Thread(target=runner.catch_up) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = verify(log, place)
    assert report.sound, report.differences
    assert report.position == log.head()
    for runner in runners:
        runner.close()


def test_what_another_runner_wrote_is_not_overwritten_from_memory(log, history, place, look):
    history.write(history.definition())
    first, second = Runner(log, place, [Audit, Cases]), Runner(log, place, [Audit, Cases])
    one, two = {"title": "One"}, {"title": "Two"}
    for runner, data in ((first, {}), (first, one), (second, two), (first, {})):
        history.write(history.observed("A-1", data))
        runner.catch_up()
    assert case(look(), "A-1")["title"] == "Two"
    first.close()
    second.close()


def test_following_the_log_ends_when_told_to(history, runner, look):
    history.write(history.definition())
    runner.catch_up()
    stop = threading.Event()
    follower = threading.Thread(target=runner.follow, args=[stop])
    follower.start()
    try:
        for position in (2, 3):
            history.write(history.observed(f"A-{position}"))
            while reached(look()) < position:
                stop.wait(0.01)
    finally:
        stop.set()
        follower.join()
    assert page(look(), "plan").total == 2


def test_a_row_that_is_followed_is_found_without_reading_all_rows_of_its_case(log, history, path):
    history.write(history.definition(), history.observed("A-1"))
    runner = Runner(log, path)
    runner.catch_up()
    runner.close()
    follow = read_sql("register.sql")["follow"].replace("{table}", "register_plan")
    with closing(open_for_reading(path)) as tables:
        plan = tables.run(f"EXPLAIN QUERY PLAN {follow}", [1, "", "A-1"])
    assert "register_plan_now" in plan[0][-1]


def test_deleted_views_are_built_again(log, history, path):
    history.write(history.definition(), history.observed("A-1"))
    runner = Runner(log, path)
    runner.catch_up()
    runner.close()
    path.unlink()
    with pytest.raises(StoreFailed, match="no views yet"):
        open_for_reading(path)
    runner = Runner(log, path)
    runner.catch_up()
    assert verify(log, path).sound
    runner.close()


def test_a_file_that_is_no_database_is_reported_with_the_way_to_mend_it(log, path):
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreFailed, match="pmo rebuild sets it aside and builds it again"):
        Runner(log, path)


def test_a_full_disk_parks_nothing(log, history, path):
    history.write(history.definition(), history.observed("A-0"))
    runner = Runner(log, path)
    runner.catch_up()
    runner._tables.run("PRAGMA max_page_count = 50")
    history.write(*(history.observed(f"A-{n}", {"title": "x" * 1_000}) for n in range(1, 500)))
    with pytest.raises(StoreFailed, match="disk is full"):
        runner.catch_up()
    assert (runner.status().checkpoint, runner.status().parked) == (2, 0)
    runner._tables.run("PRAGMA max_page_count = 1000000")
    runner.catch_up()
    assert verify(log, path).sound
    runner.close()


def test_progress_is_told_up_to_the_end(history, runner):
    history.write(history.definition(), *(history.observed(f"A-{n}") for n in range(9)))
    told: list[tuple[int, int]] = []
    runner.catch_up(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (10, 10)


@pytest.mark.parametrize(
    ("sql", "difference"),
    [
        (
            "UPDATE register_plan SET cost = 8",
            "register_plan A-1 2 NINE cost: expected 7.0, found 8",
        ),
        ("UPDATE cases SET state = 'closed'", "cases A-1 state: expected 'open', found 'closed'"),
        ("DELETE FROM audit WHERE position = 2", "audit 2: expected 'a row', found None"),
        ("INSERT INTO definitions VALUES (9, '', 1, '', '', '', '', '')", "definitions 9: "),
        ("DROP TABLE cases", "cases columns: expected ['key', "),
        ("ALTER TABLE cases ADD COLUMN x TEXT", "cases columns: expected ['key', "),
    ],
)
def test_verification_names_what_is_not_as_the_log_has_it(
    log, history, runner, place, sql, difference
):
    money = {"cost": {"amount": "7", "currency": "GBP"}}
    history.write(history.definition(), history.observed("A-1", money))
    runner.catch_up()
    runner._tables.run(sql)
    report = verify(log, place)
    assert not report.sound
    told = [str(found) for found in report.differences]
    assert any(line.startswith(difference.replace("NINE", NINE)) for line in told), told


def test_verification_finds_by_the_engines_fold_what_a_rebuild_repeats(log, history, place):
    class Forgetful(Cases):
        def apply(self, batch: Batch) -> None:
            super().apply([(at, event | {"state": "open"}) for at, event in batch])

    projections = [Forgetful if p is Cases else p for p in PROJECTIONS]
    history.write(history.definition(), history.observed("A-1", state="closed"))
    runner = Runner(log, place, projections)
    runner.catch_up()
    report = verify(log, place, projections=projections)
    assert [str(found) for found in report.differences] == [
        "cases A-1 state: expected 'closed', found 'open'"
    ]
    runner.close()
