"""Which of the forms that an answer can have a client wants (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence


def accepted(header: str, forms: Sequence[str]) -> str:
    """The form that is named with the greatest weight; of equals the one that stands first in the
    header. A form has to be named: whoever takes anything, or nothing that there is, gets the
    first."""
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        form, *parameters = (piece.strip() for piece in part.split(";"))
        if form in forms:
            weights.setdefault(form, _weight(parameters))
    best = max(weights, key=weights.__getitem__, default=forms[0])
    return best if weights.get(best) else forms[0]


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0 <= weight <= 1 else 0.0
    return 1.0
