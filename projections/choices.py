"""What a parameter of a view can be, where it is one of some words: those that the view names, and
those that a column can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine.validation import suggest

Bodies = Mapping[str, Sequence[Mapping[str, Any]]]
"""Definitions as data, all versions of each, by the relation of their workflow."""

_COLUMN = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")


def bodies_of(definitions: Iterable[Mapping[str, Any]]) -> Bodies:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for body in definitions:
        found.setdefault(body["workflow"].replace("-", "_"), []).append(body)
    return found


def choices(of: Sequence[str], bodies: Bodies) -> list[str] | None:
    """The words; ``None`` where one of the columns is none that says them: then any will do."""
    words: dict[str, None] = {}
    for one in of:
        if not (column := _COLUMN.fullmatch(one)):
            words[one] = None
            continue
        held = _held(column[1], column[2], bodies)
        if not held:
            return None
        words |= dict.fromkeys(held)
    return list(words)


def faults(of: Sequence[str], bodies: Bodies) -> Iterator[tuple[str, str]]:
    """Of each column that says no words, what is wrong with it and how to mend it."""
    for one in of:
        if not (column := _COLUMN.fullmatch(one)):
            continue
        relation, name = column.groups()
        if relation not in bodies:
            yield f"there is no workflow {relation!r}", suggest(relation, bodies)
        elif not _held(relation, name, bodies):
            known = [f for body in bodies[relation] for f in _choosing(body)]
            mend = suggest(name, dict.fromkeys(["state", *known]))
            yield f"{one} is no choice and no state", mend


def _held(relation: str, name: str, bodies: Bodies) -> list[str]:
    """What a column can hold by any version, since any case may be under any of them."""
    held: list[str] = []
    for body in bodies.get(relation, ()):
        field = _choosing(body).get(name)
        held += body["states"] if name == "state" and field is None else (field or {}).get("of", ())
    return held


def _choosing(body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    fields = body.get("data", {})
    return {name: field for name, field in fields.items() if field["type"] == "choice"}
