"""Several ways by one trigger: which of them a refusal speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.attempt import Attempt
from engine.definition import Step
from engine.events import Verdict


def nearest(attempt: Attempt) -> tuple[Verdict, ...]:
    """Of the ways tried, the verdicts of the one that came nearest to holding.

    A way that is not for this actor, not for this matter (``when``), or not with such data is
    further than any that only lacks something; one against which a single thing stands is always
    near. Of ways that came as near all is told, and which of them each reason is about, unless it
    stands against them all: any of these ways would do.
    """
    tried = attempt.tried
    if len(tried) < 2:
        return tried[0][1] if tried else ()
    distances = [_distance(step, verdicts) for step, verdicts in tried]
    near = [
        (f"way {number} of {len(tried)}", verdicts)
        for number, ((_, verdicts), distance) in enumerate(zip(tried, distances, strict=True), 1)
        if distance == min(distances) or distance[1] == 1
    ]
    (_, first), *others = near
    if not others:
        return first
    shared = [v for v in first if not v.held and all(v in more for _, more in others)]
    apart = (
        replace(v, reason=f"{way}: {v.reason}")
        for way, verdicts in near
        for v in verdicts
        if not v.held and v not in shared
    )
    return (*(v for v in first if v.held), *shared, *apart)


def _distance(step: Step, verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """How much closes this way, and how much stands against it at all."""
    against = [v for v in verdicts if not v.held and v.weight == "shall"]
    closing = {"by", "takes", *(check.check for check in step.when)}
    return sum(v.rule in closing for v in against), len(against)
