"""SQLite ledgers under bad conditions: clear words, nothing half done, usable afterwards."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import StoreFailed
from engine.store.log import Appended, Marked
from engine.store.memory import MemoryLog
from engine.store.opening import open_log
from engine.store.sqlite import SQLiteLog
from tests.log.conftest import append
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


def test_opening_makes_a_ledger_and_finds_it_again(path):
    for expected in (0, 1, 2):
        log = open_log(path)
        assert log.head() == expected
        log.append([append("A", expected + 1)])
        log.close()


def test_opening_memory_keeps_nothing():
    assert isinstance(open_log(":memory:"), MemoryLog)


def test_commits_are_durable_by_default(ledger):
    with ledger._datastore.transaction(commit=True) as c:
        c.execute("PRAGMA synchronous")
        assert c.fetchone()[0] == 2  # FULL
        c.execute("PRAGMA journal_mode")
        assert c.fetchone()[0] == "wal"


def failure_of(path):
    with pytest.raises(StoreFailed) as caught:
        SQLiteLog(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_text("dear diary, " * 1000)
    assert "not an SQLite database" in failure_of(path)
    assert path.read_text() == "dear diary, " * 1000


def test_some_other_database_is_refused_and_left_alone(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name)")
    assert "some other SQLite database" in failure_of(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("recipes",)]


@pytest.mark.parametrize("version", [0, 3, 99])
def test_a_ledger_of_an_unknown_schema_is_refused(path, version):
    SQLiteLog(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {version}")
    assert f"version {version}, this program knows 2" in failure_of(path)


def test_a_folder_is_refused(tmp_path):
    assert "folder" in failure_of(tmp_path)


def test_a_path_that_cannot_be_is_refused(path, tmp_path):
    path.write_text("")
    assert "cannot be opened" in failure_of(path / "ledger.db")
    assert "cannot be opened" in failure_of(tmp_path / "missing" / "ledger.db")


def test_a_full_disk_fails_the_group_and_nothing_else(ledger):
    """SQLite itself is told that the disk ends soon: the same SQLITE_FULL as on a full device."""
    ledger.append([append("A")])
    with ledger._datastore.transaction(commit=True) as c:
        c.execute("PRAGMA page_count")
        c.execute(f"PRAGMA max_page_count = {c.fetchone()[0] + 2}")
    group = [append(f"N-{i}", count=3) for i in range(50)]
    with pytest.raises(StoreFailed, match="disk is full"):
        ledger.append(group)
    assert (ledger.head(), ledger.version("N-0"), ledger.check()) == (1, 0, 1)
    with ledger._datastore.transaction(commit=True) as c:
        c.execute("PRAGMA max_page_count = 1000000")
    assert all(isinstance(answer, Appended) for answer in ledger.append(group))
    assert ledger.check() == 151


def test_a_limit_on_the_size_of_files_loses_nothing_acknowledged(path):
    """The kernel refuses to write on (RLIMIT_FSIZE); the process says so, the ledger is well."""
    program = """
import resource, signal, sys
from engine.errors import StoreFailed
from engine.store.sqlite import SQLiteLog
from tests.log.conftest import append
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
log, number = SQLiteLog(sys.argv[1]), 0
try:
    while True:
        log.append([append(f"N-{number}", count=2)])
        number += 1
