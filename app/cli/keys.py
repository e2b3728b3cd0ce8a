"""Which case somebody meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.cli.tables import show_moment
from app.home import Home
from engine.errors import NotFound
from engine.upcasts import Body
from projections.cases import case, cases

_NUMBERED = re.compile(r"(.*?)-?0*(\d+)")
_LOOKED_AT = 500
"""Of so many cases, those changed last, a similar key is looked for."""


def no_case(home: Home, key: str) -> NotFound:
    """That there is no such case, naming the one that was probably meant."""
    near = _nearest(home, key)
    mend = f"did you mean {near}?" if near else "pmo list shows what there is"
    return NotFound.one("", f"there is no case {key!r}", mend)


def nothing_yet(case: str, events: Sequence[tuple[int, Body]]) -> NotFound:
    """That it begins only after the moments that were asked for."""
    _, first = min(events, key=lambda event: event[1]["occurred_at"])
    recorded = min(body["recorded_at"] for _, body in events)
    return NotFound.one(
        "",
        f"nothing was so, or known, of {case} by then",
        f"it begins on {show_moment(first['occurred_at'])}, recorded {show_moment(recorded)}",
    )


def _nearest(home: Home, key: str) -> str | None:
    from difflib import get_close_matches

    candidates = [key.upper()]
    if match := _NUMBERED.fullmatch(key.upper()):
        candidates.append(f"{match[1]}-{match[2]:0>4}")
    for candidate in candidates:
        if case(home.views, candidate):
            return candidate
    latest, _ = cases(home.views, limit=_LOOKED_AT)
    near = get_close_matches(key.upper(), [row["key"] for row in latest], n=1, cutoff=0.75)
    return near[0] if near else None
