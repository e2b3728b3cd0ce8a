"""The server that the tests run on is what ``tests.postgres`` says it is."""

from __future__ import annotations

import psycopg
import pytest


def test_each_test_gets_an_empty_database_of_its_own(postgres, database):
    with psycopg.connect(database) as connection:
        names = "SELECT relname FROM pg_stat_user_tables"
        assert connection.execute(names).fetchall() == []
        connection.execute("CREATE TABLE left_behind ()")
    other = postgres.new_database()
    with psycopg.connect(other) as connection:
        assert connection.execute(names).fetchall() == []
    postgres.drop_database(other)


def test_a_server_that_is_killed_or_stopped_keeps_what_was_committed(own_postgres):
    own = own_postgres
    with own.connect() as connection:
        connection.execute("CREATE TABLE kept (at int)")
    for number, end in enumerate((own.kill, own.stop)):
        with own.connect() as connection:
            connection.execute("INSERT INTO kept VALUES (%s)", (number,))
        end()
        with pytest.raises(psycopg.OperationalError):
            own.connect()
        own.start()
    with own.connect() as connection:
        assert connection.execute("SELECT * FROM kept").fetchall() == [(0,), (1,)]
