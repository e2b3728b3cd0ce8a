"""The gist of an event: what the case list and the registers need of it.

A long build tells it to a second process (``projections.part``): so it is short, and as JSON has
it.
"""

from __future__ import annotations

from typing import Any

from engine.upcasts import Body
from projections.definitions import PUBLISHED
from projections.signatures import SIGNED

Gist = tuple[Any, ...]
"""Stream, type, workflow, its version, its hash, the event's version, when it was so, when it was
recorded, name, the state unless it stays, data; and of a signature what was signed, by whom and
with which answer, of a definition its fields. What an event does not have is ``None``."""


def heed(event: Body) -> Gist:
    """The gist of an event, whatever is wrong with it: who reads the gist finds out."""
    get = event.get
    about, kind = get("definition") or {}, get("type")
    rest: Any = None
    if kind == SIGNED:
        rest = get("of"), (get("actor") or {}).get("id"), get("answer")
    elif kind == PUBLISHED:
        rest = _fields(get("body") or {})
    return (
        get("stream"),
        kind,
        about.get("name"),
        about.get("version"),
        about.get("hash"),
        get("version"),
        get("occurred_at"),
        get("recorded_at"),
        get("name"),
        None if get("stays") else get("state"),
        get("data"),
        rest,
    )


def _fields(body: Body) -> dict[str, Any]:
    """The fields of a definition as its author arranged them: JSON in the log sorts its keys."""
    fields: dict[str, Any] = body.get("data", {})
    arranged = body.get("order", {}).get("data", [])
    return {name: fields[name] for name in arranged if name in fields} | fields
