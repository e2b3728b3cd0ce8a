"""``pmo migrate``: cases go on under another version of their workflow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from app.cli import options
from app.cli.failures import CheckFailed
from app.cli.keys import no_workflow
from app.cli.tables import print_json, show_moment
from app.cli.terminal import bold, clean, dim, echo
from app.cli.writing import catch_up, find_case
from app.home import Home
from app.places import Address

if TYPE_CHECKING:
    from app.migration import Goes, Stays


@click.command("migrate")
@click.argument("cases", nargs=-1, metavar="[CASE]...")
@click.option("--to", "after", type=options.COUNT, required=True, metavar="VERSION")
@click.option("--workflow", help="All of its cases that are under way, instead of CASEs.")
@click.option(
    "--from", "before", type=options.COUNT, metavar="VERSION", help="Of these, those of VERSION."
)
@click.option("--state", help="Where a case goes on whose state VERSION does not have.")
@click.option("--reason", help="Why. Needed, unless it is a dry run.")
@click.option(
    "--id",
    "command_id",
    type=options.CommandId(),
    help="Command id: sent twice, it has one effect. Of several cases each has its own: ID/CASE.",
)
@click.option(
    "--dry-run", is_flag=True, help="Tell what would become of each case; change nothing."
)
@options.actor_option
@options.home_option
@options.json_option
def migrate_command(
    cases: tuple[str, ...],
    after: int,
    workflow: str | None,
    before: int | None,
    state: str | None,
    reason: str | None,
    command_id: str | None,
    dry_run: bool,
    actor: str | None,
    home: Address,
    as_json: bool,
) -> None:
    """Let CASEs that are under way go on by another version of their workflow: a later one, or the
    one they came from, which takes it back.

    A case stays in its state where the version has it, and answers given there are asked for anew.
    What is refused is told with all the reasons, and the exit code is 1; the other cases go.

    \b
    pmo migrate --workflow decision --from 1 --to 2 --dry-run
    pmo migrate DEC-0042 DEC-0043 --to 2 --reason "the board meets weekly now"
    """
    if bool(cases) == bool(workflow) or (before is not None and not workflow):
        raise click.UsageError("name the cases, or a --workflow, with or without --from")
    if reason is None and not dry_run:
        raise click.UsageError("say why: --reason; or look at it first: --dry-run")
    from app.migration import Stays, migrate, preview, running
    from engine import ids
    from engine.commands import MigrateCase
    from projections.definitions import workflows

    with Home.open(home) as opened:
        if workflow is not None:
            if workflow not in workflows(opened.views):
                raise no_workflow(opened, workflow)
            cases = tuple(running(opened, workflow, before, after))
        else:
            cases = tuple(dict.fromkeys(find_case(opened, case).key for case in cases))
        requester = options.read_actor(actor)
        alone = workflow is None and len(cases) == 1

        def id_for(case: str) -> str:
            if command_id is None:
                return ids.new_id()
            return command_id if alone else f"{command_id}/{case}"

        commands = [
            options.build(
                MigrateCase,
                command_id=id_for(case),
                actor=requester,
                case=case,
                to=after,
                state=state,
                reason=reason if reason is not None else "-",
            )
            for case in cases
        ]
        outcomes = []
        for outcome in (preview if dry_run else migrate)(opened, commands):
            outcomes.append(outcome)
            for line in () if as_json else _told(outcome):
                echo(line)
        if not dry_run:
            catch_up(opened)
    stay = sum(isinstance(outcome, Stays) for outcome in outcomes)
    if as_json:
        print_json([asdict(outcome) for outcome in outcomes])
    elif workflow:
        would = "would go" if dry_run else "went"
        echo(f"{len(outcomes) - stay:,} {would} to version {after}, {stay:,} stay")
    if stay:
        raise CheckFailed


def _told(outcome: Goes | Stays) -> Iterator[str]:
    from app.migration import Stays

    if isinstance(outcome, Stays):
        yield f"{bold(outcome.case)}  stays as it is"
        yield from (f"  - {clean(reason)}" for reason in outcome.refused)
        return
    moved = f" → {outcome.state}" if outcome.state != outcome.state_before else ""
    at = dim("(dry run)" if outcome.position is None else f"(position {outcome.position})")
    versions = f"version {outcome.before} → {outcome.after}"
    yield f"{bold(outcome.case)}  {versions}  {outcome.state_before}{moved}  {at}"
    for due in outcome.deadlines:
        yield f"  due {show_moment(due.at)}: {due.then or f'reminder at {due.share}'}"
    if outcome.lapsing:
        yield clean(f"  answers that no longer count: {', '.join(outcome.lapsing)}")
