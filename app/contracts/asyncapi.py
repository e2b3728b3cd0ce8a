"""The AsyncAPI 3.0 document of a ledger: every topic, every message, with examples that fit.

https://www.asyncapi.com/docs/reference/specification/v3.0.0

Its schemas use only what AsyncAPI's own dialect (a superset of JSON Schema draft-07) shares with
2020-12, so that they say the same as those of ``app.contracts.schema``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.contracts.examples import example
from app.contracts.fields import Schema
from app.contracts.forms import forms
from app.contracts.schema import body_schema, parts, urn
from consumers.cloud_events import CONTENT_TYPE, SOURCE, attributes
from engine.definition import Definition

Document = dict[str, Any]

_SCHEMAS = "#/components/schemas/"
_POSITION = 41
"""Of the examples; where an event stands is no part of it."""


@dataclass(frozen=True, slots=True)
class Topics:
    """What the topics are called. ``state`` holds ``{workflow}``: there is one for each."""

    events: str = "pmo.events"
    source: str = SOURCE


@dataclass(slots=True)
class _Parts:
    """What the document's ``components`` have gathered so far."""

    messages: Document = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)


def document(
    definitions: Iterable[Definition],
    topics: Topics | None = None,
    seen: Mapping[str, Iterable[str]] | None = None,
) -> Document:
    """The document for these published definitions, of which several may be versions of one.

    ``seen``: the names of facts that were observed, by workflow; no definition knows them.
    """
    topics = topics or Topics()
    found = _Parts(schemas={"CloudEvent": _headers()})
    for definition in definitions:
        named = dict.fromkeys([*forms(definition), *(seen or {}).get(definition.workflow, ())])
        for name in named:
            _add_event(found, definition, name, topics)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "PMO engine: events",
            "version": "1.0.0",
            "description": _ABOUT,
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "events": {
                "address": topics.events,
                "title": "Every event, in the order of the ledger within each case",
                "messages": {
                    key: {"$ref": f"#/components/messages/{key}"} for key in found.messages
                },
                "bindings": {"kafka": {"topic": topics.events, "bindingVersion": "0.5.0"}},
            },
        },
        "operations": {
            "publishEvents": {
                "action": "send",
                "title": "Events are published",
                "summary": "At least once, in order per case. Drop what has an id seen before.",
                "channel": {"$ref": "#/channels/events"},
            },
        },
        "components": {"messages": found.messages, "schemas": found.schemas},
    }


_ABOUT = """\
What the ledger of a PMO tells other services, made from the published workflow definitions.

Messages are CloudEvents 1.0 in Kafka's binary mode: attributes are headers (ce_...), the value is
the event as the ledger holds it, in canonical JSON (RFC 8785). The key is the case. Fields that are
not described here may be added to the envelope at any time: read past them.
"""


def _add_event(found: _Parts, definition: Definition, name: str, topics: Topics) -> None:
    workflow, key = definition.workflow, f"{definition.workflow}.{definition.version}.{name}"
    found.schemas |= parts(definition, name, _SCHEMAS)
    found.schemas[key] = body_schema(definition, name, _SCHEMAS)
    made = example(definition, name)
    told = attributes(_POSITION, made, topics.source)
    found.messages[key] = {
        "name": told["type"],
        "title": f"{name} ({workflow} {definition.version})",
        **_broken(definition, name),
        "contentType": CONTENT_TYPE,
        "headers": {
            "allOf": [
                {"$ref": f"{_SCHEMAS}CloudEvent"},
                {
                    "type": "object",
                    "properties": {
                        "ce_type": {"const": told["type"]},
                        "ce_dataschema": {"const": urn(definition, name)},
                    },
                },
            ]
        },
        "payload": {"$ref": f"{_SCHEMAS}{key}"},
        "bindings": {"kafka": {"key": _KEY, "bindingVersion": "0.5.0"}},
        "examples": [{"name": name, "headers": as_headers(told), "payload": made}],
    }


def _broken(definition: Definition, name: str) -> dict[str, str]:
    """What this version takes away, as its author told subscribers."""
    reason = definition.breaks.get(name)
    return {"description": f"Broken by version {definition.version}: {reason}"} if reason else {}


_KEY: Schema = {"type": "string", "description": "The stream: the key of a case."}


def as_headers(told: Mapping[str, str]) -> dict[str, str]:
    """CloudEvents attributes as the headers of a Kafka message in binary mode."""
    own = {f"ce_{name}": value for name, value in told.items() if name != "datacontenttype"}
    return own | {"content-type": told["datacontenttype"]}


def _headers() -> Schema:
    text: Schema = {"type": "string", "minLength": 1}
    said = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {**text, "description": "The event's id: drop what was seen before."},
        "ce_source": {**text, "description": "The ledger."},
        "ce_type": {**text, "description": "pmo.WORKFLOW.EVENT"},
        "ce_subject": {**text, "description": "The key of the case."},
        "ce_time": {**text, "format": "date-time", "description": "When it was recorded."},
        "ce_dataschema": {**text, "description": "Which schema the value fits."},
        "ce_partitionkey": {**text, "description": "The key of the message."},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[0-9]{20}$",
            "description": "The position in the ledger; sorts as text.",
        },
        "ce_correlationid": text,
        "ce_causationid": text,
        "ce_traceparent": text,
        "content-type": {"const": CONTENT_TYPE},
    }
    optional = ("ce_causationid", "ce_traceparent")
    return {
        "title": "CloudEvent",
        "description": "The attributes of CloudEvents 1.0 as headers, in UTF-8.",
        "type": "object",
        "properties": said,
        "required": [name for name in said if name not in optional],
    }
