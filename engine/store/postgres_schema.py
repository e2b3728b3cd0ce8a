"""The ledger's schema in PostgreSQL: made, brought up to date, compared with what was made."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from psycopg.rows import tuple_row

from engine.errors import StoreFailed
from engine.store.postgres_connection import plain_address
from engine.store.postgres_pool import Connection

MIGRATIONS = Path(__file__).with_name("postgres_migrations")
OLDEST = 150000
"""PostgreSQL 15, the oldest version that the tests are run on."""

# One process at a time makes or changes the schema. Not the lock of the log, which is in it.
_LOCK = "SELECT pg_advisory_xact_lock(1347243825, 0)"


def migrations() -> dict[int, Path]:
    """The steps by the version that each brings about, in order."""
    return {int(path.name[:4]): path for path in sorted(MIGRATIONS.glob("[0-9]*.sql"))}


def prepare(connection: Connection) -> None:
    """Make the ledger where there is none, and bring one of an older version up to date.

    Raises ``StoreFailed`` for one that a newer program wrote, and for a server that is too old.
    """
    where = plain_address(connection.info.dsn)
    if connection.info.server_version < OLDEST:
        told = connection.info.parameter_status("server_version")
        raise StoreFailed(f"{where}: PostgreSQL {told} is too old; 15 or newer is needed")
    steps = migrations()
    newest = max(steps)
    if version(connection) == newest:
        return
    with connection.transaction():
        connection.execute(_LOCK)
        present = version(connection)  # another process may have been quicker
        if present > newest:
            raise StoreFailed(
                f"{where}: its schema has version {present}, this program knows {newest};"
                " use the version of pmo that wrote it"
            )
        if present and not _is_owner(connection):
            raise StoreFailed(
                f"{where}: its schema has version {present}; its owner brings it to version"
                f" {newest} by any verb, such as pmo status"
            )
        for number, path in steps.items():
            if number > present:
                connection.execute(path.read_bytes(), prepare=False)
                connection.execute("INSERT INTO pmo_log.schema_version VALUES (%s)", (number,))


def version(connection: Connection) -> int:
    """The schema's version, 0 where there is no ledger."""
    with connection.cursor(row_factory=tuple_row) as c:
        # By the catalogue's rows: to_regclass() answers from a cache that has not heard yet of what
        # was committed while this transaction waited for the lock.
        c.execute(
            "SELECT FROM pg_tables WHERE schemaname = 'pmo_log' AND tablename = 'schema_version'"
        )
        if not c.fetchall():
            return 0
        c.execute("SELECT coalesce(max(version), 0) FROM pmo_log.schema_version")
        (number,) = c.fetchone() or (0,)
        return int(number)


def _is_owner(connection: Connection) -> bool:
    with connection.cursor(row_factory=tuple_row) as c:
        c.execute(
            "SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'pmo_log'"
        )
        return c.fetchone() == (True,)


class _Function(NamedTuple):
    """Whose rights it runs with, where it looks for names, and its text."""

    with_its_owners_rights: bool
    settings: tuple[str, ...]
    text: str


_KEYS = {
    ("events", "PRIMARY KEY (position)"),
    ("events", "UNIQUE (originator_id, originator_version)"),
    ("command_markers", "PRIMARY KEY (command_id)"),
}

_TABLES = "('pmo_log.events'::regclass, 'pmo_log.command_markers'::regclass)"

