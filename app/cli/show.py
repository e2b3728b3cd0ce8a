"""``pmo show``: one case, on both clocks. It reads views and one stream, and imports no engine,
unless what comes next depends on votes, agreement, authority or children, or --as asks for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from app.cases import describe
from app.cli import options
from app.cli.completing import complete_case
from app.cli.keys import no_case, nothing_yet
from app.cli.next_steps import for_somebody, print_for, print_next, with_hurdles
from app.cli.tables import (
    MISSING,
    print_json,
    print_pairs,
    show_gone_up,
    show_moment,
    show_paper,
    show_value,
)
from app.cli.terminal import bold, clean, dim, echo
from app.home import Home
from app.offers import Offer, Prospect, offers
from app.places import Address
from projections import register_pages
from projections.cases import case as case_now
from projections.definitions import definition


@click.command("show")
@click.argument("case", shell_complete=complete_case)
@options.moment_options
@options.actor_option
@options.home_option
@options.json_option
def show_command(
    case: str,
    as_of: str | None,
    known_at: str | None,
    actor: str | None,
    home: Address,
    as_json: bool,
) -> None:
    """Show a CASE: its state and data, evidence, who acted and has signed, what can come next.

    With --as-of and --known-at it is shown as it stood, or was believed to stand, at a moment; with
    --as, what comes next is what this person may do, and why not the rest.
    """
    asked = options.asked_about(actor)
    with Home.open(home) as opened:
        about = case_now(opened.views, case)
        if about is None:
            raise no_case(opened, case)
        events = opened.stream(case)
        described = describe(opened.views, case, events, as_of, known_at)
        if described is None:
            raise nothing_yet(case, events)
        fields = register_pages.fields(opened.views, about["workflow"])
        offered: list[Offer] = []
        prospect: Prospect | None = None
        if as_of is None and known_at is None:
            rules = definition(opened.views, about["workflow"], about["definition_version"])
            found = offers(rules["body"] if rules else {}, described["state"], described["data"])
            if asked is None:
                offered = with_hurdles(opened, case, found)
            else:
                prospect = for_somebody(opened, case, found, options.read_actor(asked))
                offered = [*prospect.offered]
    described["next"] = [asdict(offer) for offer in offered]
    if as_json:
        print_json(described)
        return
    _print_case(described, fields)
    if offered:
        echo("\nnext")
        if prospect is None:
            print_next(offered)
        else:
            print_for(prospect)


def _print_case(case: dict[str, Any], fields: Sequence[register_pages.Field]) -> None:
    data = case["data"]
    title = f"  {show_value(case['title'])}" if case["title"] else ""
    echo(f"{bold(case['key'])}  {case['state']}{title}")
    rules = f"{case['workflow']} {case['definition_version']}, version {case['version']}"
    clocks = f"so since {show_moment(case['occurred_at'])}"
    echo(dim(f"{rules}, {clocks}, recorded {show_moment(case['recorded_at'])}"))
    if case["gone_up"]:
        echo(show_gone_up(case["gone_up"]))
    if case["as_of"] or case["known_at"]:
        moments = [
            f"as of {show_moment(case['as_of'])}" if case["as_of"] else "",
            f"as known at {show_moment(case['known_at'])}" if case["known_at"] else "",
        ]
        echo(", ".join(filter(None, moments)))
    echo()
    print_pairs(
        {
            field.title or field.name: show_value(data.get(field.name), field.unit)
            for field in fields
        }
    )
    if case["evidence"]:
        echo("\nevidence")
        for paper in case["evidence"]:
            echo(f"  {show_paper(paper)}")
    if case["acted"]:
        echo("\nacted")
        print_pairs({role: ", ".join(who) for role, who in case["acted"].items()})
    if case["signed"]:
        echo("\nsigned")
        print_pairs(_answers(case["signed"]))
    if case["recused"]:
        echo("\nrecused")
        echo(f"  {', '.join(map(clean, case['recused']))}")
    if case["children"]:
        echo("\nchildren")
        print_pairs(
            {c["key"]: f"{c['workflow']}  {c['state'] or MISSING}" for c in case["children"]}
        )


def _answers(signed: Sequence[dict[str, Any]]) -> dict[str, str]:
    """By body or role, who has answered what."""
    told: dict[str, list[str]] = {}
    for one in signed:
        told.setdefault(one["of"], []).append(f"{clean(one['person'])} {one['answer']}")
    return {of: ", ".join(answers) for of, answers in told.items()}
