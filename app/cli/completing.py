"""What a shell completes: the names that a home holds. Where it cannot be asked, it says nothing:
a shell that is in the middle of a line is no place for errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from app.home import Home
from app.places import read_address
from engine.errors import PmoError
from projections.cases import case as case_now
from projections.cases import keys
from projections.definitions import definition, workflows

_MOST = 200
"""Names among which somebody still looks."""


def complete_case(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Keys of cases; small letters will do for capitals, as long as nothing begins with them."""
    found: list[str] = []
    with suppress(PmoError, OSError), _home(ctx) as home:
        found = keys(home.views, incomplete, _MOST) or keys(home.views, incomplete.upper(), _MOST)
    return found


def complete_trigger(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """What leaves the state that the case is in."""
    from app.offers import offers

    found: list[str] = []
    with suppress(PmoError, OSError), _home(ctx) as home:
        about = case_now(home.views, ctx.params.get("case") or "")
        if about:
            rules = definition(home.views, about["workflow"], about["definition_version"])
            found = [
                one.trigger for one in offers(rules["body"] if rules else {}, about["state"], {})
            ]
    return [name for name in dict.fromkeys(found) if name.startswith(incomplete)]


def complete_workflow(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    found: list[str] = []
    with suppress(PmoError, OSError), _home(ctx) as home:
        found = workflows(home.views)
    return [name for name in found if name.startswith(incomplete)]


def complete_workflow_or_case(
    ctx: click.Context, option: click.Parameter, incomplete: str
) -> list[str]:
    named = complete_workflow(ctx, option, incomplete)
    return [*named, *complete_case(ctx, option, incomplete)]


def complete_view(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of views, by their files: to read them takes longer than anybody waits for a key."""
    from app.views import view_names

    found: list[str] = []
    with suppress(PmoError, OSError), _home(ctx) as home:
        found = view_names(home)
    return [name for name in found if name.startswith(incomplete)]


@contextmanager
def _home(ctx: click.Context) -> Iterator[Home]:
    """The home that the line names so far, or else the one that the verb would take."""
    named = ctx.params.get("home") or read_address(os.environ.get("PMO_HOME") or ".pmo")
    with Home.open(named) as home:
        yield home
