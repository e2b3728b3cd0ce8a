"""What a command brought about, as its sender hears of it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.fixed import fixed
from engine.store.log import Recorded


@fixed
class Receipt:
    """The same for the same command id, however often it is sent.

    ``warnings`` tell what only should have been so and was not, and what was overridden.
    """

    stream: str
    version: int
    position: int
    state: str | None
    names: tuple[str, ...]
    recorded_at: str
    warnings: tuple[str, ...] = ()


def receipt_of(events: Sequence[Recorded]) -> Receipt:
    """The receipt for the events of one command: what it did to the case of the last of them."""
    last = events[-1].event
    stream = last.stream
    return Receipt(
        stream,
        last.version,
        events[-1].position,
        getattr(last, "state", None),
        (last.name,)
        if len(events) == 1
        else tuple([each.event.name for each in events if each.event.stream == stream]),
        last.recorded_at,
        tuple(
            [
                f"{verdict.weight}: {verdict.reason or verdict.rule}"
                for verdict in getattr(last, "verdicts", ())
                if not verdict.held and verdict.weight != "shall"
            ]
        ),
    )
