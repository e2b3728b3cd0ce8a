"""What is on the topics: events, what cases are now, commands and their answers; each described as
a message of AsyncAPI, with an example that fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from app.contracts.examples import case_key, example, example_data
from app.contracts.fields import Schema
from app.contracts.schema import body_schema, data_schema, parts, urn
from consumers.cloud_events import CONTENT_TYPE, attributes
from engine.commands import ASKABLE, CommandKind
from engine.definition import Definition
from engine.service import Receipt

Described = dict[str, Any]

SCHEMAS = "#/components/schemas/"
_POSITION = 41
"""Of the examples; where an event stands is no part of it."""

_TEXT: Schema = {"type": "string", "minLength": 1}


@dataclass(slots=True)
class Components:
    """What the messages so far are made of."""

    messages: Described = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)

    def add(self, key: str, **said: Any) -> str:
        """A message under a key; the key."""
        self.messages[key] = {"contentType": CONTENT_TYPE, **said}
        return key


def add_event(found: Components, definition: Definition, name: str, source: str) -> str:
    key = f"{definition.workflow}.{definition.version}.{name}"
    found.schemas |= parts(definition, name, SCHEMAS)
    found.schemas |= {"CloudEvent": _CLOUD_EVENT, key: body_schema(definition, name, SCHEMAS)}
    made = example(definition, name)
    told = attributes(_POSITION, made, source)
    own = {
        "ce_type": {"const": told["type"]},
        "ce_dataschema": {"const": urn(definition, name)},
    }
    broken = definition.breaks.get(name)
    about = {"description": f"Broken by version {definition.version}: {broken}"} if broken else {}
    return found.add(
        key,
        name=told["type"],
        title=f"{name} ({definition.workflow} {definition.version})",
        **about,
        headers=_all_of(_ref("CloudEvent"), {"type": "object", "properties": own}),
        payload=_ref(key),
        bindings=_keyed("The stream: the key of a case, or definition/WORKFLOW."),
        examples=[{"name": name, "headers": as_headers(told), "payload": made}],
    )


def add_state(found: Components, definition: Definition) -> str:
    """What a case is now, as the compacted topic of its workflow has it."""
    key = f"{definition.workflow}.{definition.version}"
    found.schemas[key] = {
        "title": f"A case of {definition.workflow} {definition.version}",
        "type": "object",
        "properties": {
            "key": _TEXT,
            "workflow": {"const": definition.workflow},
            "definition": {"const": definition.version},
            "state": {"enum": list(definition.states)},
            "data": data_schema(definition, SCHEMAS),
            "version": {"type": "integer", "minimum": 1},
            "position": {"type": "integer", "minimum": 1},
            "recorded_at": _TEXT,
        },
        "required": [
            *("key", "workflow", "definition", "state"),
            *("data", "version", "position", "recorded_at"),
        ],
    }
    made = {
        "key": case_key(definition),
        "workflow": definition.workflow,
        "definition": definition.version,
        "state": definition.initial,
        "data": example_data(definition),
        "version": 1,
        "position": _POSITION,
        "recorded_at": example(definition, "Seen")["recorded_at"],
    }
    return found.add(
        key,
        name=f"pmo.{definition.workflow}",
        title=f"{definition.title} ({definition.workflow} {definition.version})",
        summary="Of each key the highest version counts: one sent again may come after it.",
        headers=_object({"content-type": {"const": CONTENT_TYPE}, "position": _TEXT}),
        payload=_ref(key),
        bindings=_keyed("The key of the case."),
        examples=[
            {
                "name": definition.workflow,
                "headers": {"content-type": CONTENT_TYPE, "position": str(_POSITION)},
                "payload": made,
            }
        ],
    )


def add_commands(found: Components, kinds: Iterable[CommandKind]) -> list[str]:
    """What may be asked for."""
    return [_add_command(found, kind) for kind in kinds]


def _add_command(found: Components, kind: CommandKind) -> str:
    key = f"command.{kind}"
    whole = TypeAdapter(ASKABLE[kind]).json_schema(ref_template=f"{SCHEMAS}asked.{{model}}")
    for name, part in whole.pop("$defs", {}).items():
        found.schemas[f"asked.{name}"] = part
    whole["properties"] = {"kind": {"const": kind}, **whole["properties"]}
    whole["required"] = ["kind", *whole["required"]]
    found.schemas[key] = whole
    made = {**_COMMANDS[kind], "kind": kind, "command_id": _ASKED, "actor": _ACTOR}
    return found.add(
        key,
        name=f"pmo.{key}",
        title=kind,
        payload=_ref(key),
        bindings=_keyed("What has to stay in order: the key of the case, say."),
        examples=[{"name": kind, "payload": made}],
    )


def add_reply(found: Components) -> str:
    receipt = TypeAdapter(Receipt).json_schema()
    problem = _object({"where": {"type": "string"}, "what": _TEXT, "mend": {"type": "string"}})
    verdict = _object({"rule": _TEXT, "held": {"type": ["boolean", "null"]}, "reason": _TEXT})
    verdict["properties"] |= {"weight": _TEXT, "reason": {"type": "string"}}
    found.schemas["reply"] = {
        "title": "The answer to a command",
        "type": "object",
        "properties": {
            "command_id": _TEXT,
            "outcome": {**_TEXT, "description": "done, dead-letter, or the code of an error."},
            "receipt": {key: receipt[key] for key in ("type", "properties", "required")},
            "what": {"type": "string"},
            "verdicts": {"type": "array", "items": verdict},
            "problems": {"type": "array", "items": problem},
        },
        "required": ["command_id", "outcome"],
    }
    headers = {"content-type": {"const": CONTENT_TYPE}, "command-id": _TEXT, "outcome": _TEXT}
    refused = {"rule": "by", "held": False, "reason": "needs approver", "weight": "shall"}
    answers: list[Described] = [
        {"outcome": "done", "receipt": _RECEIPT},
        {"outcome": "refused", "what": "DEC-0001: approve is refused", "verdicts": [refused]},
    ]
    return found.add(
        "reply",
        name="pmo.reply",
        title="The answer to a command",
        headers=_object(headers),
        payload=_ref("reply"),
        bindings=_keyed("The command id."),
        examples=[
            {
                "name": answer["outcome"],
                "headers": {
                    "content-type": CONTENT_TYPE,
                    "command-id": _ASKED,
                    "outcome": answer["outcome"],
                },
                "payload": {"command_id": _ASKED, **answer},
            }
            for answer in answers
        ],
    )


def as_headers(told: Mapping[str, str]) -> dict[str, str]:
    """CloudEvents attributes as the headers of a Kafka message in binary mode."""
    own = {f"ce_{name}": value for name, value in told.items() if name != "datacontenttype"}
    return own | {"content-type": told["datacontenttype"]}


def _keyed(what: str) -> Described:
    key = {"type": "string", "description": what}
    return {"kafka": {"key": key, "bindingVersion": "0.5.0"}}


def _ref(name: str) -> Schema:
    return {"$ref": f"{SCHEMAS}{name}"}


def _all_of(*schemas: Schema) -> Schema:
    return {"allOf": [*schemas]}


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


_ASKED = "2f9b2d5e-8a56-4a55-9d3e-0c6f1a2b3c4d"
_ACTOR = {"id": "planning-tool", "kind": "service", "roles": ["requester"]}
_PAPER = {"kind": "business-case", "sha256": "0" * 64, "as_of": "2026-03-01"}
_COMMANDS: dict[CommandKind, Described] = {
    "start-case": {"workflow": "decision", "data": {"title": "A second help desk"}},
    "pull-trigger": {"case": "DEC-0001", "trigger": "submit"},
    "attach-evidence": {"case": "DEC-0001", "evidence": _PAPER},
    "sign": {"case": "DEC-0001", "of": "investment-board", "answer": "for"},
    "declare-conflict": {"case": "DEC-0001"},
    "observe": {
        "workflow": "decision",
        "case": "DEC-0001",
        "facts": [{"name": "DecisionReported", "data": {"title": "A second help desk"}}],
        "origin": {"name": "minutes of March"},
    },
}
_RECEIPT = {
    "stream": "DEC-0001",
    "version": 2,
    "position": _POSITION,
    "state": "in_review",
    "names": ["DecisionRequested"],
    "recorded_at": "2026-03-31T09:30:00.000000Z",
    "warnings": [],
}
_CLOUD_EVENT: Schema = {
    "title": "CloudEvent",
    "description": "The attributes of CloudEvents 1.0 as headers, in UTF-8.",
    "type": "object",
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {**_TEXT, "description": "The event's id: drop what was seen before."},
        "ce_source": {**_TEXT, "description": "The ledger."},
        "ce_type": {**_TEXT, "description": "pmo.WORKFLOW.EVENT"},
        "ce_subject": {**_TEXT, "description": "The key of the case."},
        "ce_time": {**_TEXT, "format": "date-time", "description": "When it was recorded."},
        "ce_dataschema": {**_TEXT, "description": "Which schema the value fits."},
        "ce_partitionkey": {**_TEXT, "description": "The key of the message."},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[0-9]{20}$",
            "description": "The position in the ledger; sorts as text.",
        },
        "ce_correlationid": _TEXT,
        "ce_causationid": _TEXT,
        "ce_traceparent": _TEXT,
        "content-type": {"const": CONTENT_TYPE},
    },
    "required": [
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time"),
        *("ce_dataschema", "ce_partitionkey", "ce_sequence", "ce_correlationid", "content-type"),
    ],
}
