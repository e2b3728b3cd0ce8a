"""Verbs for workflows: check, publish, workflows, diagram."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import options
from app.cli.completing import complete_workflow_or_case
from app.cli.failures import CheckFailed, tell_problems
from app.cli.keys import neither
from app.cli.progress import bar
from app.cli.tables import print_json, print_rows, show_moment
from app.cli.terminal import bold, dim, echo, echo_json
from app.home import Home
from app.places import Address, place_of, read_address
from engine.errors import BadInput

if TYPE_CHECKING:
    from app.definitions import Loaded
    from engine.definition import Definition

_PATHS = click.Path(path_type=Path)


@click.command("check")
@click.argument("paths", type=_PATHS, nargs=-1)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of definitions, for editors.")
@click.option(
    "--against",
    type=read_address,
    metavar="HOME|PATH",
    help="What subscribers rely on: what this home has published, or what these files say.",
)
@options.home_option
@options.json_option
def check_command(
    paths: tuple[Path, ...], schema: bool, against: Address | None, home: Address, as_json: bool
) -> None:
    """Check definitions (files, or folders of them) and run the scenarios beside them.

    Without PATHS what ships is checked. Every problem is told with file, line, column
    and how to mend it. NAME.scenarios.yaml beside NAME.yaml holds its scenarios; what none
    of them shows is listed. What they refer to is looked for among them and in the home;
    where there is no home, among the shipped workflows.

    Mappings of reports, views, metrics, the chapters of a year and a home's settings.yaml are
    checked, too.

    PATHS are also compared with what the home has published (or with what --against names): a
    change that breaks those who read the events fails the check, unless the definition says so
    under `breaks`. pmo contract diff lists the changes.
    """
    from app.checking import check
    from app.contracts.baseline import read_versions
    from app.definitions import ever_published, in_force, load_definitions, run_by_cases
    from engine.schema import definition_schema
    from workflows import BESIDE, shipped

    if schema:
        print_json(definition_schema())
        return
    baseline: list[Definition] = []
    running: list[Definition] = []
    with closing(place_of(home)) as place:
        is_home = place.exists()
    if is_home:
        with Home.open(home) as opened:
            known = in_force(opened)
            baseline = ever_published(opened) if paths else []
            running = run_by_cases(opened)
    else:
        known = [loaded.definition for loaded in load_definitions(shipped())]
    if against is not None:
        baseline = read_versions(against)
    with bar("playing scenarios") as progress:
        report = check(paths or (*shipped(), *BESIDE), known, baseline, running, progress)
    if as_json:
        print_json(report.as_data())
    else:
        for line in report.lines():
            echo(line)
        tell_problems(report.problems)
    if not report.sound:
        raise CheckFailed


@click.command("publish")
@click.argument("files", type=_PATHS, nargs=-1, required=True)
@click.option("--reason", help="Why.")
@click.option(
    "--skip-scenarios",
    is_flag=True,
    help="Do not play the scenarios beside them: publish though they fail.",
)
@options.actor_option
@options.home_option
@options.json_option
def publish_command(
    files: tuple[Path, ...],
    reason: str | None,
    skip_scenarios: bool,
    actor: str | None,
    home: Address,
    as_json: bool,
) -> None:
    """Put the definitions in FILES (or folders) in force for cases that start from now on.

    Running cases stay with the definition they began with, until they are migrated (pmo migrate).
    Publishing the same again changes nothing. The scenarios beside what is new or changed are
    played before, as pmo check does: where one fails, nothing is published. What breaks those who
    read the events is told as a warning; pmo check tells it before.
    """
    from app.contracts.baseline import compare, require_successors
    from app.definitions import (
        ever_published,
        find_definitions,
        in_force,
        load_definitions,
        publish,
        run_by_cases,
    )
    from app.lookups import absent

    with Home.open(home) as opened:
        requester = options.read_actor(actor)
        before = ever_published(opened)
        known, running = in_force(opened), run_by_cases(opened)
        loaded = load_definitions(find_definitions(files), known, running)
        require_successors(loaded, before)
        if not skip_scenarios:
            _require_scenarios(loaded, known, as_json)
        broken = [problem for beside in compare(loaded, before) for problem in beside.problems]
        outcomes = [publish(opened.service, one, requester, reason) for one in loaded]
        opened.catch_up()
        lacking = absent([one.definition for one in loaded], opened)
    for problem in broken:
        echo(f"warning: {problem}", err=True)
    for one in lacking:
        echo(f"hint: {one}", err=True)
    if as_json:
        print_json(
            [
                {
                    "workflow": outcome.definition.workflow,
                    "version": outcome.definition.version,
                    "hash": outcome.definition.hash,
                    "position": outcome.receipt.position,
                    "new": outcome.new,
                }
                for outcome in outcomes
            ]
        )
        return
    for outcome in outcomes:
        named = f"{outcome.definition.workflow} version {outcome.definition.version}"
        told = "is published" if outcome.new else "was published already"
        echo(f"{bold(named)} {told}  {dim(f'(position {outcome.receipt.position})')}")


def _require_scenarios(
    loaded: Sequence[Loaded], known: Sequence[Definition], as_json: bool
) -> None:
    """Play those beside what is new or changed. Raises ``CheckFailed``, having said why."""
    from app.checking import play

    there = {definition.hash for definition in known}
    fresh = [one for one in loaded if one.definition.hash not in there]
    with bar("playing scenarios") as progress:
        report = play(fresh, loaded, known, progress)
    if report.sound:
        return
    what = "nothing is published, because scenarios beside the definitions fail"
    if as_json:
        told = {"error": "scenarios-fail", "what": what, **report.as_data()}
        echo_json(json.dumps(told, ensure_ascii=False), err=True)
    else:
        for line in report.failing():
            echo(line, err=True)
        tell_problems(report.problems)
        echo(f"error: {what} (mend them; --skip-scenarios publishes all the same)", err=True)
    raise CheckFailed


@click.command("workflows")
@options.home_option
@options.json_option
def workflows_command(home: Address, as_json: bool) -> None:
    """List the published definitions, all versions of them."""
    from projections.definitions import published

    with Home.open(home) as opened:
        rows = published(opened.views)
    if as_json:
        print_json(rows)
        return
    print_rows(
        ["workflow", "version", "title", "published", "by", "hash"],
        [
            [
                row["name"],
                str(row["version"]),
                row["title"],
                show_moment(row["published_at"]),
                row["published_by"],
                row["hash"][:12],
            ]
            for row in rows
        ],
        right=["version"],
    )


@click.command("diagram")
@click.argument("name", metavar="WORKFLOW|CASE", shell_complete=complete_workflow_or_case)
@click.option("--format", "form", type=click.Choice(["svg", "mermaid"]), default="svg")
@click.option("--output", "-o", type=_PATHS, help="Write it to this file.")
@options.home_option
def diagram_command(name: str, form: str, output: Path | None, home: Address) -> None:
    """Draw a workflow, or the workflow of a case with where it is and the way it took."""
    from app.drawn import draw

    with Home.open(home) as opened:
        picture = draw(opened, name, form == "svg")
        if picture is None:
            raise neither(opened, name)
    if output is None:
        click.echo(picture, nl=not picture.endswith("\n"))
        return
    _write(output, picture)
    echo(f"{output} is written", err=True)


def _write(file: Path, text: str) -> None:
    """All of it or nothing: a full disk leaves what was there before."""
    # A device or a pipe takes what it is given; nothing can be put in its place.
    beside = file if file.exists() and not file.is_file() else file.with_name(f".{file.name}.new")
    try:
        if file.is_file():
            file = file.resolve()
        try:
            beside.write_text(text, encoding="utf-8")
            if beside != file:
                beside.replace(file)
        finally:
            if beside != file:
                beside.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput.one(str(file), f"cannot be written: {error.strerror}") from None
