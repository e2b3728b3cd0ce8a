"""Which case somebody meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.cli.tables import show_moment
from app.home import Home
from engine.errors import NotFound
from engine.upcasts import Body
from projections.cases import case, cases
from projections.definitions import workflows

_NUMBERED = re.compile(r"(.*?)-?0*(\d+)")
_LOOKED_AT = 500
"""Of so many cases, those changed last, a similar key is looked for."""


LISTED = "pmo list shows what there is"
_IS_FILE = "publish the file first, and name its workflow: pmo publish"


def no_case(home: Home, key: str, otherwise: str = LISTED) -> NotFound:
    """That there is no such case, naming the one that was probably meant."""
    near = _nearest(home, key)
    mend = f"did you mean {near}?" if near else otherwise
    return NotFound.one("", f"there is no case {key!r}", mend)


def neither(home: Home, name: str) -> NotFound:
    """That it is no workflow and no case, naming the one that was probably meant."""
    near = _nearest(home, name) or _similar(name, workflows(home.views))
    mend = f"did you mean {near}?" if near else _IS_FILE if name.endswith(".yaml") else LISTED
    return NotFound.one("", f"there is no workflow or case {name!r}", mend)


def no_workflow(home: Home, name: str) -> NotFound:
    """That no such workflow is published, naming the one that was probably meant."""
    known = workflows(home.views)
    near = _similar(name, known)
    mend = f"did you mean {near!r}?" if near else f"there is {', '.join(known) or 'none'}"
    if case(home.views, name):
        mend = f"it is a case: pmo show {name}"
    return NotFound.one("", f"no workflow {name!r} is published", mend)


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
    candidates = [key.upper()]
    if match := _NUMBERED.fullmatch(key.upper()):
        candidates.append(f"{match[1]}-{match[2]:0>4}")
    for candidate in candidates:
        if case(home.views, candidate):
            return candidate
    latest, _ = cases(home.views, limit=_LOOKED_AT)
    return _similar(key.upper(), [row["key"] for row in latest], 0.75)


def _similar(word: str, known: Sequence[str], cutoff: float = 0.6) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=cutoff)
    return near[0] if near else None
