"""What no command can say, whatever the store: told where it is, before a store is asked."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.commands import (
    AttachEvidence,
    Command,
    DeclareConflict,
    Fact,
    Observe,
    PullTrigger,
    Requester,
    Sign,
    StartCase,
)
from engine.events import Evidence, Source

PAT = Requester(id="pat", roles=("requester",))
PAPER = Evidence(kind="paper", sha256="0" * 64, as_of="2026-01-01")
COMMANDS = [
    StartCase(command_id="c", actor=PAT, workflow="decision"),
    PullTrigger(command_id="c", actor=PAT, case="DEC-0001", trigger="submit"),
    AttachEvidence(command_id="c", actor=PAT, case="DEC-0001", evidence=PAPER),
    Sign(command_id="c", actor=PAT, case="DEC-0001", of="board", answer="for"),
    DeclareConflict(command_id="c", actor=PAT, case="DEC-0001"),
    Observe(
        command_id="c",
        actor=PAT,
        workflow="decision",
        case="DEC-0001",
        facts=(Fact(name="DecisionTaken"),),
        origin=Source(name="minutes"),
    ),
]


def texts(command: Command) -> list[str]:
    """The fields that hold text, given or not."""
    fields = type(command).model_fields.items()
    return [name for name, field in fields if "str" in str(field.annotation) and name != "data"]


@pytest.mark.parametrize(
    ("command", "field"),
    [
        pytest.param(command, field, id=f"{type(command).__name__}.{field}")
        for command in COMMANDS
        for field in texts(command)
        if field != "occurred_at"  # is read as a moment
    ],
)
def test_a_nul_character_is_told_where_it_is(command: Command, field: str) -> None:
    """PostgreSQL keeps none: asked for such a case it fails, and with it all who asked beside."""
    said: dict[str, Any] = command.model_dump() | {field: "a\x00b"}
    with pytest.raises(ValidationError) as caught:
        type(command).model_validate(said)
    assert {error["loc"][0] for error in caught.value.errors()} == {field}


def test_a_role_holds_no_nul_character_either() -> None:
    with pytest.raises(ValidationError):
        Requester(id="pat", roles=("requester\x00",))
