"""A part of the views, built by a second process in a place of its own.

Building is work for one processor as long as one interpreter does it. The builder reads the log and
tells a second process the gist of each event (``projections.gist``), which costs both together two
thirds of reading and decoding it once more. That process makes its tables and indexes, and ends;
the builder takes these over page by page, which costs a tenth of making them.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from subprocess import PIPE, STDOUT, Popen
from threading import Thread
from types import TracebackType
from typing import IO, Any, Protocol, cast

import orjson

from engine.cycles import uncollected
from engine.errors import PmoError, StoreFailed
from projections.gist import heed
from projections.store import Scratch, Tables
from projections.views import BUILD_BATCH, FEW, Batch, Batches, Projection, ProjectionClass, Views

_LENGTH = 4
"""Bytes before each message that say how long it is; one of no length is the last."""
_KEPT = 2**26
"""Bytes of messages in a transaction, where events are large."""
_AHEAD = 2**20
"""Bytes by which the builder may be ahead: 4,000 events, so that a commit on one side does not hold
the other up."""


class Taking(Projection, Protocol):
    """A projection that does with the gist of events."""

    def take(self, told: Batch) -> None:
        """As ``apply``, of the gist of each event."""


class Apart(ProjectionClass, Protocol):
    """What can be built by the second process."""

    def __call__(self, tables: Tables) -> Taking: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Which ``projections`` to build, and where."""

    scratch: Scratch
    projections: tuple[Apart, ...]

    def build(self, pipe: IO[bytes]) -> None:
        """Everything that comes through the pipe, up to the message that is the last."""
        with uncollected(), closing(self.scratch.open()) as tables:
            views = _Heeding(tables, self.projections)
            views.create()
            for batches in _Told(pipe).transactions():
                views.take(batches)
            Thread(target=_end_with_parent, daemon=True).start()
            views.index()


class Builder:
    """The process that builds a part. Leaving the context ends it, and removes what it built."""

    def __init__(self, part: Part) -> None:
        self._scratch = part.scratch
        self._told = 0
        # What this process can import, that one can.
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "projections.part"]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=env)
        assert self._process.stdin
        with suppress(AttributeError, OSError):  # Linux has it, and may refuse it
            fcntl.fcntl(self._process.stdin, fcntl.F_SETPIPE_SZ, _AHEAD)
        self._write(pickle.dumps(part))

    def tell(self, batch: Batch) -> None:
        """The events that follow those it has been told of; each once, though they may be read
        again. Raises ``StoreFailed`` if it ended."""
        first, last = batch[0][0], batch[-1][0]
        if last > self._told:
            news = [heed(body) for _, body in batch[max(0, self._told + 1 - first) :]]
            said = orjson.dumps((last + 1 - len(news), news))
            self._write(len(said).to_bytes(_LENGTH) + said)
            self._told = last

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


class _Heeding(Views):
    """Views that are told the gist of each event, in the place of its body."""

    def apply(self, projection: Projection, batch: Batch) -> None:
        cast("Taking", projection).take(batch)

    def stream_of(self, body: Any) -> str:
        return str(body[0])


class _Told:
    """What the builder tells. A transaction's messages are kept until the next one begins, since it
    may ask for its events again."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept: list[bytes] = []
        self._ended = False

    def transactions(self) -> Iterator[Batches]:
        while not self._ended:
            self._kept.clear()
            yield self._batches

    def _batches(self) -> Iterator[Batch]:
        yield from map(_batch, self._kept)
        kept = sum(map(len, self._kept))
        while len(self._kept) < BUILD_BATCH // FEW and kept < _KEPT and (said := self._next()):
            self._kept.append(said)
            kept += len(said)
            yield _batch(said)

    def _next(self) -> bytes:
        length = self._pipe.read(_LENGTH)
        said = self._pipe.read(int.from_bytes(length))
        if len(length) < _LENGTH or len(said) < int.from_bytes(length):
            os._exit(1)  # the builder is gone, whatever it died of
        self._ended = not said
        return said


def _batch(said: bytes) -> Batch:
    first, told = orjson.loads(said)
    return list(enumerate(told, first))


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
