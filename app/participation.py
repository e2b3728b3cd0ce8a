"""Who takes part in a case: answers that count now, who stays out of it, and its children.

Read from the bare bodies of its stream; ``engine.case`` folds the same for deciding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.upcasts import Body

_ENTERS = ("pmo.case.started.v1", "pmo.case.transitioned.v1")


@dataclass(frozen=True, slots=True)
class Signed:
    """An answer for a body or in a role (``of``), given in the state the case is in."""

    of: str
    person: str
    answer: str
    role: str | None
    on_behalf_of: str | None
    occurred_at: str


@dataclass(frozen=True, slots=True)
class Participation:
    """``children`` are keys and workflows."""

    signed: tuple[Signed, ...]
    recused: tuple[str, ...]
    children: tuple[tuple[str, str], ...]


def participation(events: Iterable[tuple[int, Body]]) -> Participation:
    """Of a stream's events, in the order of the log."""
    signed: dict[tuple[str, str], Signed] = {}
    recused: dict[str, None] = {}
    children: dict[str, str] = {}
    state, since = None, ""
    for _, body in events:
        person = body["actor"]["id"]
        if body.get("state") is not None and body["occurred_at"] >= since:
            if not body.get("stays"):
                since = body["occurred_at"]
                if body["state"] != state or body["type"] in _ENTERS:
                    signed.clear()
            state = body["state"]
        match body["type"]:
            case "pmo.case.migrated.v1":
                signed.clear()
            case "pmo.case.signed.v1":
                signed.pop((body["of"], person), None)
                if body["answer"] != "withdrawn":
                    signed[body["of"], person] = _signed(body)
            case "pmo.case.conflict-declared.v1":
                recused[person] = None
            case "pmo.case.linked.v1":
                children[body["child"]] = body["workflow"]
    return Participation(tuple(signed.values()), tuple(recused), tuple(children.items()))


def _signed(body: Body) -> Signed:
    return Signed(
        of=body["of"],
        person=body["actor"]["id"],
        answer=body["answer"],
        role=body.get("role"),
        on_behalf_of=body.get("on_behalf_of"),
        occurred_at=body["occurred_at"],
    )
