"""What every event of a command carries: when, who, by which rules, on which other cases."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from engine.clock import is_instant_or_date, last_instant
from engine.commands import Command
from engine.context import Context
from engine.errors import BadInput
from engine.events import Actor, ActorKind, DefinitionRef


@lru_cache(maxsize=1000)
def _actor(actor_id: str, kind: ActorKind) -> Actor:
    return Actor(id=actor_id, kind=kind)


def envelope(
    command: Command,
    stream: str,
    version: int,
    definition: DefinitionRef,
    context: Context,
    occurred_at: str,
) -> dict[str, Any]:
    """The fields by name; what the command does not say is not among them."""
    actor, command_id = command.actor, command.command_id
    fields = {
        "actor": _actor(actor.id, actor.kind),
        "command_id": command_id,
        "correlation_id": command.correlation_id or command_id,
        "definition": definition,
        "event_id": context.new_id(),
        "occurred_at": occurred_at,
        "reads": context.reads,
        "recorded_at": context.now,
        "stream": stream,
        "version": version,
    }
    if command.on_behalf_of is not None:
        fields["on_behalf_of"] = command.on_behalf_of
    if command.causation_id is not None:
        fields["causation_id"] = command.causation_id
    if command.traceparent is not None:
        fields["traceparent"] = command.traceparent
    if command.reason is not None:
        fields["reason"] = command.reason
    return fields


def occurred_at(command: Command, now: str, reached: str = "") -> str:
    """When it was so: as said, else now, but never before what it replaces was ``reached``, which
    another process with a faster clock may have recorded. Of a date, the part after that is meant.
    """
    if command.occurred_at is None:
        return max(now, reached)
    if not is_instant_or_date(command.occurred_at):
        raise BadInput.one(
            "/occurred_at",
            f"{command.occurred_at!r} is not a point in time",
            "write 2026-03-31 or 2026-03-31T12:00:00.000000Z",
        )
    if command.occurred_at > now:
        raise BadInput.one(
            "/occurred_at",
            f"{command.occurred_at} is still to come (it is {now})",
            "say when it was so, or leave it out: then it is so from now on",
        )
    if command.occurred_at < reached <= last_instant(command.occurred_at):
        return reached
    return command.occurred_at
