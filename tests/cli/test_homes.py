"""A home as a whole: made, described, verified, built again."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.home import Home
from engine.clock import HandClock
from engine.commands import Requester, StartCase


def test_init_makes_a_home_with_the_shipped_workflows(nowhere):
    answer = nowhere.done("init")
    assert "a new home" in answer.out
    names = {row["name"] for row in nowhere.done("workflows", "--json").json()}
    assert {"decision", "objective", "major-project"} <= names


def test_a_home_may_be_named_before_the_verb_and_after_it_goes_first(nowhere, tmp_path):
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    assert nowhere.done("--home", one, "init", "--bare", "--json").json()["home"] == one
    again = nowhere.done("--home", other, "init", "--home", one, "--json").json()
    assert again["home"] == one
    assert not Path(other).exists()


def test_init_again_is_harmless_and_says_so(nowhere):
    nowhere.done("init")
    before = nowhere.done("log", "--json").out
    answer = nowhere.done("init")
    assert "is a home already, nothing in it is changed" in answer.out
    assert nowhere.done("log", "--json").out == before


def test_init_leaves_a_newer_definition_of_somebody_else_in_force(nowhere, tmp_path):
    nowhere.done("init", "--bare")
    mine = tmp_path / "objective.yaml"
    mine.write_text(
        "{workflow: objective, version: 7, title: Mine, key: OBJ, "
        "states: {open: {initial: true, final: true}}}",
        encoding="utf-8",
    )
    nowhere.done("publish", str(mine))
    nowhere.done("init")
    versions = [
        row["version"]
        for row in nowhere.done("workflows", "--json").json()
        if row["name"] == "objective"
    ]
    assert versions == [7]


def test_a_bare_home_has_no_workflows(nowhere):
    nowhere.done("init", "--bare")
    assert nowhere.done("status", "--json").json()["head"] == 0
    assert nowhere.done("list", "--json").json() == {"total": 0, "cases": []}


def test_a_folder_with_other_things_in_it_is_left_alone(nowhere):
    nowhere.home.mkdir()
    (nowhere.home / "novel.txt").write_text("once upon a time", encoding="utf-8")
    answer = nowhere("init")
    assert answer.code == 2
    assert "other things are in this folder" in answer.err
    assert [file.name for file in nowhere.home.iterdir()] == ["novel.txt"]


def test_a_home_can_be_made_around_the_one_of_the_demo(nowhere):
    nowhere.done("init", "--home", str(nowhere.home / "demo"))
    nowhere.done("init")


def test_a_file_cannot_be_a_home(nowhere):
    nowhere.home.write_text("a file", encoding="utf-8")
    answer = nowhere("init")
    assert answer.code == 2
    assert "is a file" in answer.err


def test_where_nothing_can_be_made_the_store_has_failed(tmp_path, nowhere):
    (tmp_path / "file").write_text("", encoding="utf-8")
    answer = nowhere("init", "--home", str(tmp_path / "file" / "home"))
    assert answer.code == 3
    assert "a home cannot be made here" in answer.err


def test_without_a_home_one_is_told_how_to_make_it(nowhere):
    for words in (["list"], ["show", "A"], ["start", "decision"], ["log"], ["verify"], ["status"]):
        answer = nowhere(*words)
        assert answer.code == 2
        assert f"make one: pmo init --home {nowhere.home}" in answer.err


def test_status_tells_what_the_log_and_the_views_hold(decision):
    state = decision.done("status", "--json").json()
    assert (state["head"], state["lag"], state["parked"]) == (6, 0, [])
    assert {(c["workflow"], c["state"], c["cases"]) for c in state["cases"]} == {
        ("decision", "draft", 1),
        ("objective", "active", 1),
    }
    told = decision.done("status").out
    assert "6 events" in told
    assert "up to date" in told


def test_status_tells_of_a_log_that_is_ahead_of_the_clock(nowhere):
    nowhere.done("init")
    assert "ahead of this clock" not in nowhere.done("status").out
    years_on = HandClock("2999-01-01T00:00:00.000000Z")
    with Home.open(nowhere.home, years_on) as home:
        actor = Requester(id="pat", roles=("requester",))
        command = StartCase(
            command_id="c", actor=actor, workflow="decision", data={"title": "A bridge"}
        )
        home.service.handle(command)
    assert "judged and recorded as of 2999-01-01 00:00" in nowhere.done("status").out
    assert nowhere.done("status", "--json").json()["ahead"] > 10**9
    nowhere.done("start", "decision", "title=Today")
    assert nowhere.done("log", "--json").out.count('"recorded_at":"2999') == 2


def test_status_tells_how_far_the_views_were_behind(decision):
    (decision.home / "views.db").unlink()
    assert decision.done("status", "--json").json()["lag"] == 6
    assert decision.done("status", "--json").json()["lag"] == 0


def test_views_that_are_gone_are_built_again_by_whoever_reads(decision):
    before = decision.done("show", "DEC-0001").out
    (decision.home / "views.db").unlink()
    assert decision.done("show", "DEC-0001").out == before


def test_rebuild_builds_the_views_from_the_log(decision):
    assert decision.done("rebuild", "--json").json() == {"position": 6}


def test_parked_events_can_be_tried_again(decision):
    with closing(sqlite3.connect(decision.home / "views.db")) as views:
        views.execute("INSERT INTO parked VALUES ('cases', 6, 'DEC-0001', 'it was Monday')")
        views.commit()
    assert "it was Monday" in decision.done("status").out
    assert decision("verify").code == 1
    assert decision.done("rebuild", "--parked", "--json").json() == {"mended": 1, "parked": 0}


def test_a_sound_home_verifies(decision):
    answer = decision.done("verify")
    assert "6 events, and the chain of their hashes is whole" in answer.out
    assert "say what the log says" in answer.out


def test_a_view_that_says_something_else_is_named_to_the_column(decision):
    with closing(sqlite3.connect(decision.home / "views.db")) as views:
        views.execute("UPDATE cases SET title = 'Buy a yacht' WHERE key = 'DEC-0001'")
        views.commit()
    answer = decision("verify")
    assert answer.code == 1
    assert "Buy a yacht" in answer.out
    assert decision("verify", "--json").json()["differences"]
    decision.done("rebuild")
    decision.done("verify")


def test_a_log_that_was_tampered_with_is_named_by_its_position(decision):
    with closing(sqlite3.connect(decision.home / "ledger.db")) as ledger:
        ledger.execute("DROP TRIGGER events_stay_as_written")
        ledger.execute(
            "UPDATE events SET state = replace(state, '1250000', '9250000') WHERE position = 6"
        )
        ledger.commit()
    answer = decision("verify")
    assert answer.code == 1
    assert "the log is damaged at position 6" in answer.out


def the_end(pmo):
    """What ``pmo verify`` gives an auditor to keep."""
    return pmo.done("verify").out.splitlines()[-1].split()[0]


def test_what_an_auditor_kept_is_still_so_when_the_log_has_grown(decision):
    kept = the_end(decision)
    assert kept.startswith("6:")
    decision.done("do", "DEC-0001", "withdraw")
    decision.done("verify", "--expect", kept)
    told = decision.done("verify", "--json").json()
    assert (told["events"], told["rewritten"]) == (7, None)
    assert the_end(decision) == f"7:{told['chain']}"


def test_a_ledger_that_was_written_anew_is_told_by_what_an_auditor_kept(decision, made_home):
    kept = the_end(decision)
    shutil.rmtree(decision.home)
    shutil.copytree(made_home, decision.home)
    answer = decision("verify", "--expect", kept)
    assert answer.code == 1
    assert "the log ends at 3; it had come to 6 before" in answer.out
    for title in ("one", "two", "three"):
        decision.done("start", "decision", f"title={title}")
    decision.done("verify")
    answer = decision("verify", "--expect", kept)
    assert answer.code == 1
    assert "the log was written anew: its hash at 6 is " in answer.out
    assert f"it was {kept.removeprefix('6:')}" in answer.out


@pytest.mark.parametrize("words", ["6", "6:abc", "0:" + "0" * 64, "six:" + "0" * 64, ""])
def test_what_nobody_can_have_kept_is_bad_input(decision, words):
    answer = decision("verify", "--expect", words)
    assert answer.code == 2
    assert "is not POSITION:HASH" in answer.err


def test_a_ledger_that_is_no_database_is_a_failure_of_the_store(nowhere):
    nowhere.home.mkdir()
    (nowhere.home / "ledger.db").write_bytes(b"this is no database, whatever it is called" * 50)
    for words in (["list"], ["start", "decision"], ["verify"], ["status"], ["init"]):
        answer = nowhere(*words)
        assert answer.code == 3
        assert "not an SQLite database" in answer.err


def test_a_ledger_that_was_cut_off_is_a_failure_of_the_store(decision):
    ledger = Path(decision.home, "ledger.db")
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[: len(whole) // 2])
    (decision.home / "views.db").unlink()
    answer = decision("list")
    assert answer.code == 3
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("address", ["mysql://root@host/db", "https://host/pmo", "sqlite:///x.db"])
def test_an_address_of_another_kind_is_no_home(pmo, address):
    answer = pmo("init", "--home", address)
    assert answer.code == 2
    assert f"a home is not kept in {address.split(':')[0]}" in answer.err
    assert "postgresql://" in answer.err
    assert not Path(address.split("/")[0]).exists()
