"""Who can move a case, read from the bodies of its workflow's definitions, without the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from engine.actors import MACHINES
from projections.store import to_json

AUTHORITY = "authority"
"""Stands for the role where it is the register of authorities that says who decides."""

Body = Mapping[str, Any]


class Way(NamedTuple):
    """Somebody who may take a step from a state, or whose answer it counts (``signs``).

    Text is a word or the name of a field (``data.unit``), and empty where it does not apply. In
    ``person`` stands the field that names them; ``category``, ``amount`` and ``least`` say under
    which authority it falls, and ``upwards`` that a higher level may have it, too. ``not_by`` are
    the roles that bar somebody, as a JSON list; ``apart``: a declared conflict does, too.
    ``waits``: the case waits for it; ``rests``: only if it has to be done by some day.
    """

    version: int
    state: str
    trigger: str
    role: str = ""
    unit: str = ""
    person: str = ""
    stays: int = 0
    signs: int = 0
    body: str = ""
    category: str = ""
    amount: str = ""
    least: str = ""
    upwards: int = 0
    not_by: str = ""
    apart: int = 0
    waits: int = 0
    rests: int = 0


def ways_of(bodies: Mapping[int, Body]) -> Iterator[Way]:
    """Of every version of a workflow."""
    for version, body in bodies.items():
        awaited = {name: said.get("awaits") for name, said in body["states"].items()}
        in_force = body.get("in_force", ())
        for step in body.get("transitions", ()):
            for way in _ways(step, body.get("roles", {})):
                for state in step["from"]:
                    told = awaited[state]
                    waits = not way.stays if told is None else way.trigger in told
                    rests = told is None and state in in_force
                    said = {"version": version, "state": state}
                    yield way._replace(**said, waits=int(waits), rests=int(rests))


def chases(body: Body) -> set[tuple[str, str]]:
    """The states with the triggers that leave a case there, whichever way is taken: a deadline that
    pulls one ends nothing."""
    stays: set[tuple[str, str]] = set()
    leaves: set[tuple[str, str]] = set()
    for step in body.get("transitions", ()):
        for state in step["from"]:
            found = stays if step.get("to", state) == state else leaves
            found.add((state, step["trigger"]))
    return stays - leaves


def _ways(step: Body, roles: Mapping[str, Any]) -> Iterator[Way]:
    """Without version and state."""
    stays = int(step.get("to") is None)
    not_by = step.get("not_by", [])
    apart = int(_keeps_apart(step))
    way = Way(0, "", step["trigger"], stays=stays, not_by=to_json(not_by), apart=apart)
    for who in step.get("by") or ("",):
        if isinstance(who, str):
            if who not in MACHINES:
                yield way._replace(role=who, unit=_unit(who, roles))
        elif "person" in who:
            yield way._replace(person=who["person"])
        else:
            yield _decider(way, who["authority"], step)
    # Whoever signs acts in that role by it; that bars nobody from signing (``engine.governance``).
    signing = {*step.get("agreed_by", ()), *(step.get("quorum") or {}).get("veto", ())}
    signs = way._replace(signs=1, not_by=to_json([r for r in not_by if r not in signing]), apart=1)
    for said in (step, step.get("should") or {}):
        for role in said.get("agreed_by", ()):
            yield signs._replace(role=role, unit=_unit(role, roles))
        if quorum := said.get("quorum"):
            yield signs._replace(body=quorum["body"])


def _decider(way: Way, said: Mapping[str, Any], step: Body) -> Way:
    least = said.get("least") or ""
    given = [*(step.get("accepts") or ()), *step.get("needs", ()), *step.get("anew", ())]
    return way._replace(
        role=AUTHORITY,
        unit=said["unit"],
        category=said["category"],
        amount=said.get("value") or "",
        least=least,
        upwards=int(least.removeprefix("data.") in given),
    )


def _unit(role: str, roles: Mapping[str, Any]) -> str:
    return (roles.get(role) or {}).get("appointed_in") or ""


def _keeps_apart(step: Body) -> bool:
    """Whether who has declared a conflict may not take it."""
    authority = any(isinstance(who, dict) and "authority" in who for who in step.get("by") or ())
    return authority or any(step.get(key) for key in ("agreed_by", "not_by", "quorum"))
