"""What people, timers and services ask for. A command changes nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from engine.errors import BadInput
from engine.events import ActorKind, Answer, Due, Evidence, Source
from engine.grammar import DomainName
from engine.values import spelt

# PostgreSQL keeps no text that holds a NUL character, and to ask it for one fails the question.
_NO_NUL = Field(
    pattern=r"^[^\x00]*$", json_schema_extra={"patternErrorMessage": "remove the NUL character"}
)

Text = Annotated[str, _NO_NUL]
CommandId = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
ShortText = Annotated[Text, StringConstraints(min_length=1, max_length=2_000)]

LONGEST_ID = 200
"""Signs in the id of an actor."""


class Requester(BaseModel):
    """Who asks, and the roles in which they are entitled to ask."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f/,:]+$", max_length=LONGEST_ID)]
    kind: ActorKind = "human"
    roles: tuple[Text, ...] = ()

    @field_validator("id")
    @classmethod
    def _is_spelt_as_by_all(cls, said: str) -> str:
        if (one := spelt(said)) != said:
            raise ValueError(f"{said!a} looks like another id, and is not the same: write {one}")
        return said

    @classmethod
    def read(cls, text: str, where: str = "") -> Requester:
        """``pat:sponsor,reviewer`` as the actor ``pat`` in two roles. Raises ``BadInput``."""
        name, _, roles = text.partition(":")
        try:
            return cls(
                id=name, roles=tuple(role.strip() for role in roles.split(",") if role.strip())
            )
        except ValidationError:
            if len(name) > LONGEST_ID:
                what = f"{name[:20]!a}... has {len(name):,} signs, an actor at most {LONGEST_ID}"
                raise BadInput.one(where, what, "write a shorter NAME") from None
            one = spelt(name)
            mend = "write NAME or NAME:ROLE or NAME:ROLE,ROLE"
            mend = f"write {one}" if one and one != name else mend
            raise BadInput.one(where, f"{text!a} is not an actor", mend) from None


class Command(BaseModel):
    """``command_id`` makes a command safe to send again: it has one effect, and one receipt."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    command_id: CommandId
    actor: Requester
    occurred_at: str | None = None
    reason: ShortText | None = None
    on_behalf_of: ShortText | None = None
    correlation_id: CommandId | None = None
    causation_id: CommandId | None = None
    traceparent: Annotated[Text, StringConstraints(max_length=100)] | None = None


class StartCase(Command):
    """Begin a case of the workflow's newest published definition."""

    workflow: Text
    data: dict[str, Any] = {}
    evidence: tuple[Evidence, ...] = ()


class PullTrigger(Command):
    """Ask for a transition.

    ``expected_version`` refuses it if the case has moved on since; ``entered``, if the case is not
    still in the state that it entered at that version. ``override``: go ahead where the definition
    lets the actor, with the ``reason``, although a guard does not hold.
    """

    case: Text
    trigger: Text
    data: dict[str, Any] = {}
    evidence: tuple[Evidence, ...] = ()
    expected_version: int | None = None
    entered: int | None = None
    override: Literal[True] | None = None


class AttachEvidence(Command):
    case: Text
    evidence: Evidence


class Sign(Command):
    """Vote as a member of a body, or agree in a role (``of``). A new answer replaces the old."""

    case: Text
    of: Text
    answer: Answer


class DeclareConflict(Command):
    """The actor has an interest in the case: no vote, no step that a vote or authority guards."""

    case: Text


class Remind(Command):
    """Record that a share of a deadline has passed, if the case is still in the state that it
    entered at the version ``entered``."""

    case: Text
    entered: int
    due: Due


class Fact(BaseModel):
    """One thing that was so: its domain name, the state it says the case is in, and data."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: DomainName
    state: Text | None = None
    data: dict[str, Any] = {}


class Observe(Command):
    """Record facts about a case without asking permission; a case nobody knew yet begins.

    ``expected_version`` (0: not there yet) refuses them if the case has moved on since.
    """

    workflow: Text
    case: Text
    facts: Annotated[tuple[Fact, ...], Field(min_length=1)]
    origin: Source
    expected_version: int | None = None


class MigrateCase(Command):
    """Go on under the version ``to`` of the case's workflow, later or earlier.

    ``state``: where it is from then on, if that version does not have the state it is in.
    """

    case: Text
    to: int
    state: Text | None = None
    reason: ShortText


class PublishDefinition(Command):
    """Put a definition in force for cases that start from now on."""

    body: dict[str, Any]
    text: str


CommandKind = Literal[
    "start-case", "pull-trigger", "attach-evidence", "sign", "declare-conflict", "observe"
]
"""What other services may ask for, over any door. Operators publish definitions and migrate cases,
and reminders come from the scheduler alone."""

ASKABLE: Mapping[CommandKind, type[Command]] = {
    "start-case": StartCase,
    "pull-trigger": PullTrigger,
    "attach-evidence": AttachEvidence,
    "sign": Sign,
    "declare-conflict": DeclareConflict,
    "observe": Observe,
}

RESERVED = ("reaction:", "deadline:")
"""How ids begin that the engine gives to its own commands. Whoever could use one first would keep
the engine's command from having its effect."""
