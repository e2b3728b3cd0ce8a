"""``pmo copy``: a ledger from a folder into a database, and back."""

from __future__ import annotations

import shutil

import pytest

from tests.cli.conftest import Pmo


def test_a_ledger_goes_into_a_database_and_back(decision, database, tmp_path):
    there = decision.done("copy", "--from", str(decision.home), "--to", database)
    last = there.out.splitlines()[-1]
    assert "the chain of their hashes is whole" in there.out
    in_database = Pmo(database)
    for home in (decision, in_database):
        assert last in home.done("verify", "--expect", last).out
    assert in_database.done("log", "--json").out == decision.done("log", "--json").out
    words = ["do", "DEC-0001", "withdraw", "--id", "order 66", "--json"]
    assert in_database.done(*words).json() == in_database.done(*words).json()
    back = Pmo(tmp_path / "back")
    copied = back.done("copy", "--from", database, "--to", str(back.home), "--json").json()
    assert copied["events"] == in_database.done("status", "--json").json()["head"]
    assert back.done(*words).json() == in_database.done(*words).json()
    assert back.done("history", "DEC-0001").out == in_database.done("history", "DEC-0001").out


def test_a_home_that_holds_events_is_left_alone(decision, made_home, tmp_path):
    shutil.copytree(made_home, tmp_path / "target")
    target = Pmo(tmp_path / "target")
    before = target.done("log", "--json").out
    answer = decision("copy", "--from", str(decision.home), "--to", str(target.home))
    assert answer.code == 2
    assert "it holds 3 events already (a ledger is copied into an empty place)" in answer.err
    assert target.done("log", "--json").out == before


@pytest.mark.parametrize("place", ["folder", "database"])
def test_where_there_is_no_ledger_nothing_is_made(place, database, tmp_path):
    source = database if place == "database" else str(tmp_path / "none")
    answer = Pmo(tmp_path)("copy", "--from", source, "--to", str(tmp_path / "target"))
    assert answer.code == 2
    assert "there is no ledger" in answer.err
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "none").exists()


def test_a_ledger_is_not_copied_onto_itself(decision):
    answer = decision("copy", "--from", str(decision.home), "--to", str(decision.home))
    assert answer.code == 2
    assert "is where the ledger is copied from" in answer.err


def test_a_damaged_ledger_is_not_copied(decision, database):
    path = decision.home / "ledger.db"
    content = path.read_bytes()
    decision.done("status")
    at = content.index(b'"title":"Extend the pilot"')
    path.write_bytes(content[: at + 10] + b"e" + content[at + 11 :])
    answer = decision("copy", "--from", str(decision.home), "--to", database)
    assert answer.code == 3
    assert "position" in answer.err
    assert Pmo(database).done("status", "--json").json()["head"] == 0


def test_who_is_told_no_address_is_told_what_is_missing(pmo):
    answer = pmo("copy", "--to", "x")
    assert answer.code == 2
    assert "--from" in answer.err
