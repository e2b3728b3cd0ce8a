"""``pmo demo``: a newcomer's first screen."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import click

from app.cli import options
from app.cli.failures import CheckFailed
from app.cli.history import print_trail
from app.cli.progress import bar
from app.cli.tables import print_aligned, show_value
from app.cli.terminal import bold, clean, dim, echo
from app.places import Address, read_address
from engine.errors import BadInput

if TYPE_CHECKING:
    from app.demo import Share
    from app.home import Home

_BEFORE = "2018-07-31"
"""Three years before the last report was published."""
_BAR = 20


@click.command("demo")
@click.option(
    "--home",
    type=read_address,
    metavar=options.HOME,
    default=".pmo/demo",
    show_default=True,
    help="The demo's own folder.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the year into this file (SVG) instead.",
)
def demo_command(home: Address, picture: Path | None) -> None:
    """Eight years of a real portfolio and a year of one PMO, on the screen in seconds.

    Makes a home of its own. Shows the UK Government Major Projects Portfolio now, its most
    re-baselined projects, the trail of one, and the portfolio as it was known three years before;
    then a year of one PMO that is made up, played through real commands: what was decided, refused
    and late, the objectives, a decision with its votes, how the plan was revised, what waits; and
    the verification of all of it. The ledger is a re-enactment: what it holds is recorded as if on
    the days on which it was so.
    """
    from app import demo
    from app.cli.year import print_year
    from app.year.tale import tell

    with bar("playing eight years and one more") as progress:
        opened, recorded = demo.enact(home, progress)
    if picture is not None:
        with opened:
            _draw(opened, picture)
        return
    with opened:
        echo(bold("The UK Government Major Projects Portfolio, as reported 2014 to 2021"))
        told = (
            f"{recorded:,} events recorded, those of the year included,"
            if recorded
            else "nothing new, it was all there"
        )
        echo(
            f"{told} in {opened}. A re-enactment: each report is\n"
            "recorded as if on the day it was published.\n"
            + dim("Contains public sector information licensed under the OGL v3.0.")
        )
        _print_now(opened)
        _print_rebaselined(opened)
        _print_trail(opened)
        _print_before(opened)
        echo()
        print_year(tell(opened, demo.ENDS_ON))
        sound = _print_verification(opened)
        _print_next(opened)
    if not sound:
        raise CheckFailed


def _draw(home: Home, file: Path) -> None:
    from app.demo import ENDS_ON
    from app.year.picture import draw_year

    drawn = draw_year(home, ENDS_ON)
    try:
        file.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise BadInput.one(str(file), f"cannot be written: {error.strerror}") from None
    echo(f"the year is in {file}")


def _print_now(home: Home) -> None:
    from app.demo import by_department, by_rating, present

    projects = present(home.views)
    _head(f"The portfolio now: {len(projects)} projects")
    _print_shares("rating", by_rating(projects))
    echo()
    departments = by_department(projects)
    _print_shares("department", departments[:8])
    echo(dim(f"and {len(departments) - 8} departments more"))


def _print_shares(what: str, shares: Iterable[Share]) -> None:
    shares = list(shares)
    most = max(share.projects for share in shares)
    print_aligned(
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
    print_aligned(
        ["times", "case", "project", "end now"],
        [
            [str(times), row.key, clean(row.data["name"]), show_value(row.data.get("end"))]
            for times, row in most_rebaselined(home.views, 8)
        ],
        right=["times"],
    )


def _print_trail(home: Home) -> None:
    from app.demo import PROJECT, find_project
    from app.trail import trail, units

    project = find_project(home.views, PROJECT)
    if project is None:
        return
    _head(f"{PROJECT} ({project.key}): all that was reported of it")
    events = home.stream(project.key)
    print_trail(trail(events), units(home.stream, events[0][1]["definition"]["name"]))


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
        echo()
        fields = ("end", "whole_life_cost", "rating")
        print_aligned(
            [PROJECT, "as known then", "as known now"],
            [[f, show_value(then.data.get(f)), show_value(now.data.get(f))] for f in fields],
        )


def _print_verification(home: Home) -> bool:
    from app.verification import verify_home

    _head("Verified")
    with bar("comparing") as progress:
        verified = verify_home(home, progress)
    for line in verified.lines():
        echo(clean(line))
    return verified.sound


def _print_next(home: Home) -> None:
    from app.demo import PROJECT, find_project

    project = find_project(home.views, PROJECT)
    key = project.key if project else "GMPP-0001"
    _head("Try next")
    echo(f"  export PMO_HOME={home}")
    if which("pmo") is None:  # as after `make run`, which has it in .venv/bin
        echo(f'  export PATH="{Path(sys.argv[0]).parent}:$PATH"')
    for command in (
        f"pmo history {key}",
        f"pmo show {key} --known-at {_BEFORE}",
        "pmo list major-project --where 'rating=Red' --sort -whole_life_cost",
        "pmo view decisions --as-of 2022-12-31",
        "pmo waiting --as sponsor.transport",
        "pmo view waiting --as sponsor.transport --as-of 2022-12-31",
        "pmo view delegations --as-of 2022-08-15",
        "pmo view objectives --known-at 2022-07-31",
        "pmo history OBJ-0001",
        "pmo diagram DEC-0003 -o decision.svg",
        "pmo metrics V1 --as-of 2022-12-31",
        "pmo demo --picture year.svg",
    ):
        echo(f"  {command}")


def _head(title: str) -> None:
    echo(f"\n{bold(title)}")


def _billions(pounds: Decimal) -> str:
    return f"GBP {pounds / 10**9:,.1f} bn"
