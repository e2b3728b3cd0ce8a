"""What a message on a topic of commands asks for, and whether it may.

Kafka does not tell a reader who wrote a message. So a topic is a door: whoever its access list lets
write is trusted as far as the settings say for that topic, and not an inch further: which actors
may be named, in which roles, of which kinds, and which commands they may give.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from consumers.kafka_settings import Door
from engine import canonical
from engine.commands import ASKABLE, RESERVED, Command, CommandKind, Requester
from engine.errors import BadInput, Refused
from engine.events import Verdict
from engine.reactions import ACTOR
from engine.validation import explain, suggest

EVERYBODY = "*"


class Unreadable(Exception):
    """It is no command; ``command_id`` is what can still be read of it."""

    def __init__(self, why: str, command_id: str = "") -> None:
        self.why = why
        self.command_id = command_id
        super().__init__(why)


def read_command(
    value: bytes | None, headers: Mapping[str, bytes | None], largest: int
) -> tuple[CommandKind, Command]:
    """The command in a message, whose headers may have no value. Raises ``Unreadable``."""
    if value is None or len(value) > largest:
        size = len(value or b"")
        raise Unreadable(f"too large: {size:,} bytes, at most {largest:,}" if size else "empty")
    try:
        said = canonical.decode(value)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise Unreadable("not a JSON object")
    given = said.get("command_id")
    command_id = given if isinstance(given, str) and 0 < len(given) <= 200 else ""
    named = said.pop("kind", None)
    kind = next((known for known in ASKABLE if known == named), None)
    if kind is None:
        mend = suggest(str(named), ASKABLE)
        raise Unreadable(f"/kind: there is no command {named!r} ({mend})", command_id)
    if traceparent := headers.get("traceparent"):
        said.setdefault("traceparent", traceparent.decode("ascii", "replace"))
    try:
        return kind, ASKABLE[kind].model_validate(said)
    except ValidationError as error:
        problems = explain(ASKABLE[kind], said, error)
        raise Unreadable(str(problems), command_id) from None


def check(kind: CommandKind, command: Command, door: Door) -> None:
    """Raises ``Refused`` where this topic may not ask for that, and ``BadInput`` for an id that
    only the engine gives."""
    if command.command_id.startswith(RESERVED):
        raise BadInput.one(
            "/command_id", f"{command.command_id!r} is the engine's own", "use a UUID"
        )
    if faults := _faults(kind, command.actor, door):
        verdicts = [Verdict(rule="intake", held=False, reason=fault) for fault in faults]
        raise Refused("this topic may not ask for that", verdicts)


def _faults(kind: CommandKind, actor: Requester, door: Door) -> list[str]:
    faults = []
    if kind not in door.commands:
        faults.append(f"{kind} is not among the commands that this topic may give")
    if actor.kind not in door.kinds:
        faults.append(f"a {actor.kind} may not be named as the actor on this topic")
    roles = door.actors.get(actor.id, door.actors.get(EVERYBODY))
    if roles is None or actor.id == ACTOR.id:
        faults.append(f"{actor.id} may not be named as the actor on this topic")
    else:
        faults += [
            f"{actor.id} may not act as {role} on this topic"
            for role in actor.roles
            if role not in roles
        ]
    return faults
