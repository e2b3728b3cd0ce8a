"""Programs as processes of their own, to be killed and started again as often as a test likes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.patience import PATIENCE

PMO = (sys.executable, "-c", "from app.cli import main; main()")


class Program:
    """``log`` has what it printed, over all its lives."""

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._words = words
        self._environment = {**os.environ, **environment}
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )

    def kill(self) -> None:
        """Without a warning. Fails where it had ended by itself."""
        assert self.lives()
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._process = None

    def lives(self) -> bool:
        """Fails where it has ended by itself, with what it said."""
        assert self._process is not None
        assert self._process.poll() is None, self.told()
        return True

    def has_ended(self) -> bool:
        """Fails where it did not end well."""
        assert self._process is not None
        assert not self._process.poll(), self.told()
        return self._process.poll() is not None

    def clear_away(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)

    def told(self) -> str:
        return f"{self._words}\n{self.log.read_text(errors='replace')[-3000:]}"


Start = Callable[..., Program]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Start]:
    """Starts one: its words, and more for its environment."""
    started: list[Program] = []

    def start(*words: str, **environment: str) -> Program:
        log = tmp_path / f"program-{len(started)}.log"
        started.append(Program(words, log, environment))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.clear_away()


def need(name: str, how: str) -> str:
    """Where a program is. Without it CI fails, and everybody else skips."""
    found = shutil.which(name)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} not found: {how}")
    return found
