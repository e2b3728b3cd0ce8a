"""Homes that somebody has changed behind our back: what shows it, and what is said."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from engine.store import sqlite_file
from tests.cli.conftest import WORKFLOWS, Pmo


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
        "UPDATE command_markers SET command_id = hex(randomblob(16)) WHERE first_position = 2",
        trigger,
    )
    answer = decision("verify")
    assert answer.code == 1
    assert "position 2: the command that wrote it is not marked as such" in answer.out


def write_chain(decision, value, where):
    """Write over hashes of the chain, as whoever has the file can."""
    with closing(sqlite3.connect(decision.home / "ledger.db")) as ledger:
        name, trigger = ledger.execute(
            "SELECT name, sql FROM sqlite_schema WHERE name = 'events_stay_as_written'"
        ).fetchone()
    change(
        decision,
        f"DROP TRIGGER {name}",
        f"UPDATE events SET chain = {value} WHERE {where}",
        trigger,
    )


@pytest.mark.parametrize("value", ["CAST(x'8181' AS TEXT)", "'text'", "hex(chain)", "7"])
@pytest.mark.parametrize("position", [1, 3, 5])
def test_a_hash_that_is_no_bytes_is_told_with_its_position(decision, value, position):
    write_chain(decision, value, f"position = {position}")
    answer = decision("verify")
    assert answer.code == 1
    assert answer.out.startswith(f"the log is damaged at position {position}: ")
    assert "\ufffd" not in answer.out


def test_a_ledger_whose_hashes_are_all_text_is_told_at_its_first_position(decision):
    write_chain(decision, "CAST(chain AS TEXT)", "true")
    assert decision("verify").out.startswith("the log is damaged at position 1: ")


@pytest.mark.parametrize("value", ["'text'", "7"])
def test_nothing_is_written_after_a_hash_that_is_no_bytes(decision, value):
    head = decision.done("status", "--json").json()["head"]
    write_chain(decision, value, f"position = {head}")
    answer = decision("start", "decision", "title=Another")
    assert answer.code == 3
    assert f"position {head}: " in answer.err
    assert "where its hash was" in answer.err


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


@pytest.mark.parametrize("pages", [3, 20])
def test_a_ledger_that_was_cut_off_is_told_with_the_first_position_that_is_lost(decision, pages):
    with closing(sqlite3.connect(decision.home / "ledger.db")) as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (decision.home / "ledger.db").open("r+b") as file:
        size = file.seek(0, 2)
        file.truncate(min(pages * 4096, size - 4096))
    answer = decision("verify")
    assert answer.code == 1
    assert "the log is damaged at position " in answer.out
    assert "restore it from a backup" in answer.out
    assert "pmo verify" not in answer.out
    asked = decision("do", "DEC-0001")
    assert asked.code == 3
    assert "cannot be read from there on" in asked.err


def test_what_can_still_be_read_of_a_cut_ledger_is_before_the_position_that_is_told(tmp_path):
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as ledger:
        ledger.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, state BLOB)")
        rows = [(position, bytes(60_000)) for position in range(1, 11)]
        ledger.executemany("INSERT INTO events VALUES (?, ?)", rows)
        ledger.commit()
    with path.open("r+b") as file:
        file.truncate(5 * 60_000 + 30_000)
    assert 1 < sqlite_file.first_unreadable(str(path)) <= 6


@pytest.mark.parametrize("content", [b"this is no database" * 500, None])
def test_a_rebuild_sets_damaged_views_aside_and_builds_them_anew(decision, content):
    decision.done("list")
    views = decision.home / "views.db"
    if content is None:
        whole = bytearray(views.read_bytes())
        whole[4096 : 4096 * 12] = bytes(4096 * 11)
        content = bytes(whole)
    views.write_bytes(content)
    answer = decision.done("rebuild")
    assert f"that file is {views}.damaged now" in answer.err
    assert views.with_name("views.db.damaged").read_bytes() == content
    assert "DEC-0001" in decision.done("list", "decision").out
    assert "damaged" not in decision.done("rebuild").err


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE register_decision SET _state = 'approved'", "_state: expected 'draft', found"),
        ("UPDATE register_decision SET _withheld = 'all'", "_withheld: expected None, found 'all'"),
        ("UPDATE register_decision SET _known_from = 'x'", "DEC-0001 x"),
        ("UPDATE register_decision SET _key = x'00'", "expected None, found 'a row'"),
        ("UPDATE cases SET key = NULL WHERE key = 'DEC-0001'", "found None"),
    ],
)
def test_views_that_somebody_has_written_in_are_told_to_the_column(decision, statement, told):
    """Whatever stands there: also what no reader could make sense of."""
    decision.done("list")
    with closing(sqlite3.connect(decision.home / "views.db")) as views:
        assert views.execute(statement).rowcount
        views.commit()
    answer = decision("verify")
    assert answer.code == 1
    assert told in answer.out
    decision.done("rebuild")
    decision.done("verify")


@pytest.mark.parametrize("place", ["'far'", "gone"])
def test_views_that_have_lost_their_place_are_told_and_built_anew(decision, place):
    decision.done("list")
    with closing(sqlite3.connect(decision.home / "views.db")) as views:
        gone = "DELETE FROM checkpoint"
        views.execute(gone if place == "gone" else f"UPDATE checkpoint SET position = {place}")
        views.commit()
    for verb in ("list", "verify"):
        answer = decision(verb)
        assert answer.code == 3
        assert "do not say how far they have come; pmo rebuild" in answer.err
    decision.done("rebuild")
    decision.done("list")


def test_views_that_do_not_say_what_built_them_are_built_anew(decision):
    decision.done("list")
    with closing(sqlite3.connect(decision.home / "views.db")) as views:
        assert views.execute("UPDATE projection SET version = 'x'").rowcount
        views.commit()
    assert "the views: " in decision.done("verify").out
    assert "DEC-0001" in decision.done("list").out


def rewritten(*statements):
    def damage(views):
        with closing(sqlite3.connect(views, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return damage


def overwritten(start, end, seed):
    """A part of the file, in shares of its length, with what means nothing."""

    def damage(views):
        content = bytearray(views.read_bytes())
        part = slice(int(len(content) * start), int(len(content) * end))
        content[part] = random.Random(seed).randbytes(part.stop - part.start)
        views.write_bytes(content)

    return damage


def cut(share):
    return lambda views: views.write_bytes(views.read_bytes()[: int(views.stat().st_size * share)])


def as_a_folder(views):
    views.unlink()
    views.mkdir()


DAMAGE = {
    "empty": cut(0),
    "cut in half": cut(0.5),
    "cut within the first page": cut(0.005),
    "garbage in the middle": overwritten(0.2, 0.7, 1),
    "garbage at the end": overwritten(0.6, 1, 2),
    "another form": rewritten("PRAGMA user_version = 99"),
    "no table": rewritten("DROP TABLE audit", "DROP TABLE cases"),
    "no checkpoint": rewritten("DELETE FROM checkpoint"),
    "a checkpoint that is none": rewritten("UPDATE checkpoint SET position = 'soon'"),
    "a definition that is no JSON": rewritten("UPDATE definitions SET body = '{'"),
    "a definition that is none": rewritten(
        'UPDATE definitions SET body = replace(body, \'"initial":true\', \'"initial":"so"\')'
    ),
    "text that is no UTF-8": rewritten("UPDATE definitions SET body = CAST(x'ff' AS TEXT)"),
    "a folder": as_a_folder,
}
LOOKING = [
    ["status"],
    ["list"],
    ["list", "decision"],
    ["show", "DEC-0001"],
    ["view", "audit"],
    ["metrics", "V1"],
    ["deadlines"],
    ["workflows"],
    ["contract", "list"],
    ["diagram", "DEC-0001"],
    ["check", str(WORKFLOWS)],
    ["publish", str(WORKFLOWS / "decision.yaml")],
    ["do", "DEC-0001", "withdraw"],
    ["work", "--once"],
    ["verify"],
]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_whatever_is_wrong_with_the_views_is_told_with_its_mend_and_mended(
    decision, tmp_path, damage
):
    views = decision.home / "views.db"
    decision.done("list")
    damage(views)
    told = 0
    for number, words in enumerate(LOOKING):
        home = tmp_path / f"{number}"
        shutil.copytree(decision.home, home)
        answer = Pmo(home)(*words)
        assert answer.code in (0, 1, 3), (words, answer)
        assert answer.code != 3 or "pmo rebuild" in answer.err, (words, answer)
        told += answer.code == 3
    assert told
    decision.done("rebuild")
    assert "the views: " in decision.done("verify").out
    assert "DEC-0001" in decision.done("list").out
