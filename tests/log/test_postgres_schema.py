"""The ledger's schema in PostgreSQL: who may do what, forwards from any version, and what shows."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from engine.errors import LogDamaged, StoreFailed
from engine.store import postgres_schema
from engine.store.chain import link
from engine.store.log import Appended
from engine.store.postgres import PostgresLog
from tests.log.conftest import append


@pytest.fixture
def owner(database):
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def ledger(database):
    with closing(PostgresLog(database)) as log:
        log.append([append("A", count=2), append("B"), append("A", 3), append("C", count=2)])
        yield log


@pytest.fixture
def app(owner, postgres, database, ledger, monkeypatch):
    """The address under which a role that was let in opens the ledger."""
    name = database.rsplit("/", 1)[1] + "_app"
    monkeypatch.setenv("PGPASSWORD", "another")
    owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'another'")
    yield postgres.address(database.rsplit("/", 1)[1], user=name)
    owner.execute(f"DROP OWNED BY {name}")
    owner.execute(f"DROP ROLE {name}")


def admit(owner, app):
    owner.execute("SELECT pmo_log.admit(%s)", (app.split("://")[1].split("@")[0],))


def test_a_role_that_was_let_in_appends_and_reads(owner, app):
    admit(owner, app)
    with closing(PostgresLog(app)) as log:
        assert isinstance(log.append([append("A", 4), append("D")])[0], Appended)
        assert (log.head(), log.check(), log.version("A")) == (8, 8, 4)
        assert not log.wait(8, 0.01)
        assert log.chain(8)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pmo_log.events SET topic = 'x'",
        "DELETE FROM pmo_log.events",
        "TRUNCATE pmo_log.events",
        "INSERT INTO pmo_log.events SELECT 7, 'D', 1, topic, state, chain FROM pmo_log.events",
        "UPDATE pmo_log.command_markers SET count = 0",
        "DELETE FROM pmo_log.command_markers",
        "INSERT INTO pmo_log.command_markers VALUES ('', 1, 1, '')",
        "DELETE FROM pmo_log.schema_version",
        "ALTER TABLE pmo_log.events DISABLE TRIGGER ALL",
        "DROP TABLE pmo_log.events",
        "DROP FUNCTION pmo_log.append",
        "CREATE TABLE pmo_log.mine ()",
        "SELECT pmo_log.admit('postgres')",
        "SET session_replication_role = replica",
    ],
)
def test_it_may_do_nothing_else(owner, app, statement):
    admit(owner, app)
    with psycopg.connect(app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_a_role_that_was_not_let_in_is_told_how(app):
    with pytest.raises(StoreFailed, match=r"permission denied.*pmo_log\.admit\('ROLE'\)"):
        PostgresLog(app)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE pmo_log.events SET topic = 'x'", "an event is never changed or removed"),
        ("DELETE FROM pmo_log.events", "an event is never changed or removed"),
        ("TRUNCATE pmo_log.events", "an event is never changed or removed"),
        ("UPDATE pmo_log.command_markers SET count = 0", "a command marker is never changed"),
        ("DELETE FROM pmo_log.command_markers", "a command marker is never changed"),
        ("TRUNCATE pmo_log.command_markers", "a command marker is never changed"),
        (
            (
                "INSERT INTO pmo_log.events SELECT * FROM pmo_log.events WHERE position = 2"
                " ON CONFLICT (position) DO UPDATE SET topic = 'x'"
            ),
            "an event is never changed",
        ),
        (
            (
                "INSERT INTO pmo_log.events SELECT 9, 'Z', 1, topic, state, chain"
                " FROM pmo_log.events LIMIT 1"
            ),
            "at the end, once",
        ),
        (
            (
                "INSERT INTO pmo_log.events SELECT 0, 'Z', 1, topic, state, chain"
                " FROM pmo_log.events LIMIT 1"
            ),
            "at the end, once",
        ),
    ],
)
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_the_database_itself_refuses_to_rewrite_history(owner, ledger, statement, told, role):
    """Its owner, even where it says that it replicates, which puts common triggers to sleep."""
    owner.execute(f"SET session_replication_role = {role}")
    with pytest.raises(psycopg.errors.RaiseException, match=f"append-only.*{told}"):
        owner.execute(statement)
    assert ledger.check() == 6


@pytest.fixture
def tamper(owner):
    """Change rows behind the triggers' back, and leave no trace of it in the schema."""

    def run(statement, *values):
        for switch in ("DISABLE", "ENABLE"):
            for table in ("events", "command_markers"):
                owner.execute(f"ALTER TABLE pmo_log.{table} {switch} TRIGGER USER")
            if switch == "DISABLE":
                owner.execute(statement, values)
        for trigger, table in (
            ("events_are_added_at_the_end", "events"),
            ("events_stay_as_written", "events"),
            ("markers_stay_as_written", "command_markers"),
        ):
            owner.execute(f"ALTER TABLE pmo_log.{table} ENABLE ALWAYS TRIGGER {trigger}")

    return run


