"""How long a test waits for what must come about, and the one way in which it waits.

A test waits for a condition and not for a time. What ends the waiting in vain is a fault and
nothing else, so it may take long: the machine may be slow, and busy with much beside.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

PATIENCE = 300.0
"""Seconds. Nothing that works ever takes as long; below the time that pytest gives a test."""


class Living(Protocol):
    def lives(self) -> bool: ...

    def told(self) -> str: ...


def wait_until(holds: Callable[[], bool], *living: Living) -> None:
    """Looks again and again, and fails at once where one that should live has ended by itself."""
    gives_up = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < gives_up, ["waited in vain", *(one.told() for one in living)]
        assert all(one.lives() for one in living)
        pause.wait(0.02)
