"""A case is the fold of its events: pure, deterministic, and never changed in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, field, fields, replace
from typing import NamedTuple, assert_never

from engine import canonical
from engine.events import (
    Answer,
    AnyEvent,
    CaseLinked,
    CaseMigrated,
    CaseObserved,
    CaseSigned,
    CaseStarted,
    CaseTransitioned,
    ClaimChanged,
    CommandRefused,
    ConflictDeclared,
    DeadlineReminded,
    DefinitionPublished,
    DefinitionRef,
    Due,
    Event,
    Evidence,
    EvidenceAttached,
    Party,
)
from engine.fixed import fixed
from engine.values import Value


class Signature(NamedTuple):
    """Somebody's answer as a member of a body, or in a role (``of``), the role they act in, and by
    whose delegation."""

    person: str
    of: str
    answer: Answer
    role: str | None
    on_behalf_of: str | None = None


@fixed
class Case:
    """One running workflow as its log tells it.

    ``data`` holds what is known now of each field. ``since`` holds, for the state (under ``""``)
    and for every field, when the value in force occurred: a fact that is recorded late but was so
    earlier does not replace what was so later. ``acted`` holds who has acted in which role;
    ``anonymous``: somebody has, and it is not known who. ``lent`` holds on whose behalf it was: by
    which delegations.

    ``entered`` is the version at which the state was entered, and ``arrived`` that at which a kind
    of evidence came last. ``deadlines`` are open. ``signatures`` count for the state
    they were given in. ``recused`` have declared a conflict; ``children`` are workflow and key of
    the cases whose parent this is. ``gone_up`` is to whom the matter has gone up, while it is in
    the state in which that left it.
    """

    key: str
    definition: DefinitionRef
    version: int
    state: str
    data: Mapping[str, Value]
    since: Mapping[str, str]
    evidence: tuple[Evidence, ...]
    acted: Mapping[str, tuple[str, ...]]
    anonymous: bool = False
    entered: int = 1
    arrived: Mapping[str, int] = field(default_factory=dict)
    signatures: tuple[Signature, ...] = ()
    recused: tuple[str, ...] = ()
    children: tuple[tuple[str, str], ...] = ()
    deadlines: tuple[Due, ...] = ()
    lent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gone_up: Party | None = None

    def digest(self) -> str:
        """SHA-256 of the whole case in canonical JSON: equal cases, equal digests, on any store."""
        parts = {
            "definition": asdict(self.definition),
            "evidence": [asdict(item) for item in self.evidence],
            "deadlines": [asdict(due) for due in self.deadlines],
            "gone_up": asdict(self.gone_up) if self.gone_up else None,
        }
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return canonical.digest(said | parts)


def fold(events: Iterable[AnyEvent], case: Case | None = None) -> Case | None:
    for event in events:
        case = evolve(case, event)
    return case


def evolve(case: Case | None, event: AnyEvent) -> Case | None:
    """The case after one more event of its stream; ``None`` for streams that hold no case."""
    match event:
        case CaseTransitioned() | CaseStarted() | CaseObserved():
            return _changed(case, event)
        case ClaimChanged():
            return _claimed(event)
        case DefinitionPublished():
            return None
        case CommandRefused():
            return replace(case, version=event.version) if case else None
    assert case is not None
    version = event.version
    match event:
        case CaseMigrated():
            return replace(
                case,
                version=version,
                definition=event.definition,
                state=event.state,
                since=case.since if event.stays else {**case.since, "": event.occurred_at},
                entered=event.entered,
                signatures=(),
                deadlines=event.deadlines or (),
                acted=_acted(case, event),
                lent=_lent(case, event),
                gone_up=case.gone_up if event.stays else None,
            )
        case EvidenceAttached():
            return replace(
                case,
                version=version,
                evidence=(*case.evidence, event.evidence),
                arrived={**case.arrived, event.evidence.kind: version},
                acted=_acted(case, event),
                lent=_lent(case, event),
            )
        case CaseSigned():
            return replace(
                case,
                version=version,
                signatures=_signed(case, event),
                acted=_acted(case, event),
                lent=_lent(case, event),
            )
        case ConflictDeclared():
            return replace(case, version=version, recused=(*case.recused, event.actor.id))
        case CaseLinked():
            children = (*case.children, (event.workflow, event.child))
            return replace(case, version=version, children=children)
        case DeadlineReminded():
            deadlines = tuple(due for due in case.deadlines if due != event.due)
            return replace(case, version=version, deadlines=deadlines)
        case _:
            assert_never(event)


def _changed(case: Case | None, event: CaseStarted | CaseTransitioned | CaseObserved) -> Case:
    at = event.occurred_at
    evidence: tuple[Evidence, ...] = ()
    told: tuple[Due, ...] | None = None
    if not (observed := isinstance(event, CaseObserved)):
        evidence, told = event.evidence, event.deadlines
    arrived = {item.kind: event.version for item in evidence} if evidence else {}
    if case is None:
        assert event.state is not None
        return Case(
            key=event.stream,
            definition=event.definition,
            version=event.version,
            state=event.state,
            data={name: value for name, value in event.data.items() if value is not None},
            since={"": at, **dict.fromkeys(event.data, at)},
            evidence=evidence,
            acted=_acted(None, event),
            anonymous=observed,
            arrived=arrived,
            deadlines=told or (),
            lent=_lent(None, event),
        )
    state, data, since = case.state, case.data, case.since
    entered, signatures, deadlines = case.entered, case.signatures, case.deadlines
    gone_up = case.gone_up
    stays = isinstance(event, CaseTransitioned) and event.stays is True
    if stays:
        # It says in which state it found the case, and nothing of when that began. Of a correction,
        # which is dated back, as of then the case may have been in another.
        if told is not None and at >= since[""]:
            deadlines = told
    elif event.state is not None and at >= since[""]:
        state, since = event.state, {**since, "": at}
        if state != case.state or not observed:
            entered, signatures, deadlines = event.version, (), told or ()
        gone_up = None
    if isinstance(event, CaseTransitioned) and event.escalated and at >= since[""]:
        gone_up = event.escalated.to or gone_up
    if event.data:
        data, since = {**data}, {**since}
        for name, value in event.data.items():
            if at < since.get(name, ""):
                continue  # a late fact must not overwrite what came to be so after it
            since[name] = at
            if value is None:
                data.pop(name, None)
            else:
                data[name] = value
    return Case(
        key=case.key,
        definition=case.definition,
        version=event.version,
        state=state,
        data=data,
        since=since,
        evidence=(*case.evidence, *evidence) if evidence else case.evidence,
        acted=_acted(case, event),
        anonymous=case.anonymous or (observed and event.state is not None),
        entered=entered,
        arrived={**case.arrived, **arrived} if arrived else case.arrived,
        signatures=signatures,
        recused=case.recused,
        children=case.children,
        deadlines=deadlines,
        lent=_lent(case, event),
        gone_up=gone_up,
    )


def _claimed(event: ClaimChanged) -> Case:
    """A claim folds like a case whose one field says who has it."""
    return Case(
        key=event.stream,
        definition=event.definition,
        version=event.version,
        state="held" if event.holder else "free",
        data={"holder": event.holder} if event.holder else {},
        since={"": event.occurred_at},
        evidence=(),
        acted={},
    )


def _signed(case: Case, event: CaseSigned) -> tuple[Signature, ...]:
    others = [s for s in case.signatures if (s.person, s.of) != (event.actor.id, event.of)]
    if event.answer == "withdrawn":
        return tuple(others)
    said = (event.of, event.answer, event.role, event.on_behalf_of)
    return (*others, Signature(event.actor.id, *said))


def _acted(case: Case | None, event: Event) -> Mapping[str, tuple[str, ...]]:
    acted = case.acted if case else {}
    role = event.role
    if role is None:
        return acted
    return _with(acted, role, event.actor.id)


def _lent(case: Case | None, event: Event) -> Mapping[str, tuple[str, ...]]:
    lent = case.lent if case else {}
    if event.role is None or event.on_behalf_of is None:
        return lent
    return _with(lent, event.role, event.on_behalf_of)


def _with(
    kept: Mapping[str, tuple[str, ...]], role: str, one: str
) -> Mapping[str, tuple[str, ...]]:
    known = kept.get(role, ())
    return kept if one in known else {**kept, role: (*known, one)}