def damaged_at(ledger, after=0):
    with pytest.raises(LogDamaged) as caught:
        ledger.check(after)
    return caught.value.position


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE pmo_log.events SET state = state || ' ' WHERE position = 3", 3),
        ("DELETE FROM pmo_log.events WHERE position = 1", 1),
        ("DELETE FROM pmo_log.events WHERE position = 5", 5),
        ("DELETE FROM pmo_log.events WHERE position > 4", 5),
        (
            (
                "INSERT INTO pmo_log.events SELECT 7, 'D', 1, topic, state, chain"
                " FROM pmo_log.events WHERE position = 6"
            ),
            7,
        ),
        (
            (
                "UPDATE pmo_log.events SET position = CASE position WHEN 3 THEN -4 ELSE -3 END"
                " WHERE position IN (3, 4)"
            ),
            3,
        ),
        ("UPDATE pmo_log.events SET originator_id = 'Z' WHERE position = 4", 4),
        ("UPDATE pmo_log.events SET originator_version = 9 WHERE position = 4", 4),
        ("UPDATE pmo_log.events SET topic = 'x' WHERE position = 4", 4),
        ("UPDATE pmo_log.events SET chain = '' WHERE position = 2", 2),
        ("DELETE FROM pmo_log.command_markers WHERE first_position = 3", 3),
    ],
)
def test_what_was_tampered_with_is_found_at_its_position(ledger, tamper, statement, position):
    tamper(statement)
    assert damaged_at(ledger) == position


def test_bytes_that_are_no_event_are_found_even_with_a_fitting_chain(ledger, tamper):
    chain = link(ledger.chain(5), b"\x00")
    tamper("UPDATE pmo_log.events SET state = '\\x00', chain = %s WHERE position = 6", chain)
    assert damaged_at(ledger) == 6
    with pytest.raises(LogDamaged, match="position 6: what is stored there is no event"):
        ledger.read(0, 10)


def test_a_check_from_a_position_trusts_what_comes_before(ledger, tamper):
    tamper("UPDATE pmo_log.events SET topic = 'x' WHERE position = 2")
    assert ledger.check(after=2) == 4
    assert damaged_at(ledger, after=1) == 2
    assert damaged_at(ledger, after=9) == 9


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TRIGGER events_stay_as_written ON pmo_log.events", "is missing"),
        ("ALTER TABLE pmo_log.events DISABLE TRIGGER events_stay_as_written", "switched off"),
        ("ALTER TABLE pmo_log.events ENABLE TRIGGER events_stay_as_written", "switched off"),
        (
            (
                "CREATE TRIGGER x BEFORE INSERT ON pmo_log.events EXECUTE FUNCTION"
                " pmo_log.refuse_changes()"
            ),
            "x is a trigger",
        ),
        ("CREATE RULE x AS ON DELETE TO pmo_log.events DO INSTEAD NOTHING", "x is a trigger or a"),
        (
            (
                "CREATE OR REPLACE FUNCTION pmo_log.refuse_changes() RETURNS trigger"
                " LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
            ),
            "the function refuse_changes is not what",
        ),
        (
            "ALTER FUNCTION pmo_log.append SECURITY INVOKER",
            "the function append is not what",
        ),
        (
            "ALTER FUNCTION pmo_log.append SET search_path = public",
            "the function append is not what",
        ),
        (
            "CREATE FUNCTION pmo_log.lock(x int) RETURNS void LANGUAGE sql AS ''",
            "the function lock is not what",
        ),
        (
            (
                "CREATE OR REPLACE TRIGGER events_stay_as_written BEFORE DELETE ON pmo_log.events"
                " EXECUTE FUNCTION pmo_log.refuse_changes();"
                "ALTER TABLE pmo_log.events ENABLE ALWAYS TRIGGER events_stay_as_written"
            ),
            "the trigger events_stay_as_written is not what",
        ),
        (
            (
                "CREATE OR REPLACE TRIGGER events_stay_as_written BEFORE DELETE OR UPDATE OR"
                " TRUNCATE ON pmo_log.events WHEN (false)"
                " EXECUTE FUNCTION pmo_log.refuse_changes();"
                "ALTER TABLE pmo_log.events ENABLE ALWAYS TRIGGER events_stay_as_written"
            ),
            "the trigger events_stay_as_written is not what",
        ),
        (
            "CREATE TABLE public.kid () INHERITS (pmo_log.events)",
            "the rows of kid count as rows of pmo_log.events",
        ),
        ("ALTER TABLE pmo_log.events ENABLE ROW LEVEL SECURITY", "events hides rows"),
        ("ALTER TABLE pmo_log.command_markers SET UNLOGGED", "command_markers would be empty"),
        (
            (
                "ALTER TABLE pmo_log.events"
                " DROP CONSTRAINT events_originator_id_originator_version_key"
            ),
            r"events has lost its UNIQUE \(originator_id, originator_version\)",
        ),
        (
            "ALTER TABLE pmo_log.command_markers DROP CONSTRAINT command_markers_pkey",
            r"command_markers has lost its PRIMARY KEY \(command_id\)",
        ),
        ("GRANT UPDATE ON pmo_log.events TO pg_monitor", "pg_monitor may UPDATE events"),
        ("GRANT INSERT ON pmo_log.events TO PUBLIC", "everybody may INSERT events"),
        ("GRANT UPDATE (state) ON pmo_log.events TO pg_monitor", r"may UPDATE events\.state"),
        ("GRANT DELETE ON pmo_log.schema_version TO pg_monitor", "may DELETE schema_version"),
        ("GRANT CREATE ON SCHEMA pmo_log TO pg_monitor", "pg_monitor may CREATE in pmo_log"),
        ("GRANT EXECUTE ON FUNCTION pmo_log.append TO PUBLIC", "everybody may call append"),
    ],
)
def test_a_schema_that_was_tampered_with_is_found(owner, ledger, statement, told):
    owner.execute(statement)
    with pytest.raises(LogDamaged, match=told):
        ledger.check()


