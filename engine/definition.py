"""What a workflow is: the grammar of a definition, as frozen models; ``engine.step`` has its steps.

These two know what a definition *means*; ``engine.lint.rules`` says which ones cannot work, and
``engine.yaml_source`` reads the text with its lines and columns.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field as Constrained
from pydantic import StringConstraints, ValidationError

from engine import canonical
from engine.errors import LogNewer
from engine.grammar import (
    Breaks,
    CalendarNamed,
    Condition,
    Currency,
    DataPath,
    DomainName,
    Expression,
    Grammar,
    KeyPattern,
    Listed,
    Maybe,
    Name,
    Named,
    Number,
    Percent,
    Period,
    Short,
    Word,
    WorkflowName,
)
from engine.step import Start, Step, Transition

FieldType = Literal[
    "text", "number", "money", "date", "choice", "ref", "person", "list", "document"
]


class Field(Grammar):
    """One piece of a case's data."""

    type: FieldType
    title: str = ""
    about: str = ""
    required: bool = False
    of: Listed[str] = []
    to: Maybe[WorkflowName] = None
    currency: Maybe[Currency] = None
    unit: str = ""
    least: Maybe[Number] = None
    most: Maybe[Number] = None
    longest: Maybe[Annotated[int, Constrained(ge=1, le=100_000)]] = None
    parent: bool = False
    unique: bool = False

    @cached_property
    def choices(self) -> tuple[str, ...]:
        return tuple(self.of)

    @property
    def item_type(self) -> str:
        """What a list holds."""
        return self.of[0]


class Role(Grammar):
    """``appointed_in``: the unit in which an appointment must be in force; else who asks says."""

    title: str = ""
    about: str = ""
    appointed_in: Maybe[Named] = None


class Later(Grammar):
    """What is due when a deadline has been missed by so much: 150% is half as long again."""

    at: Percent
    then: Word


class Deadline(Grammar):
    """How long a case may stay in a state, and the trigger that is due after that.

    One of ``within`` (a period from entering the state), ``on`` (a date the case holds) and
    ``every`` (the next occurrence of an RFC 5545 rule) says when it is due; ``or``: what is meant
    when that day is no working day. ``per`` a choice that the case holds, ``within`` says a period
    for each that there is.
    """

    per: Maybe[DataPath] = None
    within: Maybe[Period | dict[str, Period]] = None
    on: Maybe[DataPath] = None
    every: Maybe[Annotated[str, StringConstraints(min_length=1, max_length=500)]] = None
    rolled: Annotated[Maybe[Literal["next working day"]], Constrained(alias="or")] = None
    remind: Listed[Percent] = []
    then: Word
    later: Listed[Later] = []

    @property
    def goes_by(self) -> str:
        """The field of the case that says when it is due; empty where none does."""
        said = self.per or self.on or self.every or ""
        return said.removeprefix("data.") if said.startswith("data.") else ""

    @property
    def periods(self) -> dict[str, str]:
        """The period for each choice; under no name, the one for all."""
        if isinstance(self.within, str):
            return {"": self.within}
        return self.within or {}


class State(Grammar):
    """``awaits``: the triggers that a case waits for in it; unless told, all that lead out of it.

    None of them: it rests there, and nobody is asked for anything.
    """

    title: str = ""
    about: str = ""
    initial: bool = False
    final: bool = False
    awaits: Maybe[Listed[Word]] = None
    deadline: Listed[Deadline] = []


class OnlyOne(Grammar):
    """At most one case with the same values of ``per`` is in one of these states at any moment; of
    all the workflows, if several have one of the same ``name``."""

    name: Maybe[Word] = None
    per: Annotated[Listed[Name], Constrained(min_length=1)]
    inside: Annotated[Listed[Word], Constrained(alias="in", min_length=1)]


class Whom(Grammar):
    """Everybody whom the lists in these fields mean: who holds a role (``sponsor``, or ``sponsor in
    transport``), anybody appointed in a unit, who sits on a body, and persons by their names."""

    roles: Maybe[DataPath] = None
    units: Maybe[DataPath] = None
    bodies: Maybe[DataPath] = None
    persons: Maybe[DataPath] = None

    @property
    def paths(self) -> dict[str, str]:
        """What is named, by its kind."""
        return {kind: path for kind, path in self if path is not None}


