"""``pmo import``: reports become recorded facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import options
from app.cli.tables import print_json, print_rows
from app.cli.terminal import clean, echo
from app.home import Home
from app.places import Address

if TYPE_CHECKING:
    from app.importing.report import Report
    from app.importing.reports import ImportResult
    from engine.errors import Problem

_MOST_FINDINGS = 20
_MOST_CASES = 20


@click.command("import")
@click.argument("mapping", type=click.Path(path_type=Path))
@click.argument("files", type=click.Path(path_type=Path), nargs=-1)
@click.option("--strict", is_flag=True, help="Refuse reports with cells that cannot be read.")
@click.option("--dry-run", is_flag=True, help="Only say what would be recorded; change nothing.")
@options.actor_option
@options.home_option
@options.json_option
def import_command(
    mapping: Path,
    files: tuple[Path, ...],
    strict: bool,
    dry_run: bool,
    actor: str | None,
    home: Address,
    as_json: bool,
) -> None:
    """Record what reports say, by the MAPPING that tells how they read.

    FILES are reports or folders of them, named as in the mapping; without them they are looked for
    beside it. What is known already is not recorded again. A report that cannot be read as a whole
    is refused before anything is written. Events bear the name of the mapping, on behalf of whoever
    imports.

    \b
    pmo import imports/initiatives.yaml --dry-run
    pmo import imports/initiatives.yaml --as ana:pmo-analyst
    """
    from app.portfolio import import_portfolio, try_import

    bring = try_import if dry_run else import_portfolio
    with Home.open(home) as opened:
        importer = options.read_actor(actor).id
        result = bring(opened, mapping, files, importer=importer, strict=strict, progress=_tell)
    if as_json:
        findings = [{"where": p.where, "what": p.what, "mend": p.mend} for p in result.findings]
        print_json(
            {
                "recorded": not dry_run,
                "rows": result.rows,
                "events": result.events,
                "begun": result.begun,
                "findings": findings,
            }
        )
        return
    _print_events(result, "would be recorded" if dry_run else "recorded")
    _print_findings(result.findings)
    if dry_run:
        _print_begun(result.begun)


def _print_events(result: ImportResult, title: str) -> None:
    if not result.events:
        echo("nothing new: all of it is recorded already")
        return
    counts = result.events.most_common()
    print_rows([title, "events"], [[n, f"{c:,}"] for n, c in counts], right=["events"])


def _print_begun(begun: Mapping[str, str]) -> None:
    told = list(begun.items())
    if told:
        echo()
        print_rows(["would begin", "called"], [[k, clean(name)] for k, name in told[:_MOST_CASES]])
    if len(told) > _MOST_CASES:
        echo(f"and {len(told) - _MOST_CASES} cases more; --json lists all", err=True)


def _print_findings(findings: Iterable[Problem]) -> None:
    told = list(findings)
    for finding in told[:_MOST_FINDINGS]:
        echo(f"finding: {finding}", err=True)
    if len(told) > _MOST_FINDINGS:
        echo(f"and {len(told) - _MOST_FINDINGS} findings more; --json lists all", err=True)


def _tell(report: Report, differing: int) -> None:
    day = report.rule.as_of
    echo(
        f"{report.name} (as of {day}): {len(report.rows)} projects, {differing} with news", err=True
    )
