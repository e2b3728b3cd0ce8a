"""A part of the views, built by a second process in a place of its own.

Building is work for one processor as long as one interpreter does it. A second process reads the
same log, makes the tables of some projections and their indexes, and ends; the builder takes them
over page by page, which costs a tenth of making them.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from subprocess import PIPE, STDOUT, Popen
from threading import Thread
from types import TracebackType

from engine.cycles import uncollected
from engine.errors import PmoError, StoreFailed
from engine.store.tail import Followed
from projections.store import Scratch
from projections.views import BUILD_BATCH, ProjectionClass, Views


@dataclass(frozen=True, slots=True)
class Part:
    """Which ``projections`` to build, where, and up to which position.

    ``open_log`` is called in the other process: it must be found there by its name.
    """

    open_log: Callable[[], Followed]
    scratch: Scratch
    projections: tuple[ProjectionClass, ...]
    to: int

    def build(self) -> None:
        with uncollected(), closing(self.scratch.open()) as tables:
            views = Views(tables, self.projections)
            log = self.open_log()
            views.create()
            for to in range(BUILD_BATCH, self.to + BUILD_BATCH, BUILD_BATCH):
                views.advance(log, min(to, self.to))
            views.index()


class Builder:
    """The process that builds a part. Leaving the context ends it, and removes what it built."""

    def __init__(self, part: Part) -> None:
        self._scratch = part.scratch
        # What this process can import, that one can.
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "projections.part"]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=env)
        assert self._process.stdin
        self._process.stdin.write(pickle.dumps(part))
        self._process.stdin.flush()

    def finish(self) -> None:
        """Wait for it. Raises ``StoreFailed`` when it did not come to its end."""
        assert self._process.stdout
        said = self._process.stdout.read().decode(errors="replace").strip()
        if self._process.wait() != 0:
            why = said.splitlines()[-1] if said else f"exit {self._process.returncode}"
            raise StoreFailed(f"the process that builds a part of the views failed: {why}")

    def __enter__(self) -> Builder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._scratch.remove()


def _end_with_parent() -> None:
    """Its pipe closes whatever it dies of."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main() -> None:
    part: Part = pickle.load(sys.stdin.buffer)  # from the process that started this one
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        part.build()
    except PmoError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
