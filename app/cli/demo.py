"""``pmo demo``: a newcomer's first screen."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from app.cli import options
from app.cli.failures import CheckFailed
from app.cli.history import print_entry
from app.cli.progress import bar
from app.cli.tables import bold, clean, dim, print_rows, show_value
from app.places import Address, read_address

if TYPE_CHECKING:
    from app.demo import Share
    from app.home import Home
    from app.importing.report import Report

_BEFORE = "2018-07-31"
"""Three years before the last report was published."""
_REPORTS = 8
_BAR = 24


@click.command("demo")
@click.option(
    "--home",
    type=read_address,
    metavar=options.HOME,
    default=".pmo/demo",
    show_default=True,
    help="The demo's own folder.",
)
def demo_command(home: Address) -> None:
    """Eight years of the UK Government Major Projects Portfolio, on the screen in seconds.

    Makes a home of its own and shows the portfolio now, its most re-baselined projects, the trail
    of one, the portfolio as it was known three years before, and the verification of all of it.
    The ledger is a re-enactment: reports are recorded as if on the days they were published.
    """
    from app import demo

    with bar("loading") as progress:
        loaded = 0

        def advance(_report: Report, _differing: int) -> None:
            nonlocal loaded
            loaded += 1
            progress(loaded, _REPORTS)

        opened, recorded = demo.enact(home, advance)
    with opened:
        click.echo(bold("The UK Government Major Projects Portfolio, as reported 2014 to 2021"))
        told = f"{recorded:,} events recorded" if recorded else "nothing new, it was all there"
        click.echo(
            f"{told} in {opened}. A re-enactment: each report is recorded as if on the day\n"
            "it was published. "
            + dim("Contains public sector information licensed under the OGL v3.0.")
        )
        _print_now(opened)
        _print_rebaselined(opened)
        _print_trail(opened)
        _print_before(opened)
        sound = _print_verification(opened)
        _print_next(opened)
    if not sound:
        raise CheckFailed


def _print_now(home: Home) -> None:
    from app.demo import by_department, by_rating, present

    projects = present(home.views)
    _head(f"The portfolio now: {len(projects)} projects")
    _print_shares("rating", by_rating(projects))
    click.echo()
    departments = by_department(projects)
    _print_shares("department", departments[:8])
    click.echo(dim(f"and {len(departments) - 8} departments more"))


def _print_shares(what: str, shares: Iterable[Share]) -> None:
    shares = list(shares)
    most = max(share.projects for share in shares)
    print_rows(
        [what, "projects", "", "whole-life cost", "withheld", "missing"],
        [
            [
                share.name,
                str(share.projects),
                "\N{BLACK SQUARE}" * max(1, round(share.projects * _BAR / most)),
                _billions(share.cost),
                str(share.withheld),
                str(share.missing),
            ]
            for share in shares
        ],
        right=["projects", "whole-life cost", "withheld", "missing"],
    )


def _print_rebaselined(home: Home) -> None:
    from app.demo import most_rebaselined

    _head("Most re-baselined: how often a report moved the end")
    print_rows(
        ["times", "case", "project", "end now"],
        [
            [str(times), row.key, clean(row.data["name"]), show_value(row.data.get("end"))]
            for times, row in most_rebaselined(home.views, 8)
        ],
        right=["times"],
    )


def _print_trail(home: Home) -> None:
    from app.demo import PROJECT, find_project
    from app.trail import trail

    project = find_project(home.views, PROJECT)
    if project is None:
        return
    _head(f"The trail of {PROJECT} ({project.key})")
    for entry in trail(home.stream(project.key)):
        print_entry(entry)


def _print_before(home: Home) -> None:
    from app.demo import PROJECT, by_rating, find_project, present
    from projections.register_pages import one

    projects = present(home.views, known_at=_BEFORE)
    _head(
        f"The portfolio as it was known on {_BEFORE}, three years before: {len(projects)} projects"
    )
    _print_shares("rating", by_rating(projects))
    now = find_project(home.views, PROJECT)
    then = one(home.views, now.key, known_at=_BEFORE) if now else None
    if now and then:
        click.echo()
        fields = ("end", "whole_life_cost", "rating")
        print_rows(
            [PROJECT, "as known then", "as known now"],
            [[f, show_value(then.data.get(f)), show_value(now.data.get(f))] for f in fields],
        )


def _print_verification(home: Home) -> bool:
    from app.verification import verify_home

    _head("Verified")
    with bar("comparing") as progress:
        verified = verify_home(home, progress)
    for line in verified.lines():
        click.echo(line)
    return verified.sound


def _print_next(home: Home) -> None:
    from app.demo import PROJECT, find_project

    project = find_project(home.views, PROJECT)
    key = project.key if project else "GMPP-0001"
    _head("Try next")
    click.echo(f"  export PMO_HOME={home}")
    for command in (
        f"pmo show {key} --known-at {_BEFORE}",
        "pmo list major-project --where 'rating=Red' --sort -whole_life_cost",
        "pmo list major-project --where 'whole_life_cost is withheld' --columns key,name,rating",
        f"pmo diagram {key} -o project.svg",
        "pmo start appointment role=sponsor unit=pmo person=sam from=2026-01-01 --as pat:registrar",
        "pmo start objective title='Client satisfaction' unit=pmo --as sam",
    ):
        click.echo(f"  {command}")


def _head(title: str) -> None:
    click.echo(f"\n{bold(title)}")


def _billions(pounds: Decimal) -> str:
    return f"GBP {pounds / 10**9:,.1f} bn"