except StoreFailed as error:
    assert log.head() == 2 * number, (log.head(), number)
    print(number, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    number = int(done.stdout.split()[0])
    assert number > 20
    assert "disk" in done.stdout
    log = SQLiteLog(path)
    assert log.check() == log.head() == 2 * number
    log.close()


class Failing(SQLiteLog):
    """A commit that reports failure, before or after it has happened, until it is mended."""

    happens = False
    mended = False

    def _commit(self):
        if self.happens or self.mended:
            super()._commit()
        if not self.mended:
            raise sqlite3.OperationalError("disk I/O error")


@pytest.fixture
def failing(path):
    log = Failing(path)
    yield log
    log.close()


def test_a_commit_that_failed_leaves_nothing_and_can_be_tried_again(failing, ledger):
    command = append("A", count=2)
    with pytest.raises(StoreFailed, match="disk I/O error"):
        failing.append([command])
    assert (failing.head(), failing.marked([command.command_id])) == (0, {})
    assert isinstance(ledger.append([command])[0], Appended), "the lock is free again"
    assert failing.append([command]) == [Marked(1, 2, command.fingerprint)]


def test_what_a_failed_commit_would_have_written_is_not_remembered(failing, ledger):
    """Somebody else's events stand at the position that ours did not get."""
    with pytest.raises(StoreFailed):
        failing.append([append("A", at="2026-01-01T10:00:00.000000Z")])
    ledger.append([append("B", at="2026-01-01T11:00:00.000000Z")])
    failing.mended = True
    (answer,) = failing.append([append("A", at="2026-01-01T10:59:59.000000Z")])
    assert answer.events[0].event.recorded_at == "2026-01-01T11:00:00.000000Z"
    assert failing.check() == 2


def test_a_commit_that_happened_although_it_reported_failure_is_an_answer(failing):
    failing.happens = True
    (answer,) = failing.append([append("A", count=2)])
    assert isinstance(answer, Appended)
    assert failing.head() == failing.check() == 2
    assert isinstance(failing.append([append("A", 3)])[0], Appended)
    assert failing.check() == 3


def test_a_ledger_that_stays_locked_is_told_so(path, ledger, monkeypatch):
    monkeypatch.setattr("engine.store.sqlite_file.BUSY_SECONDS", 0.05)
    impatient = SQLiteLog(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="locked"):
            impatient.append([append("A")])
        assert impatient.head() == 0, "who reads is not held up"
        other.execute("ROLLBACK")
    assert isinstance(impatient.append([append("A")])[0], Appended)
    impatient.close()


def test_an_event_of_a_type_that_only_a_newer_program_knows_is_told_so(ledger, path, tamper):
    ledger.append([append("A", count=2)])
    tamper("UPDATE events SET state = replace(state, '.v1', '.v9') WHERE position = 2")
    with pytest.raises(StoreFailed, match=r"A version 2 has the type .*v9, which this version of"):
        ledger.read(0, 9)
    assert ledger.read(0, 1)[0].event.version == 1


def test_readers_go_on_while_a_writer_holds_its_lock(ledger):
    ledger.append([append("A", count=3)])
    with ledger._datastore.transaction(commit=True) as c:
        c.execute("INSERT INTO command_markers VALUES ('another', 9, 0, x'00')")
        answers = []
        reader = threading.Thread(target=lambda: answers.append(len(ledger.read(0, 9))))
        reader.start()
        reader.join(PATIENCE)
        assert answers == [3]
        c.execute("PRAGMA data_version")


def test_another_connection_of_this_process_may_write_in_between(path, ledger):
    other = SQLiteLog(path)
    for version in range(1, 21, 2):
        ledger.append([append("A", version)])
        other.append([append("A", version + 1)])
    assert [r.event.version for r in ledger.read(0, 99)] == list(range(1, 21))
    assert ledger.check() == 20
    other.close()


def test_waiting_notices_what_another_connection_commits(path, ledger):
    other = SQLiteLog(path)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(ledger.wait(0, 2 * PATIENCE)))
    waiting.start()
    other.append([append("A")])
    waiting.join(PATIENCE)
    assert answers == [True]
    other.close()


def test_closing_while_others_read_ends_in_an_error_and_not_in_a_crash(path):
    log = SQLiteLog(path)
    log.append([append(f"N-{i}", count=5) for i in range(100)])
    started, errors = threading.Barrier(4), []

    def read():
        started.wait()
        try:
            while True:
                log.read(0, 500)
        except StoreFailed as error:
            errors.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    started.wait()
    log.close()
    for reader in readers:
        reader.join(PATIENCE)
    assert len(errors) == 3
    assert "closed" in errors[0]
    with pytest.raises(StoreFailed, match="closed"):
        log.append([append("A")])


def test_many_processes_may_make_the_same_ledger_at_once(path):
    program = """
import os, sys
from engine.store.sqlite_file import connect
children = []
go, ready = os.pipe()
for _ in range(6):
    pid = os.fork()
    if pid == 0:
        os.close(ready)
        os.read(go, 1)
        connect(sys.argv[1]).close()
        os._exit(0)
    children.append(pid)
os.close(ready)
sys.exit(sum(os.waitpid(pid, 0)[1] != 0 for pid in children))
"""
    for number in range(5):
        subprocess.run([sys.executable, "-c", program, f"{path}-{number}"], cwd=ROOT, check=True)
