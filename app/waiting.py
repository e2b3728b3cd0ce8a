"""What waits for somebody: found by the view, and then judged by the engine as they would be.

The view V2 tells from the registers whom a case could wait for; only the engine knows whether they
may. So the view finds the cases, and the engine is asked about these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from app.offers import Prospect, offers
from app.views import moments, open_view, read_catalogue, relations_of
from projections.relations import NOBODY, Asker
from projections.select_text import Select

if TYPE_CHECKING:
    from app.home import Home
    from engine.commands import Requester
    from projections.store import Tables

SIGN = "sign"
"""What the view calls an answer for a body, or in a role."""

_ALL = 10_000_000
_FEW = 3
"""So many values are enough to know a case by."""
_DELEGATIONS = Select(
    "SELECT d.key FROM delegated AS d WHERE d.receiver = :me"
    ' AND (d."from" IS NULL OR d."from" <= :today) AND (d.until IS NULL OR :today <= d.until)'
    " ORDER BY d.key"
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A case that is not over, and since when it is in its state.

    ``until``: when a timer will end that; ``chased``: when one will only ask after it, and the case
    stays where it is; ``late``: a day of these has passed. ``rows`` are those of the view: who is
    asked for what; what can be is ``None`` in that of somebody whom the case has gone up to, though
    no step is theirs. ``prospect`` is how these things stand for one person, as the engine judges
    them; ``about`` what a case is known by that has no title: what it was begun with.
    """

    key: str
    title: Any
    workflow: str
    state: str
    since: str
    until: str | None
    chased: str | None
    late: bool
    rows: tuple[Row, ...]
    prospect: Prospect | None = None
    about: tuple[Any, ...] = ()

    @property
    def asked(self) -> list[str]:
        """Who is asked: persons by name, where they are known; else roles and bodies."""
        return list(dict.fromkeys(row["person"] or row["role"] or "anybody" for row in self.rows))

    @property
    def gone_up(self) -> Row | None:
        """From whom to whom, and when, while it is so; the last, where it went up twice."""
        return next((_gone_up(row) for row in self.rows if row["gone_up_to"]), None)

    @property
    def only_told(self) -> bool:
        """Whether it is here only because it has gone up to them: no step from here is theirs."""
        return bool(self.rows) and all(row["can"] is None for row in self.rows)


def described(found: Sequence[Waiting], asker: Requester | None, limit: int) -> dict[str, Any]:
    """As data: the first ``limit`` cases, and whether there are more."""
    return {
        "as": asker.id if asker else None,
        "cases": [_described(waiting) for waiting in found[:limit]],
        "more": len(found) > limit,
    }


def _described(waiting: Waiting) -> dict[str, Any]:
    about = {
        "key": waiting.key,
        "title": waiting.title,
        "workflow": waiting.workflow,
        "state": waiting.state,
        "since": waiting.since,
        "until": waiting.until,
        "chased": waiting.chased,
        "late": waiting.late,
        "gone_up": waiting.gone_up,
    }
    prospect = waiting.prospect
    if prospect is None:
        return about | {"asked": waiting.asked}
    signed = {f"sign {ballot.of}": [ballot.why] for ballot in prospect.ballots if ballot.why}
    return about | {
        "may": prospect.may,
        "can": [asdict(offer) for offer in prospect.offered if offer.may],
        "sign": [
            {"of": ballot.of, "on_behalf_of": ballot.on_behalf_of}
            for ballot in prospect.ballots
            if not ballot.why
        ],
        "cannot": {trigger: list(why) for trigger, why in prospect.cannot.items()} | signed,
    }


def for_everybody(home: Home, tables: Tables | None = None) -> list[Waiting]:
    """All that waits for anybody, the nearest day first. ``tables``: the views, as another thread
    has opened them."""
    return _found(home, NOBODY, tables)


def for_one(
    home: Home, asker: Requester, tables: Tables | None = None, offset: int = 0
) -> Iterator[Waiting]:
    """What waits for one person, the nearest day first, after so many cases; judged one by one, as
    it is asked for."""
    found = _found(home, Asker(asker.id, asker.roles), tables)[offset:]
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
        body = inquiry.body(case)
        told = offers(body, case.state, case.data)
        if not waiting.only_told:
            told = [offer for offer in told if offer.trigger in wanted]
        prospect = inquiry.prospect(asker, case, told, lent, signing=SIGN in wanted)
        unanswered = tuple(ballot for ballot in prospect.ballots if not ballot.answer)
        cannot = {} if waiting.only_told else prospect.cannot
        prospect = replace(prospect, ballots=unanswered, cannot=cannot)
        yield replace(waiting, prospect=prospect, about=_about(body.get("data", {}), case.data))


def _about(fields: Mapping[str, Mapping[str, Any]], data: Mapping[str, Any]) -> tuple[Any, ...]:
    if "title" in fields or "name" in fields:
        return ()
    required = [name for name, field in fields.items() if field.get("required")]
    return tuple(data[name] for name in required if data.get(name) is not None)[:_FEW]


def delegations_to(home: Home, person: str) -> Sequence[str]:
    """The keys of the delegations in force that somebody has been given."""
    relations = relations_of(home, moments(None, None), Asker(person))
    sql = relations.statement(_DELEGATIONS)
    _, rows = home.views.select(sql, relations.given(), _ALL)
    return [key for (key,) in rows]


def _found(home: Home, asker: Asker, tables: Tables | None) -> list[Waiting]:
    view = read_catalogue(home, named="waiting").view("waiting")
    answer = open_view(home, view, {}, moments(None, None), asker, _ALL, tables)
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
        until=_first(row["until"] for row in rows),
        chased=_first(row["chased"] for row in rows),
        late=any(row["late"] for row in rows),
        rows=tuple(rows),
    )


def _gone_up(row: Row) -> Row:
    return {"from": row["gone_up_from"], "to": row["gone_up_to"], "on": row["gone_up_on"]}


def _first(days: Iterable[str | None]) -> str | None:
    """Steps that leave a case where it is have no day; all others have the same."""
    return next((day for day in days if day), None)
