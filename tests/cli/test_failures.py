"""Whatever goes wrong: words and an exit code, never a traceback."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from app.home import Home


def test_a_verb_that_is_not_one_is_told_with_the_nearest(pmo):
    answer = pmo("histroy", "DEC-0001")
    assert answer.code == 2
    assert answer.err == "error: there is no verb 'histroy' (did you mean 'history'?)\n"
    assert "pmo --help lists them" in pmo("xyzzy").err


@pytest.mark.parametrize("words", [["show"], ["do"], ["start"], ["publish"], ["import"],
                                   ["diagram"], ["show", "A", "--colour"], ["attach", "A", "b"],
                                   ["observe", "A", "B"], ["log", "--after", "x"]])  # fmt: skip
def test_wrong_usage_says_where_help_is(pmo, words):
    answer = pmo(*words)
    assert answer.code == 2
    error, see = answer.err.splitlines()
    assert error.startswith("error: ")
    assert see == f"       see: pmo {words[0]} --help"


def test_a_fault_of_ours_is_owned_up_to_and_its_details_kept(pmo, monkeypatch):
    def burst(self):
        raise ZeroDivisionError("our own fault")

    monkeypatch.setattr(Home, "checkpoint", burst)
    answer = pmo("list", "--home", str(pmo.home))
    assert answer.code == 70
    assert answer.err.startswith("error: this is a fault of ours, not of yours; details are in ")
    (crash,) = pmo.home.glob("crash-*.txt")
    assert "ZeroDivisionError: our own fault" in crash.read_text(encoding="utf-8")
    assert "Traceback" not in answer.err


def test_a_crash_note_does_not_keep_a_home_from_opening(pmo):
    (pmo.home / "crash-1.txt").write_text("", encoding="utf-8")
    pmo.done("init", "--bare")


def test_views_that_are_no_database_are_told_with_how_to_mend_them(pmo):
    (pmo.home / "views.db").write_bytes(b"no database at all" * 100)
    answer = pmo("list")
    assert answer.code == 3
    assert "pmo rebuild sets it aside and builds it again" in answer.err


def test_where_the_disk_is_full_that_is_said_whatever_the_store_calls_it(pmo, monkeypatch):
    (pmo.home / "views.db").write_bytes(b"no database at all" * 100)
    assert "room" not in pmo("list").err
    full = SimpleNamespace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: {str(pmo.home): full}[str(path)])
    error, hint = pmo("list").err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith(f"hint: the disk on which {pmo.home} is has no room left: make room")
    assert len(pmo("list", "--json").err.splitlines()) == 1
    assert "room left" not in pmo("show", "DEC-9", "--as-of", "soon").err


def test_a_position_that_the_log_has_not_come_to_is_told(pmo):
    answer = pmo.done("log", "--after", "99")
    assert (answer.out, answer.err) == ("", "hint: the log ends at 3, and 99 is still to come\n")
    assert pmo.done("log", "--after", "3").err == ""
    assert pmo.done("log", "--after", "99", "--json").err == ""


def test_a_metric_that_is_none_is_told_with_the_nearest_and_not_with_all(decision):
    told = decision("metrics", "decisions-on-tme")
    assert (told.code, "(did you mean 'decisions-on-time'?)" in told.err) == (2, True)
    told = decision("metrics", "xyzzy")
    assert (told.code, "(pmo metrics lists them)" in told.err) == (2, True)


def test_where_nothing_is_due_it_is_said_of_what(decision):
    assert decision.done("deadlines", "DEC-0001").err.startswith(
        "no open deadline of DEC-0001 found; --all shows"
    )
    told = decision.done(
        "deadlines", "--workflow", "decision", "--until", "2026-01-01", "--all"
    ).err
    assert told == "no deadline of decision found, due by 2026-01-01\n"
    assert decision.done("deadlines", "DEC-0001", "--json").err == ""


def test_nothing_waits_for_a_role_that_no_workflow_speaks_of(decision):
    told = decision.done("waiting", "--as", "rosa:reviwer").err
    assert "no workflow speaks of the role 'reviwer'" in told
    told = decision.done("waiting", "--as", "rosa:requestr").err
    assert "hint: no workflow speaks of the role 'requestr' (did you mean 'requester'?)" in told
    assert "speaks" not in decision.done("waiting", "--as", "rosa:requester").err
