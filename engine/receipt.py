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
    position, last = events[-1]
    stream = last.stream
    return Receipt(
        stream,
        last.version,
        position,
        getattr(last, "state", None),
        tuple([each.name for _, each in events if each.stream == stream]),
        last.recorded_at,
        tuple(
            [
                f"{verdict.weight}: {verdict.reason or verdict.rule}"
                for verdict in getattr(last, "verdicts", ())
                if not verdict.held and verdict.weight != "shall"
            ]
        ),
    )
