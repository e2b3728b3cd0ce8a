"""A part of the views, built by a second process in a place of its own.

Building is work for one processor as long as one interpreter does it. The builder reads the log and
tells a second process what some projections read of each event, which costs both together two
thirds of reading and decoding it once more. That process makes their tables and indexes, and ends;
the builder takes these over page by page, which costs a tenth of making them.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import repeat
from subprocess import PIPE, STDOUT, Popen
from threading import Thread
from types import TracebackType
from typing import IO, TYPE_CHECKING, Protocol

from engine.cycles import uncollected
from engine.errors import PmoError, StoreFailed
from engine.store.tail import Followed
from engine.upcasts import Body
from projections.store import Scratch
from projections.views import BUILD_BATCH, FEW, Batch, Batches, ProjectionClass, Views

if TYPE_CHECKING:
    from engine.store.chain import Row

_LENGTH = 4
"""Bytes before each message that say how long it is; one of no length is the last."""
_KEPT = 2**26
"""Bytes of messages in a transaction, where events are large."""
_AHEAD = 2**20
"""Bytes by which the builder may be ahead: 5,000 events, so that a commit on one side does not hold
the other up."""


class Apart(ProjectionClass, Protocol):
    """What can be built by the second process: it says which members of a body it ``reads``. Those
    that an event does not have are ``None`` there."""

    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Which ``projections`` to build, and where."""

    scratch: Scratch
    projections: tuple[Apart, ...]

    def members(self) -> tuple[str, ...]:
        return tuple(sorted({name for each in self.projections for name in each.reads}))

    def build(self, pipe: IO[bytes]) -> None:
        """Everything that comes through the pipe, up to the message that is the last."""
        with uncollected(), closing(self.scratch.open()) as tables:
            views = Views(tables, self.projections)
            views.create()
            for batches in _Told(pipe, self.members()).transactions():
                views.take(batches)
            Thread(target=_end_with_parent, daemon=True).start()
            views.index()


class Builder:
    """The process that builds a part. Leaving the context ends it, and removes what it built."""

    def __init__(self, part: Part) -> None:
        self._scratch = part.scratch
        self._members = part.members()
        # What this process can import, that one can.
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "projections.part"]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=env)
        assert self._process.stdin
        with suppress(AttributeError, OSError):  # Linux has it, and may refuse it
            fcntl.fcntl(self._process.stdin, fcntl.F_SETPIPE_SZ, _AHEAD)
        self._write(pickle.dumps(part))

    def tell(self, batch: Batch) -> None:
        """The events that follow those it has been told of. Raises ``StoreFailed`` if it ended."""
        rows = [tuple(map(body.get, self._members)) for _, body in batch]
        said = marshal.dumps((batch[0][0], rows))
        self._write(len(said).to_bytes(_LENGTH) + said)

    def no_more(self) -> None:
        """It has been told of everything, and can make its indexes."""
        self._write(bytes(_LENGTH))

    def finish(self) -> None:
        """Wait for it. Raises ``StoreFailed`` when it did not come to its end."""
        assert self._process.stdout
        said = self._process.stdout.read().decode(errors="replace").strip()
        if self._process.wait() != 0:
            why = said.splitlines()[-1] if said else f"exit {self._process.returncode}"
            raise StoreFailed(f"the process that builds a part of the views failed: {why}")

    def _write(self, said: bytes) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(said)
            self._process.stdin.flush()
        except BrokenPipeError:
            self.finish()

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


class Overheard:
    """A log (``Followed``) of which a builder hears whatever is read: each event once, though it
    may be read again."""

    def __init__(self, log: Followed, builder: Builder) -> None:
        self._log = log
        self._builder = builder
        self._heard = 0

    def bodies(self, after: int, limit: int) -> list[tuple[int, Body]]:
        found = self._log.bodies(after, limit)
        if news := [entry for entry in found if entry[0] > self._heard]:
            self._builder.tell(news)
            self._heard = news[-1][0]
        return found

    def rows(self, after: int, limit: int) -> list[Row]:
        return self._log.rows(after, limit)

    def head(self) -> int:
        return self._log.head()

    def wait(self, after: int, timeout: float) -> bool:
        return self._log.wait(after, timeout)


class _Told:
    """What the builder tells. A transaction's messages are kept until the next one begins, since it
    may ask for its events again."""

    def __init__(self, pipe: IO[bytes], members: tuple[str, ...]) -> None:
        self._pipe = pipe
        self._members = members
        self._kept: list[bytes] = []
        self._ended = False

    def transactions(self) -> Iterator[Batches]:
        while not self._ended:
            self._kept.clear()
            yield self._batches

    def _batches(self) -> Iterator[Batch]:
        yield from map(self._batch, self._kept)
        while self._has_room() and (said := self._next()):
            self._kept.append(said)
            yield self._batch(said)

    def _has_room(self) -> bool:
        return len(self._kept) < BUILD_BATCH // FEW and sum(map(len, self._kept)) < _KEPT

    def _next(self) -> bytes:
        length = self._pipe.read(_LENGTH)
        said = self._pipe.read(int.from_bytes(length))
        if len(length) < _LENGTH or len(said) < int.from_bytes(length):
            os._exit(1)  # the builder is gone, whatever it died of
        self._ended = not said
        return said

    def _batch(self, said: bytes) -> Batch:
        first, rows = marshal.loads(said)
        return list(enumerate(map(dict, map(zip, repeat(self._members), rows)), first))


def _end_with_parent() -> None:
    """Its pipe closes whatever it dies of."""
    os.read(sys.stdin.fileno(), 1)  # not through its buffer, which may not be locked at the end
    os._exit(1)


def main() -> None:
    part: Part = pickle.load(sys.stdin.buffer)  # from the process that started this one
    try:
        part.build(sys.stdin.buffer)
    except PmoError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
