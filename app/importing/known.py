"""What the log knows of a portfolio, as it stood on any day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import TypeGuard

from engine.case import Case, fold
from engine.clock import last_instant
from engine.events import CaseMigrated, CaseObserved, CaseStarted, CaseTransitioned, from_body
from engine.store.log import Log

Told = CaseStarted | CaseTransitioned | CaseObserved
"""The events that say something of a state or of data."""

PAGE = 1_000


@dataclass(frozen=True, slots=True)
class KnownCase:
    """A case as of a day.

    ``case`` is ``None`` where it begins only after it; ``begins`` is the first event that says a
    state, by the time at which it was so. ``version`` is the last in the log, whatever the day.
    """

    key: str
    version: int
    begins: Told
    case: Case | None


@dataclass(slots=True)
class Portfolio:
    """The events of all cases of a workflow, read from the log as far as ``position``."""

    workflow: str
    position: int = 0
    streams: dict[str, list[Told | CaseMigrated]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def catch_up(self, log: Log) -> None:
        """Read what was written since."""
        while page := log.bodies(self.position, PAGE):
            for position, body in page:
                self.position = position
                if body["definition"]["name"] == self.workflow and "/" not in body["stream"]:
                    self.versions[body["stream"]] = body["version"]
                    event = from_body(body)
                    if isinstance(event, Told | CaseMigrated):
                        self.streams.setdefault(event.stream, []).append(event)

    def as_of(self, day: str) -> list[KnownCase]:
        """Every case, as what occurred up to ``day`` tells it."""
        return [
            KnownCase(
                key,
                self.versions[key],
                min(filter(_says_state, events), key=lambda e: e.occurred_at),
                _fold(event for event in events if event.occurred_at <= last_instant(day)),
            )
            for key, events in self.streams.items()
        ]

    def observed_after(self, day: str) -> set[str]:
        """The days after ``day`` on which something is known to have been so."""
        return {
            event.occurred_at
            for events in self.streams.values()
            for event in events
            if isinstance(event, CaseObserved) and event.occurred_at > last_instant(day)
        }


def _says_state(event: Told | CaseMigrated) -> TypeGuard[Told]:
    """Whether it says to which state the case came by it. What stays says where it found it."""
    stays = isinstance(event, CaseTransitioned) and event.stays
    return isinstance(event, Told) and event.state is not None and not stays


def _fold(events: Iterable[Told | CaseMigrated]) -> Case | None:
    # In the order of the log: the fold itself puts late facts where they belong. A case begins
    # with the first fact that says a state.
    begun: Iterable[Told | CaseMigrated] = dropwhile(lambda event: not _says_state(event), events)
    return fold(begun)
