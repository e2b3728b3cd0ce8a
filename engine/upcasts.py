"""Older stored forms lifted to today's, one pure step at a time, as plain dict to plain dict.

Bytes in the log are never rewritten. A step takes a body of the form its key names and returns the
next form; a chain of steps ends at a form that ``engine.events`` knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.errors import LogDamaged

Body = dict[str, Any]


def _observed_v1(body: Body) -> Body:
    """v1 kept what was withheld beside the data: ``withheld: {fields: [...], ground: ...}``.

    With one ground for all fields it could not say that two fields were withheld on two grounds.
    """
    kept_back = body.get("withheld") or {"fields": [], "ground": ""}
    data = body["data"] | {name: {"withheld": kept_back["ground"]} for name in kept_back["fields"]}
    rest = {name: value for name, value in body.items() if name != "withheld"}
    return rest | {"type": "pmo.case.observed.v2", "data": data}


STEPS: dict[str, Callable[[Body], Body]] = {
    "pmo.case.observed.v1": _observed_v1,
}


def lift(body: Body) -> Body:
    while step := STEPS.get(body.get("type", "")):
        body = step(body)
    return body


def read(position: int, state: bytes, decode: Callable[[bytes], Any]) -> Body:
    """The body stored at ``position``, in today's form. Raises ``LogDamaged`` if it is none."""
    try:
        body = decode(state)
        if type(state) is bytes and isinstance(body, dict):
            return lift(body)
    except (ValueError, TypeError, KeyError) as error:
        raise LogDamaged(position, f"what is stored there is no event: {error}") from error
    raise LogDamaged(position, "what is stored there is no event")
