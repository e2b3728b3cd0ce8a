"""The log in memory, for tests and trials: the same answers, bytes and chain; durable for nobody.

``PERSISTENCE_MODULE=engine.store.memory`` gives a stock ``eventsourcing`` application the recorder
that keeps the chain.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

from eventsourcing import persistence, popo

from engine import canonical
from engine.events import AnyEvent
from engine.store.chain import GENESIS, Row, check_markers, link, verified
from engine.store.copy import not_empty, stored_event
from engine.store.group import judge, streams_of
from engine.store.log import Append, Appended, Conflict, Late, Marked, Page, Recorded
from engine.store.mapper import Mapper
from engine.upcasts import Body, lift


class Recorder(popo.POPOApplicationRecorder):
    """Keeps the hash chain beside the events."""

    def __init__(self) -> None:
        super().__init__()
        self.chains: list[bytes] = []

    def _update_table(
        self, stored_events: Sequence[persistence.StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        chain = self.chains[-1] if self.chains else GENESIS
        for event in stored_events:
            chain = link(chain, event.state)
            self.chains.append(chain)
        return super()._update_table(stored_events, **kwargs)

    def copy(self) -> Recorder:
        other = Recorder()
        other.chains = list(self.chains)
        with self._database_lock:
            other._stored_events = list(self._stored_events)
            for stream, places in self._stored_events_index.items():
                other._stored_events_index[stream] = dict(places)
        return other

    def select_stream(self, stream: str, after: int) -> list[tuple[int, persistence.StoredEvent]]:
        """As ``select_events``, with positions."""
        with self._database_lock:
            index = self._stored_events_index.get(stream, {})
            return [
                (place + 1, self._stored_events[place])
                for version, place in index.items()
                if version > after
            ]

    def last_version(self, stream: str) -> int:
        with self._database_lock:
            return next(reversed(self._stored_events_index.get(stream, {0: 0})))


class ProcessRecorder(popo.POPOProcessRecorder, Recorder):
    """With a downstream position kept beside the events."""


class Factory(popo.POPOFactory):
    def application_recorder(self) -> Recorder:
        return Recorder()

    def process_recorder(self) -> ProcessRecorder:
        return ProcessRecorder()


class MemoryLog:
    """``engine.store.log.Log`` for as long as the process lives."""

    def __init__(self) -> None:
        self._recorder = Recorder()
        self._mapper = Mapper()
        self._markers: dict[str, Marked] = {}
        self._recorded_at = ""
        self._appending = threading.Lock()
        self._appended = threading.Condition()

    def copy(self) -> MemoryLog:
        """Another log that begins with what is in this one."""
        other = MemoryLog()
        with self._appending:
            other._recorder = self._recorder.copy()
            other._markers = dict(self._markers)
            other._recorded_at = self._recorded_at
        return other

    def append(self, appends: Sequence[Append]) -> list[Appended | Conflict | Late | Marked]:
        with self._appending:
            judgement = judge(
                appends,
                self.marked([append.command_id for append in appends]),
                {stream: self.version(stream) for stream in streams_of(appends)},
                self.head(),
                self._recorded_at,
            )
            events = list(judgement.events())
            self._recorder.insert_events([self._mapper.to_stored_event(event) for event in events])
            self._markers.update(judgement.markers)
            if events:
                self._recorded_at = events[-1].recorded_at
        with self._appended:
            self._appended.notify_all()
        return judgement.answers

    def marked(self, command_ids: Sequence[str]) -> dict[str, Marked]:
        return {wanted: self._markers[wanted] for wanted in command_ids if wanted in self._markers}

    def stream(self, stream: str, after: int = 0) -> list[Recorded]:
        return [
            Recorded(position, self._event(stored))
            for position, stored in self._recorder.select_stream(stream, after)
        ]

    def version(self, stream: str) -> int:
        return self._recorder.last_version(stream)

    def versions(self, streams: Collection[str]) -> dict[str, int]:
        found = {stream: self._recorder.last_version(stream) for stream in streams}
        return {stream: version for stream, version in found.items() if version}

    def read(self, after: int, limit: int) -> list[Recorded]:
        return [Recorded(stored.id, self._event(stored)) for stored in self._select(after, limit)]

    def states(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        return [(stored.id, stored.state) for stored in self._select(after, limit)]

    def bodies(self, after: int, limit: int) -> list[tuple[int, Body]]:
        return [(at, lift(canonical.decode(state))) for at, state in self.states(after, limit)]

    def head(self) -> int:
        return self._recorder.max_notification_id() or 0

    def wait(self, after: int, timeout: float) -> bool:
        with self._appended:
            return self._appended.wait_for(partial(self._is_beyond, after), timeout)

    def chain(self, position: int) -> bytes | None:
        if position == 0:
            return GENESIS
        chains = self._recorder.chains
        return chains[position - 1] if position <= len(chains) else None

    def check(self, after: int = 0) -> int:
        rows = self.rows(after, self.head())
        chain = self._recorder.chains[after - 1] if after else GENESIS
        count = sum(1 for _ in verified(rows, after, chain))
        if after == 0:
            spans = [(marked.first_position, marked.count) for marked in self._markers.values()]
            check_markers(sorted(spans), count)
        return count

    def rows(self, after: int, limit: int) -> list[Row]:
        return [self._row(stored) for stored in self._select(after, limit)]

    def markers(self, after: str, limit: int) -> dict[str, Marked]:
        return self.marked(sorted(known for known in self._markers if known > after)[:limit])

    def restore(self, pages: Iterable[Page]) -> None:
        other = MemoryLog()
        for page in pages:
            other._recorder.insert_events([stored_event(row) for row in page.rows])
            other._markers.update(page.markers)
            if page.rows:
                other._recorded_at = canonical.decode(page.rows[-1].state)["recorded_at"]
        with self._appending:
            if self._markers or self.head():
                raise not_empty("this log in memory", self.head())
            self._recorder, self._markers = other._recorder, other._markers
            self._recorded_at = other._recorded_at
        with self._appended:
            self._appended.notify_all()

    def close(self) -> None:
        pass

    def _is_beyond(self, position: int) -> bool:
        return self.head() > position

    def _select(self, after: int, limit: int) -> Sequence[persistence.Notification]:
        return self._recorder.select_notifications(after, limit, inclusive_of_start=False)

    def _row(self, stored: persistence.Notification) -> Row:
        return Row(
            stored.id,
            str(stored.originator_id),
            stored.originator_version,
            stored.topic,
            stored.state,
            self._recorder.chains[stored.id - 1],
        )

    def _event(self, stored: persistence.StoredEvent) -> AnyEvent:
        return self._mapper.to_domain_event(stored)
