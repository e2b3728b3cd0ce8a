"""Keeps a consumer up with the log, whatever happens: the one runner of all of them.

The checkpoint moves only after a batch's effects are done, so every effect is had at least once; a
consumer sees to it that doing one again changes nothing. What may pass (a full disk, a broker that
is away) is tried again, ever more patiently. What will not pass (poison, a refusal) is parked with
its reason, and the rest goes on.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumers.leases import Leases
from consumers.store import Incident, Lease, Store, Superseded, Trouble
from consumers.work import Work, as_work, tail_works
from engine.clock import Clock, SystemClock
from engine.errors import Contended, LogDamaged, LogDiverged, PmoError, StoreFailed
from engine.store.tail import Followed

BATCH = 500
SHORTEST_WAIT = 0.1
LONGEST_WAIT = 60.0
PATIENCE = 8
"""Tries in a row without progress before ``catch_up`` gives up; ``follow`` never does."""

BEHIND = "waits for what is parked before it in its stream"


class MayPass(PmoError):
    """The world cannot be acted on just now; later it may. Nothing is parked for it."""

    code = "may-pass"

    def __init__(self, what: str, pause: float = 0.0) -> None:
        """``pause``: seconds before which another try is not wanted."""
        self.pause = pause
        super().__init__(what)


class Consumer(Protocol):
    """Acts on the world because of events.

    ``ordered``: those who are told must never be told out of order within a stream, so what follows
    parked work in its stream is parked behind it. ``from_head``: switched on, it acts on what comes
    from then on; else on the whole log. ``batch``: how many events it takes at once.
    """

    name: str
    ordered: bool
    from_head: bool
    batch: int

    def consume(self, batch: Sequence[Work]) -> list[Trouble]:
        """Act on every event; what could not be done and will not pass.

        When it returns, everything else is done and durable. An ordered consumer that tells of
        trouble has not gone on in that stream. Raises ``MayPass`` (or ``StoreFailed``,
        ``Contended``) to be asked again for the whole batch; anything else it raises is held
        against the event for which alone it still raises it.
        """

    def retry(self, work: Work, item: str) -> str:
        """Do again what was parked; empty when it is done, else why it still cannot be."""


@dataclass(frozen=True, slots=True)
class Retried:
    done: int
    left: int


class Runner:
    """For one thread at a time; other processes may run the same consumer meanwhile. With
    ``leases`` one of them is at work, and the others stand by."""

    def __init__(
        self,
        log: Followed,
        store: Store,
        consumer: Consumer,
        *,
        clock: Clock | None = None,
        pause: Callable[[float], object] | None = None,
        chance: Callable[[], float] = random.random,
        batch: int | None = None,
        told: Callable[[PmoError, float], object] | None = None,
        leases: Leases | None = None,
    ) -> None:
        """``told`` hears of every wait: why, and for how long. ``pause`` and ``chance`` (0 to 1)
        are for tests; by default the waiting ends at once when ``stop`` is set."""
        self._log = log
        self._store = store
        self.consumer = consumer
        self._clock = clock or SystemClock()
        self._pause = pause
        self._chance = chance
        self._batch = batch or consumer.batch
        self._told = told
        self._leases = leases
        self._lease: Lease | None = None

    @property
    def name(self) -> str:
        return self.consumer.name

    def switch_on(self) -> int:
        """From now on the consumer is at work; the position it has come to.

        Where it begins is recorded the first time, and never changes. Raises ``LogDamaged`` where
        it has come further than the log, ``LogDiverged`` where another event stands there now than
        the one it was told: what is recorded instead would be passed over.
        """
        position = self._store.position(self.name)
        if position is not None and position > (head := self._log.head()):
            raise LogDamaged(
                head + 1,
                f"missing: {self.name} has come to {position}. Restore the ledger; or, if this is"
                " the one that counts, restore the consumers.db of its time",
            )
        if position is None:
            self._store.begin(self.name, self._log.head() if self.consumer.from_head else 0)
            position = self._store.position(self.name)
        assert position is not None
        self._recognise(position)
        return position

    def lag(self) -> int:
        """How many events are recorded that it has not come to."""
        position = self._store.position(self.name)
        return 0 if position is None else max(0, self._log.head() - position)

    def catch_up(self) -> int:
        """Act on what is new, and on what comes of that, up to the head; the position reached,
        also by another process if that one leads.

        Raises what may pass if it has not after many tries.
        """
        stop = threading.Event()
        reached = self.switch_on()
        while self.leads() and reached < (head := self._log.head()):
            self._run(head, stop, PATIENCE)
            reached = self.switch_on()
        return reached

    def follow(self, stop: threading.Event) -> None:
        """Keep up with the log until told to stop, which takes a quarter of a second at most."""
        self._run(None, stop, None)

    def leads(self) -> bool:
        """Whether it is for us to work, and not for another process. Raises ``StoreFailed``."""
        if self._leases is None:
            return True
        self._lease = self._leases.take(self.name)
        return self._lease is not None

    def retry(self, number: int | None = None, by: str = "operator") -> Retried:
        """Do parked work again, one piece or all, in order; what is done is closed.

        In a stream whose order matters nothing overtakes what still cannot be done.
        """
        self._recognise(self._store.position(self.name) or 0)
        wanted = self._store.incidents(self.name, number)
        stuck: set[str] = set()
        done = 0
        if number is not None and self.consumer.ordered:
            stuck = {one.stream for one in self._before(wanted)}
        for incident in wanted:
            if incident.stream in stuck:
                continue
            (row,) = self._log.rows(incident.position - 1, 1)
            reason = self._again(as_work(row), incident.item)
            if not reason:
                self._store.close_incident(incident.number, self._clock.now(), by, "done")
                done += 1
                continue
            self._store.tried(incident.number, reason)
            if self.consumer.ordered:
                stuck.add(incident.stream)
        return Retried(done, len(wanted) - done)

    def wait_for(self, tries: int) -> float:
        """Seconds to wait after so many tries: full jitter, so that many who failed at one moment
        do not all come back at another."""
        return self._chance() * float(min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(tries - 1, 20)))

    def _recognise(self, position: int) -> None:
        if not (seen := self._store.seen(self.name, position)):
            return
        found = self._log.bodies(position - 1, 1)
        if not found or found[0][1]["event_id"] != seen:
            raise LogDiverged(
                position, self.name, "Restore the ledger, or the consumers' memory of its time"
            )

    def _before(self, wanted: Sequence[Incident]) -> list[Incident]:
        return [
            other
            for other in self._store.incidents(self.name)
            for one in wanted
            if other.stream == one.stream and other.position < one.position
        ]

    def _again(self, work: Work, item: str) -> str:
        try:
            return self.consumer.retry(work, item)
        except (MayPass, StoreFailed, Contended):
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it stays parked for it
            return _reason(error)

    def _run(self, until: int | None, stop: threading.Event, patience: int | None) -> None:
        tries = 0
        while not stop.is_set():
            try:
                if not self.leads():
                    if patience is not None:
                        return
                    self._stand_by(stop)
                    continue
                after = self.switch_on()
                if until is not None and after >= until:
                    return
                seen = self._store.seen(self.name, after)
                for batch in tail_works(
                    self._log, after, batch=self._batch, until=until, stop=stop, seen=seen
                ):
                    self._take(batch)
                    tries = 0
                return
            except LogDamaged:
                raise
            except Superseded:
                continue
            except (MayPass, StoreFailed, Contended) as error:
                tries += 1
                pause = error.pause if isinstance(error, MayPass) else 0.0
                if patience is not None and (tries >= patience or pause > LONGEST_WAIT):
                    raise
                seconds = max(self.wait_for(tries), pause)
                if self._told:
                    self._told(error, seconds)
                (self._pause or stop.wait)(seconds)

    def _stand_by(self, stop: threading.Event) -> None:
        if self._leases:
            stop.wait(self._leases.lasts / 3)

    def _take(self, batch: Sequence[Work]) -> None:
        """One batch: its effects, and then, in one transaction, the checkpoint and the parked."""
        if self._leases and self._lease and not self._leases.holds(self._lease):
            raise Superseded(f"{self.name} was not renewed in time")
        held = self._store.held(self.name) if self.consumer.ordered else set[str]()
        ready = [work for work in batch if work.stream not in held]
        try:
            troubles = self.consumer.consume(ready) if ready else []
        except (MayPass, StoreFailed, Contended):
            raise
        except Exception:  # noqa: BLE001  it is met again below, where it is known whose it is
            troubles = self._one_by_one(ready)
        if self.consumer.ordered:
            troubles = [*troubles, *self._behind(batch, held, troubles)]
        last, now = batch[-1], self._clock.now()
        event = last.body["event_id"]
        self._store.finish(self.name, last.position, troubles, now, self._lease, event)

    def _one_by_one(self, batch: Sequence[Work]) -> list[Trouble]:
        troubles: list[Trouble] = []
        for work in batch:
            if self.consumer.ordered and any(work.stream == other.stream for other in troubles):
                continue
            try:
                troubles += self.consumer.consume([work])
            except (MayPass, StoreFailed, Contended):
                raise
            except Exception as error:  # noqa: BLE001  one event must not stop all others
                troubles.append(Trouble(work.position, work.stream, _reason(error)))
        return troubles

    def _behind(
        self, batch: Sequence[Work], held: set[str], troubles: Sequence[Trouble]
    ) -> list[Trouble]:
        stuck = dict.fromkeys(held, 0)
        for trouble in troubles:
            stuck.setdefault(trouble.stream, trouble.position)
        return [
            Trouble(work.position, work.stream, BEHIND)
            for work in batch
            if work.position > stuck.get(work.stream, work.position)
        ]


def _reason(error: BaseException) -> str:
    said = str(error)
    return said if isinstance(error, PmoError) and said else f"{type(error).__name__}: {said}"
