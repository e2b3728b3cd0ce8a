"""Points on the two clocks, as queries need them."""

from __future__ import annotations

from engine.clock import last_instant
from projections.store import Tables, read_sql

FOREVER = 2**62
"""A position beyond every other."""

ALWAYS = "~"
"""A text beyond every instant."""

_SQL = read_sql("audit.sql")


def known_position(tables: Tables, known_at: str | None) -> int:
    """The last position recorded by ``known_at``, an instant or a whole day; ``None``: all of them.

    On the clock of what was known, ranges are positions: exact even where instants are equal.
    """
    if known_at is None:
        return FOREVER
    found = tables.run(_SQL["known"], [last_instant(known_at)])
    return int(found[0][0]) if found else 0


def last_position(tables: Tables) -> int:
    """The last position there is."""
    return int(tables.run(_SQL["head"])[0][0])


def occurred_by(as_of: str | None) -> str:
    """The last instant of ``as_of``, an instant or a whole day; ``None``: after everything.

    Without a moment, what is recorded for a day still to come counts as well, as in the engine's
    own fold of a case.
    """
    return ALWAYS if as_of is None else last_instant(as_of)
