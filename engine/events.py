"""What the log holds: a closed union of stored event types with one envelope.

The *stored type* (``pmo.case.transitioned.v1``) is ours and never changes its meaning; the *domain
name* (``DecisionTaken``) comes from the definition and is a field, so a new workflow adds no class.
Older forms are lifted by ``engine.upcasts`` before they are read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cache
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, TypeAdapter

from engine import canonical, upcasts
from engine.stored import part, stored
from engine.values import Value

ActorKind = Literal["human", "service", "timer", "import"]
Answer = Literal["for", "against", "abstain", "withdrawn"]


@part
class Actor:
    id: str
    kind: ActorKind = "human"


@part
class DefinitionRef:
    """Exactly which rules: a published definition."""

    hash: str
    name: str
    version: int


@part
class Authority:
    """The rule that let somebody decide."""

    limit: dict[str, str] | None = None
    rule: str
    version: int


@part
class Evidence:
    """A document by its hash. ``as_of``: the date its content speaks of."""

    as_of: str
    kind: str
    name: str = ""
    sha256: str
    uri: str | None = None


Weight = Literal["shall", "should", "overridden"]


@part
class Verdict:
    """A guard's answer: held, not held, or (``None``) not evaluable, with the reason.

    A guard of the ``weight`` *should* warns and stops nobody; one that was *overridden* would have.
    """

    held: bool | None
    reason: str = ""
    rule: str
    weight: Weight = "shall"


@part
class Due:
    """What a timer does at an instant if the case is still in the state: pull ``then``, or remind.

    ``share``: how much of the deadline's time has passed by then, like 80%; ``of``: of which of the
    state's deadlines, counted from 0.
    """

    at: str
    of: int = 0
    share: str = "100%"
    then: str | None = None


@part
class Vote:
    """How a body voted: ``needed`` of those ``entitled`` had to take part."""

    body: str
    entitled: tuple[str, ...]
    needed: int
    recused: tuple[str, ...] = ()
    rule: str
    votes: dict[str, str]


@part
class Basis:
    """What a step rested on beside the rules: who agreed, how bodies voted, which documents."""

    agreed: dict[str, str]
    evidence: tuple[str, ...] = ()
    votes: tuple[Vote, ...] = ()


@part
class Party:
    """With whom a matter lies: a body, a role in a ``unit``, or a person; by which ``rule`` in the
    register of authorities, at which ``version``, if it is by one."""

    held_by: Literal["body", "person", "role"]
    name: str
    rule: str | None = None
    unit: str | None = None
    version: int | None = None


@part
class Escalated:
    """From whom a matter has gone up, and to whom; ``None`` where nobody is in force, or above.
    ``why`` says why it comes from nobody."""

    source: Party | None = None
    to: Party | None = None
    why: str | None = None


@part
class Conformance:
    """What the rules say of a fact that nobody asked permission for."""

    rules: tuple[str, ...] = ()
    verdict: Literal["conforms", "violates", "not_evaluable"]


@part
class Source:
    """Where an observation was read: a report or system, and the line or record in it."""

    name: str
    record: str = ""


@stored
class Event:
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
    reads: dict[str, int] = field(default_factory=dict)
    command_id: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None
    reason: str | None = None

    @classmethod
    def saying(cls, said: dict[str, Any]) -> Self:
        """The event that says this, which it keeps: every field that is not ``None``, and no other.

        For those made by the thousand: nothing is copied, no default filled in.
        """
        event = object.__new__(cls)
        said["type"] = cls.type  # type: ignore[attr-defined]
        object.__setattr__(event, "__dict__", said)
        return event


@stored
class CaseStarted(Event):
    type: Literal["pmo.case.started.v1"] = "pmo.case.started.v1"
    state: str
    data: dict[str, Value]
    evidence: tuple[Evidence, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    basis: Basis | None = None
    deadlines: tuple[Due, ...] | None = None


@stored
class CaseTransitioned(Event):
    """``stays``: the state was not entered anew; votes go on as they are, and so do deadlines where
    it says nothing of them; else it says at which version the state was ``entered``.

    ``before``: what the fields that the step ``tells`` held until then; a missing one is left out.
    ``escalated``: from whom to whom the matter has gone by it, where it does.
    """

    type: Literal["pmo.case.transitioned.v1"] = "pmo.case.transitioned.v1"
    trigger: str
    source: str
    state: str
    stays: Literal[True] | None = None
    entered: int | None = None
    data: dict[str, Value]
    before: dict[str, Value] | None = None
    escalated: Escalated | None = None
    evidence: tuple[Evidence, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    basis: Basis | None = None
    deadlines: tuple[Due, ...] | None = None


@stored
class CaseObserved(Event):
    """A fact. ``state`` is ``None`` where it says nothing about the state."""

    type: Literal["pmo.case.observed.v2"] = "pmo.case.observed.v2"
    state: str | None = None
    data: dict[str, Value]
    conformance: Conformance
    origin: Source


@stored
class CaseMigrated(Event):
    """From now on the case is of the event's ``definition``, and no longer of the ``former`` one.

    Votes given before do not count any more; ``deadlines`` are all there are. ``entered``: the
    version at which the state was entered, which is this event's where the ``source`` is another.
    ``stays``: it is so since the same time as before, state and deadlines alike.
    """

    type: Literal["pmo.case.migrated.v1"] = "pmo.case.migrated.v1"
    former: DefinitionRef
    source: str
    state: str
    stays: Literal[True] | None = None
    entered: int
    deadlines: tuple[Due, ...] | None = None


@stored
class EvidenceAttached(Event):
    type: Literal["pmo.case.evidence-attached.v1"] = "pmo.case.evidence-attached.v1"
    evidence: Evidence


@stored
class CaseSigned(Event):
    """A vote in a body, or an agreement in a role (``of``), on what the case is up for."""

    type: Literal["pmo.case.signed.v1"] = "pmo.case.signed.v1"
    of: str
    answer: Answer


@stored
class ConflictDeclared(Event):
    """The actor has an interest in the matter, and takes no part from now on."""

    type: Literal["pmo.case.conflict-declared.v1"] = "pmo.case.conflict-declared.v1"


@stored
class CaseLinked(Event):
    """On the parent's stream: a case of ``workflow`` names this one as its parent."""

    type: Literal["pmo.case.linked.v1"] = "pmo.case.linked.v1"
    child: str
    workflow: str


