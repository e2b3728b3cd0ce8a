"""Several ways by one trigger: of which somebody is told who may take none, before they ask and
when they are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from engine.actors import MACHINES, is_for_machines
from engine.events import ActorKind, Verdict
from engine.step import Step

S = TypeVar("S", bound=Step)


def nearest(
    ways: Sequence[tuple[S, tuple[Verdict, ...]]],
    asker: ActorKind,
    lasts: Callable[[S, Verdict], bool] = lambda _step, _verdict: True,
) -> tuple[Verdict, ...]:
    """Of steps, each with what all its guards say, the verdicts of the one that came nearest to
    holding; of these, those that last.

    A way that is not for this actor, not for this matter (``when``), or not with such data is
    further than any that only lacks something; one against which a single thing stands is always
    near; what machines do is not told to people who have a way of their own. Of ways that came as
    near all is told, and which of them each reason is about, unless it stands against them all:
    any of these ways would do.
    """
    chosen = [
        (number, [v for v in verdicts if v.held or lasts(step, v)])
        for number, step, verdicts in _near(ways, asker)
    ]
    if not chosen:
        return ()
    (_, first), *others = chosen
    if not others:
        return tuple(first)
    shared = [v for v in first if not v.held and all(v in more for _, more in others)]
    apart = (
        replace(v, reason=f"way {number} of {len(ways)}: {v.reason}")
        for number, verdicts in chosen
        for v in verdicts
        if not v.held and v not in shared
    )
    return (*(v for v in first if v.held), *shared, *apart)


def _near(
    ways: Sequence[tuple[S, tuple[Verdict, ...]]], asker: ActorKind
) -> list[tuple[int, S, tuple[Verdict, ...]]]:
    """With the number that each way has in the order of the definition."""
    counted = [(number, *way) for number, way in enumerate(ways, 1)]
    if asker not in MACHINES:
        counted = [way for way in counted if not is_for_machines(way[1].by)] or counted
    distances = [distance(step, verdicts) for _, step, verdicts in counted]
    return [
        way
        for way, distance in zip(counted, distances, strict=True)
        if distance == min(distances) or distance[1] == 1
    ]


def distance(step: Step, verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """How much closes this way, and how much stands against it at all."""
    against = [v for v in verdicts if not v.held and v.weight == "shall"]
    closing = {"by", "takes", *(check.check for check in step.when)}
    return sum(v.rule in closing for v in against), len(against)
