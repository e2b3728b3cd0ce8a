"""``pmo contract``: what other services may rely on, and what a change would take from them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import options
from app.cli.completing import complete_workflow
from app.cli.failures import CheckFailed
from app.cli.tables import MISSING, print_json, print_rows
from app.cli.terminal import dim, echo, echo_json
from app.home import Home
from app.places import Address, is_database, read_address
from engine.errors import BadInput

if TYPE_CHECKING:
    from app.contracts.baseline import Compared

_PATHS = click.Path(path_type=Path)


@click.group("contract")
def contract_command() -> None:
    """What subscribers may rely on: the events of the published workflows, as schemas.

    Everything is made from the definitions. docs/contracts.md says how to read it.
    """


@contract_command.command("list")
@click.argument("workflows", metavar="[WORKFLOW]...", nargs=-1)
@click.option("--newest", is_flag=True, help="Only the newest version of each workflow.")
@options.home_option
@options.json_option
def list_command(workflows: tuple[str, ...], newest: bool, home: Address, as_json: bool) -> None:
    """List the events of the published workflows: what brings each about, and what it carries."""
    from app.contracts.published import Contracts, listed

    with Home.open(home) as opened:
        rows = [*listed(Contracts.of(opened, newest=newest), workflows)]
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_rows(
        ["workflow", "version", "event", "by", "carries", "tells of before"],
        [
            [
                row.workflow,
                str(row.version),
                row.event,
                ", ".join(row.by),
                ", ".join(row.carries) or MISSING,
                ", ".join(row.tells) or MISSING,
            ]
            for row in rows
        ],
        right=["version"],
    )


@contract_command.command("schema")
@click.argument("workflow", shell_complete=complete_workflow)
@click.argument("event")
@click.option("--version", type=options.COUNT, help="Of this version; else of the newest.")
@click.option("--output", "-o", type=_PATHS, help="Write it to this file.")
@options.home_option
def schema_command(
    workflow: str, event: str, version: int | None, output: Path | None, home: Address
) -> None:
    """Print the JSON Schema (2020-12) of an event, like: pmo contract schema decision DecisionTaken

    Its $id is what the CloudEvents attribute dataschema of such an event names.
    """
    from app.contracts.published import Contracts
    from app.contracts.schema import event_schema

    with Home.open(home) as opened:
        contracts = Contracts.of(opened)
    definition = contracts.find(workflow, version)
    contracts.check_name(definition, event)
    _write(event_schema(definition, event), output)


@contract_command.command("asyncapi")
@click.option("--newest", is_flag=True, help="Only the newest version of each workflow.")
@click.option("--output", "-o", type=_PATHS, help="Write it to this file.")
@options.home_option
def asyncapi_command(newest: bool, output: Path | None, home: Address) -> None:
    """Print the AsyncAPI 3.0 document of everything that is published, as JSON.

    All versions of a workflow are in it, because cases go on under the one they began with. Topics
    are called as the section kafka: of the settings says; without one, as usual.
    """
    from app.contracts.asyncapi import USUAL, document
    from app.contracts.published import Contracts
    from app.settings import read_settings

    with Home.open(home) as opened:
        told = read_settings(opened.path)
        contracts = Contracts.of(opened, newest=newest)
    kafka = told.kafka or USUAL
    _write(document(contracts.definitions, kafka, told.source, contracts.seen), output)


@contract_command.command("diff")
@click.argument("places", metavar="[OLD] NEW", type=read_address, nargs=-1, required=True)
@options.home_option
@options.json_option
def diff_command(places: tuple[Address, ...], home: Address, as_json: bool) -> None:
    """Say what changes for those who read the events, and what breaks them.

    OLD and NEW are definition files, folders of them, or homes. Without OLD, NEW is compared with
    what the home has published. Fails where something breaks that NEW does not own up to.
    """
    from app.contracts.baseline import compare, read_definitions, read_versions

    if len(places) > 2:
        raise click.UsageError("name one or two places to compare, not more")
    old, new = (home, places[0]) if len(places) == 1 else places
    if len(places) == 1:
        Home.open(home).close()  # or say that there is none
    before, after = read_versions(old), read_definitions(new)
    compared = [*compare(after, before)]
    had, has = {one.workflow for one in before}, {one.definition.workflow for one in after}
    added, gone = sorted(has - had), sorted(had - has)
    # What a home has and a folder has not is still in force: only two of a kind are held together.
    gone = gone if len(places) == 2 and (is_database(new) or Path(new).is_dir()) else []
    if as_json:
        print_json({"compared": [_as_data(o) for o in compared], "new": added, "gone": gone})
    else:
        _tell(compared, added, gone)
        for problem in (problem for one in compared for problem in one.problems):
            echo(f"error: {problem}", err=True)
    if any(one.problems for one in compared):
        raise CheckFailed


def _tell(compared: list[Compared], added: list[str], gone: list[str]) -> None:
    for one in compared:
        echo(f"{one.new.workflow} {one.old.version} -> {one.new.version}")
        for change in one.changes:
            mark = "breaks" if change.breaking else "adds  "
            echo(f"  {mark}  {change}{dim(f'  ({change.reason})') if change.reason else ''}")
        if not one.changes:
            echo("  nothing that a subscriber can see")
    for workflow in added:
        echo(f"{workflow}: a new workflow, which breaks nobody")
    for workflow in gone:
        echo(f"{workflow}: not there any more; what is published stays")
    if not (compared or added or gone):
        echo("nothing has changed")


def _as_data(one: Compared) -> dict[str, Any]:
    return {
        "workflow": one.new.workflow,
        "old": one.old.version,
        "new": one.new.version,
        "changes": [asdict(change) for change in one.changes],
        "problems": [{"where": p.where, "what": p.what, "mend": p.mend} for p in one.problems],
    }


def _write(document: dict[str, Any], output: Path | None) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    if output is None:
        echo_json(text)
        return
    try:
        output.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise BadInput.one(str(output), f"cannot be written: {error.strerror}") from None
    echo(f"{output} is written", err=True)
