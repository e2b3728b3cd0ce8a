"""A home's ledger copied into another home, on whatever store either is, and verified there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.home import Home
from app.places import Address
from engine.errors import BadInput, LogDamaged
from engine.store.commands import check_commands
from engine.store.copy import copy_log


@dataclass(frozen=True, slots=True)
class Copied:
    """``events`` is the last position, too, and ``chain`` the hash there, in hexadecimal digits.

    ``later``: how many events the source was given while it was copied; the copy lacks them.
    """

    source: str
    target: str
    events: int
    chain: str
    later: int


def copy_ledger(source: Address, target: Address, progress: Callable[[int, int], None]) -> Copied:
    """All of it or, if that fails, nothing: then it can be tried again.

    Raises ``NotFound`` where there is no source, ``BadInput`` for a target that is not empty,
    ``LogDamaged`` for a source, or a copy, that is not what was written, ``StoreFailed``.
    """
    with Home.open(source) as original, Home.create(target) as home:
        if str(original) == str(home):
            raise BadInput.one(str(home), "is where the ledger is copied from")
        events = copy_log(original.log, home.log, progress)
        checked = home.log.check()
        check_commands(home.log)
        chain = home.log.chain(events)
        if checked != events or chain is None or chain != original.log.chain(events):
            raise LogDamaged(events, f"{home} has come to hold something else than {original}")
        later = original.log.head() - events
        return Copied(str(original), str(home), events, chain.hex(), later)
