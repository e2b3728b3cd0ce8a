"""What there is to tell of a year, from the views of the home it was played on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.home import Home
from app.trail import Entry, trail
from app.views import open_view, read_catalogue
from projections.register_pages import Where, page
from projections.relations import Moments

DECISION = "The programme for client service"
"""The decision whose trail is told: a vote, a recusal, conditions, and refused attempts."""

PLAN = "Transport, example, 2022 to 2024"
"""The plan whose versions are compared."""

_BOOKKEEPING = {"CaseLinked", "DeadlineReminded"}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tale:
    """Of the year that ended on ``day``: rows by the names of the views' columns, the earliest
    first; ``trail`` is that of the decision ``decision``, without reminders."""

    day: str
    months: list[Row]
    objectives: list[Row]
    decisions: list[Row]
    changes: list[Row]
    benefits: list[Row]
    packs: list[Row]
    waiting: list[Row]
    decision: str
    trail: list[Entry]

    def total(self, of: str) -> int:
        """Over all months."""
        return sum(month[of] for month in self.months)


def tell(home: Home, day: str) -> Tale:
    """The tale of the year that ends on a day, as it stood then. Raises ``NotFound``."""
    catalogue = read_catalogue(home)
    moments = Moments(day, None, f"{day}T23:59:59.999999Z")

    def rows(view: str, **words: str) -> list[Row]:
        answer = open_view(home, catalogue.view(view), words, moments)
        names = [column.name for column in answer.columns]
        return [dict(zip(names, row, strict=True)) for row in answer.rows]

    decision = _key(home, "decision", DECISION)
    changes = rows("plan-changes")
    plan = _key(home, "strategic-plan", PLAN)
    return Tale(
        day=day,
        months=rows("months", year=day[:4]),
        objectives=rows("objectives"),
        decisions=rows("decisions"),
        changes=[row for row in changes if row["key"] == plan and row["before"] is not None],
        benefits=rows("benefits"),
        packs=rows("reporting")[::-1],
        waiting=_each_once(rows("waiting")),
        decision=decision,
        trail=[entry for entry in trail(home.stream(decision)) if entry.name not in _BOOKKEEPING],
    )


def _key(home: Home, workflow: str, title: str) -> str:
    return page(home.views, workflow, where=[Where("title", "=", title)], limit=1).rows[0].key


def _each_once(rows: list[Row]) -> list[Row]:
    """Of what waits, each case once: what has a title and a day, the nearest day first."""
    timed = [row | {"day": row["until"] or row["chased"]} for row in rows if row["title"]]
    cases = {row["key"]: row for row in reversed(timed) if row["day"]}
    return sorted(cases.values(), key=lambda row: (row["day"], row["key"]))
