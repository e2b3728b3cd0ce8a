"""Cases as they were: at any moment of the log, as whoever decided there found them."""

from __future__ import annotations

from collections import OrderedDict, deque

from engine.case import Case, evolve
from engine.store.log import Log, Recorded


class Past:
    """Gives cases as they were just before a command had its effect.

    It goes forward only: what was folded for one moment is folded on for the next. ``most`` streams
    are kept, those asked for last.
    """

    def __init__(self, log: Log, most: int = 2_000) -> None:
        self._log = log
        self._most = most
        self._kept: OrderedDict[str, tuple[Case | None, deque[Recorded]]] = OrderedDict()
        self._position = 0
        self._command = ""

    def go_to(self, recorded: Recorded) -> None:
        """Before the command that this event is of, and what else it brought about."""
        assert recorded.position >= self._position
        self._position = recorded.position
        self._command = recorded.event.command_id

    def find(self, stream: str) -> Case | None:
        kept = self._kept.pop(stream) if stream in self._kept else None
        case, rest = kept or (None, deque(self._log.stream(stream)))
        while rest and self._was_there(rest[0]):
            case = evolve(case, rest.popleft().event)
        self._kept[stream] = case, rest
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return case

    def _was_there(self, recorded: Recorded) -> bool:
        # What a command brings about on other streams stands before its own event.
        before = recorded.position < self._position
        return before and recorded.event.command_id != self._command
