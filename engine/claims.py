"""At most one case at a time: a claim is a stream of its own, which says who has it.

Who enters one of the states of an ``only_one`` takes the claim for its values, in the same append
and on condition that the claim has not changed: two cases can never have it at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from engine.attempt import Attempt, Guard, Judge
from engine.case import Case
from engine.definition import Definition, OnlyOne, Step, Transition
from engine.events import Verdict
from engine.values import CASE_KEY, Value, show


def claim_guards(step: Step, definition: Definition) -> Iterator[Guard]:
    """A guard for every claim that the step would take."""
    targets = {definition.initial}
    if isinstance(step, Transition):
        targets = {step.target(source) for source in step.sources}
    for number, one in enumerate(definition.only_one):
        if not targets.isdisjoint(one.inside):
            yield Guard(None, _free(one, number, step))


def _free(one: OnlyOne, number: int, step: Step) -> Judge:
    what = " and ".join(one.per)
    where = " or ".join(one.inside)

    def guard(attempt: Attempt) -> Verdict:
        stays = isinstance(step, Transition) and step.to is None
        if stays and attempt.case and attempt.case.state not in one.inside:
            return Verdict(rule="only_one", held=True)
        stream = _stream(attempt.definition.workflow, number, one, attempt.data)
        if stream is None:
            return Verdict(rule="only_one", held=False, reason=f"needs {what}")
        holder = holder_of(attempt.context.look(stream))
        if holder in (None, attempt.key):
            return Verdict(rule="only_one", held=True)
        reason = f"{holder} is {where} for the same {what}; there is only one at a time"
        return Verdict(rule="only_one", held=None if attempt.observed else False, reason=reason)

    return guard


def claims_of(definition: Definition, state: str, data: Mapping[str, Value]) -> dict[str, OnlyOne]:
    """The streams of the claims that a case in this state, with this data, has."""
    found = {}
    for number, one in enumerate(definition.only_one):
        stream = _stream(definition.workflow, number, one, data)
        if state in one.inside and stream:
            found[stream] = one
    return found


def holder_of(claim: Case | None) -> str | None:
    """The key of the case that has the claim."""
    holder = claim.data.get("holder") if claim else None
    return holder if isinstance(holder, str) else None


def _stream(workflow: str, number: int, one: OnlyOne, data: Mapping[str, Value]) -> str | None:
    values = [show(data.get(name)) for name in one.per]
    if not all(values):
        return None
    name = ".".join(values)
    if not CASE_KEY.fullmatch(name):
        name = hashlib.sha256(name.encode()).hexdigest()
    return f"claim/{one.name or f'{workflow}/{number}'}/{name}"
