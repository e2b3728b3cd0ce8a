"""The section ``kafka:`` of a home's settings: where the broker is, what goes to which topic."""

from __future__ import annotations

import os
import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    model_validator,
)

from engine.commands import ASKABLE, CommandKind
from engine.errors import BadInput
from engine.events import ActorKind
from engine.grammar import Maybe

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,180}")
"""Kafka takes 249 characters; the rest is for the name of a workflow."""

_WORKFLOW = "{workflow}"


def _check_topic(name: str) -> str:
    if not _TOPIC.fullmatch(name) or name in (".", ".."):
        raise ValueError(f"{name!r} cannot be the name of a topic (letters, digits, . _ and -)")
    return name


def _check_template(name: str) -> str:
    _check_topic(name.replace(_WORKFLOW, "w", 1))
    return name


def _check_state_template(name: str) -> str:
    if _WORKFLOW not in name:
        raise ValueError(f"needs {_WORKFLOW}: there is one topic of states for each workflow")
    return _check_template(name)


Topic = Annotated[str, AfterValidator(_check_topic)]
Template = Annotated[str, AfterValidator(_check_template)]
StateTemplate = Annotated[str, AfterValidator(_check_state_template)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Security(_Part):
    """How the broker is spoken to, and as whom. Passwords are in the environment."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: Maybe[str] = None
    password_env: Maybe[Variable] = None
    ca_file: Maybe[str] = None
    certificate_file: Maybe[str] = None
    key_file: Maybe[str] = None
    key_password_env: Maybe[Variable] = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.protocol.startswith("SASL") and not (self.username and self.password_env):
            raise ValueError(f"{self.protocol} needs username and password_env")
        if self.key_file and not self.certificate_file:
            raise ValueError("key_file needs certificate_file")
        return self


class Topics(_Part):
    """``events`` and ``states`` may hold ``{workflow}``. Partitions are for topics made from now
    on: adding some to a topic in use would move cases to others, and lose their order."""

    events: Template = "pmo.events"
    states: StateTemplate | None = "pmo.state.{workflow}"
    create: bool = True
    partitions: Annotated[PositiveInt, Field(le=10_000)] = 6
    replication: Annotated[int, Field(ge=-1, le=100)] = -1
    """-1: what the broker is set to."""


class Door(_Part):
    """Who may ask what by writing to one topic.

    ``actors``: actor id -> the roles that may be claimed for it; the id ``*`` stands for everybody
    who is not named.
    """

    actors: dict[str, tuple[str, ...]]
    kinds: tuple[ActorKind, ...] = ("service",)
    commands: tuple[CommandKind, ...] = tuple(kind for kind in ASKABLE if kind != "observe")
    """Facts are recorded whatever the rules say, an appointment of one's own among them: so they
    are taken only where that is written."""


class Intake(_Part):
    topics: Annotated[dict[Topic, Door], Field(min_length=1)]
    replies: Topic = "pmo.replies"
    dead_letters: Topic = "pmo.dead-letters"
    group: Annotated[str, Field(min_length=1, max_length=200)] = "pmo-intake"
    largest: Annotated[PositiveInt, Field(le=10_000_000)] = 200_000
    """Bytes of a command; what is larger is a dead letter without being read."""

    @model_validator(mode="after")
    def _are_apart(self) -> Self:
        if self.replies == self.dead_letters or {self.replies, self.dead_letters} & {*self.topics}:
            raise ValueError("commands, replies and dead letters need topics of their own")
        return self


def _split(given: object) -> object:
    return given.replace(" ", "").split(",") if isinstance(given, str) else given


class KafkaSettings(_Part):
    bootstrap: Annotated[
        list[Annotated[str, Field(pattern=r"^[^\s,:]+:\d+$|^\[[0-9a-fA-F:]+\]:\d+$")]],
        BeforeValidator(_split),
        Field(min_length=1),
    ]
    security: Security = Security()
    topics: Topics = Topics()
    intake: Maybe[Intake] = None
    compression: Literal["none", "lz4", "gzip"] = "lz4"
    answers_within: Annotated[int, Field(ge=1, le=600)] = 30
    """Seconds for the broker to acknowledge what was sent, tries included. Then all of it is sent
    again over a new connection."""

    def topic_of_events(self, workflow: str) -> str:
        return self.topics.events.replace(_WORKFLOW, workflow)

    def topic_of_states(self, workflow: str) -> str | None:
        return self.topics.states and self.topics.states.replace(_WORKFLOW, workflow)


def read_secret(variable: str | None) -> str | None:
    """What the environment variable holds. Raises ``BadInput`` where it is named but not there."""
    if variable is None:
        return None
    if not (secret := os.environ.get(variable)):
        raise BadInput.one("kafka", f"{variable} is not in the environment", f"export {variable}")
    return secret
