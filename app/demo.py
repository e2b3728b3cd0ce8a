"""The demo: eight years of a real portfolio, and a year of one PMO on top of it.

The demo's ledger is a re-enactment. Its clock is held in the hand: it is set to the day on which
each report was published, so that one can ask what was known three years before, and then moved
through a year that is made up (``workflows/year``). No other command does this: what ``pmo import``
records is recorded now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.definitions import load_definitions, publish
from app.home import Home
from app.importing.report import Report
from app.places import LEDGER, Address
from app.portfolio import import_portfolio
from app.year.chapters import read_year
from app.year.play import Player
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

YEAR = HERE / "year"
ENDS_ON = "2022-12-31"
"""The last day of the year that is played."""

_EVERYTHING = 100_000
_PLAYED = "SETUP-0001"
"""A case of the year: where it is, the year was played."""
_REPORTS = 8
_WEIGHT = 60
"""A report takes about as long as so many steps of the year."""


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


def enact(address: Address, progress: Callable[[int, int], object]) -> tuple[Home, int]:
    """The demo's home, made if it is not there yet; how many events that recorded.

    A folder is made beside its place and moved there when it is whole: whoever stops half-way finds
    nothing, and begins anew. ``progress`` hears how much is done, and how much there is. Raises
    ``BadInput`` for a home that was not made for a demo, or for an earlier one.
    """
    home = Home.create(address)
    if home.place.exists():
        _check(home)
        return home, 0
    folder = home.place.folder
    if folder is None:
        home.close()
        return home, _make(address, progress)
    with TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as beside:
        recorded = _make(Path(beside), progress)
        _move(Path(beside), folder)
    return home, recorded


def _check(home: Home) -> None:
    first = home.log.bodies(0, 1)
    if not first or first[0][1]["recorded_at"] != BEGINS_AT:
        raise BadInput.one(str(home), "is a home of yours, not of a demo", "name another: --home")
    if not home.log.version(_PLAYED):
        mend = f"remove it: rm -r {home}" if home.place.folder else "name an empty database"
        raise BadInput.one(str(home), "is a demo of an earlier version", mend)


def _make(address: Address, progress: Callable[[int, int], object]) -> int:
    """Everything there is to show; how many events that are."""
    year = read_year(YEAR)
    whole = len(year.moments) + _REPORTS * _WEIGHT
    clock = HandClock(BEGINS_AT)
    reports = 0

    def turn_the_clock(report: Report, _differing: int) -> None:
        nonlocal reports
        reports += 1
        clock.at = instant(to_datetime(report.rule.published_on or report.rule.as_of))
        progress(reports * _WEIGHT, whole)

    with Home.create(address, clock) as home:
        actor = Requester(id="demo", kind="service")
        for loaded in load_definitions(shipped()):
            publish(home.service, loaded, actor, "so that the demo can begin")
        import_portfolio(home, HERE / "imports" / "gmpp-facts.yaml", progress=turn_the_clock)
        clock.at = instant(to_datetime(f"{year.begins_on[:4]}-01-01"))
        begin = whole - len(year.moments)
        Player(home, clock).play(year, lambda done, _of: progress(begin + done, whole))
        home.catch_up()
        return home.log.head()


def _move(made: Path, to: Path) -> None:
    """The ledger last: where there is none, there is no home."""
    files = sorted(made.iterdir(), key=lambda file: file.name == LEDGER)
    for file in files:
        file.replace(to / file.name)


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
