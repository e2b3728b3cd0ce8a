"""A copy of a home that may only be read: an auditor's, on a write-protected medium.

Root may write whatever the permissions say, so where a test is root, ``pmo`` runs without that
privilege (``CAP_DAC_OVERRIDE``), in a process of its own.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import WORKFLOWS, Answer, Pmo, process_environment
from tests.patience import PATIENCE

UNPRIVILEGED = """
import ctypes, os, sys
if os.geteuid() == 0:
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""
PMO = "from app.cli import main; main()"
READING = [
    ["show", "DEC-0001"],
    ["list"],
    ["history", "DEC-0001"],
    ["log"],
    ["verify"],
    ["status"],
    ["rehearse", str(WORKFLOWS / "decision.yaml")],
]
Run = Callable[..., Answer]

if sys.platform != "linux" and os.geteuid() == 0:
    pytest.skip("root cannot be kept from writing here", allow_module_level=True)


@contextmanager
def write_protected(folder: Path) -> Iterator[None]:
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def run(pmo: Pmo, *words: str) -> Answer:
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, PMO, *words],
            capture_output=True,
            text=True,
            env={**process_environment(pmo.home), "TMPDIR": str(temporary)},
            timeout=PATIENCE,
            check=False,
        )
        assert [*temporary.iterdir()] == [], "nothing is left behind"
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_all_that_reads_works_and_changes_nothing(decision, run):
    before = [decision.done(*words).out for words in READING]
    files = contents(decision.home)
    assert {*files} == {"ledger.db", "views.db", "consumers.db"}
    with write_protected(decision.home):
        after = [run(decision, *words) for words in READING]
    assert [(answer.code, answer.err) for answer in after] == [(0, "")] * len(READING)
    assert [answer.out for answer in after] == before
    assert contents(decision.home) == files


@pytest.mark.parametrize("views", ["missing", "behind"])
def test_views_that_are_missing_or_behind_are_built_in_a_temporary_folder(decision, run, views):
    stale = (decision.home / "views.db").read_bytes()
    decision.done("do", "DEC-0001", "withdraw")
    before = [decision.done(*words).out for words in READING if words != ["status"]]
    (decision.home / "views.db").unlink()
    if views == "behind":
        (decision.home / "views.db").write_bytes(stale)
    with write_protected(decision.home):
        after = [run(decision, *words) for words in READING]
    assert [answer.code for answer in after] == [0] * len(READING), after
    assert [a.out for a, words in zip(after, READING, strict=True) if words != ["status"]] == before
    assert "events behind" in after[READING.index(["status"])].out


def test_a_copy_of_a_home_that_was_in_use_tells_what_was_in_its_journal(decision, tmp_path, run):
    with closing(sqlite3.connect(decision.home / "ledger.db")) as user:
        user.execute("SELECT * FROM events").fetchone()  # keeps the journal from being cleared
        decision.done("do", "DEC-0001", "withdraw")
        copy = Pmo(tmp_path / "copy")
        copy.home.mkdir()
        for file in decision.home.glob("ledger.db*"):
            (copy.home / file.name).write_bytes(file.read_bytes())
    assert (copy.home / "ledger.db-wal").stat().st_size > 0
    with write_protected(copy.home):
        assert "7 events, and the chain of their hashes is whole" in run(copy, "verify").out
        assert "withdrawn" in run(copy, "show", "DEC-0001").out


@pytest.mark.parametrize(
    "words",
    [
        ["do", "DEC-0001", "withdraw"],
        ["start", "decision", "title=More"],
        ["observe", "DEC-0001", "SeenAgain", "--source", "a walk"],
        ["rebuild"],
    ],
)
def test_what_writes_says_that_it_cannot(decision, run, words):
    with write_protected(decision.home):
        answer = run(decision, *words)
    assert answer.code == 3, answer
    assert "read-only" in answer.err or "may not be written" in answer.err
