"""Hears of commits, by whatever process, through PostgreSQL's LISTEN."""

from __future__ import annotations

import os
import select
import threading
from functools import partial

import psycopg

from engine.store.postgres_pool import connect

_AGAIN = 0.5
"""Seconds between two attempts to connect."""


class Listener:
    """The head of the log as far as it was told, by a thread with a connection of its own.

    The thread starts when somebody waits for the first time. While the connection is lost it tries
    to get another; who waits looks at the log itself from time to time (``PostgresLog.wait``).
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._head = 0
        self._told = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._bell: tuple[int, int] | None = None  # a pipe that ends the thread's sleep

    def tell(self, head: int) -> None:
        with self._told:
            if head > self._head:
                self._head = head
                self._told.notify_all()

    def wait(self, after: int, timeout: float) -> bool:
        """Sleep until the head is beyond ``after`` (``True``), at most ``timeout`` seconds."""
        with self._told:
            if not self._thread and not self._stopped.is_set():
                self._bell = os.pipe()
                self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
                self._thread.start()
            return self._told.wait_for(partial(self._is_beyond, after), timeout)

    def close(self) -> None:
        with self._told:
            self._stopped.set()
        if self._thread and self._bell:
            os.write(self._bell[1], b"x")
            self._thread.join()
            for end in self._bell:
                os.close(end)
            self._thread = self._bell = None

    def _is_beyond(self, position: int) -> bool:
        return self._head > position

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                with connect(self._address) as connection:
                    self._hear(connection)
            except psycopg.Error:
                self._stopped.wait(_AGAIN)

    def _hear(self, connection: psycopg.Connection[dict[str, object]]) -> None:
        assert self._bell
        connection.execute("LISTEN pmo_log")
        # What was committed while nobody listened; or less, where another server took over.
        row = connection.execute("SELECT max(position) AS head FROM pmo_log.events").fetchone()
        with self._told:
            self._head = 0
        self.tell(int(str(row["head"] or 0)) if row else 0)
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._bell[0], select.POLLIN)
        while not self._stopped.is_set():
            # First, because what came along with an answer wakes nobody who looks at the socket.
            for notification in connection.notifies(timeout=0):
                if notification.payload.isdecimal():  # anybody who may connect can send others
                    self.tell(int(notification.payload))
            poll.poll()
