"""Whether the markers of commands are those of the commands that wrote the events.

The hash chain covers the events, which name their command; the markers stand beside it. Exchanged
markers would let every command have its effect once more, and one too many would keep a command
from having any.
"""

from __future__ import annotations

from engine.errors import LogDamaged
from engine.store.log import Log

_PAGE = 1_000
_FINGERPRINT = 32
"""Bytes."""


def check_commands(log: Log) -> None:
    """Raises ``LogDamaged`` naming the first event whose command is not marked as having written
    it, or the first marker that the engine makes none of: of a command that wrote nothing, or
    without a fingerprint of 32 bytes.

    Fingerprints cannot be recomputed: the log does not keep what was refused or left out."""
    after = 0
    while page := log.bodies(after, _PAGE):
        after = page[-1][0]
        wanted = {position: body["command_id"] for position, body in page}
        marked = log.marked(list(set(wanted.values())))
        for position, command_id in wanted.items():
            found = marked.get(command_id)
            if not found or not 0 <= position - found.first_position < found.count:
                raise LogDamaged(position, "the command that wrote it is not marked as such")
    last = ""
    while markers := log.markers(last, _PAGE):
        last = max(markers)
        for found in markers.values():
            if found.count < 1:
                raise LogDamaged(found.first_position, "a command is marked that wrote no event")
            if type(found.fingerprint) is not bytes or len(found.fingerprint) != _FINGERPRINT:
                told = "the marker of the command that wrote it has no fingerprint"
                raise LogDamaged(found.first_position, told)
