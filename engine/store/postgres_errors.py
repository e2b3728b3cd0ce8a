"""Why PostgreSQL could not do it, in plain words."""

from __future__ import annotations

import re

import psycopg

from engine.errors import StoreFailed, StoreStarting
from engine.store.postgres_connection import plain_address
from engine.store.postgres_pool import WAIT_SECONDS

_STARTING = "57P03"
_AGAIN = "the server is starting or stopping; try again"
_MAY_BE_BACK = ("57P01", "57P02", _STARTING)

_PLAIN_WORDS = {
    "25006": "it can only be read: a standby, or a database set to be read-only",
    "42501": "the role may not do this; its owner lets it in by: SELECT pmo_log.admit('ROLE')",
    "53100": "the disk is full; make room and try again",
    "53200": "the server is out of memory",
    "55P03": f"another process kept it locked for more than {WAIT_SECONDS} seconds",
    "57P01": "the server is being stopped",
    "57P02": "the server has crashed and is starting again",
    "XX001": "it is damaged; `pmo verify` names the position, a backup mends it",
    "XX002": "an index is damaged; REINDEX mends it",
}

# A refused connection has no code, only the server's words.
_MENDS = {
    r'database ".*" does not exist': "make it: createdb",
    r"password authentication failed|no password": "set PGPASSWORD, or use a password file",
    r"too many connections|too many clients|connection slots": (
        "raise max_connections, or run fewer processes"
    ),
    # Of several servers; of one the code is known (``postgres_connection.connect``).
    r"the database system is (starting|shutting|in recovery|not)": _AGAIN,
    r"refused|timeout|could not translate": "check the host, the port, and that it runs",
}
_PREAMBLE = re.compile(r"^connection failed: .*?failed: (FATAL: *)?")


def failed(address: str, error: psycopg.Error) -> StoreFailed:
    """The same failure in words that a user can act on."""
    words = _PLAIN_WORDS.get(error.sqlstate or "")
    if not words:
        # libpq tells each address that it tried on a line of its own.
        words = _PREAMBLE.sub("", " ".join(str(error).split())) or type(error).__name__
        mend = next((mend for what, mend in _MENDS.items() if re.search(what, words)), "")
        if error.sqlstate == _STARTING:
            mend = _AGAIN
        words = f"{words} ({mend})" if mend else words
    elif error.sqlstate == "42501" and error.diag.message_primary:
        words = f"{error.diag.message_primary}: {words}"
    passes = error.sqlstate in _MAY_BE_BACK or _AGAIN in words
    kind = StoreStarting if passes else StoreFailed
    return kind(f"{plain_address(address)}: {words}")


def is_damage(error: psycopg.Error) -> bool:
    return error.sqlstate in ("XX001", "XX002")
