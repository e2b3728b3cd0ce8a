"""Steps of a story, written in YAML: what somebody asks for, and what must come of it.

Scenarios are told in them, and so is everything longer that is played through the real service.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from engine.clock import is_instant_or_date
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
from engine.events import Answer, Evidence, Source
from engine.grammar import Maybe

_BUILT_IN = {
    "timer": Requester(id="scheduler", kind="timer"),
    "service": Requester(id="reactions", kind="service"),
}


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


OneOrMore = Annotated[list[str], BeforeValidator(_as_list)]


class Part(BaseModel):
    """A part of such a file: what it does not know, it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(Part):
    """Evidence by name: its hash is made of the name, so a scenario needs no file."""

    kind: str
    as_of: str
    name: str = ""

    @property
    def evidence(self) -> Evidence:
        name = self.name or f"{self.kind} of {self.as_of}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        return Evidence(kind=self.kind, sha256=digest, as_of=self.as_of, name=name)


class Step(Part):
    """One command: ``start``, ``do``, ``attach``, ``sign``, ``declare``, ``observe``; or ``wait``.

    While a scenario waits, until a day is over, everything that falls due is done. ``sign`` answers
    for a body or role (``of``); ``declare: conflict`` recuses who does it. A command is sent on the
    day ``at``; ``occurred_at`` is when it was so, if that is another day.
    """

    start: Maybe[str] = None
    do: Maybe[str] = None
    attach: Maybe[Document] = None
    sign: Maybe[Answer] = None
    of: str = ""
    declare: Maybe[Literal["conflict"]] = None
    observe: Maybe[str] = None
    wait: Maybe[str] = None
    workflow: Maybe[str] = None
    state: Maybe[str] = None
    case: Maybe[str] = None
    actor: Annotated[str, Field(alias="as")] = "somebody"
    at: Maybe[str] = None
    occurred_at: Maybe[str] = None
    on_behalf_of: Maybe[str] = None
    reason: Maybe[str] = None
    override: Maybe[Literal[True]] = None
    data: dict[str, Any] = {}
    evidence: list[Document] = []

    @model_validator(mode="after")
    def _one_command(self) -> Step:
        commands = (self.start, self.do, self.attach, self.sign, self.declare, self.observe)
        if sum(command is not None for command in (*commands, self.wait)) != 1:
            raise ValueError("needs exactly one of start, do, attach, sign, declare, observe, wait")
        for name, said in (("at", self.at), ("wait", self.wait)):
            if said is not None and not is_instant_or_date(said):
                raise ValueError(f"{name}: {said!r} is not a date, write 2026-03-31")
        return self


class Elsewhere(Part):
    """What must have come of it in another case, or later in the same one, through reactions.

    ``emits`` is among what is recorded there from the step on.
    """

    case: str
    state: Maybe[str] = None
    emits: Maybe[str] = None
    data: dict[str, Any] = {}


class Between(Part):
    """From whom, to whom."""

    source: Annotated[str | None, Field(alias="from")]
    to: str | None


class Outcome(Part):
    """What must come of it. ``refused`` lists rules or words that the reasons must contain.

    ``data`` is what the case holds then, written as in a command; ``null``: it is missing.
    ``before`` is what the event tells of before, ``escalated`` from whom to whom it says that the
    matter has gone, by their names; ``null``: nobody.
    ``warned`` and ``overridden`` have words from what was told by guards that stopped nobody, or
    that somebody went past; an empty list: none did. ``also`` is what reactions make of it;
    ``incident`` has words from each of those that come to nothing, which otherwise nobody expects.
    """

    state: Maybe[str] = None
    emits: Maybe[str] = None
    data: dict[str, Any] = {}
    before: dict[str, Any] = {}
    escalated: Maybe[Between] = None
    conformance: Maybe[str] = None
    refused: Maybe[OneOrMore] = None
    bad_input: Maybe[str] = None
    warned: Maybe[OneOrMore] = None
    overridden: Maybe[OneOrMore] = None
    also: Annotated[list[Elsewhere], BeforeValidator(_as_list)] = []
    incident: OneOrMore = []


def command_of(
    step: Step, command_id: str, case: str, workflow: str = "", teller: str = "scenario"
) -> Command:
    """What a step asks for, of the case that it is about.

    ``workflow`` is that of the case, for a fact that does not say it; ``teller`` says where facts
    come from. Raises ``BadInput`` for an actor that is none.
    """
    common: dict[str, Any] = {
        "command_id": command_id,
        "actor": _BUILT_IN.get(step.actor) or Requester.read(step.actor),
        "occurred_at": step.occurred_at,
        "on_behalf_of": step.on_behalf_of,
        "reason": step.reason,
    }
    evidence = tuple(document.evidence for document in step.evidence)
    if step.start is not None:
        return StartCase(**common, workflow=step.start, data=step.data, evidence=evidence)
    if step.do is not None:
        return PullTrigger(
            **common,
            case=case,
            trigger=step.do,
            data=step.data,
            evidence=evidence,
            override=step.override,
        )
    if step.sign is not None:
        return Sign(**common, case=case, of=step.of, answer=step.sign)
    if step.declare is not None:
        return DeclareConflict(**common, case=case)
    if step.attach is not None:
        return AttachEvidence(**common, case=case, evidence=step.attach.evidence)
    return Observe(
        **common,
        workflow=step.workflow or workflow,
        case=case,
        facts=(Fact(name=step.observe or "", state=step.state, data=step.data),),
        origin=Source(name=teller),
    )
