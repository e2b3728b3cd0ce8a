"""A command that waits for its answer, and what it is known by when it is sent again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pydantic import BaseModel

from engine import canonical
from engine.commands import Command
from engine.errors import BadInput, PmoError
from engine.receipt import Receipt


@dataclass(slots=True)
class Ticket:
    """``fingerprint`` (32 bytes) stands in the log for what the command says."""

    command: Command
    fingerprint: bytes
    answer: Receipt | PmoError | None = None


def ticket_of(command: Command) -> Ticket:
    """The answer is there already where the command cannot be written down."""
    try:
        content = canonical.encode_simple([type(command).__name__, command], _said)
    except TypeError as error:
        what = f"holds what JSON cannot say: {error}"
        return Ticket(command, b"", BadInput.one("/data", what, "send plain JSON"))
    return Ticket(command, hashlib.sha256(content).digest())


def _said(part: BaseModel) -> dict[str, object]:
    """What is empty stays out, so new optional fields of commands change nothing."""
    return {name: value for name, value in part.__dict__.items() if value or value == 0}