@stored
class DeadlineReminded(Event):
    """A share of a deadline's time has passed, and the case is still in the state."""

    type: Literal["pmo.case.deadline-reminded.v1"] = "pmo.case.deadline-reminded.v1"
    due: Due


@stored
class ClaimChanged(Event):
    """On a claim's own stream: the one case that has it now, or ``None``.

    Whoever takes a claim expects its version, so that two cannot have it.
    """

    type: Literal["pmo.claim.changed.v1"] = "pmo.claim.changed.v1"
    holder: str | None = None


@stored
class CommandRefused(Event):
    """Somebody tried; where the definition asks for it, that is a fact for the audit too."""

    type: Literal["pmo.case.refused.v1"] = "pmo.case.refused.v1"
    trigger: str
    verdicts: tuple[Verdict, ...]


@stored
class DefinitionPublished(Event):
    """``body`` is what counts and is hashed; ``text`` is what the author wrote, with comments."""

    type: Literal["pmo.definition.published.v1"] = "pmo.definition.published.v1"
    body: dict[str, Any]
    text: str


AnyEvent = Annotated[
    CaseStarted
    | CaseTransitioned
    | CaseObserved
    | CaseMigrated
    | EvidenceAttached
    | CaseSigned
    | ConflictDeclared
    | CaseLinked
    | DeadlineReminded
    | ClaimChanged
    | CommandRefused
    | DefinitionPublished,
    Field(discriminator="type"),
]
_KINDS: dict[str, type[AnyEvent]] = {str(cls.type): cls for cls in get_args(get_args(AnyEvent)[0])}


@cache
def _adapter(kind: str) -> TypeAdapter[AnyEvent]:
    """Made when the first event of its type is read: all of them take 90 ms of every start, and a
    command reads few."""
    if kind not in _KINDS:
        raise ValueError(f"there is no type of event {kind!r}")
    return TypeAdapter(_KINDS[kind])


def to_bytes(event: Event) -> bytes:
    """Canonical JSON (RFC 8785); envelope fields that are ``None`` are left out.

    Raises ``ValueError`` for data that JSON cannot say (NaN, integers beyond 2**53).
    """
    body = event.__dict__
    fast = canonical.encode_simple(body)
    if has_simple_values(body):
        return fast
    free = {name: body[name] for name in _FREE if name in body}
    return canonical.encode(canonical.decode(fast) | free)


def has_simple_values(body: Mapping[str, Any]) -> bool:
    """Whether orjson's bytes of an event are canonical: all but the parts that hold what their
    authors like is text and small numbers."""
    get, is_simple = body.get, canonical.is_simple
    return is_simple(get("data")) and is_simple(get("before")) and is_simple(get("body"))


_FREE = ("data", "before", "body")
"""What an event holds of values that people and definitions bring."""


def from_bytes(data: bytes) -> AnyEvent:
    """The event, lifted from whichever stored form it has.

    Raises ``ValueError`` when the bytes are not an event of any known form.
    """
    return from_body(canonical.decode(data))


def from_body(body: dict[str, Any]) -> AnyEvent:
    lifted = upcasts.lift(body)
    event = _adapter(str(lifted.get("type"))).validate_python(lifted)
    kept = event.__dict__
    for name in [name for name, value in kept.items() if value is None]:
        del kept[name]  # as when it was made
    return event
