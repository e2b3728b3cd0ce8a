"""What a workflow is: the grammar of a definition, as frozen models.

This module knows what a definition *means*; ``engine.lint`` says which ones cannot work, and
``engine.yaml_source`` reads the text with its lines and columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic import Field as Constrained
from pydantic_core import CoreSchema, core_schema

from engine import canonical

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Lone:
    """One thing may be written without the brackets of a list."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        listed = handler(schema["schema"])
        return {"anyOf": [listed["items"], listed]}


@dataclass(frozen=True, slots=True)
class _Short:
    """A map may be written as nothing but the text of its chief key, or as nothing at all."""

    key: str | None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._spell_out, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        whole = handler(schema["schema"])
        if self.key is None:
            return {"anyOf": [{"type": "null"}, whole]}
        return {"anyOf": [handler.resolve_ref_schema(whole)["properties"][self.key], whole]}

    def _spell_out(self, value: Any) -> Any:
        if self.key is None:
            return {} if value is None else value
        return {self.key: value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


def _as_number(value: Any) -> Any:
    """Decimals arrive as text: YAML is read without deciding what they are for."""
    return float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


def _mend(words: str) -> Any:
    """What to tell, here and in an editor, somebody whose text does not match the pattern."""
    return Constrained(json_schema_extra={"patternErrorMessage": words})


_DECIMAL = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,15}")

Listed = Annotated[list[T], _Lone()]
Number = Annotated[float, BeforeValidator(_as_number, json_schema_input_type=float)]
WorkflowName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40),
    _mend("use small letters, digits and single dashes, like change-control"),
]
Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40),
    _mend("use small letters, digits and underscores, like whole_life_cost"),
]
Word = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_\-]*$", max_length=60),
    _mend("use small letters, digits, underscores and dashes, like in_review"),
]
DomainName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=80),
    _mend("use words that start with a capital, run together, like DecisionTaken"),
]
KeyPattern = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.\-]|\{[a-z][a-z0-9_]*\})*$", max_length=80
    ),
    _mend("start with a letter or digit, and put data fields into braces: DEC or PLAN-{unit}"),
]
Currency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    _mend("use the three letters of ISO 4217, like GBP"),
]
Percent = Annotated[
    str,
    StringConstraints(pattern=r"^[1-9][0-9]{0,2}%$"),
    _mend("write a whole percentage, like 80%"),
]
Period = Annotated[
    str,
    StringConstraints(
        pattern=r"^[1-9][0-9]{0,3} (hours?|days?|working days?|weeks?|months?|years?)$"
    ),
    _mend("write a count and a unit, like 4 hours, 90 days, 10 working days, 6 months or 1 year"),
]
FieldType = Literal[
    "text", "number", "money", "date", "choice", "ref", "person", "list", "document"
]


class Grammar(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Field(Grammar):
    """One piece of a case's data."""

    type: FieldType
    title: str = ""
    about: str = ""
    required: bool = False
    of: Listed[str] = []
    to: WorkflowName | None = None
    currency: Currency | None = None
    unit: str = ""
    least: Number | None = None
    most: Number | None = None
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

    by: Listed[Word | ByPerson] = []
    not_by: Listed[Word] = []
    needs: Listed[Name] = []
    accepts: Listed[Name] | None = None
    evidence: Listed[Annotated[EvidenceNeed, _Short("kind")]] = []
    when: Listed[Annotated[Check, _Short("check")]] = []
    emits: DomainName | None = None
    about: str = ""


class Start(Step):
    """How a case begins. It accepts every field unless ``accepts`` says which."""


class Transition(Step):
    """From one of some states to one state. It accepts the fields it ``needs`` unless told more."""

    trigger: Word
    sources: Annotated[Listed[Word], Constrained(alias="from", min_length=1)]
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
    roles: dict[Word, Annotated[Role, _Short(None)]] = {}
    data: Annotated[dict[Name, Field], Constrained(max_length=500)] = {}
    states: dict[Word, Annotated[State, _Short(None)]]
    start: Start = Start()
    transitions: list[Transition] = []
    record_refusals: bool = False

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Definition:
        """The definition of a ``body``. Raises pydantic's ``ValidationError``."""
        plain = {name: value for name, value in body.items() if name != "order"}
        for part, names in body.get("order", {}).items():
            known = plain.get(part, {})
            plain[part] = {name: known[name] for name in names if name in known} | known
        return cls.model_validate(plain)

    @cached_property
    def body(self) -> dict[str, Any]:
        """The definition as plain JSON, defaults left out: what is hashed, published and pinned.

        Canonical JSON sorts keys, so ``order`` keeps how the author arranged fields and states.
        """
        order = {"data": list(self.data), "states": list(self.states)}
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"order": order}

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
