"""``pmo import``: reports become recorded facts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import options
from app.cli.tables import print_json, print_rows
from app.home import Home
from app.places import Address

if TYPE_CHECKING:
    from app.importing.report import Report
    from app.importing.reports import ImportResult
    from engine.errors import Problem

_MOST_FINDINGS = 20


@click.command("import")
@click.argument("mapping", type=click.Path(path_type=Path))
@click.argument("files", type=click.Path(path_type=Path), nargs=-1)
@click.option("--strict", is_flag=True, help="Refuse reports with cells that cannot be read.")
@options.home_option
@options.json_option
def import_command(
    mapping: Path, files: tuple[Path, ...], strict: bool, home: Address, as_json: bool
) -> None:
    """Record what reports say, by the MAPPING that tells how they read.

    FILES are reports or folders of them, named as in the mapping; without them they are looked for
    beside it. What is known already is not recorded again. A report that cannot be read as a whole
    is refused before anything is written.
    """
    from app.portfolio import import_portfolio

    with Home.open(home) as opened:
        result = import_portfolio(opened, mapping, files, strict=strict, progress=_tell)
    if as_json:
        findings = [{"where": p.where, "what": p.what, "mend": p.mend} for p in result.findings]
        print_json({"rows": result.rows, "events": result.events, "findings": findings})
        return
    print_imported(result)


def print_imported(result: ImportResult) -> None:
    if not result.events:
        click.echo("nothing new: all of it is recorded already")
    else:
        counts = result.events.most_common()
        print_rows(["recorded", "events"], [[n, f"{c:,}"] for n, c in counts], right=["events"])
    _print_findings(result.findings)


def _print_findings(findings: Iterable[Problem]) -> None:
    told = list(findings)
    for finding in told[:_MOST_FINDINGS]:
        click.echo(f"finding: {finding}", err=True)
    if len(told) > _MOST_FINDINGS:
        click.echo(f"and {len(told) - _MOST_FINDINGS} findings more; --json lists all", err=True)


def _tell(report: Report, differing: int) -> None:
    day = report.rule.as_of
    click.echo(
        f"{report.name} (as of {day}): {len(report.rows)} projects, {differing} with news", err=True
    )
