"""What somebody writes after ``--where``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import BadInput
from projections.register_pages import Comparison, Where

_COMPARED = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
_JUDGED = re.compile(r"\s*(\w+)\s+is\s+(missing|withheld|present)\s*")
_WHOLE = ("version", "definition", "position")
_CALLED = {"number": "a number", "money": "an amount of money"}
_LONGEST = 400
"""Characters of a list that somebody still reads."""

_MEND = "write 'amount>=1m', 'rating=Amber', 'name~Rail' or 'end is missing'"


def read_condition(text: str, body: Mapping[str, Any], states: Sequence[str]) -> Where:
    """A condition on a column of the workflow with this definition body, and these ``states`` by
    whichever version of it.

    Values read as they do when data is given: ``amount>=1.25m``. Raises ``BadInput``.
    """
    if match := _JUDGED.fullmatch(text):
        judged: Any = match[2]
        return Where(match[1], judged)
    match = _COMPARED.fullmatch(text)
    if not match:
        raise BadInput.one("--where", f"{text!r} is no condition", _MEND)
    name, sign, value = match.groups()
    comparison: Comparison = "contains" if sign == "~" else sign  # type: ignore[assignment]
    described = body.get("data", {}).get(name)
    where = f"--where {name}"
    if described:
        _require_fitting(described["type"], sign, value, where)
    if sign == "~":
        return Where(name, comparison, value)
    if described:
        return Where(name, comparison, _read(described, value, where))
    if name == "state" and sign in ("=", "!="):
        require_state(value, states, where)
    if name in _WHOLE:
        return Where(name, comparison, _whole(value, where))
    return Where(name, comparison, value)


def require_state(state: str, states: Sequence[str], where: str) -> None:
    """Raises ``BadInput`` for a state that is none of these."""
    if state in states:
        return
    from engine.validation import suggest

    mend = suggest(state, states)
    if len(mend) > _LONGEST:
        mend = "name a workflow to see its states: pmo list WORKFLOW --state ..."
    raise BadInput.one(where, f"no state {state!r}", mend)


def _require_fitting(kind: str, sign: str, value: str, where: str) -> None:
    """A comparison that can never hold, or holds by chance, is a slip."""
    name = where.split()[-1]
    if sign == "~" and kind in ("number", "money"):
        what = f"'~' looks into text, and {name} is {_CALLED[kind]}"
        raise BadInput.one(where, what, f"write '{name}={value}' or '{name}>={value}'")
    if sign != "~" and kind in ("list", "document"):
        what = f"{name} is a {kind}, which has more in it than one value"
        raise BadInput.one(where, what, f"look into it: '{name}~{value}'")


def _whole(value: str, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise BadInput.one(where, f"{value!r} is not a whole number", "write it like 3")
    return int(value)


def _read(described: Mapping[str, Any], value: str, where: str) -> Any:
    kind = described["type"]
    if kind not in ("number", "money", "date", "choice"):
        return value
    # Only these import the models of the grammar, which cost a tenth of a second.
    from engine import values
    from engine.definition import Field

    unbound = {key: said for key, said in described.items() if key not in ("least", "most")}
    field = Field.model_validate(unbound)
    read = values.read(field, value, where)
    return float(read["amount"]) if kind == "money" else read
