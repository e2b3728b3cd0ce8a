"""Scenarios: given some commands, when one more is sent, then this is what must come of it.

They are written in YAML beside a definition; ``engine.stage`` plays them, and ``engine.coverage``
tells what none of them shows.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from engine.clock import is_instant_or_date
from engine.events import Answer, Evidence
from engine.validation import validate
from engine.yaml_source import Source as Text
from engine.yaml_source import read_yaml


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(_Part):
    """Evidence by name: its hash is made of the name, so a scenario needs no file."""

    kind: str
    as_of: str
    name: str = ""

    @property
    def evidence(self) -> Evidence:
        name = self.name or f"{self.kind} of {self.as_of}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        return Evidence(kind=self.kind, sha256=digest, as_of=self.as_of, name=name)


class Step(_Part):
    """One command: ``start``, ``do``, ``attach``, ``sign``, ``declare``, ``observe``; or ``wait``.

    While a scenario waits, until a day is over, everything that falls due is done. ``sign`` answers
    for a body or role (``of``); ``declare: conflict`` recuses who does it. A command is sent on the
    day ``at``; ``occurred_at`` is when it was so, if that is another day.
    """

    start: str | None = None
    do: str | None = None
    attach: Document | None = None
    sign: Answer | None = None
    of: str = ""
    declare: Literal["conflict"] | None = None
    observe: str | None = None
    wait: str | None = None
    workflow: str | None = None
    state: str | None = None
    case: str | None = None
    actor: Annotated[str, Field(alias="as")] = "somebody"
    at: str | None = None
    occurred_at: str | None = None
    on_behalf_of: str | None = None
    reason: str | None = None
    override: Literal[True] | None = None
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


class Elsewhere(_Part):
    """What must have come of it in another case, or later in the same one, through reactions.

    ``emits`` is among what is recorded there from the step on.
    """

    case: str
    state: str | None = None
    emits: str | None = None
    data: dict[str, Any] = {}


class Outcome(_Part):
    """What must come of it. ``refused`` lists rules or words that the reasons must contain.

    ``data`` is what the case holds then, written as in a command; ``null``: it is missing.
    ``warned`` and ``overridden`` have words from what was told by guards that stopped nobody, or
    that somebody went past; an empty list: none did. ``also`` is what reactions make of it;
    ``incident`` has words from each of those that come to nothing, which otherwise nobody expects.
    """

    state: str | None = None
    emits: str | None = None
    data: dict[str, Any] = {}
    conformance: str | None = None
    refused: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    bad_input: str | None = None
    warned: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    overridden: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    also: Annotated[list[Elsewhere], BeforeValidator(_as_list)] = []
    incident: Annotated[list[str], BeforeValidator(_as_list)] = []


class Attempted(Step):
    """A step that is refused, and words that its reasons must contain."""

    because: Annotated[list[str], BeforeValidator(_as_list)]


class Scenario(_Part):
    """One step and what comes of it; or several that are all refused, each from where ``given`` has
    led: what is refused changes nothing."""

    scenario: str
    today: str = "2026-01-15"
    given: list[Step] = []
    when: Step | None = None
    then: Outcome | None = None
    refuses: Annotated[list[Attempted], BeforeValidator(_as_list)] = []

    @model_validator(mode="after")
    def _about_something(self) -> Scenario:
        if (self.when is None) != (self.then is None) or (self.when is None) == (not self.refuses):
            raise ValueError("needs either `when` and `then`, or `refuses`")
        return self


class ScenarioFile(_Part):
    """``background``: the steps that come before those of every scenario."""

    background: list[Step] = []
    scenarios: list[Scenario]


def load_scenarios(text: str | bytes, file: str) -> tuple[ScenarioFile, Text]:
    """Raises ``BadInput`` with ``file:line:column`` of every problem."""
    source = read_yaml(text, file)
    return validate(ScenarioFile, source), source
