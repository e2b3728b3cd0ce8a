"""Leases: of many processes on one home, each consumer is at work in one.

A lease is taken for a few seconds and renewed by a thread of its own for as long as its process
lives, however long a batch takes. When a process dies, or is stopped, the lease runs out and
another takes over. The time is that of the memory they share: of one database, or one machine.

A process that was stopped and wakes up believes for a moment that it still leads. So the lease
has a number which goes up with every takeover, and the transaction that moves a checkpoint asks
for it (``Store.finish``): whoever has been taken over writes nothing.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from math import inf
from pathlib import Path
from time import monotonic

from consumers.memory import Memory, Place
from consumers.store import Lease, open_memory
from engine import ids
from engine.errors import StoreFailed
from projections.sql import sql_beside

_SQL = sql_beside(__file__, "store.sql")

LASTS = 6.0
"""Seconds after its last sign of life in which a process is taken for alive."""


class Leases:
    """What one process leads. For any number of threads."""

    def __init__(self, place: Path | Place, lasts: float = LASTS) -> None:
        """Raises ``StoreFailed``."""
        self._place = place
        self.lasts = lasts
        self.holder = f"{socket.gethostname()} {os.getpid()} {ids.new_id()[-6:]}"
        self._memory: Memory | None = None
        self._held: dict[str, Lease] = {}
        self._renewed: dict[str, float] = {}  # when, by a clock that never steps
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._renewing: threading.Thread | None = None

    def take(self, name: str) -> Lease | None:
        """The lease, if nobody else has it: taken, or renewed. Raises ``StoreFailed``."""
        with self._lock:
            lease = self._take(name)
            if lease and self._renewing is None:
                self._renewing = threading.Thread(target=self._renew, daemon=True)
                self._renewing.start()
            return lease

    def holds(self, lease: Lease) -> bool:
        """Whether it has not run out, as far as can be told without asking."""
        with self._lock:
            renewed = self._renewed.get(lease.name, -inf)
            return self._held.get(lease.name) == lease and monotonic() < renewed + self.lasts

    def leave(self, name: str) -> None:
        """Let somebody else have it, at once."""
        with self._lock, suppress(StoreFailed):  # or else it runs out by itself
            if self._held.pop(name, None):
                self._opened().run(_SQL["leave"], {"name": name, "holder": self.holder})

    def close(self) -> None:
        """Leave all to the others, at once."""
        self._stop.set()
        if self._renewing:
            self._renewing.join()
        for name in [*self._held]:
            self.leave(name)
        if self._memory:
            self._memory.close()
            self._memory = None

    def _take(self, name: str) -> Lease | None:
        began, now = monotonic(), self._opened().now()
        said = {
            "name": name,
            "holder": self.holder,
            "now": now,
            "until": now + self.lasts,
            # Nobody can have it for so long unless the clock was set back, after which whoever is
            # alive has renewed it; that of a dead process would last as long as the clock was off.
            "impossible": now + 2 * self.lasts,
        }
        rows = self._opened().run(_SQL["take"], said)
        if not rows:
            self._held.pop(name, None)
            return None
        self._held[name] = Lease(name, self.holder, int(rows[0][0]))
        self._renewed[name] = began
        return self._held[name]

    def _renew(self) -> None:
        while not self._stop.wait(self.lasts / 3):
            with self._lock:
                try:
                    for name in [*self._held]:
                        self._take(name)
                except StoreFailed:
                    pass  # the store is away, for others as well; we try again

    def _opened(self) -> Memory:
        if self._memory is None:
            self._memory = open_memory(self._place)
        return self._memory
