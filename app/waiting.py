"""What waits for somebody: found by the view, and then judged by the engine as they would be.

The view V2 tells from the registers whom a case could wait for; only the engine knows whether they
may. So the view finds the cases, and the engine is asked about these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.offers import Offer, offers
from app.views import moments, open_view, read_catalogue, relations_of
from projections.relations import NOBODY, Asker
from projections.select_text import Select

if TYPE_CHECKING:
    from app.home import Home
    from engine.commands import Requester
    from engine.signing import Ballot

SIGN = "sign"
"""What the view calls an answer for a body, or in a role."""

_ALL = 10_000_000
_DELEGATIONS = Select(
    "SELECT d.key FROM delegated AS d WHERE d.receiver = :me"
    ' AND (d."from" IS NULL OR d."from" <= :today) AND (d.until IS NULL OR :today <= d.until)'
    " ORDER BY d.key"
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A case that is not over, since when it is in its state, and the day it has to be left.

    ``rows`` are those of the view: who is asked for what. ``offered`` are the steps among them as
    the engine judges them of one person, ``ballots`` what is up for their answer.
    """

    key: str
    title: Any
    workflow: str
    state: str
    since: str
    until: str | None
    late: bool
    rows: tuple[Row, ...]
    offered: tuple[Offer, ...] = ()
    ballots: tuple[Ballot, ...] = ()

    @property
    def may(self) -> bool:
        """Whether the person may do anything of it now."""
        return any(offer.may for offer in self.offered) or any(not b.why for b in self.ballots)

    @property
    def asked(self) -> list[str]:
        """Who is asked: persons by name, where they are known; else roles and bodies."""
        return list(dict.fromkeys(row["person"] or row["role"] or "anybody" for row in self.rows))


def for_everybody(home: Home) -> list[Waiting]:
    """All that waits for anybody, the nearest day first."""
    return _found(home, NOBODY)


def for_one(home: Home, asker: Requester) -> Iterator[Waiting]:
    """What waits for one person, the nearest day first; judged one by one, as it is asked for."""
    found = _found(home, Asker(asker.id, asker.roles))
    if not found:
        return
    from app.hurdles import Inquiry

    inquiry = Inquiry(home)
    for waiting in found:
        case = inquiry.find(waiting.key)
        if case is None or case.state != waiting.state:
            continue  # it has moved on since the views were read
        lent = sorted({row["on_behalf_of"] for row in waiting.rows if row["on_behalf_of"]})
        wanted = {row["can"] for row in waiting.rows}
        told = offers(inquiry.body(case), case.state, case.data)
        told = [offer for offer in told if offer.trigger in wanted]
        ballots = inquiry.ballots(case, asker, lent) if SIGN in wanted else []
        yield replace(
            waiting,
            offered=tuple(inquiry.offers_to(asker, case, told, lent)),
            ballots=tuple(ballot for ballot in ballots if not ballot.answer),
        )


def delegations_to(home: Home, person: str) -> Sequence[str]:
    """The keys of the delegations in force that somebody has been given."""
    relations = relations_of(home, moments(None, None), Asker(person))
    sql = relations.statement(_DELEGATIONS)
    _, rows = home.views.select(sql, relations.given(), _ALL)
    return [key for (key,) in rows]


def _found(home: Home, asker: Asker) -> list[Waiting]:
    view = read_catalogue(home, named="waiting").view("waiting")
    answer = open_view(home, view, {}, moments(None, None), asker, _ALL)
    names = [column.name for column in answer.columns]
    by_case: dict[str, list[Row]] = {}
    for values in answer.rows:
        row = dict(zip(names, values, strict=True))
        by_case.setdefault(row["key"], []).append(row)
    return [_waiting(rows) for rows in by_case.values()]


def _waiting(rows: list[Row]) -> Waiting:
    first = rows[0]
    return Waiting(
        key=first["key"],
        title=first["title"],
        workflow=first["workflow"],
        state=first["state"],
        since=first["since"],
        until=first["until"],
        late=first["late"] is not None,
        rows=tuple(rows),
    )
