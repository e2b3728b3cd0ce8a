"""What a step takes, field by field: how each is written, and what stands there now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from app.cli.tables import show_amount, show_value
from app.cli.terminal import clean

if TYPE_CHECKING:
    from app.offers import Offer

_MOST = 60
"""Characters of a value that are enough to know it by."""

_WRITTEN = {
    "text": "text",
    "number": "number",
    "date": "date, like 2026-12-31",
    "person": "a person's name",
    "document": "document: @FILE",
}


def fields_of_step(offer: Offer, body: Mapping[str, Any], held: Mapping[str, Any]) -> Iterator[str]:
    """A line for each field that a step takes; what it can do without stands in brackets, and
    what it cannot says what is meant by it."""
    fields = body.get("data", {})
    asked = [name for name in (*offer.needs, *offer.anew) if name in fields]
    yield from _lines(
        fields, asked, [n for n in offer.takes if n not in _counted(offer, body)], held
    )
    if "reason" in offer.anew and "reason" not in asked:
        yield "--reason  text: why"


def _counted(offer: Offer, body: Mapping[str, Any]) -> set[str]:
    """What the step counts up by itself: nobody has to say it, so nobody is asked."""
    rules = [rule for rule in body["transitions"] if rule["trigger"] == offer.trigger]
    return {name for rule in rules for name in rule.get("counts") or ()}


def fields_of_start(body: Mapping[str, Any]) -> Iterator[str]:
    """As ``fields_of_step``, for a case that is to begin."""
    fields, start = body.get("data", {}), body.get("start", {})
    required = [name for name, field in fields.items() if field.get("required")]
    asked = [*required, *start.get("needs", ()), *start.get("anew", ())]
    takes = start.get("accepts")
    return _lines(
        fields, [name for name in asked if name in fields], fields if takes is None else takes, {}
    )


def _lines(
    fields: Mapping[str, Mapping[str, Any]],
    asked: Iterable[str],
    takes: Iterable[str],
    held: Mapping[str, Any],
) -> Iterator[str]:
    written = {name: f"{name}=" for name in asked}
    written |= {name: f"[{name}=]" for name in takes if name not in written}
    wide = max(map(len, written.values()), default=0)
    for name, word in written.items():
        field = fields[name]
        now = f"; now {_short(held[name], field)}" if held.get(name) is not None else ""
        meant = (
            f": {_short(field['about'], field)}"
            if not word.startswith("[") and field.get("about")
            else ""
        )
        yield f"{word:{wide}}  {_kind(field)}{meant}{now}"


def _kind(field: Mapping[str, Any]) -> str:
    """How a value of it is written: its type, with the unit, the choices, and the bounds."""
    kind = field["type"]
    match kind:
        case "choice":
            said = f"one of: {', '.join(field['of'])}"
        case "money":
            said = f"{field['currency']}, like 1.25m"
        case "ref":
            said = f"the key of a case: {field['to']}" if field.get("to") else "the key of a case"
        case "list":
            said = f"list of {field['of'][0]}: one, another"
        case _:
            said = _WRITTEN[kind]
    if unit := field.get("unit"):
        said += f", in {clean(unit)}"
    if longest := field.get("longest"):
        said += f", up to {longest:,} characters"
    return said + _bounds(field)


def _bounds(field: Mapping[str, Any]) -> str:
    least, most = field.get("least"), field.get("most")
    if least is None or most is None:
        at_least = "" if least is None else f", at least {_number(least)}"
        return at_least if most is None else f", at most {_number(most)}"
    return f", {_number(least)} to {_number(most)}"


def _number(bound: float) -> str:
    return show_amount(Decimal(str(bound)))


def _short(value: Any, field: Mapping[str, Any]) -> str:
    text = show_value(value, field.get("unit", ""))
    return text if len(text) <= _MOST else f"{text[: _MOST - 1].rstrip()}…"
