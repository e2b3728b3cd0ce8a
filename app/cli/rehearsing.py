"""``pmo rehearse``: what a changed definition would have decided otherwise."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import options
from app.cli.failures import CheckFailed
from app.cli.keys import no_workflow
from app.cli.progress import bar
from app.cli.tables import print_json
from app.cli.terminal import bold, clean, dim, echo
from app.home import Home
from app.places import Address

if TYPE_CHECKING:
    from engine.rehearsal import Came, Judged


@click.command("rehearse")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("cases", metavar="[CASE]...", nargs=-1)
@click.option("--since", type=options.Moment(), help="Only what was recorded from that day on.")
@options.home_option
@options.json_option
def rehearse_command(
    file: Path, cases: tuple[str, ...], since: str | None, home: Address, as_json: bool
) -> None:
    """What would the definition in FILE have decided? Changes nothing.

    Every step that was ever asked for in a case of its workflow (or in the CASES) is asked for
    again: every start, transition and recorded refusal, with the same actor, role, data and
    documents, at the same moment, and the case, registers and other cases as they were then. What
    comes out otherwise is listed. Each step is judged on what really was before it, also after one
    that would have come out otherwise.

    Of an actor's roles the event has the one they acted in; a refusal has none, and neither data
    nor documents: where the answer hangs on them, it is not known, and the listing says so.

    The exit code is 0 if every step comes out as it was, else 1.
    """
    from app.definitions import in_force, load_definitions, newest
    from engine.rehearsal import rehearse

    with Home.open(home) as opened:
        (loaded,) = load_definitions([file], in_force(opened))
        candidate = loaded.definition
        if newest(opened.service, candidate.workflow) is None:
            raise no_workflow(opened, candidate.workflow)
        found: Counter[str] = Counter()
        seen: set[str] = set()
        different = []
        with bar("rehearsing") as progress:
            for judged in rehearse(opened.log, candidate, cases, since or "", progress):
                found[judged.finding] += 1
                seen.add(judged.event.stream)
                if judged.finding != "as it was":
                    different.append(judged)
    if as_json:
        print_json(
            {
                "workflow": candidate.workflow,
                "version": candidate.version,
                "steps": found.total(),
                "cases": len(seen),
                "as_they_were": found["as it was"],
                "otherwise": found["otherwise"],
                "not_known": found["not known"],
                "different": [_as_data(judged) for judged in different],
            }
        )
    else:
        unknown = f", {found['not known']:,} not known" if found["not known"] else ""
        echo(
            f"{found.total():,} steps of {len(seen):,} cases: {found['as it was']:,} as they were,"
            f" {found['otherwise']:,} otherwise{unknown}"
        )
        for judged in different:
            _print(judged)
    if different:
        raise CheckFailed


def _print(judged: Judged) -> None:
    event, now = judged.event, judged.now
    role = f" as {event.role}" if event.role else ""
    said = f"{event.recorded_at[:10]}  {_trigger(judged) or 'start'} by {event.actor.id}{role}"
    at = dim(f"(position {judged.position})")
    echo(f"{bold(clean(event.stream))}  {clean(said)}  {at}")
    echo(f"    {_was(judged.then)}; {_would(judged)}")
    for reason in now.reasons:
        echo(f"    - {clean(reason)}")


def _was(then: Came) -> str:
    return f"led to {_led(then)}" if then.state else "was refused"


def _would(judged: Judged) -> str:
    if judged.finding == "not known":
        if judged.then.state:
            return "now not known: its own version, asked again, does not answer as it did"
        return "now not known: a refusal keeps no roles, data and documents. Without them:"
    if judged.now.state:
        return f"would lead to {_led(judged.now)}"
    return "would be refused:" if judged.then.state else "would be allowed"


def _led(came: Came) -> str:
    return f"{came.state} ({came.name})"


def _trigger(judged: Judged) -> str | None:
    """``None``: the case was started."""
    return getattr(judged.event, "trigger", None)


def _as_data(judged: Judged) -> dict[str, Any]:
    event = judged.event
    return {
        "case": event.stream,
        "position": judged.position,
        "recorded_at": event.recorded_at,
        "occurred_at": event.occurred_at,
        "trigger": _trigger(judged),
        "actor": event.actor.id,
        "role": event.role,
        "finding": judged.finding,
        "then": _came(judged.then),
        "now": _came(judged.now),
    }


def _came(came: Came) -> dict[str, Any]:
    return {"state": came.state, "event": came.name, "reasons": list(came.reasons)}
