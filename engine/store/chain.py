"""The hash chain through the log, and the check that recomputes it.

``chain[n] = SHA-256(chain[n-1] || SHA-256(0x00 || bytes[n]))``, from 32 zero bytes. The inner hash
is the leaf hash of RFC 6962, 2.1, so the same leaves carry a Merkle tree. An event's stream,
version and type stand in its bytes too, which binds the columns that repeat them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from engine import canonical
from engine.errors import LogDamaged

GENESIS = bytes(32)


class Row(NamedTuple):
    """An event as it lies in a store."""

    position: int
    stream: str
    version: int
    type: str
    state: bytes
    chain: bytes


def link(previous: bytes, state: bytes) -> bytes:
    return sha256(previous + sha256(b"\x00" + state).digest()).digest()


def verified(rows: Iterable[Row], position: int, chain: bytes) -> Iterator[int]:
    """Each position in turn, once its row is found to be what was written after ``position``.

    Raises ``LogDamaged`` naming the first that is not.
    """
    for row in rows:
        position += 1
        if row.position != position:
            raise LogDamaged(position, f"missing; the next event is at {row.position}")
        if type(row.state) is not bytes:
            raise LogDamaged(position, f"{type(row.state).__name__} where its bytes were")
        chain = link(chain, row.state)
        if row.chain != chain:
            raise LogDamaged(position, "the bytes, or those of an event before, were changed")
        if _told_by(row.state) != (row.stream, row.version, row.type):
            raise LogDamaged(position, "stream, version or type differ from what the bytes say")
        yield position


def check_first(first: int | None) -> None:
    """``first``: the lowest position there is. Whoever reads a case by its stream would find an
    event before position 1, and whoever reads the log from its beginning would not.

    Raises ``LogDamaged``."""
    if first is not None and first < 1:
        raise LogDamaged(first, "an event stands before the first")


def check_markers(spans: Iterable[tuple[int, int]], head: int) -> None:
    """Each event up to ``head`` was written by one command: the chain cannot see its own end.

    ``spans`` are the commands' first positions and counts, in order. Raises ``LogDamaged`` naming
    the first position where commands and events differ.
    """
    position = 0
    for first, count in spans:
        if first > position + 1 and position < head:
            break
        if first != position + 1:
            raise LogDamaged(first, "a command is marked that did not write it")
        position += count
    if position > head:
        raise LogDamaged(head + 1, f"missing; a command wrote up to {position}")
    if position < head:
        raise LogDamaged(position + 1, "the marker of the command that wrote it is missing")


def _told_by(state: bytes) -> tuple[object, object, object] | None:
    try:
        body = canonical.decode(state)
        return body["stream"], body["version"], body["type"]
    except (ValueError, TypeError, KeyError):
        return None