def test_a_schema_in_which_roles_were_let_in_is_what_it_was_made_as(owner, app, ledger):
    admit(owner, app)
    assert ledger.check() == 6


STRUCTURE = (
    (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name"
        " FROM information_schema.columns WHERE table_schema = 'pmo_log'"
        " ORDER BY 1, ordinal_position"
    ),
    (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'pmo_log'::regnamespace ORDER BY 1, 2"
    ),
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'pmo_log' ORDER BY 1",
    "SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE tgname !~ '^RI_' ORDER BY 1",
    (
        "SELECT pg_get_functiondef(oid), proacl::text FROM pg_proc"
        " WHERE pronamespace = 'pmo_log'::regnamespace ORDER BY 1"
    ),
    "SELECT version FROM pmo_log.schema_version ORDER BY 1",
)


def structure(connection):
    return [connection.execute(query).fetchall() for query in STRUCTURE]


LATER = """
ALTER TABLE pmo_log.command_markers ADD COLUMN IF NOT EXISTS note text;
CREATE OR REPLACE FUNCTION pmo_log.lock() RETURNS void
LANGUAGE sql
AS $$ SELECT pg_catalog.pg_advisory_xact_lock(1347243825, 1) -- as before $$;
"""


@pytest.fixture
def later(tmp_path, monkeypatch):
    """A program of the next version, with one more migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(postgres_schema.MIGRATIONS, folder)
    newest = max(postgres_schema.migrations())

    def begin():
        (folder / f"{newest + 1:04}_later.sql").write_text(LATER)
        monkeypatch.setattr(postgres_schema, "MIGRATIONS", folder)
        postgres_schema._made_as.cache_clear()

    yield begin
    monkeypatch.undo()
    postgres_schema._made_as.cache_clear()


def test_a_migrated_schema_equals_a_fresh_one_and_keeps_the_events(
    ledger, database, postgres, later
):
    head = ledger.chain(6)
    later()
    fresh = postgres.new_database()
    for address, events in ((database, 6), (fresh, 0)):
        with closing(PostgresLog(address)) as log:
            assert log.check() == events
            log.append([append("Z")])
    with psycopg.connect(database) as old, psycopg.connect(fresh) as new:
        assert structure(old) == structure(new)
        assert structure(old)[-1] == [(1,), (2,), (3,)]
    assert ledger.chain(6) == head
    postgres.drop_database(fresh)


def test_a_schema_that_a_newer_program_wrote_is_refused_and_left_alone(owner, ledger, database):
    owner.execute("INSERT INTO pmo_log.schema_version VALUES (99)")
    with pytest.raises(StoreFailed, match="version 99, this program knows 2"):
        PostgresLog(database)


def test_many_may_make_the_same_ledger_at_once(database):
    with ThreadPoolExecutor(6) as pool:
        logs = list(pool.map(lambda _: PostgresLog(database), range(6)))
    for number, log in enumerate(logs):
        log.append([append("A", number + 1)])
        assert log.check() == number + 1
    for log in logs:
        log.close()
