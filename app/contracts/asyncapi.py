"""The AsyncAPI 3.0 document of a ledger: every topic, every message, with examples that fit.

https://www.asyncapi.com/docs/reference/specification/v3.0.0

Its schemas use only what AsyncAPI's own dialect (a superset of JSON Schema draft-07) shares with
2020-12, so that they say the same as those of ``app.contracts.schema``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.contracts.forms import forms
from app.contracts.messages import Components, add_commands, add_event, add_reply, add_state
from consumers.cloud_events import CONTENT_TYPE, SOURCE
from consumers.kafka_settings import Door, Intake, KafkaSettings
from engine.commands import ASKABLE
from engine.definition import Definition

Document = dict[str, Any]

USUAL = KafkaSettings(
    bootstrap=["127.0.0.1:9092"],
    intake=Intake(topics={"pmo.commands": Door(actors={}, commands=tuple(ASKABLE))}),
)
"""What the topics are called where nobody has said otherwise; of the address nothing is told."""

_WORKFLOW = "{workflow}"
_ABOUT = """\
What the ledger of a PMO tells other services, and what they may ask of it, made from the workflow
definitions that are published.

Events are CloudEvents 1.0 in Kafka's binary mode: attributes are headers (ce_...), the value is the
event as the ledger holds it, in canonical JSON (RFC 8785). What is not described here may be added
to envelopes at any time: read past it.
"""


def document(
    definitions: Iterable[Definition],
    settings: KafkaSettings = USUAL,
    source: str = SOURCE,
    seen: Mapping[str, Iterable[str]] | None = None,
) -> Document:
    """The document for these published definitions, of which several may be versions of one.

    ``seen``: the names of facts that were observed, by workflow; no definition knows them.
    """
    found = Components()
    events: list[str] = []
    states: list[str] = []
    workflows: dict[str, None] = {}
    for definition in definitions:
        workflows[definition.workflow] = None
        named = dict.fromkeys([*forms(definition), *(seen or {}).get(definition.workflow, ())])
        events += [add_event(found, definition, name, source) for name in named]
        if settings.topics.states:
            states.append(add_state(found, definition))
    channels = {"events": _channel(settings.topics.events, _EVENTS, events, [*workflows])}
    operations = {"publishEvents": _operation("send", "events", _ONCE_BY_ID)}
    if settings.topics.states:
        channels["states"] = _channel(settings.topics.states, _STATES, states, [*workflows])
        operations["publishStates"] = _operation("send", "states", _COMPACTED)
    if settings.intake is not None:
        _add_intake(settings.intake, found, channels, operations)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "PMO engine", "version": "1.0.0", "description": _ABOUT},
        "defaultContentType": CONTENT_TYPE,
        "channels": channels,
        "operations": operations,
        "components": {"messages": found.messages, "schemas": found.schemas},
    }


def _add_intake(
    intake: Intake, found: Components, channels: Document, operations: Document
) -> None:
    """The topics of commands, each with what its door lets through, and the answers to them."""
    reply = add_reply(found)
    channels["replies"] = _channel(intake.replies, "The answers to commands", [reply], ())
    for number, (topic, door) in enumerate(intake.topics.items(), 1):
        wanted = [kind for kind in ASKABLE if kind in door.commands]
        name = "commands" if len(intake.topics) == 1 else f"commands{number}"
        channels[name] = _channel(topic, "Commands", add_commands(found, wanted), ())
        operations[f"take{name.capitalize()}"] = _operation("receive", name, _ONCE) | {
            "reply": {"channel": {"$ref": "#/channels/replies"}}
        }


_EVENTS = "Every event, in order within each case"
_STATES = "What every case is now: a compacted topic for each workflow"
_ONCE_BY_ID = "At least once, in order within each case. Drop an event whose ce_id was seen before."
_COMPACTED = "Of several changes in a moment the last; of each key the highest version counts."
_ONCE = "Once by command_id, however often it is sent; a refusal is an answer."


def _channel(address: str, title: str, messages: Sequence[str], names: Sequence[str]) -> Document:
    channel: Document = {
        "address": address,
        "title": title,
        "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
    }
    if _WORKFLOW in address:
        channel["parameters"] = {"workflow": {"enum": [*names], "description": "The workflow."}}
    return channel


def _operation(action: str, channel: str, summary: str) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
    }
