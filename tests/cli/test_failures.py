"""Whatever goes wrong: words and an exit code, never a traceback."""

from __future__ import annotations

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
