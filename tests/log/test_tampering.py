"""Promise 9, the part that the log keeps by itself: a check names the first position that shows it.

Who can also forge the chain and the markers to the end is found by signed checkpoints.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256

import pytest

from engine.errors import LogDamaged, StoreFailed
from engine.store import sqlite_file
from engine.store.chain import link
from engine.store.sqlite import SQLiteLog
from tests.log.conftest import append


@pytest.fixture(autouse=True)
def six_events(ledger):
    ledger.append([append("A", count=2), append("B"), append("A", 3), append("C", count=2)])


def damaged_at(ledger, after=0):
    with pytest.raises(LogDamaged) as caught:
        ledger.check(after)
    return caught.value.position


def test_the_chain_is_over_the_leaf_hashes_of_rfc_6962(path):
    with closing(sqlite3.connect(path)) as other:
        chain = bytes(32)
        for state, stored in other.execute("SELECT state, chain FROM events ORDER BY position"):
            chain = sha256(chain + sha256(b"\x00" + state).digest()).digest()
            assert stored == chain


@pytest.mark.parametrize("position", [1, 3, 6])
def test_a_flipped_byte_is_found(ledger, tamper, position):
    tamper(
        "UPDATE events SET state = CAST(replace(state, 'in_review', 'in_Review') AS BLOB)"
        " WHERE position = ?",
        position,
    )
    assert damaged_at(ledger) == position


@pytest.mark.parametrize("position", [1, 3, 5])
def test_a_dropped_event_is_found(ledger, tamper, position):
    tamper("DELETE FROM events WHERE position = ?", position)
    assert damaged_at(ledger) == position


def test_events_cut_off_at_the_end_are_found(ledger, tamper):
    tamper("DELETE FROM events WHERE position > 4")
    assert damaged_at(ledger) == 5


def test_an_inserted_event_is_found(ledger, tamper):
    tamper(
        "INSERT INTO events SELECT 7, 'D', 1, topic, state, chain FROM events WHERE position = 6"
    )
    assert damaged_at(ledger) == 7


def test_an_event_squeezed_in_with_a_fitting_chain_is_found(ledger, path, tamper):
    with closing(sqlite3.connect(path)) as other:
        state, chain = other.execute(
            "SELECT state, chain FROM events WHERE position = 6"
        ).fetchone()
    state = state.replace(b'"stream":"C"', b'"stream":"D"').replace(b'"version":2', b'"version":1')
    tamper(
        "INSERT INTO events VALUES (7, 'D', 1, 'pmo.case.transitioned.v1', ?, ?)",
        state,
        link(chain, state),
    )
    assert damaged_at(ledger) == 7


def test_two_events_that_changed_places_are_found(ledger, tamper):
    for step in ((3, -1), (4, 3), (-1, 4)):
        tamper("UPDATE events SET position = ?2 WHERE position = ?1", *step)
    assert damaged_at(ledger) == 3


@pytest.mark.parametrize("column", ["originator_id = 'Z'", "originator_version = 9", "topic = 'x'"])
def test_a_column_that_belies_the_bytes_is_found(ledger, tamper, column):
    tamper(f"UPDATE events SET {column} WHERE position = 4")
    assert damaged_at(ledger) == 4


def test_a_changed_chain_is_found(ledger, tamper):
    tamper("UPDATE events SET chain = zeroblob(32) WHERE position = 2")
    assert damaged_at(ledger) == 2


def test_bytes_that_are_no_event_are_found_even_with_a_fitting_chain(ledger, path, tamper):
    with closing(sqlite3.connect(path)) as other:
        (chain,) = other.execute("SELECT chain FROM events WHERE position = 5").fetchone()
    tamper("UPDATE events SET state = x'00', chain = ? WHERE position = 6", link(chain, b"\x00"))
    assert damaged_at(ledger) == 6


def test_a_removed_marker_is_found(ledger, tamper):
    tamper("DELETE FROM command_markers WHERE first_position = 3")
    assert damaged_at(ledger) == 3


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE command_markers SET count = 3 WHERE first_position = 4", 5),
        ("INSERT INTO command_markers VALUES ('another', 5, 2, x'00')", 5),
        ("INSERT INTO command_markers VALUES ('another', 6, 1, x'00')", 6),
        ("INSERT INTO command_markers VALUES ('another', 99, 1, x'00')", 99),
    ],
)
def test_a_marker_too_many_or_too_wide_is_found(ledger, tamper, statement, position):
    """Else the command of that id would be answered, and never have its effect."""
    tamper(statement)
    assert damaged_at(ledger) == position


def test_a_check_from_a_position_trusts_what_comes_before(ledger, tamper):
    tamper("UPDATE events SET topic = 'x' WHERE position = 2")
    assert ledger.check(after=2) == 4
    assert damaged_at(ledger, after=1) == 2


def test_a_check_from_a_position_that_is_not_there_says_so(ledger):
    assert damaged_at(ledger, after=9) == 9


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE events SET topic = 'x'", "never changed"),
        ("DELETE FROM events", "never removed"),
        (
            "INSERT OR REPLACE INTO events SELECT * FROM events WHERE position = 2",
            "at the end, once",
        ),
        (
            "INSERT OR REPLACE INTO events SELECT 7, 'A', 2, '', '', '' FROM events LIMIT 1",
            "at the end, once",
        ),
        (
            "INSERT INTO events SELECT 9, 'Z', 1, topic, state, chain FROM events LIMIT 1",
            "at the end",
        ),
        ("UPDATE command_markers SET count = 0", "never changed"),
        ("DELETE FROM command_markers", "never removed"),
        ("INSERT OR REPLACE INTO command_markers SELECT * FROM command_markers", "once"),
    ],
)
def test_the_database_itself_refuses_to_rewrite_history(path, ledger, statement, told):
    with (
        closing(sqlite3.connect(path)) as other,
        pytest.raises(sqlite3.IntegrityError, match=f"append-only.*{told}"),
    ):
        other.execute(statement)
    assert ledger.check() == 6


def test_a_byte_flipped_in_the_file_is_found_at_the_position_it_belongs_to(ledger, path):
    ledger.append([append(f"N-{i}", count=5) for i in range(40)])
    ledger.close()
    content = bytearray(path.read_bytes())
    where = content.index(b'"stream":"N-20","trigger":"approve","type":"pmo.case.transitioned.v1"')
    content[where + 10] ^= 1
    path.write_bytes(content)
    reopened = SQLiteLog(path)
    position = damaged_at(reopened)
    reopened.close()
    assert 6 + 20 * 5 < position <= 6 + 21 * 5


def test_a_damaged_index_is_found_though_every_row_is_right(path, ledger):
    """Who looks a case up by its key would otherwise miss an event, and nobody would notice."""
    ledger.close()
    content = path.read_bytes()
    with closing(sqlite3.connect(path)) as other:
        page_size, root = (
            other.execute("PRAGMA page_size").fetchone()[0],
            other.execute(
                "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_events_1'"
            ).fetchone()[0],
        )
    page = bytearray(content[(root - 1) * page_size : root * page_size])
    page[page.rindex(b"B")] = ord("b")
    path.write_bytes(content[: (root - 1) * page_size] + page + content[root * page_size :])
    reopened = SQLiteLog(path)
    assert reopened.version("B") == 0
    assert damaged_at(reopened) == 3
    reopened.close()


TRIGGER = "CREATE/**/TRIGGER quiet AFTER INSERT ON events BEGIN SELECT 1; END"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE INDEX quick ON events (topic)", "quick is an index that"),
        ("CREATE VIEW seen AS SELECT * FROM events", "seen is a view that"),
        ("CREATE TABLE more (x)", "more is a table that"),
        (f"INSERT INTO sqlite_schema VALUES ('trigger', 'quiet', 'events', 0, '{TRIGGER}')",
         "quiet is a trigger that"),
    ],
)  # fmt: skip
def test_whatever_the_ledger_was_not_made_with_is_named(ledger, path, statement, told):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA writable_schema = ON")
        other.execute(statement)
    ledger.close()
    reopened = SQLiteLog(path)
    with pytest.raises(LogDamaged, match=told):
        reopened.check()
    reopened.close()


def test_what_sqlite_notes_of_an_analysis_is_no_difference(ledger, path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("ANALYZE")
    assert ledger.check() == 6


@pytest.mark.parametrize("left", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_told_from_a_whole_one(ledger, path, left):
    ledger.append([append(f"N-{i}", count=5) for i in range(40)])
    ledger.close()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * left)])
    with pytest.raises(StoreFailed, match=r"damaged|missing"), closing(SQLiteLog(path)) as reopened:
        reopened.check()


def test_the_head_can_be_asked_for_without_opening_a_log(path, ledger, tmp_path):
    assert sqlite_file.head_of(str(path)) == 6
    with pytest.raises(StoreFailed, match="no ledger here"):
        sqlite_file.head_of(str(tmp_path / "other.db"))
