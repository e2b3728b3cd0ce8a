"""The linter's rules about registers: what guards look up must be where they look, as they read it.

``engine.registers`` says what keys and fields are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from engine.definition import Definition, Field
from engine.errors import Problem
from engine.registers import FIELDS, KEYS
from engine.step import VoteRule
from engine.validation import suggest

ESSENTIAL = {
    "appointment": ("role", "unit", "person"),
    "body": ("name", "members"),
    "authority": ("category", "unit", "level", "holder"),
    "delegation": ("giver", "receiver", "role", "unit"),
    "calendar": ("name",),
}
"""Without these an entry says nothing; the other fields a register can do without."""

_HOLDS = {"members": "person", "weights": "number", "weekend": "text", "holidays": "date"}
_CHOICES = {"held_by": ("role", "body"), "rule": get_args(VoteRule)}
_FITTING = {"text": ("text", "choice")}


def has_the_key_of_its_register(definition: Definition) -> Iterator[Problem]:
    kind = definition.register_kind
    if kind in KEYS and definition.key != KEYS[kind]:
        what = f"an entry of this register is found under {KEYS[kind]}"
        yield Problem("/key", what, f"write `key: {KEYS[kind]}`")


def has_the_fields_of_its_register(definition: Definition) -> Iterator[Problem]:
    kind = definition.register_kind
    if kind is None:
        return
    for name, wanted in FIELDS[kind].items():
        field = definition.data.get(name)
        if field is None:
            if name in ESSENTIAL[kind]:
                mend = f"add `{name}: {_written(name, wanted)}` to data"
                yield Problem("/register", f"an entry of kind {kind} says {name!r}", mend)
        elif field.type not in _FITTING.get(wanted, (wanted,)):
            what = f"in a register of kind {kind}, {name} is of type {wanted}, not {field.type}"
            yield Problem(f"/data/{name}/type", what, f"write `{_written(name, wanted)}`")
        else:
            yield from _reads(name, field)


def _reads(name: str, field: Field) -> Iterator[Problem]:
    """Whether guards can make sense of every value that the field can have."""
    holds = _HOLDS.get(name)
    if holds and field.of not in ([], [holds]):
        what = f"{name} holds {field.item_type}, where guards look for {holds}"
        yield Problem(f"/data/{name}/of", what, f"write `of: {holds}`")
    for i, choice in enumerate(field.of if field.type == "choice" else ()):
        known = _CHOICES.get(name, (choice,))
        if choice not in known:
            yield Problem(
                f"/data/{name}/of/{i}", f"no {name} is {choice!r}", suggest(choice, known)
            )
    if name == "quorum" and (field.most or 0) > 100:
        what = "a quorum is a share of those entitled: more than 100% nobody can reach"
        yield Problem(f"/data/{name}/most", what, "write `most: 100`")


def _written(name: str, wanted: str) -> str:
    more = f", of: {_HOLDS[name]}" if name in _HOLDS else ""
    more += f", of: [{', '.join(_CHOICES[name])}]" if name in _CHOICES else ""
    return f"{{type: {wanted}{more}}}"


def has_entries_that_come_into_force(definition: Definition) -> Iterator[Problem]:
    if definition.register_kind and not definition.in_force:
        mend = "say in which states an entry counts, like `in_force: [active]`"
        yield Problem("/register", "no entry would ever be in force", mend)
    for i, state in enumerate(definition.in_force):
        if definition.register_kind is None:
            mend = "leave it out, or say which `register:` these cases are entries of"
            yield Problem("/in_force", "only the entries of a register are in force", mend)
            return
        if state not in definition.states:
            mend = suggest(state, definition.states)
            yield Problem(f"/in_force/{i}", f"there is no state {state!r}", mend)


RULES = (
    has_the_key_of_its_register,
    has_the_fields_of_its_register,
    has_entries_that_come_into_force,
)
