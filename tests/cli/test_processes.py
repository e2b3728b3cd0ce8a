"""The command line as real processes: exit codes, pipes, signals, and what a start costs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.store import Store
from tests.cli.conftest import ROOT, process_environment
from tests.patience import PATIENCE, wait_until

# What takes long to import. A command that only looks something up does without.
HEAVY = ("pydantic", "eventsourcing", "transitions", "cel", "ruamel", "rich", "kafka", "difflib")


def test_the_exit_code_says_how_it_went(decision):
    assert decision.run("show", "DEC-0001").code == 0
    assert decision.run("do", "DEC-0001", "submit").code == 1
    assert decision.run("show", "DEC-0009").code == 2
    assert decision.run("shwo").code == 2
    (decision.home / "ledger.db").write_bytes(b"no database" * 100)
    assert decision.run("list").code == 3


def test_no_command_at_all_shows_the_help():
    answer = subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()"],
        capture_output=True,
        text=True,
        env=process_environment(Path("nowhere")),
        check=False,
    )
    assert answer.returncode == 2
    assert "Commands:" in answer.stderr


@pytest.mark.parametrize("words", [["--help"], ["show", "DEC-0001"], ["list", "decision"],
                                   ["list"], ["history", "DEC-0001"], ["workflows"],
                                   ["status"]])  # fmt: skip
def test_looking_something_up_imports_nothing_heavy(decision, words):
    assert imported(decision, words, HEAVY) == "[]"


@pytest.mark.parametrize("words", [["do", "DEC-0001"], ["do", "DEC-0001", "withdraw"],
                                   ["start", "decision", "title=x"]])  # fmt: skip
def test_asking_for_something_imports_no_reader_of_files_and_no_other_store(decision, words):
    assert imported(decision, words, ("ruamel", "rich", "kafka", "engine.store.memory")) == "[]"


def imported(pmo, words, names):
    """Which of the modules a command has imported."""
    spy = (
        "import sys\n"
        "from app.cli import main\n"
        "try: main()\n"
        f"finally: print([name for name in {names} if name in sys.modules], file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", spy, *words],
        capture_output=True,
        text=True,
        env=process_environment(pmo.home),
        check=True,
    )
    return answer.stderr.splitlines()[-1]


def test_a_reader_that_goes_away_is_no_error(pmo):
    for number in range(3):
        pmo.done("start", "decision", f"title=Case {number}")
    with pmo.start("log", "--follow") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        pmo.done("start", "decision", "title=Nobody reads this")
        assert process.wait(PATIENCE) == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_told(pmo):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        answer = subprocess.run(
            [sys.executable, "-c", "from app.cli import main; main()", "log"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=process_environment(pmo.home),
            check=False,
        )
    assert answer.returncode == 3
    assert answer.stderr.startswith("error: what was asked for could not be printed: No space")
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_work_that_is_told_to_end_leaves_what_it_leads_to_others_at_once(pmo, how):
    leaders = Store(pmo.home / "consumers.db").leaders
    with pmo.start("work") as process:
        wait_until(lambda: {"scheduler", "reactions"} <= leaders().keys())
        process.send_signal(how)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert leaders() == {}


def test_following_the_log_shows_what_other_processes_record_and_skips_nothing(pmo):
    with pmo.start("log", "--follow", "--json") as process:
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline())["position"] for _ in range(3)]
        for number in range(20):
            pmo.done("start", "decision", f"title=Case {number}")
            seen.append(json.loads(process.stdout.readline())["position"])
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert seen == list(range(1, 24))


def test_output_in_an_encoding_without_our_signs_is_written_all_the_same(decision):
    answer = subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()", "show", "DEC-0001"],
        capture_output=True,
        env=process_environment(decision.home) | {"PYTHONIOENCODING": "latin-1"},
        check=False,
    )
    assert answer.returncode == 0
    assert rb"\u2013" in answer.stdout


def test_two_processes_write_to_one_home(pmo):
    processes = [pmo.start("start", "decision", f"title=From process {n}") for n in range(4)]
    assert [process.wait(PATIENCE) for process in processes] == [0] * 4
    for process in processes:
        process.communicate()
    found = pmo.done("list", "decision", "--json").json()
    assert sorted(row["key"] for row in found["cases"]) == [f"DEC-{n:04}" for n in range(1, 5)]
    assert pmo.done("verify").code == 0


def test_the_log_is_bounded_by_position_and_number(pmo):
    lines = pmo.run("log", "--after", "1", "--limit", "1", "--json").out.splitlines()
    assert [json.loads(line)["position"] for line in lines] == [2]
    assert pmo.run("log", "--after", "99").out == ""
    assert len(pmo.run("log").out.splitlines()) == 3


def test_the_entry_point_is_the_one_that_is_installed():
    assert 'pmo = "app.cli:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
