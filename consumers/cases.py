"""Cases as their events left them, for consumers that need to know more than the event says."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from consumers.work import Work
from engine.case import Case, evolve, fold
from engine.events import from_body
from engine.store.log import Log
from engine.upcasts import Body

_KEPT = 10_000


class Cases:
    """Folds along the log, for one thread at a time; those looked at last are kept."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: OrderedDict[str, Case] = OrderedDict()
        self._seen: dict[tuple[str, int], Body] = {}

    def see(self, batch: Sequence[Work]) -> None:
        """Events that are at hand, so that the log need not be asked for them."""
        self._seen = {(work.stream, work.body["version"]): work.body for work in batch}

    def as_left_by(self, work: Work) -> Case:
        stream, version = work.stream, work.body["version"]
        case = self._kept.get(stream)
        if case and case.version > version:
            case = None
        while (reached := case.version if case else 0) < version:
            if body := self._seen.get((stream, reached + 1)):
                case = evolve(case, from_body(body))
            else:
                events = [recorded.event for recorded in self._log.stream(stream, reached)]
                case = fold(events[: version - reached], case)
        assert case is not None
        self._kept[stream] = case
        self._kept.move_to_end(stream)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return case
