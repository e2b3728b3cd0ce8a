"""The demo: eight years of a real portfolio, recorded again as if year by year.

The demo's ledger is a re-enactment. Its clock is held in the hand and set to the day on which each
report was published, so that one can ask what was known three years before. No other command does
this: what ``pmo import`` records is recorded now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.definitions import load_definitions, newest, publish
from app.home import Home
from app.importing.report import Report
from app.places import Address
from app.portfolio import import_portfolio
from engine.clock import HandClock, instant, to_datetime
from engine.commands import Requester
from engine.errors import BadInput
from projections.audit import cases_with_most
from projections.register_pages import CaseRow, Where, one, page
from projections.store import Tables
from workflows import HERE, shipped

BEGINS_AT = "2014-01-01T09:00:00.000000Z"
WORKFLOW = "major-project"
RATINGS = ("Green", "Amber/Green", "Amber", "Amber/Red", "Red")
PROJECT = "Universal Credit Programme"
"""The project whose trail is told."""

_EVERYTHING = 100_000


@dataclass(frozen=True, slots=True)
class Share:
    """Some projects of the portfolio.

    ``cost`` sums the whole-life costs that are known, in pounds; those of ``withheld`` projects are
    kept back, and those of ``missing`` projects nobody gave.
    """

    name: str
    projects: int
    cost: Decimal
    withheld: int
    missing: int


def enact(address: Address, progress: Callable[[Report, int], None]) -> tuple[Home, int]:
    """The demo's home, made or brought up to the last report; how many events that recorded.

    Raises ``BadInput`` for a home that was not made for a demo.
    """
    clock = HandClock(BEGINS_AT)
    home = Home.create(address, clock)
    before = home.log.head()
    if before and home.log.bodies(0, 1)[0][1]["recorded_at"] != BEGINS_AT:
        raise BadInput.one(str(home), "is a home of yours, not of a demo", "name another: --home")
    actor = Requester(id="demo", kind="service")
    for loaded in load_definitions(shipped()):
        if newest(home.service, loaded.definition.workflow) is None:
            publish(home.service, loaded, actor, "so that the demo can begin")

    def turn_the_clock(report: Report, differing: int) -> None:
        clock.at = instant(to_datetime(report.rule.published_on or report.rule.as_of))
        progress(report, differing)

    facts = HERE / "imports" / "gmpp-facts.yaml"
    import_portfolio(home, facts, progress=turn_the_clock)
    return home, home.log.head() - before


def present(tables: Tables, known_at: str | None = None) -> list[CaseRow]:
    """The projects in the portfolio now, or as it was known at a moment."""
    found = page(
        tables,
        WORKFLOW,
        known_at=known_at,
        where=[Where("_state", "=", "in_portfolio")],
        limit=_EVERYTHING,
    )
    return found.rows


def by_rating(projects: Iterable[CaseRow]) -> list[Share]:
    """From Green to Red; then those whose rating is withheld, and those without one."""
    shares = share_by(projects, "rating")
    order = [*RATINGS, "withheld", "missing"]
    return sorted(shares, key=lambda share: order.index(share.name))


def by_department(projects: Iterable[CaseRow]) -> list[Share]:
    """The costliest first."""
    return sorted(share_by(projects, "department"), key=lambda share: -share.cost)


def share_by(projects: Iterable[CaseRow], field: str) -> list[Share]:
    groups: dict[str, list[Any]] = {}
    for project in projects:
        value = project.data.get(field)
        name = "missing" if value is None else "withheld" if isinstance(value, dict) else str(value)
        groups.setdefault(name, []).append(project.data.get("whole_life_cost"))
    return [
        Share(
            name,
            projects=len(costs),
            cost=sum((Decimal(c["amount"]) for c in costs if c and "amount" in c), Decimal(0)),
            withheld=sum(1 for cost in costs if cost and "withheld" in cost),
            missing=costs.count(None),
        )
        for name, costs in groups.items()
    ]


def most_rebaselined(tables: Tables, limit: int) -> list[tuple[int, CaseRow]]:
    """The projects whose end was moved most often: how often, and the project."""
    most = cases_with_most(tables, "BaselineIssued", limit=limit)
    rows = ((row["events"], one(tables, row["stream"])) for row in most)
    return [(count, row) for count, row in rows if row is not None]


def find_project(tables: Tables, name: str) -> CaseRow | None:
    """The project of this name that is in the portfolio now."""
    named = [Where("name", "=", name), Where("_state", "=", "in_portfolio")]
    return next(iter(page(tables, WORKFLOW, where=named, limit=1).rows), None)
