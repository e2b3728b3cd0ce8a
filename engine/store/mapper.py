"""Events as ``eventsourcing`` stores them: our own type names, canonical bytes, no Python paths."""

from __future__ import annotations

from typing import Any

from eventsourcing import persistence
from pydantic import ValidationError

from engine import events
from engine.events import AnyEvent


class Mapper(persistence.Mapper[str]):
    """``MAPPER_TOPIC=engine.store.mapper:Mapper``: a topic reads ``pmo.case.transitioned.v1``.

    Older stored types are lifted on the way out (``engine.upcasts``). Raises ``ValueError`` for a
    compressor or cipher: the bytes in the log are the canonical ones, so that anyone can hash them.
    """

    def __init__(
        self,
        transcoder: persistence.Transcoder | None = None,
        compressor: persistence.Compressor | None = None,
        cipher: persistence.Cipher | None = None,
    ) -> None:
        if compressor or cipher:
            raise ValueError("the log keeps canonical bytes: no compressor, no cipher")
        super().__init__(transcoder or persistence.JSONTranscoder())

    def to_stored_event(self, domain_event: Any) -> persistence.StoredEvent:
        return persistence.StoredEvent(
            domain_event.stream,
            domain_event.version,
            domain_event.type,
            events.to_bytes(domain_event),
        )

    def to_domain_event(  # type: ignore[override]
        self, stored_event: persistence.StoredEvent
    ) -> AnyEvent:
        """Raises ``MapperDeserialisationError`` for bytes that are no event of a known form."""
        try:
            return events.from_bytes(stored_event.state)
        except ValueError as error:
            raise persistence.MapperDeserialisationError(
                f"{stored_event.originator_id} version {stored_event.originator_version}"
                f" ({stored_event.topic}) cannot be read: {_told(error)}"
            ) from error


def _told(error: ValueError) -> str:
    """On one line; of what pydantic has against it, the first."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
