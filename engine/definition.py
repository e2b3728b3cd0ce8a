"""What a workflow is: the grammar of a definition, as frozen models.

This module knows what a definition *means*; ``engine.lint`` says which ones cannot work, and
``engine.yaml_source`` reads the text with its lines and columns.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic import Field as Constrained

from engine import canonical

WorkflowName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_\-]*$", max_length=60)]
DomainName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=80)]
KeyPattern = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.\-]|\{[a-z][a-z0-9_]*\})*$", max_length=80
    ),
]
Percent = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}%$")]
Period = Annotated[
    str,
    StringConstraints(
        pattern=r"^[1-9][0-9]{0,3} (hours?|days?|working days?|weeks?|months?|years?)$"
    ),
]
FieldType = Literal[
    "text", "number", "money", "date", "choice", "ref", "person", "list", "document"
]


def _as_list(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


def _as_map(key: str) -> Any:
    return lambda value: value if isinstance(value, dict) else {key: value}


class Grammar(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Field(Grammar):
    """One piece of a case's data."""

    type: FieldType
    title: str = ""
    about: str = ""
    required: bool = False
    of: Annotated[list[str], BeforeValidator(_as_list)] = []
    to: WorkflowName | None = None
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    unit: str = ""
    least: float | None = None
    most: float | None = None
    longest: Annotated[int, Constrained(ge=1, le=100_000)] | None = None

    @cached_property
    def choices(self) -> tuple[str, ...]:
        return tuple(self.of)

    @property
    def item_type(self) -> str:
        """What a list holds."""
        return self.of[0]


class Role(Grammar):
    title: str = ""
    about: str = ""


class Deadline(Grammar):
    """How long a case may stay in a state, and the trigger that is due after that."""

    within: Period
    remind: list[Percent] = []
    then: Word


class State(Grammar):
    title: str = ""
    about: str = ""
    initial: bool = False
    final: bool = False
    deadline: Deadline | None = None


class EvidenceNeed(Grammar):
    """A document of this kind must be attached, its ``as_of`` not older than ``newer_than``."""

    kind: Word
    newer_than: Period | None = None


class Check(Grammar):
    """A condition in CEL, and what to tell the person for whom it does not hold."""

    check: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    otherwise: str = ""


class ByPerson(Grammar):
    """The actor whom the data field ``person`` names."""

    person: Name


class Step(Grammar):
    """What starting and every transition share: who may, with what, and what it is called."""

    by: Annotated[list[Word | ByPerson], BeforeValidator(_as_list)] = []
    not_by: Annotated[list[Word], BeforeValidator(_as_list)] = []
    needs: Annotated[list[Name], BeforeValidator(_as_list)] = []
    accepts: Annotated[list[Name], BeforeValidator(_as_list)] | None = None
    evidence: list[Annotated[EvidenceNeed, BeforeValidator(_as_map("kind"))]] = []
    when: Annotated[
        list[Annotated[Check, BeforeValidator(_as_map("check"))]], BeforeValidator(_as_list)
    ] = []
    emits: DomainName | None = None
    about: str = ""


class Start(Step):
    """How a case begins. It accepts every field unless ``accepts`` says which."""


class Transition(Step):
    """From one of some states to one state. It accepts the fields it ``needs`` unless told more."""

    trigger: Word
    sources: Annotated[
        list[Word], BeforeValidator(_as_list), Constrained(alias="from", min_length=1)
    ]
    to: Word

    @property
    def accepted(self) -> list[str]:
        return self.needs if self.accepts is None else [*self.accepts, *self.needs]


class Definition(Grammar):
    """A workflow, known by name, version and content hash."""

    workflow: WorkflowName
    version: Annotated[int, Constrained(ge=1, le=1_000_000)]
    title: str
    about: str = ""
    key: KeyPattern
    roles: dict[Word, Annotated[Role, BeforeValidator(lambda v: {} if v is None else v)]] = {}
    data: dict[Name, Field] = {}
    states: dict[Word, Annotated[State, BeforeValidator(lambda v: {} if v is None else v)]]
    start: Start = Start()
    transitions: list[Transition] = []
    record_refusals: bool = False

    @cached_property
    def body(self) -> dict[str, Any]:
        """The definition as plain JSON, defaults left out: what is hashed, published and pinned."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical body: comments and layout do not change it, meaning does."""
        return canonical.digest(self.body)

    @cached_property
    def initial(self) -> str:
        return next(name for name, state in self.states.items() if state.initial)

    @cached_property
    def key_fields(self) -> tuple[str, ...]:
        """The data fields that the key is made of; empty when cases are numbered."""
        return tuple(
            name for name in re.findall(r"\{(.*?)\}", self.key_pattern) if name != "number"
        )

    @cached_property
    def key_pattern(self) -> str:
        return self.key if "{" in self.key else f"{self.key}-{{number}}"

    def transitions_from(self, state: str) -> list[Transition]:
        return [t for t in self.transitions if state in t.sources]

    def emits(self, step: Step) -> str:
        """The domain name of what the step records; by default made of workflow and outcome."""
        if step.emits:
            return step.emits
        outcome = step.to if isinstance(step, Transition) else "started"
        return "".join(part.capitalize() for part in re.split("[-_]", f"{self.workflow}-{outcome}"))
