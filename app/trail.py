"""What each event of a case changed, from what to what, in the order in which it was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.clock import last_instant
from engine.upcasts import Body

_STATE = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One field. ``late``: something that was so later had been recorded already and stays."""

    field: str
    before: Any
    after: Any
    late: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. ``state_before`` and ``state`` differ where it changed the state.

    ``answer`` is what somebody signed for the body or role ``answer_of``; ``child`` the case that
    names this one as its parent; ``share`` how much of a deadline's time had passed; ``holder`` who
    has a claim from then on; ``authority`` and ``basis`` what a decision rested on; ``reads`` which
    other cases and entries of registers were looked at, at which version (0: there was none);
    ``escalated`` from whom to whom the matter has gone, as the event has it; ``former`` the version
    of the workflow that the case was of, where it was migrated, and ``definition`` that of the
    rules by which the event was recorded.
    """

    position: int
    version: int
    type: str
    name: str
    recorded_at: str
    occurred_at: str
    actor: str
    actor_kind: str
    role: str | None
    on_behalf_of: str | None
    reason: str | None
    trigger: str | None
    state_before: str | None
    state: str | None
    changes: tuple[Change, ...]
    evidence: tuple[Body, ...]
    conformance: Body | None
    refused: tuple[str, ...]
    source: str
    answer: str | None
    answer_of: str | None
    child: str | None
    share: str | None
    holder: str | None
    authority: Body | None
    basis: Body | None
    reads: Mapping[str, int]
    escalated: Body | None
    warnings: tuple[str, ...]
    definition: int
    former: int | None


def select(
    events: Iterable[tuple[int, Body]], as_of: str | None, known_at: str | None
) -> list[tuple[int, Body]]:
    """The events that were so by ``as_of`` and recorded by ``known_at`` (a date: by its end)."""
    return [
        (position, body)
        for position, body in events
        if (as_of is None or body["occurred_at"] <= last_instant(as_of))
        and (known_at is None or body["recorded_at"] <= last_instant(known_at))
    ]


def trail(events: Iterable[tuple[int, Body]]) -> list[Entry]:
    """The entries of one stream's events, which come in the order of the log."""
    memory = _Memory()
    return [_entry(position, body, memory) for position, body in events]


Units = Mapping[int, Mapping[str, str]]
"""By version of a workflow, the fields that have a unit."""


def units(stream: Callable[[str], list[tuple[int, Body]]], workflow: str) -> Units:
    """As its definitions say, on a stream of their own."""
    return {
        body["definition"]["version"]: {
            name: field["unit"]
            for name, field in body["body"].get("data", {}).items()
            if "unit" in field
        }
        for _, body in stream(f"definition/{workflow}")
    }


def papers(body: Body) -> tuple[Body, ...]:
    """The evidence that came with an event."""
    evidence = body.get("evidence", ())
    return (evidence,) if isinstance(evidence, dict) else tuple(evidence)


class _Memory:
    """All that was said of each field so far: when it was so, and the value."""

    def __init__(self) -> None:
        self._said: dict[str, list[tuple[str, Any]]] = {}

    def change(self, field: str, at: str, value: Any) -> Change:
        said = self._said.setdefault(field, [])
        # Of what was so at the same moment the later said counts, so that `<=` comes before us.
        place = sum(1 for since, _ in said if since <= at)
        before = said[place - 1][1] if place else None
        late = place < len(said)
        said.insert(place, (at, value))
        return Change(field, before, value, late)


def _entry(position: int, body: Body, memory: _Memory) -> Entry:
    at, state, source = body["occurred_at"], body.get("state"), body.get("origin", {})
    moved = None
    if state is not None and not body.get("stays"):
        moved = memory.change(_STATE, at, state)
    return Entry(
        position=position,
        version=body["version"],
        type=body["type"],
        name=body["name"],
        recorded_at=body["recorded_at"],
        occurred_at=at,
        actor=body["actor"]["id"],
        actor_kind=body["actor"]["kind"],
        role=body.get("role"),
        on_behalf_of=body.get("on_behalf_of"),
        reason=body.get("reason"),
        trigger=body.get("trigger"),
        # What stays says nothing of the state: a correction is dated as what it corrects.
        state_before=moved.before if moved else state,
        state=state,
        changes=tuple(
            memory.change(name, at, value) for name, value in body.get("data", {}).items()
        ),
        evidence=papers(body),
        conformance=body.get("conformance"),
        refused=_refused(body),
        source=" ".join(filter(None, [source.get("name"), source.get("record")])),
        answer=body.get("answer"),
        answer_of=body.get("of"),
        child=body.get("child"),
        share=body.get("due", {}).get("share"),
        holder=body.get("holder"),
        authority=body.get("authority"),
        basis=body.get("basis"),
        reads=body.get("reads", {}),
        escalated=body.get("escalated"),
        warnings=_warnings(body),
        definition=body["definition"]["version"],
        former=body.get("former", {}).get("version"),
    )


def _warnings(body: Body) -> tuple[str, ...]:
    return tuple(
        f"{verdict['weight']}: {verdict.get('reason') or verdict['rule']}"
        for verdict in body.get("verdicts", ())
        if verdict.get("weight", "shall") != "shall" and not verdict.get("held")
    )


def _refused(body: Body) -> tuple[str, ...]:
    if body["type"] != "pmo.case.refused.v1":
        return ()
    return tuple(
        verdict["reason"]
        for verdict in body["verdicts"]
        if not verdict.get("held") and verdict.get("weight", "shall") == "shall"
    )
