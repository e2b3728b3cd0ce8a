"""What a register must say, found the slow and obvious way: filter all events, fold, answer."""

from __future__ import annotations

from typing import Any

from engine.clock import last_instant

Body = dict[str, Any]


def case_at(
    events: list[tuple[int, Body]], key: str, known_at: str | None, as_of: str | None
) -> tuple[str | None, dict[str, Any], int] | None:
    """State, data and version of the rules of a case, ``None`` where nothing of it is known at that
    point."""
    seen = [
        body
        for _, body in events
        if body["stream"] == key
        and ("data" in body or "former" in body)
        and (known_at is None or body["recorded_at"] <= last_instant(known_at))
        and (as_of is None or body["occurred_at"] <= last_instant(as_of))
    ]
    if not seen:
        return None
    seen.sort(key=lambda body: (body["occurred_at"], body["version"]))
    state, data = None, {}
    rules = next(body for _, body in events if body["stream"] == key)["definition"]["version"]
    for body in seen:
        state = body.get("state", state)
        data |= body.get("data", {})
        if "former" in body:
            rules = body["definition"]["version"]
    return state, {name: value for name, value in data.items() if value is not None}, rules
