"""What somebody writes after ``--where``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.errors import BadInput
from projections.register_pages import Comparison, Where

_COMPARED = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
_JUDGED = re.compile(r"\s*(\w+)\s+is\s+(missing|withheld|present)\s*")
_MEND = "write 'amount>=1m', 'rating=Amber', 'name~Rail' or 'end is missing'"


def read_condition(text: str, body: Mapping[str, Any]) -> Where:
    """A condition on a column of the workflow with this definition body.

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
    if sign != "~" and described:
        return Where(name, comparison, _read(described, value, name))
    return Where(name, comparison, value)


def _read(described: Mapping[str, Any], value: str, name: str) -> Any:
    kind = described["type"]
    if kind not in ("number", "money", "date", "choice"):
        return value
    # Only these import the models of the grammar, which cost a tenth of a second.
    from engine import values
    from engine.definition import Field

    unbound = {key: said for key, said in described.items() if key not in ("least", "most")}
    field = Field.model_validate(unbound)
    read = values.read(field, value, f"--where {name}")
    return float(read["amount"]) if kind == "money" else read