_TRIGGERS = f"""
SELECT tgname, pg_get_triggerdef(oid), tgenabled::text FROM pg_trigger
WHERE NOT tgisinternal AND tgrelid IN {_TABLES}
"""
_FUNCTIONS = """
SELECT proname, prosecdef, coalesce(proconfig, '{}'), prosrc FROM pg_proc
WHERE pronamespace = 'pmo_log'::regnamespace
"""
_FOUND_KEYS = f"""
SELECT relname, replace(pg_get_constraintdef(pg_constraint.oid), '"', '')  -- as of "position"
FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE conrelid IN {_TABLES} AND contype IN ('p', 'u') AND convalidated
"""
# What else can have others see other rows than were added, or change them; each in plain words.
_STRANGE = f"""
SELECT rulename || ' is a trigger or a rule that the ledger was not made with'
FROM pg_rules WHERE schemaname = 'pmo_log' AND tablename IN ('events', 'command_markers')
UNION ALL
SELECT 'the rows of ' || inhrelid::regclass || ' count as rows of ' || inhparent::regclass
FROM pg_inherits WHERE inhparent IN {_TABLES}
UNION ALL
SELECT relname || ' hides rows from some roles' FROM pg_class
WHERE oid IN {_TABLES} AND (relrowsecurity OR relforcerowsecurity)
UNION ALL
SELECT relname || ' would be empty after a crash of the server: it is UNLOGGED' FROM pg_class
WHERE oid IN {_TABLES} AND relpersistence <> 'p'
UNION ALL
SELECT coalesce(rolname, 'everybody') || ' may ' || privilege_type || ' ' || what
FROM (
    SELECT relname::text, relowner, relacl, 'SELECT' FROM pg_class
    WHERE relnamespace = 'pmo_log'::regnamespace
    UNION ALL
    SELECT relname || '.' || attname, relowner, attacl, 'SELECT'
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'pmo_log'::regnamespace
    UNION ALL
    SELECT 'in ' || nspname, nspowner, nspacl, 'USAGE' FROM pg_namespace WHERE nspname = 'pmo_log'
) AS thing (what, owner, rights, admitted), aclexplode(rights)
LEFT JOIN pg_roles ON pg_roles.oid = grantee
WHERE grantee <> owner AND privilege_type <> admitted
UNION ALL
SELECT 'everybody may call ' || proname
FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
WHERE pronamespace = 'pmo_log'::regnamespace AND grantee = 0
LIMIT 1
"""


@cache
def _made_as() -> tuple[dict[str, _Function], dict[str, str]]:
    """The functions, and the definitions of the triggers as the server tells them, by their names:
    as the migrations leave them."""
    script = "\n".join(path.read_text(encoding="utf-8") for path in migrations().values())
    functions = re.findall(
        r"^CREATE (?:OR REPLACE )?FUNCTION pmo_log\.(\w+)\((.*?)^AS \$\$(.*?)\$\$;",
        script,
        re.DOTALL | re.MULTILINE,
    )
    triggers = re.findall(r"^(CREATE TRIGGER (\w+) .*?);", script, re.DOTALL | re.MULTILINE)
    return (
        {name: _function(head, text) for name, head, text in functions},
        {name: " ".join(told.split()) for told, name in triggers},
    )


def _function(head: str, text: str) -> _Function:
    settings = re.findall(r"\bSET (\w+) = (.*?)$", head, re.MULTILINE)
    told = tuple(f"{name}={value}" for name, value in settings)
    return _Function("SECURITY DEFINER" in head, told, text)


def compare(connection: Connection) -> str:
    """What tells the ledger's schema from what it was made as; empty if nothing.

    A dropped trigger lets events be changed, one that was added can change them as they come; a
    right that was granted, or a table that counts as a part of the ledger, goes past them.
    """
    functions, triggers = _made_as()
    with connection.cursor(row_factory=tuple_row) as c:
        found = {name: (told, enabled) for name, told, enabled in c.execute(_TRIGGERS)}
        present = [
            (name, _Function(definer, tuple(settings), text))
            for name, definer, settings, text in c.execute(_FUNCTIONS)
        ]
        keys = set(c.execute(_FOUND_KEYS).fetchall())
        strange = c.execute(_STRANGE).fetchall()
    for name, told in sorted(triggers.items()):
        there, enabled = found.get(name, ("", ""))
        if not there:
            return f"the trigger {name}, which the ledger was made with, is missing"
        if enabled != "A":
            return f"the trigger {name}, which the ledger was made with, is switched off"
        if there != told:
            return f"the trigger {name} is not what the ledger was made with"
    for name in sorted(functions):
        if [function for other, function in present if other == name] != [functions[name]]:
            return f"the function {name} is not what the ledger was made with"
    for table, key in sorted(_KEYS - keys):
        return f"{table} has lost its {key}"
    for name in sorted(found.keys() - triggers):
        return f"{name} is a trigger or a rule that the ledger was not made with"
    return str(strange[0][0]) if strange else ""
