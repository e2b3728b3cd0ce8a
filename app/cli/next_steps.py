"""What can be asked for next: by whom, with what, and what still stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from app.cli.terminal import clean, dim, echo
from app.home import Home
from app.offers import Offer

if TYPE_CHECKING:
    from engine.case import Case
    from engine.commands import Requester
    from engine.signing import Ballot


def with_hurdles(home: Home, case: Case | str, offered: list[Offer]) -> list[Offer]:
    """The offers, each with its hurdles. The engine is asked only where something is governed, or
    where one of several ways by one trigger may be closed."""
    ways = {offer.trigger for offer in offered}
    if len(ways) == len(offered) and not any(offer.governed for offer in offered):
        return offered
    from app import hurdles

    found = home.service.case(case) if isinstance(case, str) else case
    return hurdles.with_hurdles(offered, hurdles.Inquiry(home).hurdles(found))


def for_somebody(
    home: Home, case: Case | str, offered: list[Offer], asker: Requester
) -> tuple[list[Offer], list[Ballot]]:
    """The offers, those that this person may take first; and what is up for their answer."""
    from app.hurdles import Inquiry
    from app.waiting import delegations_to

    found = home.service.case(case) if isinstance(case, str) else case
    inquiry = Inquiry(home)
    lent = delegations_to(home, asker.id)
    told = inquiry.offers_to(asker, found, offered, lent)
    return told, inquiry.ballots(found, asker, lent)


def print_next(offered: Iterable[Offer]) -> None:
    for offer in offered:
        echo(f"  can {offer}")
        for who in offer.decided_by:
            echo(f"      decided by {clean(who)}")
        for reason in offer.missing:
            echo(f"      still missing: {clean(reason)}")
        _print_beside(offer)


def print_for(offered: Sequence[Offer], ballots: Sequence[Ballot], indent: str = "  ") -> None:
    """What somebody may do, and then, in short, why not the rest."""
    for ballot in ballots:
        if not ballot.why:
            said = f"  (you are {ballot.answer}, so far)" if ballot.answer else ""
            echo(f"{indent}can sign --of {clean(ballot.of)}{_lent(ballot.on_behalf_of)}{said}")
    for offer in offered:
        if offer.may:
            echo(f"{indent}can {offer}{_lent(offer.on_behalf_of, '  ')}")
            _print_beside(offer, indent)
    for ballot in ballots:
        if ballot.why:
            echo(dim(f"{indent}cannot sign --of {clean(ballot.of)}: {clean(ballot.why)}"))
    for trigger, why in refusals(offered).items():
        echo(dim(f"{indent}cannot {trigger}: {clean('; '.join(why))}"))


def _lent(delegation: str, before: str = " ") -> str:
    return f"{before}--on-behalf-of {clean(delegation)}" if delegation else ""


def refusals(offered: Sequence[Offer]) -> dict[str, tuple[str, ...]]:
    """Why not, by trigger: of the way that comes nearest. What only machines do is left out."""
    may = {offer.trigger for offer in offered if offer.may}
    found: dict[str, tuple[str, ...]] = {}
    for offer in offered:
        if offer.trigger not in may and not offer.by_machines:
            before = found.get(offer.trigger, offer.missing)
            found[offer.trigger] = min(before, offer.missing, key=len)
    return found


def _print_beside(offer: Offer, indent: str = "  ") -> None:
    for reason in offer.warned:
        echo(f"{indent}    would be warned of: {clean(reason)}")
    if offer.overridable:
        echo(dim(f"{indent}    can be overridden: {offer.overridable}"))
