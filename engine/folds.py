"""The cases that were folded last, kept for the commands to come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable

from engine.case import Case, fold
from engine.store.log import Log


class Folds:
    """Cases by key as the log has them, and the keys under which it has none.

    Only ever what is durable. What another process has written since shows when an append that
    rests on it is refused: then ``forget``.
    """

    def __init__(self, log: Log, most: int) -> None:
        self._log = log
        self._most = most
        self._kept: OrderedDict[str, Case] = OrderedDict()
        self._absent: set[str] = set()  # streams that had no events when last looked at

    def find(self, key: str) -> Case | None:
        """The case as it is kept, else as it is read."""
        if case := self._kept.get(key):
            return case
        if key in self._absent:
            return None
        if case := fold(recorded.event for recorded in self._log.stream(key)):
            self.keep((case,))
        else:
            self._absent.add(key)
        return case

    def find_again(self, key: str) -> Case | None:
        """As ``find``, but what was not there is looked for anew: others may have started it."""
        self._absent.discard(key)
        return self.find(key)

    def look_ahead(self, keys: Iterable[str]) -> None:
        """Find out at once which of these cases are new: one by one, that would cost more than all
        else about them."""
        unknown = {key for key in keys if key not in self._kept and key not in self._absent}
        if len(unknown) > 1:
            self._absent |= unknown - self._log.versions(unknown).keys()

    def keep(self, cases: Collection[Case]) -> None:
        kept, absent = self._kept, self._absent
        for case in cases:
            key = case.key
            kept[key] = case
            kept.move_to_end(key)
            absent.discard(key)
        while len(kept) > self._most:
            kept.popitem(last=False)
        if len(absent) > self._most:
            absent.clear()

    def forget(self, streams: Iterable[str] | None = None) -> None:
        """Drop what is kept of these streams, or of all."""
        if streams is None:
            self._kept.clear()
            self._absent.clear()
            return
        for stream in streams:
            self._kept.pop(stream, None)
            self._absent.discard(stream)
