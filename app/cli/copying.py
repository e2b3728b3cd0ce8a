"""The verb that moves a ledger from one store to another."""

from __future__ import annotations

from dataclasses import asdict

import click

from app.cli import options
from app.cli.progress import bar
from app.cli.tables import print_json
from app.cli.terminal import echo
from app.places import Address, read_address


@click.command("copy")
@click.option(
    "--from",
    "source",
    type=read_address,
    metavar=options.HOME,
    required=True,
    help="Where the ledger is.",
)
@click.option(
    "--to",
    "target",
    type=read_address,
    metavar=options.HOME,
    required=True,
    help="An empty home, or one to be made.",
)
@options.json_option
def copy_command(source: Address, target: Address, as_json: bool) -> None:
    """Copy a ledger into an empty home: from a folder into a database, back, or as a backup.

    Positions, bytes, hashes and the marks of commands that had their effect stay as they are, and
    the copy is verified. Views are built anew there. What consumers remember stays behind: they
    count from the moment they are first run there.

    Stop what writes to the first home before. If it is interrupted, nothing has been copied.
    """
    from app.copying import copy_ledger

    with bar("Copying") as progress:
        copied = copy_ledger(source, target, progress)
    if as_json:
        print_json(asdict(copied))
        return
    echo(f"{copied.target}: {copied.events:,} events, and the chain of their hashes is whole")
    if copied.events:
        echo(f"{copied.events}:{copied.chain}")
    if copied.later:
        echo(
            f"{copied.source} was given {copied.later:,} events meanwhile, which the copy lacks:"
            " stop who writes there, and copy it into another empty home",
            err=True,
        )
