"""``pmo incidents``: what consumers could not do, and what becomes of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from app.cli import options
from app.cli.failures import CheckFailed
from app.cli.tables import print_json, show_moment
from app.cli.terminal import bold, clean, dim, echo
from app.home import Home
from app.places import Address

if TYPE_CHECKING:
    from consumers.store import Incident


@click.command("incidents")
@click.argument("action", type=click.Choice(["retry", "dismiss"]), required=False)
@click.argument("numbers", metavar="[NUMBER...|all]", nargs=-1)
@click.option("--reason", help="Why it is dismissed.")
@click.option("--closed", is_flag=True, help="List those that were retried or dismissed, too.")
@options.actor_option
@options.home_option
@options.json_option
def incidents_command(
    action: str | None,
    numbers: tuple[str, ...],
    reason: str | None,
    closed: bool,
    actor: str | None,
    home: Address,
    as_json: bool,
) -> None:
    """List what consumers could not do, with its reason; try it again, or dismiss it.

    \b
    pmo incidents
    pmo incidents retry 3        (or: retry all) once what kept it is mended
    pmo incidents dismiss 3 --reason "the plan was withdrawn"

    A reaction that was refused is an incident, as is a chain of reactions that was stopped. Nothing
    is done twice: what had its effect after all is only closed.
    """
    from app.consuming import dismiss, read_incidents, retry

    if action is not None and closed:
        raise click.UsageError(f"--closed lists, and does not {action}")
    if action is None:
        with Home.open(home) as opened:
            _list(read_incidents(opened, closed), as_json)
        return
    wanted = _numbers(numbers)
    if (reason is None or not reason.strip()) and action == "dismiss":
        raise click.UsageError("a dismissal needs its --reason")
    by = options.read_actor(actor).id
    with Home.open(home) as opened:
        if action == "dismiss":
            count = dismiss(opened, wanted, by, reason or "")
            told, words = {"dismissed": count}, f"{count} dismissed"
            left = 0
        else:
            result = retry(opened, wanted, by)
            left = result.left
            told = {"done": result.done, "left": left}
            words = f"{result.done} done, {left} could not be done this time either"
    if as_json:
        print_json(told)
    else:
        echo(words if not left else f"{words}: pmo incidents says why")
    if left:
        raise CheckFailed


def _numbers(said: tuple[str, ...]) -> list[int] | None:
    """``None``: all of them."""
    if said == ("all",):
        return None
    if not said or not all(word.isascii() and word.isdigit() and len(word) < 16 for word in said):
        raise click.UsageError("which? write the numbers that pmo incidents lists, or all")
    return [int(word) for word in said]


def _list(incidents: list[Incident], as_json: bool) -> None:
    from engine.clock import SystemClock

    now = SystemClock().now()
    if as_json:
        print_json([{**asdict(one), "age": _age(one.parked_at, now)} for one in incidents])
        return
    if not incidents:
        echo("there are no incidents")
    for one in incidents:
        echo(f"{bold(f'{one.number}')}  {one.consumer}: {clean(one.what or 'all of it')}")
        echo(
            dim(f"    because of {one.stream}, position {one.position};")
            + dim(f" {_age(one.parked_at, now)} ago, tried {_times(one.tries)}")
        )
        for line in one.reason.splitlines():
            echo(f"    {clean(line)}")
        if one.closed_at:
            said = f"{one.closed_for}, by {one.closed_by}, {show_moment(one.closed_at)}"
            echo(f"    closed: {clean(said)}")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _age(since: str, now: str) -> str:
    """How long ago, in the largest whole unit."""
    from engine.clock import to_datetime

    passed = max(timedelta(), to_datetime(now) - to_datetime(since))
    seconds = int(passed.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        count = seconds // size
        if count or size == 1:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError
