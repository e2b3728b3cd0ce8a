"""What the log holds: a closed union of stored event types with one envelope.

The *stored type* (``pmo.case.transitioned.v1``) is ours and never changes its meaning; the *domain
name* (``DecisionTaken``) comes from the definition and is a field, so a new workflow adds no class.
Older forms are lifted by ``engine.upcasts`` before they are read here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from engine import canonical, upcasts
from engine.values import Value

ActorKind = Literal["human", "service", "timer", "import"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Actor(Part):
    id: str
    kind: ActorKind = "human"


class DefinitionRef(Part):
    """Exactly which rules: a published definition."""

    name: str
    version: int
    hash: str


class Authority(Part):
    """The rule that let somebody decide."""

    rule: str
    version: int
    limit: dict[str, str] | None = None


class Evidence(Part):
    """A document by its hash. ``as_of``: the date its content speaks of."""

    kind: str
    sha256: str
    as_of: str
    name: str = ""
    uri: str | None = None


class Verdict(Part):
    """A guard's answer: held, not held, or (``None``) not evaluable, with the reason."""

    rule: str
    held: bool | None
    reason: str = ""


class Conformance(Part):
    """What the rules say of a fact that nobody asked permission for."""

    verdict: Literal["conforms", "violates", "not_evaluable"]
    rules: tuple[str, ...] = ()


class Source(Part):
    """Where an observation was read: a report or system, and the line or record in it."""

    name: str
    record: str = ""


class Event(Part):
    """The envelope. ``stream`` is a case key, or ``definition/<name>``; ``version`` starts at 1.

    ``recorded_at`` is set by the log and never decreases along it; ``occurred_at`` is when it was
    so (an instant, or a date where only the day is known).
    """

    event_id: str
    stream: str
    version: int
    name: str
    recorded_at: str
    occurred_at: str
    actor: Actor
    role: str | None = None
    on_behalf_of: str | None = None
    authority: Authority | None = None
    definition: DefinitionRef
    reads: dict[str, int] = {}
    command_id: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None
    reason: str | None = None


class CaseStarted(Event):
    type: Literal["pmo.case.started.v1"] = "pmo.case.started.v1"
    state: str
    data: dict[str, Value]
    evidence: tuple[Evidence, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


class CaseTransitioned(Event):
    type: Literal["pmo.case.transitioned.v1"] = "pmo.case.transitioned.v1"
    trigger: str
    source: str
    state: str
    data: dict[str, Value]
    evidence: tuple[Evidence, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


class CaseObserved(Event):
    """A fact. ``state`` is ``None`` where it says nothing about the state."""

    type: Literal["pmo.case.observed.v2"] = "pmo.case.observed.v2"
    state: str | None = None
    data: dict[str, Value]
    conformance: Conformance
    origin: Source


class EvidenceAttached(Event):
    type: Literal["pmo.case.evidence-attached.v1"] = "pmo.case.evidence-attached.v1"
    evidence: Evidence


class CommandRefused(Event):
    """Somebody tried; where the definition asks for it, that is a fact for the audit too."""

    type: Literal["pmo.case.refused.v1"] = "pmo.case.refused.v1"
    trigger: str
    verdicts: tuple[Verdict, ...]


class DefinitionPublished(Event):
    """``body`` is what counts and is hashed; ``text`` is what the author wrote, with comments."""

    type: Literal["pmo.definition.published.v1"] = "pmo.definition.published.v1"
    body: dict[str, Any]
    text: str


AnyEvent = Annotated[
    CaseStarted
    | CaseTransitioned
    | CaseObserved
    | EvidenceAttached
    | CommandRefused
    | DefinitionPublished,
    Field(discriminator="type"),
]
_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def to_bytes(event: Event) -> bytes:
    """Canonical JSON (RFC 8785), fields that are ``None`` left out."""
    fast = canonical.encode_simple(event, _filled)
    free = event.__dict__.get("data") or event.__dict__.get("body")
    return fast if canonical.is_simple(free) else canonical.encode(canonical.decode(fast))


def from_bytes(data: bytes) -> AnyEvent:
    """The event, lifted from whichever stored form it has.

    Raises ``ValueError`` when the bytes are not an event of any known form.
    """
    return from_body(canonical.decode(data))


def from_body(body: dict[str, Any]) -> AnyEvent:
    return _ADAPTER.validate_python(upcasts.lift(body))


def _filled(part: BaseModel) -> dict[str, Any]:
    return {name: value for name, value in part.__dict__.items() if value is not None}
