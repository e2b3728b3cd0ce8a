"""``pmo waiting``: what waits for me, since when, until when, and what I may do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import click

from app.cli import options
from app.cli.next_steps import print_for
from app.cli.tables import (
    MISSING,
    print_json,
    print_rows,
    show_gone_up,
    show_moment,
    show_value,
)
from app.cli.terminal import bold, clean, dim, echo
from app.home import Home
from app.places import Address
from app.waiting import Waiting, described, for_everybody, for_one
from projections.definitions import published


@click.command("waiting")
@click.option("--everybody", is_flag=True, help="What waits for anybody, and for whom.")
@click.option(
    "--limit", type=options.COUNT, default=50, show_default=True, help="Cases shown at most."
)
@options.actor_option
@options.home_option
@options.json_option
def waiting_command(
    everybody: bool, limit: int, actor: str | None, home: Address, as_json: bool
) -> None:
    """What waits for you: since when, until when, what you may do, and why not the rest.

    The nearest day comes first, so what is overdue leads; then what no day asks for, and what has
    gone up to you though no step is yours. The registers say which cases name you, and of these the
    engine says what you may do now.

    \b
    pmo waiting --as ann                    # roles by appointment, seats on bodies, delegations
    pmo waiting --as rosa:reviewer          # and a role that you say you have
    pmo waiting --everybody
    """
    if everybody and options.asked_about(actor):
        raise click.UsageError("say --as or --everybody, not both")
    with Home.open(home) as opened:
        if everybody:
            _tell_all(for_everybody(opened), limit, as_json)
            return
        asker = options.read_actor(actor)
        found = list(islice(for_one(opened, asker), limit + 1))
        strange = [] if as_json else [*_strange(opened, asker.roles)]
    if as_json:
        print_json(described(found, asker, limit))
        return
    more = len(found) > limit
    found = found[:limit]
    mine = [waiting for waiting in found if waiting.prospect and waiting.prospect.may]
    others = [waiting for waiting in found if waiting not in mine]
    late = sum(waiting.late for waiting in mine)
    overdue = f", {late} overdue" if late else ""
    who = clean(asker.id)
    if mine:
        echo(bold(f"{_counted(mine)} for {who}{overdue}"))
    else:
        echo(f"nothing waits for {who}")
    for waiting in mine:
        _print(waiting)
    if others:
        one = len(others) == 1
        echo(f"\n{len(others)} more {'names' if one else 'name'} {who}, who can do nothing now")
        for waiting in others:
            _print(waiting)
    for hint in strange:
        echo(f"hint: {hint}", err=True)
    if not found and not asker.roles:
        echo(f"hint: in a role that you say you have: --as {who}:ROLE", err=True)
    if more:
        echo(f"these are the first {limit:,} cases; --limit shows more", err=True)


def _strange(home: Home, roles: Iterable[str]) -> Iterator[str]:
    """Of roles that no workflow speaks of, which is a slip: nothing ever waits for such a one."""
    known = {role for row in published(home.views) for role in row["body"].get("roles", ())}
    for role in roles:
        if role not in known:
            from difflib import get_close_matches

            near = get_close_matches(role, sorted(known), n=1)
            mend = f" (did you mean {near[0]!r}?)" if near else ""
            yield f"no workflow speaks of the role {role!r}{mend}"


def _tell_all(found: Sequence[Waiting], limit: int, as_json: bool) -> None:
    if as_json:
        print_json(described(found, None, limit))
        return
    late = sum(waiting.late for waiting in found)
    echo(bold(f"{_counted(found)} for somebody" + (f", {late:,} overdue" if late else "")))
    echo()
    print_rows(
        ["until", "chased", "", "case", "title", "state", "since", "for"],
        [
            [
                _day(waiting.until),
                _day(waiting.chased),
                "overdue" if waiting.late else "",
                waiting.key,
                _short(show_value(waiting.title)),
                _spoken(waiting.state),
                _day(waiting.since),
                ", ".join(waiting.asked),
            ]
            for waiting in found[:limit]
        ],
    )
    if len(found) > limit:
        echo(f"these are the first {limit:,} of {len(found):,}; --limit shows more", err=True)


def _print(waiting: Waiting) -> None:
    title = f"  {show_value(waiting.title)}" if waiting.title else ""
    if waiting.about:
        title = f"  {', '.join(_short(show_value(value)) for value in waiting.about)}"
    days = f"since {_day(waiting.since)}"
    if waiting.until:
        days += f", until {_day(waiting.until)}"
    if waiting.chased:
        days += f", chased {_day(waiting.chased)}"
    overdue = f"  {bold('overdue')}" if waiting.late else ""
    echo(f"\n{bold(clean(waiting.key))}{title}{overdue}")
    echo(dim(f"  {clean(waiting.workflow)}, {clean(_spoken(waiting.state))} {days}"))
    if waiting.gone_up:
        echo(f"  {show_gone_up(waiting.gone_up)}")
    if waiting.only_told:
        nothing = not (waiting.prospect and waiting.prospect.may)
        echo("  gone up to you" + ("; nothing here is yours to do" if nothing else ""))
    if waiting.prospect:
        print_for(waiting.prospect)


def _counted(found: Sequence[Waiting]) -> str:
    return "1 case waits" if len(found) == 1 else f"{len(found):,} cases wait"


def _day(moment: str | None) -> str:
    return show_moment(moment)[:10] if moment else MISSING


def _spoken(state: str) -> str:
    return state.replace("_", " ")


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
