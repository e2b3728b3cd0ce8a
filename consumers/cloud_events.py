"""What those outside see of an event: CloudEvents 1.0, the same over every door.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

import orjson

from engine import canonical
from engine.events import has_simple_values
from engine.upcasts import Body

SOURCE = "/pmo"
"""The ledger's name where the settings give it none."""

CONTENT_TYPE = "application/json"


def is_public(body: Body) -> bool:
    """Whether outsiders get it: cases and definitions; not the engine's bookkeeping (claims)."""
    kind, slash, _ = body["stream"].partition("/")
    return not slash or kind == "definition"


def attributes(position: int, body: Body, source: str = SOURCE) -> dict[str, str]:
    """The context attributes of an event, under their names in the specification.

    ``source`` and ``id`` together name the event for ever. ``sequence`` and ``partitionkey`` are
    extensions that the specification documents; as text, sequences sort like positions.
    """
    definition = body["definition"]
    workflow, name, case = definition["name"], body["name"], body["stream"]
    told = {
        "specversion": "1.0",
        "id": body["event_id"],
        "source": source,
        "type": f"pmo.{workflow}.{name}",
        "subject": case,
        "time": body["recorded_at"],
        "datacontenttype": CONTENT_TYPE,
        "dataschema": f"urn:pmo:{workflow}:{definition['version']}:{name}",
        "partitionkey": case,
        "sequence": f"{position:020}",
        "correlationid": body["correlation_id"],
    }
    for attribute, field in (("causationid", "causation_id"), ("traceparent", "traceparent")):
        if body.get(field):
            told[attribute] = body[field]
    return told


def structured(position: int, body: Body, source: str, stored: bytes | None = None) -> bytes:
    """The whole event as one JSON object: its attributes, and ``data``."""
    told = orjson.dumps(attributes(position, body, source))
    return b'%b,"data":%b}' % (told[:-1], data(body, stored))


def data(body: Body, stored: bytes | None = None) -> bytes:
    """Envelope and payload as canonical JSON (RFC 8785), so that anybody can recompute a hash.

    ``stored``: the bytes of that body in the log (``consumers.work``), if they are at hand.
    """
    if stored is not None:
        return stored
    if has_simple_values(body):
        return canonical.encode_simple(body)
    return canonical.encode(body)