class Act(Grammar):
    """What a reaction asks for: a trigger of this case, of another, of every child (or of those
    ``where`` fields have these values); or a case, or one ``for`` every item of a list, or for
    everybody who is meant."""

    trigger: Maybe[Word] = None
    of: Maybe[Literal["case"] | DataPath] = None
    each: Maybe[WorkflowName] = None
    where: dict[Name, Expression] = {}
    start: Maybe[WorkflowName] = None
    over: Annotated[Maybe[DataPath | Whom], Constrained(alias="for")] = None
    values: Annotated[dict[Name, Expression], Constrained(alias="with")] = {}


class Reaction(Grammar):
    """When this has happened, that is asked for: once, by the service, with this event as cause."""

    on: DomainName
    where: Maybe[Condition] = None
    do: Act


RegisterKind = Literal["appointment", "body", "authority", "delegation", "calendar"]


_UNKNOWN = ("extra_forbidden", "literal_error")
"""Kinds of pydantic's errors about a word that the grammar does not have."""


class Definition(Grammar):
    """A workflow, known by name, version and content hash."""

    workflow: WorkflowName
    version: Annotated[int, Constrained(ge=1, le=1_000_000)]
    title: str
    about: str = ""
    key: KeyPattern
    roles: dict[Word, Annotated[Role, Short(None)]] = {}
    data: Annotated[dict[Name, Field], Constrained(max_length=500)] = {}
    states: dict[Word, Annotated[State, Short(None)]]
    start: Start = Start()
    transitions: list[Transition] = []
    record_refusals: bool = False
    only_one: Listed[OnlyOne] = []
    reactions: list[Reaction] = []
    calendar: Maybe[CalendarNamed] = None
    register_kind: Annotated[Maybe[RegisterKind], Constrained(alias="register")] = None
    in_force: Listed[Word] = []
    breaks: Breaks = {}

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Definition:
        """The definition of a ``body``. Raises pydantic's ``ValidationError``."""
        plain = {name: value for name, value in body.items() if name != "order"}
        for part, names in body.get("order", {}).items():
            known = plain.get(part, {})
            plain[part] = {name: known[name] for name in names if name in known} | known
        return cls.model_validate(plain)

    @classmethod
    def from_published(cls, body: dict[str, Any]) -> Definition:
        """As ``from_body``, of one that was published. Raises ``LogNewer`` where it says what this
        version does not know: whoever published it knew."""
        try:
            return cls.from_body(body)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False, include_context=False)
            unknown = [one["loc"] for one in wrong if one["type"] in _UNKNOWN]
            if not unknown:
                raise
            where = f"{body.get('workflow')} version {body.get('version')}"
            what = ", ".join(".".join(map(str, place)) for place in unknown)
            raise LogNewer(where, what) from error

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
    def key_parts(self) -> tuple[str, ...]:
        """The data fields that the key is made of, whether or not it also counts."""
        return tuple(
            name for name in re.findall(r"\{(.*?)\}", self.key_pattern) if name != "number"
        )

    @cached_property
    def key_fields(self) -> tuple[str, ...]:
        """The data fields that alone make the key; empty when cases are numbered."""
        return () if "{number}" in self.key_pattern else self.key_parts

    @cached_property
    def key_pattern(self) -> str:
        return self.key if "{" in self.key else f"{self.key}-{{number}}"

    @cached_property
    def ref_fields(self) -> tuple[str, ...]:
        """The fields that name another case."""
        return tuple(name for name, field in self.data.items() if field.type == "ref")

    @cached_property
    def parent_fields(self) -> tuple[str, ...]:
        """The fields that name a case which hears of it."""
        return tuple(name for name, field in self.data.items() if field.parent)

    @cached_property
    def reaches_others(self) -> bool:
        """Whether a step can write to other streams: to that of a parent, or of a claim."""
        return bool(self.only_one or self.parent_fields)

    @cached_property
    def leaving(self) -> dict[str, tuple[Transition, ...]]:
        """The transitions that leave each state, in the order of the definition."""
        found: dict[str, list[Transition]] = {}
        for transition in self.transitions:
            for state in dict.fromkeys(transition.sources):
                found.setdefault(state, []).append(transition)
        return {state: tuple(transitions) for state, transitions in found.items()}

    def transitions_from(self, state: str) -> tuple[Transition, ...]:
        return self.leaving.get(state, ())

    def emits(self, step: Step) -> str:
        """The domain name of what the step records; by default made of workflow and outcome."""
        if step.emits:
            return step.emits
        outcome = step.to or step.trigger if isinstance(step, Transition) else "started"
        return "".join(part.capitalize() for part in re.split("[-_]", f"{self.workflow}-{outcome}"))
