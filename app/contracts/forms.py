"""Which events the cases of a definition can record, under which names, and what each can carry.

Everything is derived from the definition: the same guards that refuse a field which a step does not
take are the reason why an event of that step can never hold it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from engine.definition import Definition
from engine.events import (
    CaseLinked,
    CaseMigrated,
    CaseObserved,
    CaseSigned,
    CaseStarted,
    CaseTransitioned,
    CommandRefused,
    ConflictDeclared,
    DeadlineReminded,
    DefinitionPublished,
    Event,
    EvidenceAttached,
)
from engine.guards import accepted, needed, renewed
from engine.step import ByAuthority, GuardKind, Start, Step, Transition

Carried = dict[str, bool]
"""The fields an event's ``data`` may hold; ``True``: what stands there is a value, neither cleared
(``null``) nor withheld."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which an event of a name comes about.

    ``carries`` is ``None`` where such an event has no data; ``always`` are the fields that are in
    every one of them. ``tells`` are the fields of which it says what they held before; if it
    ``escalates``, it says from whom to whom. ``states`` are those it can leave the case in. ``at``
    is where the definition says so (a JSON pointer).
    """

    model: type[Event]
    carries: Carried | None = None
    always: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    escalates: bool = False
    trigger: str | None = None
    sources: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    at: str = ""

    @property
    def type(self) -> str:
        """The stored type, like ``pmo.case.transitioned.v1``."""
        return next(str(field.default) for field in fields(self.model) if field.name == "type")


def observed(definition: Definition) -> Form:
    """A fact that somebody recorded. People and importers name facts freely, so an event of any
    name can have this form."""
    carries = dict.fromkeys(definition.data, False)
    return Form(CaseObserved, carries, states=tuple(definition.states))


def forms(definition: Definition) -> dict[str, list[Form]]:
    """The forms of every event that is known by name before it happens, by that name."""
    found: dict[str, list[Form]] = {}
    for name, form in (*_of_steps(definition), *_of_every_case(definition)):
        found.setdefault(name, []).append(form)
    return found


def _of_steps(definition: Definition) -> Iterator[tuple[str, Form]]:
    start = definition.start
    needs = {*needed(start, definition), *renewed(start, definition)}
    yield (
        definition.emits(start),
        Form(
            CaseStarted,
            _carried(start, definition),
            always=tuple(name for name in definition.data if name in needs),
            states=(definition.initial,),
            at="/start",
        ),
    )
    for number, step in enumerate(definition.transitions):
        yield (
            definition.emits(step),
            Form(
                CaseTransitioned,
                _carried(step, definition),
                tells=step.told,
                escalates=step.escalates is not None,
                always=_said(step, definition),
                trigger=step.trigger,
                sources=tuple(step.sources),
                states=tuple(dict.fromkeys(map(step.target, step.sources))),
                at=f"/transitions/{number}",
            ),
        )


def _carried(step: Step, definition: Definition) -> Carried:
    takes = accepted(step, definition)
    firm = {*_said(step, definition)}
    if isinstance(step, Start) or not _may_pass("needs", step):
        firm.update(needed(step, definition))
    return {name: name in firm for name in definition.data if name in takes}


def _said(step: Step, definition: Definition) -> tuple[str, ...]:
    """The fields that come with every such step."""
    anew = () if _may_pass("anew", step) else renewed(step, definition)
    if isinstance(step, Transition):
        anew = (*anew, *step.counts)
    return tuple(name for name in definition.data if name in anew)


def _may_pass(guard: GuardKind, step: Step) -> bool:
    return step.override is not None and guard in step.override.of


def _of_every_case(definition: Definition) -> Iterator[tuple[str, Form]]:
    yield "EvidenceAttached", Form(EvidenceAttached)
    if any(map(_is_signed, definition.transitions)):
        yield "Signed", Form(CaseSigned)
        yield "SignatureWithdrawn", Form(CaseSigned)
    yield "ConflictDeclared", Form(ConflictDeclared)
    yield "CaseLinked", Form(CaseLinked)
    yield "CaseMigrated", Form(CaseMigrated)
    if any(deadline.remind for state in definition.states.values() for deadline in state.deadline):
        yield "DeadlineReminded", Form(DeadlineReminded)
    if definition.record_refusals:
        yield "CommandRefused", Form(CommandRefused)
    yield "DefinitionPublished", Form(DefinitionPublished)


def _is_signed(step: Transition) -> bool:
    """Whether somebody's signature can count for the step."""
    asked = (step, step.should) if step.should else (step,)
    by_authority = any(isinstance(who, ByAuthority) for who in step.by)
    return by_authority or any(said.agreed_by or said.quorum for said in asked)
