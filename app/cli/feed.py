"""``pmo log``: every event in the order in which it was recorded."""

from __future__ import annotations

import click

from app.cli import options
from app.cli.opening import open_patiently
from app.cli.tables import show_moment
from app.cli.terminal import bold, clean, dim, echo, echo_json
from app.home import Home
from app.places import Address
from engine.upcasts import Body


@click.command("log")
@click.option("--after", type=options.POSITION, default=0, help="Go on after this position.")
@click.option("--limit", type=options.COUNT, help="At most so many events.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is recorded from now on.")
@options.home_option
@options.json_option
def log_command(after: int, limit: int | None, follow: bool, home: Address, as_json: bool) -> None:
    """Print the log; with --json one event a line, in canonical JSON with its position.

    The reader of --follow is the one that all consumers use: it skips nothing. Ctrl-C ends it. A
    database that is still starting is waited for.
    """
    from engine.store.tail import tail

    with (open_patiently if follow else Home.open)(home) as opened:
        head = opened.log.head()
        if after > head and not as_json:
            echo(f"hint: the log ends at {head}, and {after} is still to come", err=True)
        last = None if follow else head
        if limit is not None:
            last = after + limit if last is None else min(last, after + limit)
        show = _print_json if as_json else _print_text
        try:
            for batch in tail(opened.log, after, until=last):
                for position, body in batch:
                    show(position, body)
        except KeyboardInterrupt:
            if not follow:
                raise


def _print_json(position: int, body: Body) -> None:
    from engine import canonical

    # The position is no part of the event: it is known only once the event stands in the log.
    echo_json(f'{{"position":{position},{canonical.encode(body).decode()[1:]}')


def _print_text(position: int, body: Body) -> None:
    who, role, state = body["actor"]["id"], body.get("role"), body.get("state")
    told = f"{body['name']} → {state}" if state else body["name"]
    when = dim(f"{position:>6}  {show_moment(body['recorded_at'])}")
    echo(f"{when}  {bold(body['stream'])}  {told}  {clean(who)}{f' as {role}' if role else ''}")
