"""Verbs of those who take part in what others decide: sign, declare-conflict."""

from __future__ import annotations

from typing import Any

import click

from app.cli import options
from app.cli.completing import complete_case
from app.cli.writing import common, find_case, send
from app.home import Home
from app.places import Address


@click.command("sign")
@click.argument("case", shell_complete=complete_case)
@click.argument("answer", type=click.Choice(["for", "against", "abstain", "withdrawn"]))
@click.option(
    "--of", metavar="BODY|ROLE", required=True, help="The body that votes, or the role that agrees."
)
@options.command_options
@options.actor_option
@options.home_option
@options.json_option
def sign_command(
    case: str, answer: str, of: str, home: Address, as_json: bool, **given: Any
) -> None:
    """Answer what a CASE is up for: vote as a member of a body, or agree in a role.

    A new answer takes the place of the one before. Answers count in the state they were given in.

    \b
    pmo sign DEC-0042 for --of investment-board --as member.a
    pmo sign DEC-0042 against --of finance --reason "the money is not there" --as fin:finance
    """
    from engine.commands import Sign

    with Home.open(home) as opened:
        found = find_case(opened, case)
        command = options.build(Sign, case=found.key, of=of, answer=answer, **common(given))
        send(opened, command, as_json)


@click.command("declare-conflict")
@click.argument("case", shell_complete=complete_case)
@options.command_options
@options.actor_option
@options.home_option
@options.json_option
def declare_conflict_command(case: str, home: Address, as_json: bool, **given: Any) -> None:
    """Declare an interest in a CASE: from now on you have no vote in it, and take no step that
    rests on votes, agreement or authority, or that keeps people apart.

    A body that votes counts without you: its quorum is a share of those who are left. Any
    other step of your roles is not kept from you.
    """
    from engine.commands import DeclareConflict

    with Home.open(home) as opened:
        found = find_case(opened, case)
        send(opened, options.build(DeclareConflict, case=found.key, **common(given)), as_json)
