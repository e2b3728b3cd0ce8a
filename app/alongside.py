"""Views that follow in a process of their own while much is recorded.

Recording keeps one processor busy, and so does projecting; one after the other, and under one
interpreter lock, they would take turns on a single one. Readers of a log and its writer do not wait
for each other, so a second process brings the views up meanwhile. It is a help and no more: what it
leaves undone, for whatever reason, whoever started it does, and hears the reason then.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Event, Thread
from types import TracebackType

from app.home import Home
from engine.cycles import uncollected

_WORTH_IT = 5_000
"""Commands from which on the half second that a process takes to start is won back."""

_PATIENCE = 0.01
"""Seconds after which the process notices that this was all: somebody waits for it to end."""


class Alongside:
    """The process, from when it is worth one. Leaving the context waits for it to be level with
    the log; after an error it is ended as it is."""

    def __init__(self, home: Home) -> None:
        self._address = home.address
        self._wanted = home.place.may_write_views()
        self._expected = 0
        self.process: Popen[bytes] | None = None

    def expect(self, commands: int) -> None:
        """So many more commands are about to be handled."""
        self._expected += commands
        if self._wanted and self._expected >= _WORTH_IT and self.process is None:
            self.process = self._start()

    def _start(self) -> Popen[bytes]:
        # What this process can import, that one can.
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "app.alongside"]
        process = Popen(command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, env=env)
        assert process.stdin
        # Not as an argument, which everybody on the machine could read.
        told = {"folder": isinstance(self._address, Path), "address": str(self._address)}
        with suppress(BrokenPipeError):  # it has ended already
            process.stdin.write(json.dumps(told).encode() + b"\n")
            process.stdin.flush()
        return process

    def __enter__(self) -> Alongside:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process:
            if error:
                self.process.kill()
            self.process.communicate()  # closes its input, which tells it that this was all


def main() -> None:
    told = json.loads(sys.stdin.buffer.readline())
    address = Path(told["address"]) if told["folder"] else told["address"]
    stop = Event()

    def wait_for_the_end() -> None:
        """The pipe closes whatever the process that wrote into it dies of."""
        sys.stdin.buffer.read()
        stop.set()

    Thread(target=wait_for_the_end, daemon=True).start()
    with uncollected():
        with Home.open(address) as home:
            home.runner.follow(stop, _PATIENCE)
            home.runner.catch_up()
        # All is closed. What Python would still do, take itself apart, somebody waits for.
        os._exit(0)


if __name__ == "__main__":
    main()
