"""``POST /v1/commands``: what a request asks for, as a command of the engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from app.http.bodies import read_json
from app.http.keys import Caller
from app.http.problems import Refusal, unreadable
from engine.commands import ASKABLE, RESERVED, Command, Fact, Requester
from engine.errors import Problem
from engine.events import ActorKind, Answer, Evidence, Source
from engine.reactions import ACTOR
from engine.service import Receipt
from engine.validation import explain, suggest

_KEY = re.compile(r'"(?P<quoted>[\x20\x21\x23-\x7e]{1,200})"|(?P<bare>[\x21\x23-\x7e]{1,200})')
"""A string of RFC 9651, as draft-ietf-httpapi-idempotency-key-header has it; and, since most send
it so, the same without quotes."""


_STATED: tuple[ActorKind, ...] = ("human", "service")
"""What somebody can be by saying so. Timers are the scheduler's, imports those of `pmo import`."""


class _Asked(BaseModel):
    """What every command may say; the command id is the ``Idempotency-Key``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    actor: Requester | None = Field(
        default=None, description="Who asks; left out where an API key says who it is."
    )
    occurred_at: str | None = Field(
        default=None, description="When it was so, if not now: 2026-03-31, or an instant in UTC."
    )
    reason: str | None = None
    on_behalf_of: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


class AskedStart(_Asked):
    """Begin a case of the workflow's newest published definition."""

    kind: Literal["start-case"]
    workflow: str
    data: dict[str, Any] = {}
    evidence: tuple[Evidence, ...] = ()


class AskedTrigger(_Asked):
    """Ask for a transition; with ``expected_version`` only if the case has not moved on since."""

    kind: Literal["pull-trigger"]
    case: str
    trigger: str
    data: dict[str, Any] = {}
    evidence: tuple[Evidence, ...] = ()
    expected_version: int | None = None
    override: Literal[True] | None = None


class AskedEvidence(_Asked):
    """Attach a document, by its hash, to a case."""

    kind: Literal["attach-evidence"]
    case: str
    evidence: Evidence


class AskedSignature(_Asked):
    """Vote as a member of a body, or agree in a role (``of``)."""

    kind: Literal["sign"]
    case: str
    of: str
    answer: Answer


class AskedConflict(_Asked):
    """Stay out of a case from now on."""

    kind: Literal["declare-conflict"]
    case: str


class AskedObservation(_Asked):
    """Record facts about a case without asking for permission."""

    kind: Literal["observe"]
    workflow: str
    case: str
    facts: Annotated[tuple[Fact, ...], Field(min_length=1)]
    origin: Source
    expected_version: int | None = None


Asked = Annotated[
    AskedStart | AskedTrigger | AskedEvidence | AskedSignature | AskedConflict | AskedObservation,
    Field(discriminator="kind"),
]
ASKED: TypeAdapter[Asked] = TypeAdapter(Asked)
_ASKED: dict[str, type[_Asked]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in _Asked.__subclasses__()
}


async def read_command(request: Request, caller: Caller) -> Command:
    """The command in a request. Raises ``Refusal`` with every problem it has."""
    command_id = _command_id(request.headers.getlist("Idempotency-Key"))
    body = await read_json(request)
    try:
        asked = ASKED.validate_json(body)
        said = {name: getattr(asked, name) for name in asked.model_fields_set - {"kind", "actor"}}
        said |= {"actor": _actor(asked.actor, caller), "command_id": command_id}
        if traceparent := request.headers.get("traceparent"):
            said["traceparent"] = traceparent[:100]
        return ASKABLE[asked.kind](**said)
    except ValidationError as error:
        raise unreadable(_problems(orjson.loads(body), error)) from None


def answer(receipt: Receipt) -> Response:
    return Response(orjson.dumps(receipt), media_type="application/json")


def _command_id(given: Sequence[str]) -> str:
    match = _KEY.fullmatch(given[0].strip()) if len(given) == 1 else None
    if not match:
        told = 'the one Idempotency-Key is "1 to 200 printable ASCII characters", an id like a UUID'
        raise Refusal(400, "malformed", told)
    command_id = str(match["quoted"] or match["bare"])
    if command_id.startswith(RESERVED):
        # Whoever could use one first would keep the engine's own command from having its effect.
        raise Refusal(400, "malformed", f"{command_id!r} is the engine's own; use a UUID")
    return command_id


def _actor(said: Requester | None, caller: Caller) -> Requester:
    if caller.actor is None and said is None:
        raise unreadable([Problem("/actor", "it is not known who asks", "say who, in which roles")])
    if caller.actor is not None and said is not None:
        told = "the API key says who asks"
        raise unreadable([Problem("/actor", told, "leave the actor out")])
    if said is not None and (said.id == ACTOR.id or said.kind not in _STATED):
        told = f"nobody can be {said.id!r}, a {said.kind}, by saying so"
        raise unreadable([Problem("/actor", told, f"kind is one of {', '.join(_STATED)}")])
    return said or caller.actor  # type: ignore[return-value]  # one of them there is


def _problems(said: Any, error: ValidationError) -> Sequence[Problem]:
    """What keeps a body from being a command, in plain words, each at its JSON pointer."""
    if not isinstance(said, dict):
        return [Problem("", "a command is a JSON object", 'write it like {"kind": ...}')]
    kind = said.get("kind")
    model = _ASKED.get(kind) if isinstance(kind, str) else None
    if model is None:
        what = f"there is no command {str(kind)[:60]!r}" if "kind" in said else "is missing"
        return [Problem("/kind", what, suggest(str(kind), _ASKED))]
    return explain(model, said, error).problems
