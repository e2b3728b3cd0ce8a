"""The JSON Schema of a field's value, as ``engine.values`` makes sure of it.

Only words that JSON Schema draft-07 and 2020-12 share: AsyncAPI reads the former.
"""

from __future__ import annotations

from typing import Any

from engine import values
from engine.definition import Field

Schema = dict[str, Any]

WITHHELD: Schema = {
    "title": "Withheld",
    "description": "Known to somebody, and kept back on this ground. Neither missing nor zero.",
    "type": "object",
    "properties": {"withheld": {"type": "string"}},
    "required": ["withheld"],
    "additionalProperties": False,
}
DATE = r"^\d{4}-\d\d-\d\d$"
SHA256 = "^[0-9a-f]{64}$"

_LARGEST_NUMBER = 2**53 - 1
_KEY = f"^{values.CASE_KEY.pattern}$"
_PERSON = f"^{values.ACTOR_ID.pattern}$"


def value_schema(field: Field) -> Schema:
    """What the field holds when it holds a value."""
    schema = _of_type(field, field.type)
    about = ". ".join(part.rstrip(".") for part in (field.title, field.about) if part)
    return schema | {"description": f"{about}."} if about else schema


def _of_type(field: Field, kind: str) -> Schema:
    match kind:
        case "text":
            return {"type": "string", "maxLength": field.longest or values.LONGEST_TEXT}
        case "number":
            return _number(field)
        case "money":
            # Of the bounds of an amount, which is text, a pattern can say only which sign it has.
            sign = "-?" if field.least is None or field.least < 0 else ""
            amount = {"type": "string", "pattern": rf"^{sign}\d{{1,15}}(\.\d{{1,15}})?$"}
            return _object({"amount": amount, "currency": {"const": field.currency}})
        case "date":
            return {"type": "string", "format": "date", "pattern": DATE}
        case "choice":
            return {"enum": list(field.choices)}
        case "ref":
            return {"type": "string", "pattern": _KEY, "title": f"The key of a case of {field.to}"}
        case "person":
            return {"type": "string", "pattern": _PERSON}
        case "document":
            text = {"type": "string"}
            parts = {"name": text, "sha256": {**text, "pattern": SHA256}, "uri": text}
            return _object(parts) | {"required": ["sha256"]}
    assert kind == "list"
    items = {"items": _of_type(field, field.item_type), "maxItems": values.LONGEST_LIST}
    return {"type": "array", **items, **({"uniqueItems": True} if field.unique else {})}


def _number(field: Field) -> Schema:
    least = -_LARGEST_NUMBER if field.least is None else field.least
    most = _LARGEST_NUMBER if field.most is None else field.most
    unit = {"title": f"In {field.unit}"} if field.unit else {}
    return {"type": "number", "minimum": least, "maximum": most, **unit}


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
