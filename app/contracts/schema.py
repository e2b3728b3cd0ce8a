"""The JSON Schema of an event as outsiders get it: envelope and data in one canonical JSON object.

The envelope comes from the models that the log itself is read with. It is left open, so that a
later engine may add to it; ``data`` is closed: a version of a definition says once and for all what
its events can carry.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from app.contracts.fields import DATE, SHA256, WITHHELD, Schema, value_schema
from app.contracts.forms import Form, forms, observed
from engine.definition import Definition
from engine.events import Event
from engine.schema import DIALECT

LOCAL = "#/$defs/"
"""Where the parts of a schema stand, if it stands alone."""

_FACT = "Observed"
"""The part that a fact of any name has to fit; fields have small letters."""
_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_SAID: dict[str, Schema] = {
    "event_id": {
        "description": "A UUID (version 7), the same however often the event is delivered.",
        "format": "uuid",
    },
    "stream": {"description": "The key of the case, or definition/WORKFLOW."},
    "version": {"description": "The place in the stream, counted from 1.", "minimum": 1},
    "name": {"description": "The domain name, as the definition says it."},
    "recorded_at": {"description": "When it was recorded (UTC).", "pattern": f"^{_INSTANT}$"},
    "occurred_at": {
        "description": "When it was so: an instant, or a date where only the day is known.",
        "pattern": f"^{_INSTANT}$|{DATE}",
    },
    "escalated": {"description": "From whom the matter has gone to whom, if it has."},
    "before": {"description": "What the fields that the step tells of held until then."},
    "role": {"description": "The role in which the actor took the step."},
    "reads": {"description": "Other streams that were looked at, and at which version."},
    "command_id": {"description": "The command that brought it about; a command has one effect."},
    "correlation_id": {"description": "What it all began with: the same through all reactions."},
    "causation_id": {"description": "The event that asked for it, if one did."},
    "state": {"description": "The state the case is in from then on."},
}
"""What the models do not say, by the name of a property of the envelope."""


def urn(definition: Definition, name: str) -> str:
    """What the ``dataschema`` of such an event names."""
    return f"urn:pmo:{definition.workflow}:{definition.version}:{name}"


def event_schema(definition: Definition, name: str) -> Schema:
    """The schema of an event of this name, on its own (JSON Schema 2020-12).

    Of a name that the definition does not know, the one of an observed fact.
    """
    return {
        "$schema": DIALECT,
        "$id": urn(definition, name),
        **body_schema(definition, name),
        "$defs": parts(definition, name),
    }


def body_schema(definition: Definition, name: str, at: str = LOCAL) -> Schema:
    """The schema without its ``parts``, which stand under ``at``."""
    ways = [_way(form, definition, at) for form in forms(definition).get(name, ())]
    ways.append({"$ref": f"{at}{_part_of(definition, _FACT)}"})
    of = {"name": {"const": definition.workflow}, "version": {"const": definition.version}}
    return {
        "title": name,
        "description": f"{definition.title}, version {definition.version}.",
        "type": "object",
        "properties": {"name": {"const": name}, "definition": {"properties": of}},
        "anyOf": ways,
    }


def parts(definition: Definition, name: str, at: str = LOCAL) -> dict[str, Schema]:
    """What the schema refers to, by name: the same name is the same part in all schemas."""
    fact = observed(definition)
    found: dict[str, Schema] = {
        "Withheld": WITHHELD,
        _part_of(definition, _FACT): _way(fact, definition, at),
    }
    for form in (*forms(definition).get(name, ()), fact):
        found |= _envelope(form.model, at)
    for field_name, field in definition.data.items():
        found[_part_of(definition, field_name)] = value_schema(field)
    return found


def data_schema(
    definition: Definition, at: str = LOCAL, names: Iterable[str] | None = None
) -> Schema:
    """What a case can hold in these fields, or in all: where there is nothing, it is left out."""
    held = {
        name: {"anyOf": [{"$ref": f"{at}{_part_of(definition, name)}"}, {"$ref": f"{at}Withheld"}]}
        for name in (definition.data if names is None else names)
    }
    return {"type": "object", "properties": held, "additionalProperties": False}


def _part_of(definition: Definition, field: str) -> str:
    return f"{definition.workflow}.{definition.version}.{field}"


def _way(form: Form, definition: Definition, at: str) -> Schema:
    said: dict[str, Schema] = {}
    if form.carries is not None:
        said["data"] = _data(form, definition, at)
    if form.tells:
        said["before"] = data_schema(definition, at, form.tells)
    if form.trigger:
        said["trigger"] = {"const": form.trigger}
        said["source"] = {"enum": list(form.sources)}
    if form.states:
        said["state"] = {"enum": list(form.states)}
    whole = {"$ref": f"{at}{form.model.__name__}"}
    if form.escalates:
        return {"allOf": [whole, {"properties": said, "required": ["escalated"]}]}
    return {"allOf": [whole, {"properties": said}]} if said else whole


def _data(form: Form, definition: Definition, at: str) -> Schema:
    properties: dict[str, Schema] = {}
    for name, is_value in (form.carries or {}).items():
        value = {"$ref": f"{at}{_part_of(definition, name)}"}
        open_ = [value, {"$ref": f"{at}Withheld"}, {"type": "null"}]
        properties[name] = value if is_value else {"anyOf": open_}
    required = {"required": list(form.always)} if form.always else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **required}


@cache
def _envelope(model: type[Event], at: str) -> dict[str, Schema]:
    """The model's own schema and those of its parts, in plain words and open to additions."""
    whole = TypeAdapter(model).json_schema(ref_template=f"{at}{{model}}")
    inner = whole.pop("$defs", {})
    named = {model.__name__: whole, **inner}
    return {name: _part(name, part, name == model.__name__) for name, part in named.items()}


def _part(name: str, said: dict[str, Any], outer: bool) -> Schema:
    required = said.get("required", [])
    about = _plain(name, said.get("description", ""))
    return {
        "title": name,
        **({"description": about} if about else {}),
        "type": "object",
        "properties": {key: _property(key, one, outer) for key, one in said["properties"].items()},
        "required": ["type", *required] if outer else required,
    }


def _property(name: str, said: dict[str, Any], outer: bool) -> Schema:
    schema = {key: value for key, value in said.items() if key not in ("title", "default")}
    if not outer:
        return schema | ({"pattern": SHA256} if name == "sha256" else {})
    if "anyOf" in schema:
        # What is not there is left out of the envelope, never null.
        (schema,) = [one for one in schema["anyOf"] if one != {"type": "null"}]
    return schema | _SAID.get(name, {})


def _plain(name: str, text: str) -> str:
    """A docstring in one line; a class without one has been given its signature instead."""
    if text.startswith(f"{name}("):
        return ""
    return " ".join(text.replace("``", "").split())
