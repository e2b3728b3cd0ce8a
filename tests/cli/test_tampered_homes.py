"""Homes that somebody has changed behind our back: what shows it, and what is said."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest


def change(decision, *statements):
    with closing(sqlite3.connect(decision.home / "ledger.db")) as ledger:
        for statement in statements:
            ledger.execute(statement)
        ledger.commit()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "DROP TRIGGER markers_stay_as_written",
            "markers_stay_as_written, which the ledger was made with, is missing",
        ),
        (
            "CREATE TRIGGER quiet AFTER INSERT ON events BEGIN SELECT 1; END",
            "quiet is a trigger that the ledger was not made with",
        ),
    ],
)
def test_a_changed_schema_shows(decision, statement, says):
    change(decision, statement)
    answer = decision("verify")
    assert answer.code == 1
    assert says in answer.out


def test_exchanged_command_markers_show(decision):
    with closing(sqlite3.connect(decision.home / "ledger.db")) as ledger:
        name, trigger = ledger.execute(
            "SELECT name, sql FROM sqlite_schema WHERE name = 'markers_stay_as_written'"
        ).fetchone()
    change(
        decision,
        f"DROP TRIGGER {name}",
        "UPDATE command_markers SET marker = randomblob(16) WHERE first_position = 2",
        trigger,
    )
    answer = decision("verify")
    assert answer.code == 1
    assert "position 2: the command that wrote it is not marked as such" in answer.out


def cut_the_tail(decision):
    with closing(sqlite3.connect(decision.home / "ledger.db")) as ledger:
        stays = ledger.execute(
            "SELECT name, sql FROM sqlite_schema WHERE name IN ('events_stay', 'markers_stay')"
        ).fetchall()
        (head,) = ledger.execute("SELECT max(position) FROM events").fetchone()
    change(
        decision,
        *[f"DROP TRIGGER {name}" for name, _ in stays],
        f"DELETE FROM events WHERE position = {head}",
        f"DELETE FROM command_markers WHERE first_position = {head}",
        *[sql for _, sql in stays],
    )
    return head


@pytest.mark.parametrize("words", [["list"], ["status"], ["show", "DEC-0001"], ["verify"]])
def test_a_log_that_ends_before_its_views_is_told_by_every_verb(decision, words):
    decision.done("list")
    head = cut_the_tail(decision)
    answer = decision(*words)
    assert answer.code in (1, 3)
    assert f"position {head}: missing: the views have come to {head}" in answer.out + answer.err


@pytest.mark.parametrize(
    "words", [["start", "decision", "title=x"], ["do", "DEC-0001", "withdraw"], ["init"]]
)
def test_nothing_is_written_on_an_older_ledger_than_the_views_have_seen(decision, words):
    decision.done("list")
    head = cut_the_tail(decision)
    answer = decision(*words)
    assert answer.code == 3
    assert f"position {head}: missing: the views have come to {head}" in answer.err
    decision.done("rebuild")  # that this is the ledger that counts is for somebody to say
    assert decision.done("status", "--json").json()["head"] == head - 1


def test_damaged_views_keep_nobody_from_recording(decision):
    (decision.home / "views.db").write_bytes(b"this is no database" * 500)
    answer = decision.done("start", "decision", "title=x")
    assert "it is recorded, but the views are behind" in answer.err


def test_a_rebuild_takes_the_log_that_is_there_for_the_one_that_counts(decision):
    decision.done("list")
    cut_the_tail(decision)
    decision.done("rebuild")
    decision.done("list")


@pytest.mark.parametrize("stored", ["x'7b'", "x'5b315d'", "'{}'"])
@pytest.mark.parametrize("words", [["log"], ["show", "DEC-0001"], ["do", "DEC-0001", "withdraw"]])
def test_bytes_that_are_no_event_are_named_by_their_position(decision, stored, words):
    with closing(sqlite3.connect(decision.home / "ledger.db")) as ledger:
        (head,) = ledger.execute(
            "SELECT position FROM events WHERE originator_id = 'DEC-0001'"
        ).fetchone()
    change(
        decision,
        "DROP TRIGGER events_stay_as_written",
        f"UPDATE events SET state = {stored} WHERE position = {head}",
    )
    (decision.home / "views.db").unlink()
    answer = decision(*words)
    assert answer.code == 3
    assert f"position {head}: what is stored there is no event" in answer.err
