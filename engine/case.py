"""A case is the fold of its events: pure, deterministic, and never changed in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import assert_never

from engine import canonical
from engine.events import (
    AnyEvent,
    CaseObserved,
    CaseStarted,
    CaseTransitioned,
    CommandRefused,
    DefinitionPublished,
    DefinitionRef,
    Event,
    Evidence,
    EvidenceAttached,
)
from engine.values import Value


@dataclass(frozen=True, slots=True)
class Case:
    """One running workflow as its log tells it.

    ``data`` holds what is known now of each field. ``since`` holds, for the state (under ``""``)
    and for every field, when the value in force occurred: a fact that is recorded late but was so
    earlier does not replace what was so later. ``acted`` holds who has acted in which role.
    """

    key: str
    definition: DefinitionRef
    version: int
    state: str
    data: Mapping[str, Value]
    since: Mapping[str, str]
    evidence: tuple[Evidence, ...]
    acted: Mapping[str, tuple[str, ...]]

    def digest(self) -> str:
        """SHA-256 of the whole case in canonical JSON: equal cases, equal digests, on any store."""
        return canonical.digest(asdict(self))


def fold(events: Iterable[AnyEvent], case: Case | None = None) -> Case | None:
    for event in events:
        case = evolve(case, event)
    return case


def evolve(case: Case | None, event: AnyEvent) -> Case | None:
    """The case after one more event of its stream; ``None`` for streams that hold no case."""
    match event:
        case CaseTransitioned() | CaseStarted() | CaseObserved():
            return _changed(case, event)
        case EvidenceAttached():
            assert case is not None
            return replace(
                case,
                version=event.version,
                evidence=(*case.evidence, event.evidence),
                acted=_acted(case, event),
            )
        case CommandRefused():
            return replace(case, version=event.version) if case else None
        case DefinitionPublished():
            return None
        case _:
            assert_never(event)


def _changed(case: Case | None, event: CaseStarted | CaseTransitioned | CaseObserved) -> Case:
    at = event.occurred_at
    evidence = () if isinstance(event, CaseObserved) else event.evidence
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
        )
    state, data, since = case.state, case.data, case.since
    if event.state is not None and at >= since[""]:
        state = event.state
        since = {**since, "": at}
    if event.data:
        # A late fact (D2, D3 of real history) must not overwrite what came to be so after it.
        news = {name: v for name, v in event.data.items() if at >= since.get(name, "")}
        merged = {**data, **news}
        data = {name: value for name, value in merged.items() if value is not None}
        since = {**since, **dict.fromkeys(news, at)}
    return Case(
        key=case.key,
        definition=case.definition,
        version=event.version,
        state=state,
        data=data,
        since=since,
        evidence=(*case.evidence, *evidence) if evidence else case.evidence,
        acted=_acted(case, event),
    )


def _acted(case: Case | None, event: Event) -> Mapping[str, tuple[str, ...]]:
    acted = case.acted if case else {}
    if event.role is None:
        return acted
    known = acted.get(event.role, ())
    return acted if event.actor.id in known else {**acted, event.role: (*known, event.actor.id)}
