"""``pmo history``: the trail of one case, read from its own stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import starmap

import click

from app.cli import options
from app.cli.completing import complete_case
from app.cli.keys import no_case, nothing_yet
from app.cli.tables import MISSING, print_json, show_escalation, show_moment, show_paper, show_value
from app.cli.terminal import bold, clean, dim, echo
from app.home import Home
from app.places import Address
from app.trail import Entry, Units, select, trail, units
from engine.upcasts import Body


@click.command("history")
@click.argument("case", shell_complete=complete_case)
@options.moment_options
@options.home_option
@options.json_option
def history_command(
    case: str, as_of: str | None, known_at: str | None, home: Address, as_json: bool
) -> None:
    """The trail of a CASE: who changed what from what to what, when, in which role, and why."""
    with Home.open(home) as opened:
        events = opened.stream(case)
        if not events:
            raise no_case(opened, case)
        measured = units(opened.stream, events[0][1]["definition"]["name"])
    entries = trail(select(events, as_of, known_at))
    if not entries:
        raise nothing_yet(case, events)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    print_trail(entries, measured)


def print_trail(entries: Iterable[Entry], measured: Units) -> None:
    """The events of a trail, each on a few lines."""
    for entry in entries:
        _print_entry(entry, measured.get(entry.definition, {}))


def _print_entry(entry: Entry, measured: Mapping[str, str]) -> None:
    moved = entry.state if entry.state != entry.state_before else None
    arrow = f"  {entry.state_before or MISSING} → {moved}" if moved else ""
    echo(f"{show_moment(entry.occurred_at)}  {bold(entry.name)}{arrow}")
    who = entry.actor + (f" as {entry.role}" if entry.role else "")
    who += f" for {entry.on_behalf_of}" if entry.on_behalf_of else ""
    who += f" ({entry.actor_kind})" if entry.actor_kind != "human" else ""
    place = f"{entry.position}  version {entry.version}"
    said = [place, f"recorded {show_moment(entry.recorded_at)}", who, entry.source]
    echo(dim(f"    {clean('  '.join(filter(None, said)))}"))
    for change in entry.changes:
        late = "  (late: what was so after it stays)" if change.late else ""
        unit = measured.get(change.field, "")
        before, after = show_value(change.before, unit), show_value(change.after, unit)
        echo(f"    {change.field}: {before} → {after}{late}")
    for paper in entry.evidence:
        echo(f"    evidence: {show_paper(paper)}")
    for line in _governance(entry):
        echo(f"    {clean(line)}")
    if entry.refused and entry.trigger:
        echo(f"    asked for: {clean(entry.trigger)}")
    if entry.reads:
        echo(f"    read: {clean(', '.join(starmap(_looked_at, entry.reads.items())))}")
    for reason in entry.refused:
        echo(f"    refused: {clean(reason)}")
    if entry.reason:
        echo(f"    because: {clean(entry.reason)}")
    if entry.conformance and entry.conformance["verdict"] != "conforms":
        verdict = entry.conformance["verdict"].replace("_", " ")
        echo(f"    {verdict}: {clean('; '.join(entry.conformance['rules']))}")


def _governance(entry: Entry) -> Iterator[str]:
    """Who answered, by which authority it was decided, and what the decision rested on."""
    if entry.former is not None:
        yield f"from version {entry.former} of the workflow to version {entry.definition}"
    if entry.answer:
        yield f"{entry.answer}, for {entry.answer_of}"
    if entry.type == "pmo.case.conflict-declared.v1":
        yield f"{entry.actor} takes no part from now on"
    if entry.child:
        yield f"child: {entry.child}"
    if entry.share:
        yield f"{entry.share} of the time has passed"
    if entry.type == "pmo.claim.changed.v1":
        yield f"held by {entry.holder}" if entry.holder else "free again"
    if rule := entry.authority:
        limit = rule.get("limit")
        reach = f"up to {show_value(limit)}" if limit else "without limit"
        yield f"by authority of {rule['rule']}, version {rule['version']}, {reach}"
    yield from _basis(entry.basis or {})
    if entry.escalated:
        yield show_escalation(entry.escalated)
    for warning in entry.warnings:
        yield f"warning: {warning.removeprefix('should: ')}"


def _looked_at(stream: str, version: int) -> str:
    return f"{stream} version {version}" if version else f"{stream} (none)"


def _basis(basis: Body) -> Iterator[str]:
    for role, person in basis.get("agreed", {}).items():
        yield f"agreed by {role}: {person}"
    for vote in basis.get("votes", ()):
        answers = ", ".join(f"{person} {answer}" for person, answer in vote["votes"].items())
        entitled = len(vote["entitled"])
        needed = f"{vote['needed']} of {entitled} had to vote"
        out = f"; recused: {', '.join(vote['recused'])}" if vote.get("recused") else ""
        yield f"vote of {vote['body']} ({vote['rule']}): {answers or 'nobody'}; {needed}{out}"
    for sha256 in basis.get("evidence", ()):
        yield f"rests on sha256 {sha256[:12]}"
