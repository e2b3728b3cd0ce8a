"""What can be asked for next: by whom, with what, and what still stands in the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from app.cli.terminal import clean, dim, echo
from app.home import Home
from app.offers import Offer

if TYPE_CHECKING:
    from engine.case import Case


def with_hurdles(home: Home, case: Case | str, offered: list[Offer]) -> list[Offer]:
    """The offers, each with its hurdles. The engine is asked only where something is governed, or
    where one of several ways by one trigger may be closed."""
    ways = {offer.trigger for offer in offered}
    if len(ways) == len(offered) and not any(offer.governed for offer in offered):
        return offered
    from app.hurdles import hurdles

    found = home.service.case(case) if isinstance(case, str) else case
    stands = hurdles(home, found)
    return [
        replace(o, decided_by=h.decided_by, missing=h.missing, warned=h.warned)
        for o, h in zip(offered, stands, strict=True)
    ]


def print_next(offered: Iterable[Offer]) -> None:
    for offer in offered:
        echo(f"  can {offer}")
        for who in offer.decided_by:
            echo(f"      decided by {clean(who)}")
        for reason in offer.missing:
            echo(f"      still missing: {clean(reason)}")
        for reason in offer.warned:
            echo(f"      would be warned of: {clean(reason)}")
        if offer.overridable:
            echo(dim(f"      can be overridden: {offer.overridable}"))
