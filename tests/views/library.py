"""The workflows that the shipped views speak of, as bare as can be: fields and states, no rules.

What is tested with them is what views make of facts. That the views fit the library that ships is
a test of its own (``shipped/test_all.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_TEXT = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")

_MORE = {"list": {"of": ["text"]}, "money": {"currency": "GBP"}, "ref": {"to": "plan"}}
_REGISTERS = {"appointment": {"register": "appointment", "in_force": ["active"]}}
_RULES: dict[str, dict[str, Any]] = {
    "decision": {
        "roles": {"approver": {"appointed_in": "data.unit"}, "secretary": {}},
        "transitions": [
            {"trigger": "approve", "from": ["ready"], "to": "approved", "by": ["approver"]},
            {"trigger": "lapse", "from": ["ready"], "to": "rejected", "by": ["timer"]},
        ],
    },
    "objective": {
        "transitions": [
            {
                "trigger": "report",
                "from": ["active"],
                "to": "active",
                "by": [{"person": "owner"}],
            },
        ],
    },
}


def bodies() -> list[dict[str, Any]]:
    """The bodies of all the definitions."""
    return [_body(line) for line in _TEXT.strip().splitlines()]


def _body(line: str) -> dict[str, Any]:
    name, _, rest = line.partition(": ")
    fields, _, states = rest.partition(" | ")
    data = {}
    for field in fields.split():
        field_name, _, kind = field.partition(":")
        data[field_name] = {"type": kind or "text"} | _MORE.get(kind, {})
    return {
        "workflow": name,
        "version": 1,
        "title": name,
        "data": data,
        "states": {
            state.rstrip("*"): {"final": True} if state.endswith("*") else {}
            for state in states.split()
        },
        "order": {"data": list(data)},
        **_REGISTERS.get(name, {}),
        **_RULES.get(name, {}),
    }
