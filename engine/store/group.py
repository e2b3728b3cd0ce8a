"""How a group of appends is judged: pure, and the same for every store.

A store looks up what it already knows of the group's commands and streams, hands that over with the
end of its log, and writes what comes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from engine.clock import to_datetime
from engine.events import AnyEvent
from engine.store.log import Append, Appended, Conflict, Late, Marked, Recorded

MOST_SKEW = timedelta(seconds=1)
"""What was decided at a moment may be recorded so much later on the same day, when the log has come
so far: by other processes, whose clocks are ahead, or which were quicker."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One answer for each append, in order, and by their ids the commands to be written."""

    answers: list[Appended | Conflict | Late | Marked]
    markers: dict[str, Marked]

    def events(self) -> Iterator[AnyEvent]:
        """Everything to write, in log order."""
        for answer in self.answers:
            if type(answer) is Appended:
                for recorded in answer.events:
                    yield recorded.event


def streams_of(appends: Sequence[Append]) -> set[str]:
    """Every stream whose version must be known before ``judge`` can speak."""
    return {stream for append in appends for stream in append.expected}


def judge(
    appends: Sequence[Append],
    known: dict[str, Marked],
    versions: dict[str, int],
    head: int,
    recorded_at: str,
) -> Judgement:
    """What becomes of each append, on a log that ends at ``head``, recorded at ``recorded_at``.

    ``known``: the commands of this group that are in the log already. ``versions``: of its streams
    that have events. Later appends see what earlier ones bring about.
    Raises ``ValueError`` when the caller broke the port's contract: an event that does not continue
    a stream named in ``expected``.
    """
    versions = dict(versions)
    markers: dict[str, Marked] = {}
    answers: list[Appended | Conflict | Late | Marked] = []
    lost: set[str] = set()  # streams on which later appends may go on from what is not written
    for append in appends:
        events, expected, command_id = append.events, append.expected, append.command_id
        refusal = (
            known.get(command_id)
            or markers.get(command_id)
            or _stale(expected, versions)
            or (_orphaned(expected, versions, lost) if lost else None)
            or _late(events, recorded_at)
        )
        if refusal:
            answers.append(refusal)
            lost.update([event.stream for event in events])
            continue
        first = head + 1
        placed = []
        for event in events:
            stream, version = event.stream, event.version
            if stream not in expected or version != versions.get(stream, 0) + 1:
                raise ValueError(f"{stream} version {version} does not follow `expected`")
            versions[stream] = version
            if event.recorded_at < recorded_at:
                event = replace(event, recorded_at=recorded_at)
            recorded_at = event.recorded_at
            head += 1
            placed.append(Recorded(head, event))
        markers[command_id] = Marked(first, len(placed), append.fingerprint)
        answers.append(Appended(tuple(placed)))
    return Judgement(answers, markers)


def _late(events: Sequence[AnyEvent], recorded_at: str) -> Late | None:
    """Clocks are never quite the same, and who waits for the lock is overtaken. But who is in
    office, and what is still young enough, is asked about a moment, and mostly about its day."""
    decided_at = events[0].recorded_at if events else recorded_at
    if decided_at >= recorded_at:
        return None
    same_day = decided_at[:10] == recorded_at[:10]
    if same_day and to_datetime(recorded_at) - to_datetime(decided_at) <= MOST_SKEW:
        return None
    return Late(recorded_at)


def _stale(expected: Mapping[str, int], versions: Mapping[str, int]) -> Conflict | None:
    for stream, version in expected.items():
        actual = versions.get(stream, 0)
        if actual != version:
            return Conflict(stream, actual)
    return None


def _orphaned(
    expected: Mapping[str, int], versions: Mapping[str, int], lost: set[str]
) -> Conflict | None:
    for stream in expected:
        if stream in lost:
            return Conflict(stream, versions.get(stream, 0))
    return None
