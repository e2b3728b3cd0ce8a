"""What can be asked for next: by whom, with what, and what still stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from app.cli.terminal import clean, dim, echo
from app.home import Home
from app.offers import Offer, Prospect

if TYPE_CHECKING:
    from engine.case import Case
    from engine.commands import Requester


def with_hurdles(home: Home, case: Case | str, offered: list[Offer]) -> list[Offer]:
    """The offers, each with its hurdles. The engine is asked only where something is governed, or
    where one of several ways by one trigger may be closed."""
    ways = {offer.trigger for offer in offered}
    if len(ways) == len(offered) and not any(offer.governed for offer in offered):
        return offered
    from app import hurdles

    found = home.service.case(case) if isinstance(case, str) else case
    return hurdles.with_hurdles(offered, hurdles.Inquiry(home).hurdles(found))


def for_somebody(home: Home, case: Case | str, offered: list[Offer], asker: Requester) -> Prospect:
    from app.hurdles import Inquiry
    from app.waiting import delegations_to

    found = home.service.case(case) if isinstance(case, str) else case
    inquiry = Inquiry(home)
    return inquiry.prospect(asker, found, offered, delegations_to(home, asker.id))


Telling = Callable[[Offer], Iterable[str]]
"""What there is to say of the fields that a step takes."""


def print_next(offered: Iterable[Offer], fields: Telling = lambda _: ()) -> None:
    for offer in offered:
        echo(f"  can {offer}")
        _print_lines(fields(offer))
        for who in offer.decided_by:
            echo(f"      decided by {clean(who)}")
        for reason in offer.missing:
            echo(f"      still missing: {clean(reason)}")
        _print_beside(offer)


def print_for(prospect: Prospect, fields: Telling = lambda _: ()) -> None:
    """What somebody may do, and then, in short, why not the rest."""
    for ballot in prospect.ballots:
        if not ballot.why:
            said = f"  (you are {ballot.answer}, so far)" if ballot.answer else ""
            echo(f"  can sign --of {clean(ballot.of)}{_lent(ballot.on_behalf_of)}{said}")
    for offer in prospect.offered:
        if offer.may:
            echo(f"  can {offer}{_lent(offer.on_behalf_of, '  ')}")
            _print_lines(fields(offer))
            _print_beside(offer)
    for ballot in prospect.ballots:
        if ballot.why:
            echo(dim(f"  cannot sign --of {clean(ballot.of)}: {clean(ballot.why)}"))
    for trigger, why in prospect.cannot.items():
        echo(dim(f"  cannot {trigger}: {clean('; '.join(why))}"))


def _lent(delegation: str, before: str = " ") -> str:
    return f"{before}--on-behalf-of {clean(delegation)}" if delegation else ""


def _print_lines(told: Iterable[str]) -> None:
    for line in told:
        echo(dim(f"      {line}"))


def _print_beside(offer: Offer) -> None:
    for reason in offer.warned:
        echo(f"      would be warned of: {clean(reason)}")
    if offer.overridable:
        echo(dim(f"      can be overridden: {offer.overridable}"))
