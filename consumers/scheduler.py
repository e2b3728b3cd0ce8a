"""The scheduler: what is due becomes a command, once, whoever sends it and however often.

A command's id is made of what is due (``deadline:CASE:ENTERED:...``), and it is refused once the
case has left the state. So neither two schedulers at once nor a restart nor a clock that steps back
fires anything twice, and a clock that jumps ahead fires all that fell due meanwhile, in order.

What is due and refused by the rules is not lost: it is kept with the reasons, shown to people, and
tried again when the case has changed, else ever more rarely, at least once a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from consumers.memory import FileMemory, Memory, Place
from engine.clock import Clock, instant, to_datetime
from engine.deadlines import command_for
from engine.errors import BadInput, Contended, PmoError, Refused, StoreFailed
from engine.events import Due
from engine.service import Receipt, Service
from projections.cases import case
from projections.deadlines import Row, due, is_open
from projections.store import Tables, sql_beside

_SQL = sql_beside(__file__, "scheduler.sql")
_FORM = 1
_AT_ONCE = 500
_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(days=1)

Key = tuple[str, int, int, str, str]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something due that the rules refused: why, how often, and when it is tried again."""

    case_key: str
    entered: int
    of: int
    share: str
    at: str
    pulls: str | None
    reason: str
    attempts: int
    refused_at: str
    next_try_at: str
    case_version: int | None = None

    @property
    def key(self) -> Key:
        return self.case_key, self.entered, self.of, self.share, self.at

    @property
    def what(self) -> str:
        return self.pulls or "a reminder"


@dataclass(slots=True)
class Report:
    """What came of it: triggers pulled, reminders recorded, and what was refused, or still is."""

    fired: int = 0
    reminded: int = 0
    waiting: tuple[Waiting, ...] = ()

    @property
    def done(self) -> int:
        return self.fired + self.reminded


def refused(place: Path | Place) -> tuple[Waiting, ...]:
    """What is kept there, for those who only look. Raises ``StoreFailed``."""
    if isinstance(place, Path) and not place.exists():
        return ()
    with closing(_open(place, reading=True)) as memory:
        return tuple(Waiting(*row) for row in memory.run(_SQL["all"]))


class Refusals:
    """What is due and was refused, in a place of its own: without it, all is merely tried anew."""

    def __init__(self, place: Path | Place) -> None:
        """Raises ``StoreFailed``."""
        self._memory = _open(place)

    def all(self) -> tuple[Waiting, ...]:
        return tuple(Waiting(*row) for row in self._memory.run(_SQL["all"]))

    def put(self, waiting: Waiting) -> None:
        said = (waiting.pulls, waiting.reason, waiting.attempts)
        when = (waiting.refused_at, waiting.next_try_at)
        self._memory.run(_SQL["put"], [*waiting.key, *said, *when])

    def seen(self, key: Key, version: int) -> None:
        """With which version the case was refused: it is tried again when it has another."""
        self._memory.run(_SQL["seen"], [version, *key])

    def drop(self, key: Key) -> None:
        self._memory.run(_SQL["drop"], key)

    def close(self) -> None:
        self._memory.close()


def _open(place: Path | Place, reading: bool = False) -> Memory:
    if isinstance(place, Path):
        return FileMemory(place, _SQL["tables"], _FORM, reading)
    return place.open(reading)


class Scheduler:
    """For one thread at a time; others, also in other processes, may run theirs meanwhile.

    ``catch_up`` brings the views, which ``views`` reads, up to the log.
    """

    def __init__(
        self,
        service: Service,
        views: Tables,
        catch_up: Callable[[], object],
        refusals: Refusals,
        clock: Clock,
    ) -> None:
        self._service = service
        self._views = views
        self._catch_up = catch_up
        self._refusals = refusals
        self._clock = clock

    def work(self, stop: Callable[[], bool] = lambda: False) -> Report:
        """Do all that is due now, and all that falls due by it. Raises ``StoreFailed``.

        Of one case everything is done in the order in which it fell due; of several, everything
        that was known to be due when a round began.
        """
        report = Report()
        now = self._clock.now()
        self._catch_up()
        while not stop():
            done = report.done
            self._round(now, report, stop)
            self._catch_up()
            self._look_again()
            if report.done == done:
                break
        report.waiting = self._refusals.all()
        return report

    def _round(self, now: str, report: Report, stop: Callable[[], bool]) -> None:
        held = {waiting.key: waiting for waiting in self._refusals.all()}
        for rows in self._pages(now):
            ready = [row for row in rows if self._is_ready(held.get(_key(row)), now)]
            attempts = [held[_key(row)].attempts if _key(row) in held else 0 for row in ready]
            commands = [
                command_for(row.case_key, row.entered, _due(row), attempt)
                for row, attempt in zip(ready, attempts, strict=True)
            ]
            answers = self._service.handle_many(commands)
            for row, attempt, answer in zip(ready, attempts, answers, strict=True):
                self._take(row, attempt, answer, now, report)
            if stop():
                return

    def _pages(self, now: str) -> Iterator[list[Row]]:
        last: Row | None = None
        while rows := due(self._views, now, _AT_ONCE, last):
            yield rows
            last = rows[-1]

    def _is_ready(self, waiting: Waiting | None, now: str) -> bool:
        if waiting is None or waiting.next_try_at <= now:
            return True
        row = case(self._views, waiting.case_key)
        return row is not None and waiting.case_version not in (None, row["version"])

    def _take(
        self, row: Row, attempt: int, answer: Receipt | PmoError, now: str, report: Report
    ) -> None:
        if isinstance(answer, Receipt):
            report.fired += row.pulls is not None
            report.reminded += row.pulls is None
        elif isinstance(answer, StoreFailed):
            raise answer
        if isinstance(answer, Receipt) or _is_over(answer):
            if attempt:
                self._refusals.drop(_key(row))
        elif not isinstance(answer, Contended):
            self._refusals.put(
                Waiting(
                    *_key(row),
                    pulls=row.pulls,
                    reason=_reason(answer),
                    attempts=attempt + 1,
                    refused_at=now,
                    next_try_at=_next_try(now, attempt),
                )
            )

    def _look_again(self) -> None:
        """Of what was refused: forget what is not due any more, and note what the case was."""
        for waiting in self._refusals.all():
            if not is_open(self._views, *waiting.key):
                self._refusals.drop(waiting.key)
            elif waiting.case_version is None and (row := case(self._views, waiting.case_key)):
                self._refusals.seen(waiting.key, row["version"])


def _key(row: Row) -> Key:
    return row.case_key, row.entered, row.of, row.share, row.at


def _due(row: Row) -> Due:
    return Due(at=row.at, of=row.of, share=row.share, then=row.pulls)


def _is_over(answer: PmoError) -> bool:
    """Whether somebody was quicker, or it is not due yet by the service's clock: no trouble."""
    if isinstance(answer, Refused):
        return any(v.rule in ("entered", "due") and v.held is False for v in answer.verdicts)
    return isinstance(answer, BadInput) and answer.problems[0].where == "/occurred_at"


def _reason(answer: PmoError) -> str:
    if isinstance(answer, Refused):
        return "; ".join(answer.reasons) or answer.what
    return str(answer)


def _next_try(now: str, attempt: int) -> str:
    return instant(to_datetime(now) + min(_FIRST_WAIT * 2 ** min(attempt, 20), _LONGEST_WAIT))
