"""The ledger's schema in PostgreSQL: made, brought up to date, compared with what was made."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

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


@cache
def _made_as() -> tuple[dict[str, str], frozenset[str]]:
    """The functions and their texts, and the triggers, as the migrations leave them."""
    script = "\n".join(path.read_text(encoding="utf-8") for path in migrations().values())
    functions = re.findall(
        r"^CREATE (?:OR REPLACE )?FUNCTION pmo_log\.(\w+)\(.*?^AS \$\$(.*?)\$\$;",
        script,
        re.DOTALL | re.MULTILINE,
    )
    return dict(functions), frozenset(re.findall(r"^CREATE TRIGGER (\w+)", script, re.MULTILINE))


def compare(connection: Connection) -> str:
    """What tells the ledger's schema from what it was made as; empty if nothing.

    A dropped trigger lets events be changed, one that was added can change them as they come.
    """
    functions, triggers = _made_as()
    with connection.cursor(row_factory=tuple_row) as c:
        c.execute(
            "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN"
            " ('pmo_log.events'::regclass, 'pmo_log.command_markers'::regclass)"
        )
        enabled: dict[str, str] = dict(c.fetchall())
        c.execute(
            "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'pmo_log'::regnamespace"
        )
        present: dict[str, str] = dict(c.fetchall())
        c.execute(
            "SELECT rulename FROM pg_rules WHERE schemaname = 'pmo_log'"
            " AND tablename IN ('events', 'command_markers')"
        )
        rules = [name for (name,) in c.fetchall()]
    for name in sorted(triggers):
        if enabled.get(name) != "A":
            state = "is switched off" if name in enabled else "is missing"
            return f"the trigger {name}, which the ledger was made with, {state}"
    for name in sorted(functions):
        if present.get(name) != functions[name]:
            return f"the function {name} is not what the ledger was made with"
    for name in [*sorted(enabled.keys() - triggers), *rules]:
        return f"{name} is a trigger or a rule that the ledger was not made with"
    return ""
