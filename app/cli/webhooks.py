"""``pmo webhooks``: where events are posted to; trying an endpoint, and posting again."""

from __future__ import annotations

from dataclasses import asdict

import click

from app.cli import options
from app.cli.failures import CheckFailed
from app.cli.tables import MISSING, print_json, print_rows
from app.cli.terminal import clean, echo
from app.home import Home
from app.places import Address


@click.command("webhooks")
@click.argument("action", type=click.Choice(["test", "replay", "secret"]), required=False)
@click.argument("name", required=False)
@click.option("--from", "first", type=options.COUNT, help="Post again from this position on.")
@options.home_option
@options.json_option
def webhooks_command(
    action: str | None, name: str | None, first: int | None, home: Address, as_json: bool
) -> None:
    """List where events are posted to, and how far each has come; try one, or post again.

    \b
    pmo webhooks
    pmo webhooks secret                  a new secret, for the receiver and for our environment
    pmo webhooks test portal             post an event that says nothing
    pmo webhooks replay portal --from 1  post again what it was told before

    The endpoints stand in settings.yaml; pmo work posts to them. What one refuses is an incident.
    """
    if (first is None) == (action == "replay"):
        raise click.UsageError("replay needs --from, and nothing else takes it")
    if (name is None) != (action in (None, "secret")):
        raise click.UsageError("which? name the webhook, as the settings do")
    if action == "secret":
        from consumers.webhook_settings import new_secret

        echo(new_secret())
        return
    with Home.open(home) as opened:
        if action is None or name is None:
            _list(opened, as_json)
        elif action == "test":
            _test(opened, name, as_json)
        else:
            _replay(opened, name, first or 1, as_json)


def _list(home: Home, as_json: bool) -> None:
    from app.posting import read_hooks

    hooks = read_hooks(home)
    if as_json:
        print_json([asdict(hook) for hook in hooks])
        return
    if not hooks:
        echo("no webhooks: the settings name none (section webhooks:)")
        return
    print_rows(
        ["webhook", "url", "position", "behind", "incidents"],
        [[h.name, h.url, _count(h.position), _count(h.lag), f"{h.incidents:,}"] for h in hooks],
        right=["position", "behind", "incidents"],
    )


def _count(number: int | None) -> str:
    return MISSING if number is None else f"{number:,}"


def _test(home: Home, name: str, as_json: bool) -> None:
    from app.posting import try_hook

    tried = try_hook(home, name)
    if as_json:
        print_json(asdict(tried))
    elif tried.refused:
        echo(f"{name} did not take it: {clean(tried.refused)}")
    else:
        echo(f"{name} took {tried.event_id} within {tried.milliseconds:,.0f} ms")
    if tried.refused:
        raise CheckFailed


def _replay(home: Home, name: str, first: int, as_json: bool) -> None:
    from app.posting import replay

    replayed = replay(home, name, first)
    if as_json:
        print_json(asdict(replayed))
    else:
        echo(f"{replayed.posted:,} events posted again, up to position {replayed.reached:,}")
        if replayed.stopped_at:
            echo(f"position {replayed.stopped_at:,} was refused: {clean(replayed.refused)}")
    if replayed.stopped_at:
        raise CheckFailed
