"""Verbs for a home as a whole: init, status, verify, rebuild."""

from __future__ import annotations

from dataclasses import asdict

import click

from app.cli import options
from app.cli.failures import CheckFailed
from app.cli.progress import bar
from app.cli.tables import MISSING, print_json, print_pairs, print_rows, show_moment
from app.cli.terminal import bold, clean, echo
from app.cli.work import tell_waiting
from app.home import Home
from app.places import Address


@click.command("init")
@click.option("--bare", is_flag=True, help="Publish no workflows.")
@click.option(
    "--admit",
    metavar="ROLE",
    help="Let this role of the database work with the home: it can read and append, and keeps the"
    " views. As the owner of the log.",
)
@options.actor_option
@options.home_option
@options.json_option
def init_command(
    bare: bool, admit: str | None, actor: str | None, home: Address, as_json: bool
) -> None:
    """Make a home and publish the shipped workflows. Doing it again changes nothing."""
    from app.consuming import switch_on
    from app.definitions import load_definitions, newest, publish
    from workflows import shipped

    published = {}
    with Home.create(home) as opened:
        new = opened.log.head() == 0
        requester = options.read_actor(actor)
        for loaded in [] if bare else load_definitions(shipped()):
            definition = loaded.definition
            before = newest(opened.service, definition.workflow)
            if before is None or before.version < definition.version:
                publish(opened.service, loaded, requester, None)
                published[definition.workflow] = definition.version
        if new:
            switch_on(opened)
        opened.catch_up()
        if admit:
            opened.place.admit(admit)
    if as_json:
        print_json({"home": str(opened), "new": new, "published": published, "admitted": admit})
        return
    echo(f"{opened}: {'a new home' if new else 'is a home already, nothing in it is changed'}")
    for workflow, version in published.items():
        echo(f"  {workflow} version {version} is published")
    if admit:
        echo(f"  {admit} may work with it")
    if published:
        echo("next: pmo start decision title=... --as NAME:requester")


_CLOCKS_APART = 60
"""Seconds by which clocks that are right may differ."""


@click.command("status")
@options.home_option
@options.json_option
def status_command(home: Address, as_json: bool) -> None:
    """How far the log and its views are, what they hold, and what waits to be mended."""
    from app.state import read_state

    with Home.open(home) as opened:
        state = read_state(opened)
    if as_json:
        print_json(asdict(state))
        return
    echo(bold(str(opened)))
    print_pairs(
        {
            "log": f"{state.head:,} events, the last recorded {show_moment(state.last_recorded_at)}"
            if state.last_recorded_at
            else "empty",
            "views": f"{state.lag:,} events behind" if state.lag else "up to date",
            "parked": f"{len(state.parked)} events wait to be mended" if state.parked else "none",
            "deadlines": f"{state.deadlines:,} open"
            + (f", {len(state.refused)} due and refused" if state.refused else ""),
            "size": f"ledger {state.ledger_bytes:,} bytes, views {state.views_bytes:,} bytes",
            "checks": "pmo verify checks the log's chain and every view",
        }
    )
    if state.ahead > _CLOCKS_APART:
        then = show_moment(state.last_recorded_at or "")
        echo(
            f"warning: the log is {state.ahead:,} seconds ahead of this clock. All that is asked"
            f" for is judged and recorded as of {then} until this clock is there, too.\n"
            "One of the clocks was wrong. Where it was the log's, go back to a backup of before."
        )
    for position, projection, stream, reason in state.parked:
        echo(f"    position {position}, {stream}, in {projection}: {clean(reason)}")
    tell_waiting(state.refused)
    if state.consumers:
        echo()
        print_rows(
            ["consumer", "behind", "incidents", "at work in"],
            [
                [c.consumer, f"{c.lag:,}", f"{c.incidents:,}", c.leader or MISSING]
                for c in state.consumers
            ],
            right=["behind", "incidents"],
        )
    if any(consumer.incidents for consumer in state.consumers):
        echo("pmo incidents tells what could not be done, and why")
    if state.definitions:
        echo()
        print_rows(
            ["workflow", "version", "title", "published"],
            [
                [d["name"], str(d["version"]), d["title"], show_moment(d["published_at"])]
                for d in state.definitions
            ],
            right=["version"],
        )
    if state.cases:
        echo()
        print_rows(
            ["workflow", "state", "cases"],
            [[c["workflow"], c["state"], f"{c['cases']:,}"] for c in state.cases],
            right=["cases"],
        )


@click.command("rebuild")
@click.option("--parked", is_flag=True, help="Only try the events again that wait to be mended.")
@options.home_option
@options.json_option
def rebuild_command(parked: bool, home: Address, as_json: bool) -> None:
    """Build the views anew from the log; the old ones can be read until the new ones are there.

    A file of views that is damaged is set aside first, as views.db.damaged.
    """
    with Home.open(home) as opened:
        if parked:
            mended = opened.runner.retry_parked()
            left = opened.runner.status().parked
            told = {"mended": mended, "parked": left}
            words = f"{mended} parked events are mended, {left} still wait"
        else:
            if aside := opened.set_aside_views():
                echo(f"the views were damaged: that file is {aside} now", err=True)
            with bar("rebuilding") as progress:
                reached = opened.runner.rebuild(progress=progress)
            told = {"position": reached}
            words = f"the views are built anew from {reached:,} events"
    if as_json:
        print_json(told)
    else:
        echo(words)


@click.command("verify")
@click.option(
    "--expect",
    metavar="POSITION:HASH",
    help="What was told before: the log up to there must still be that one.",
)
@options.home_option
@options.json_option
def verify_command(expect: str | None, home: Address, as_json: bool) -> None:
    """Check the log's chain of hashes, then fold it again and compare every view with it.

    The last line tells the position and the hash of the chain's end. Kept elsewhere, they show
    later, by --expect, whether somebody wrote the ledger anew.
    """
    from app.verification import Expected, verify_home

    expected = Expected.read(expect) if expect is not None else None
    with Home.open(home) as opened, bar("comparing") as progress:
        verified = verify_home(opened, progress, expected)
    if as_json:
        print_json(asdict(verified))
    else:
        for line in verified.lines():
            echo(clean(line))
    if not verified.sound:
        raise CheckFailed
