"""A view's SELECT is read far enough to refuse what is none, and to find what it names."""

import pytest

from projections.select_text import Select


def named(sql):
    return [token.name for token in Select(sql).relations]


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("DELETE FROM project", "is not a SELECT"),
        ("", "is not a SELECT"),
        ("PRAGMA query_only = OFF", "is not a SELECT"),
        ("SELECT 1; SELECT 2", "second statement"),
        ("SELECT 1; DROP TABLE audit", "second statement"),
        ("WITH gone AS (DELETE FROM project RETURNING *) SELECT * FROM gone", "DELETE has no"),
        ("SELECT * INTO copy FROM project", "INTO has no place"),
        ("WITH a AS (SELECT 1) UPDATE project SET x = 1", "UPDATE has no place"),
        ("SELECT 'never closed", "' is not closed"),
        ("SELECT (1", "a '(' is not closed"),
        ("SELECT 1)", "there is no '('"),
        ("SELECT key::text FROM project", "CAST"),
    ],
)
def test_what_is_no_select_is_refused(sql, fault):
    assert fault in " ".join(f"{f.what} {f.mend}" for f in Select(sql).faults())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "select 1 ;",
        "-- why\nSELECT 'delete; drop' FROM project",
        'SELECT "delete" FROM project',
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "/* a ( */ SELECT (1)",
    ],
)
def test_one_select_is_taken(sql):
    assert list(Select(sql).faults()) == []


def test_relations_are_found_wherever_something_is_selected_from():
    assert named("SELECT * FROM a, b AS x JOIN c ON c.k = x.k, d WHERE e IN (SELECT f FROM g)") == [
        "a",
        "b",
        "c",
        "d",
        "g",
    ]


def test_its_own_selections_are_no_relations():
    sql = "WITH a AS (SELECT * FROM x), b (k) AS (SELECT 1) SELECT * FROM a JOIN b ON 1 = 1"
    assert named(sql) == ["x"]
    assert Select(sql).own == {"a", "b"}


def test_what_stands_in_text_or_comment_names_nothing():
    assert named("SELECT 'FROM a' -- FROM b\nFROM c") == ["c"]
    assert named("SELECT a IS DISTINCT FROM b FROM c") == ["c"]
    assert named('SELECT 1 FROM "return" AS r') == ["return"]


def test_a_star_that_counts_is_not_one_that_selects():
    assert not Select("SELECT count(*), a * b FROM x").takes_all_columns
    assert Select("SELECT x.* FROM x").takes_all_columns
    assert Select("SELECT *, 1 FROM x").takes_all_columns


@pytest.mark.parametrize(
    ("sql", "whole"),
    [
        ("SELECT 1;", "WITH r AS (s)\nSELECT 1"),
        ("WITH a AS (SELECT 1) SELECT 2", "WITH r AS (s),\na AS (SELECT 1) SELECT 2"),
        ("with recursive a AS (SELECT 1) SELECT 2", "WITH RECURSIVE r AS (s),\na AS (SELECT 1) "),
    ],
)
def test_relations_come_before_what_it_selects_itself(sql, whole):
    assert Select(sql).after("r AS (s)").startswith(whole)
