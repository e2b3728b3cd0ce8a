"""Callers in line: one of them serves all who wait, then hands the lead to the next."""

from __future__ import annotations

import threading
from collections import deque
from time import sleep
from typing import Generic, TypeVar

T = TypeVar("T")

_PAUSES, _PAUSE = 10, 50e-6


class Call(Generic[T]):
    """What one caller waits for. ``wake`` is held until it is answered, or may lead."""

    __slots__ = ("leads", "tickets", "wake")

    def __init__(self, tickets: list[T]) -> None:
        self.tickets = tickets
        self.leads = False
        self.wake = threading.Lock()
        self.wake.acquire()


class Line(Generic[T]):
    """Callers in order of arrival. The first to come leads: it serves everybody who waits at that
    moment, then hands the lead to the next in line, who is awake by then or soon will be."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[Call[T]] = deque()
        self._led = False
        self._crowd = 1

    def join(self, call: Call[T]) -> None:
        """Returns when the call has been answered, or ``call.leads``."""
        with self._mutex:
            self._waiting.append(call)
            call.leads, self._led = not self._led, True
        try:
            if not call.leads:
                call.wake.acquire()
        except BaseException:
            self._leave(call)
            raise

    def gather(self, most: int) -> list[Call[T]]:
        """The leader's own call, and others as long as there are at most ``most`` tickets in all.

        Where the last group was a crowd, those just answered are about to ask again: a pause of
        well under one fsync lets them into this group. A single caller is never made to wait.
        """
        try:
            for _ in range(_PAUSES):
                if len(self._waiting) >= self._crowd:
                    break
                sleep(_PAUSE)
        except BaseException:
            self._leave(self._waiting[0])
            raise
        with self._mutex:
            calls = [self._waiting.popleft()]
            size = len(calls[0].tickets)
            while self._waiting and size + len(self._waiting[0].tickets) <= most:
                calls.append(self._waiting.popleft())
                size += len(calls[-1].tickets)
        self._crowd = len(calls)
        return calls

    def hand_over(self) -> None:
        with self._mutex:
            self._led = bool(self._waiting)
            if self._led:
                self._waiting[0].leads = True
                self._waiting[0].wake.release()

    def _leave(self, call: Call[T]) -> None:
        """An interrupted caller (Ctrl-C) neither stays in line nor keeps the lead."""
        with self._mutex:
            if call in self._waiting:
                self._waiting.remove(call)
            led = call.leads
        if led:
            self.hand_over()
