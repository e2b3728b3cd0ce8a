"""At most one case at a time: a claim is a stream of its own, which says who has it.

Who enters one of the states of an ``only_one`` takes the claim for its values, in the same append
and on condition that the claim has not changed: two cases can never have it at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping

from engine.attempt import Attempt, Guard, Judge
from engine.case import Case, evolve
from engine.commands import Command
from engine.context import Context
from engine.definition import Definition, OnlyOne, Step, Transition
from engine.envelope import envelope
from engine.events import AnyEvent, ClaimChanged, DefinitionRef, Verdict
from engine.values import CASE_KEY, Value, is_withheld, show


def claim_guards(step: Step, definition: Definition) -> Iterator[Guard]:
    """A guard for every claim that the step would take."""
    targets = {definition.initial}
    if isinstance(step, Transition):
        targets = {step.target(source) for source in step.sources}
    for number, one in enumerate(definition.only_one):
        if not targets.isdisjoint(one.inside):
            yield Guard(None, _free(one, number, step))


def _free(one: OnlyOne, number: int, step: Step) -> Judge:
    def guard(attempt: Attempt) -> Verdict:
        stays = isinstance(step, Transition) and step.to is None
        if stays and attempt.case and attempt.case.state not in one.inside:
            return Verdict(rule="only_one", held=True)
        stream = _stream(attempt.definition.workflow, number, one, attempt.data)
        return _verdict(one, stream, attempt.key, attempt.context, attempt.observed)

    return guard


def claim_verdicts(
    definition: Definition, state: str, data: Mapping[str, Value], key: str, context: Context
) -> Iterator[Verdict]:
    """Of every claim that a case has in this state, with this data: whether it can have it."""
    for number, one in enumerate(definition.only_one):
        if state in one.inside:
            stream = _stream(definition.workflow, number, one, data)
            yield _verdict(one, stream, key, context)


def _verdict(
    one: OnlyOne, stream: str | None, key: str, context: Context, observed: bool = False
) -> Verdict:
    what, where = " and ".join(one.per), " or ".join(one.inside)
    if stream is None:
        return Verdict(rule="only_one", held=False, reason=f"needs {what}")
    holder = holder_of(context.look(stream))
    if holder in (None, key):
        return Verdict(rule="only_one", held=True)
    reason = f"{holder} is {where} for the same {what}; there is only one at a time"
    return Verdict(rule="only_one", held=None if observed else False, reason=reason)


def claims_of(definition: Definition, state: str, data: Mapping[str, Value]) -> dict[str, OnlyOne]:
    """The streams of the claims that a case in this state, with this data, has."""
    found = {}
    for number, one in enumerate(definition.only_one):
        stream = _stream(definition.workflow, number, one, data)
        if state in one.inside and stream:
            found[stream] = one
    return found


def hand_over(
    command: Command,
    key: str,
    ref: DefinitionRef,
    before: Iterable[str],
    after: Collection[str],
    at: str,
    context: Context,
) -> Iterator[tuple[AnyEvent, Case]]:
    """What happens to the claims that a case had ``before`` and has ``after``, by their streams;
    each event with the claim as that leaves it."""
    before = tuple(before)
    for stream in dict.fromkeys([*before, *after]):
        claim = context.look(stream)
        holder = holder_of(claim)
        wanted = key if stream in after else None
        if (stream in before and stream in after) or holder == wanted:
            continue
        if wanted is None and holder != key:
            continue  # an observed case never took it
        version = claim.version + 1 if claim else 1
        fields = envelope(command, stream, version, ref, context, at)
        name = "ClaimTaken" if wanted else "ClaimReleased"
        event = ClaimChanged(**fields, name=name, holder=wanted)
        left = evolve(claim, event)
        assert left is not None
        yield event, left


def holder_of(claim: Case | None) -> str | None:
    """The key of the case that has the claim."""
    holder = claim.data.get("holder") if claim else None
    return holder if isinstance(holder, str) else None


def _stream(workflow: str, number: int, one: OnlyOne, data: Mapping[str, Value]) -> str | None:
    said = [data.get(name) for name in one.per]
    values = ["" if is_withheld(value) else show(value) for value in said]
    if not all(values):
        return None
    name = ".".join(values)
    if not CASE_KEY.fullmatch(name):
        name = hashlib.sha256(name.encode()).hexdigest()
    return f"claim/{one.name or f'{workflow}/{number}'}/{name}"
