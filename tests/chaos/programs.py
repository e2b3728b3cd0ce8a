"""The programs in a storm, and how each of them is killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

PATIENCE = 120.0
"""Seconds for what must come about in the end. It never takes that long."""

STORE = 3
"""The exit code of ``pmo`` where the store failed."""

PYTHON = (sys.executable, "-m")
PMO = str(Path(sys.executable).with_name("pmo"))


class Killable(Protocol):
    def kill(self) -> None: ...

    def start(self) -> None: ...


def killed(what: Killable) -> None:
    what.kill()
    what.start()


@dataclass
class Program:
    """One of our programs, started again whenever it is killed."""

    name: str
    words: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    asks: bool = False
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.words,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )

    def kill(self) -> None:
        self.end(signal.SIGKILL)
        self.start()

    def start_again(self) -> None:
        """If it ended because its server was away, as a service manager would."""
        if self.process and self.process.poll() == STORE:
            self.start()

    def pause(self, seconds: float) -> None:
        """It hangs for a while, and does not know it afterwards."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Our own programs end with their standard input, ``pmo`` when it is told to."""
        self.end(signal.SIGTERM if self.words[0] == PMO else None)

    def end(self, how: signal.Signals | None) -> None:
        assert self.process
        assert self.process.stdin
        self.process.stdin.close()
        if how:
            self.process.send_signal(how)
        self.process.wait(PATIENCE)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > give_up:
            raise TimeoutError(f"{PATIENCE:.0f} seconds have not been enough: {what}")
        time.sleep(0.05)


def pmo(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([PMO, *words], capture_output=True, timeout=PATIENCE, check=False)
