"""At most one case at a time: a claim is a stream of its own, which says who has it.

Who enters one of the states of an ``only_one`` takes the claim for its values, in the same append
and on condition that the claim has not changed: two cases can never have it at once.

The stream is called by the values, with dots between them, as people would. Where there are dots in
the values, these say no longer where one ends (``a.b`` and ``c``, ``a`` and ``b.c``), and it is
called by a hash of the list. Claims of logs from before that was so are found where they are, and
stay there until they are released.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from engine import canonical
from engine.attempt import Attempt, Guard, Judge
from engine.case import Case, evolve
from engine.commands import Command
from engine.context import Context
from engine.definition import Definition, OnlyOne
from engine.envelope import envelope
from engine.events import AnyEvent, ClaimChanged, DefinitionRef, Verdict
from engine.step import Step, Transition
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
        streams = _streams(attempt.definition.workflow, number, one, attempt.data)
        return _verdict(one, streams, attempt.key, attempt.context, attempt.observed)

    return guard


def claim_verdicts(
    definition: Definition, state: str, data: Mapping[str, Value], key: str, context: Context
) -> Iterator[Verdict]:
    """Of every claim that a case has in this state, with this data: whether it can have it."""
    for number, one in enumerate(definition.only_one):
        if state in one.inside:
            streams = _streams(definition.workflow, number, one, data)
            yield _verdict(one, streams, key, context)


def _verdict(
    one: OnlyOne, streams: _Streams | None, key: str, context: Context, observed: bool = False
) -> Verdict:
    what, where = " and ".join(one.per), " or ".join(one.inside)
    if streams is None:
        return Verdict(rule="only_one", held=False, reason=f"needs {what}")
    holder = _holder(*streams, context)
    if holder in (None, key):
        return Verdict(rule="only_one", held=True)
    reason = f"{holder} is {where} for the same {what}; there is only one at a time"
    return Verdict(rule="only_one", held=None if observed else False, reason=reason)


def _holder(stream: str, former: str | None, context: Context) -> str | None:
    """Who has the claim; of one that is where such claims used to be, if it is for the same."""
    holder = holder_of(context.look(stream))
    if holder or former is None:
        return holder
    holder = holder_of(context.look(former))
    other = context.look(holder) if holder else None
    if other is None:
        return None
    has = claims_of(context.definition(other.definition), other.state, other.data)
    return holder if stream in has else None


Claims = Mapping[str, str | None]
"""By stream, where each was before dots were told apart, if that is elsewhere."""


def claims_of(definition: Definition, state: str, data: Mapping[str, Value]) -> Claims:
    """The claims that a case in this state, with this data, has."""
    found = (
        _streams(definition.workflow, number, one, data)
        for number, one in enumerate(definition.only_one)
        if state in one.inside
    )
    return dict(streams for streams in found if streams)


def hand_over(
    command: Command,
    key: str,
    ref: DefinitionRef,
    before: Claims,
    after: Claims,
    at: str,
    context: Context,
) -> Iterator[tuple[AnyEvent, Case]]:
    """What happens to the claims that a case had ``before`` and has ``after``; each event with the
    claim as that leaves it."""
    released = [name for one in before.items() if one[0] not in after for name in one if name]
    taken = [stream for stream in after if stream not in before]
    for stream in dict.fromkeys([*released, *taken]):
        claim = context.look(stream)
        holder = holder_of(claim)
        wanted = key if stream in taken else None
        if holder == wanted:
            continue
        if wanted is None and holder != key:
            continue  # an observed case never took it, and another's may be where ours used to be
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


_Streams = tuple[str, str | None]
"""Where a claim is, and where it was before dots were told apart, if that is elsewhere."""


def _streams(
    workflow: str, number: int, one: OnlyOne, data: Mapping[str, Value]
) -> _Streams | None:
    said = [data.get(name) for name in one.per]
    values = ["" if is_withheld(value) else show(value) for value in said]
    if not all(values):
        return None
    place = f"claim/{one.name or f'{workflow}/{number}'}"
    name = ".".join(values)
    if not CASE_KEY.fullmatch(name):
        name = hashlib.sha256(name.encode()).hexdigest()
    if _tells_apart(values):
        return f"{place}/{name}", None
    return f"{place}/{canonical.digest(values)}", f"{place}/{name}"


def _tells_apart(values: Sequence[str]) -> bool:
    """Whether dots between the values say where each ends."""
    return len(values) == 1 or not any("." in value for value in values)
