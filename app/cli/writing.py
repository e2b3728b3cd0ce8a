"""Verbs that ask the engine for something: start, do, attach, observe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import options
from app.cli.completing import complete_case, complete_trigger, complete_workflow
from app.cli.fields import fields_of_start, fields_of_step
from app.cli.next_steps import Telling, for_somebody, print_for, print_next, with_hurdles
from app.cli.tables import print_json
from app.cli.terminal import bold, clean, dim, echo
from app.home import Home
from app.offers import Offer, Prospect, offers
from app.places import Address
from engine.errors import BadInput, NotFound, Refused, StoreFailed

if TYPE_CHECKING:
    from engine.case import Case
    from engine.commands import Command
    from engine.machine import Workflow


@click.command("start")
@click.argument("workflow", shell_complete=complete_workflow)
@options.data_options
@options.evidence_option
@options.command_options
@options.actor_option
@options.home_option
@options.json_option
def start_command(workflow: str, home: Address, as_json: bool, **given: Any) -> None:
    """Start a case of the WORKFLOW's newest definition.

    \b
    pmo start decision title="Extend the pilot" amount=1.25m --as pat:requester
    """
    from engine.commands import StartCase

    with Home.open(home) as opened:
        definition = _newest(opened, workflow).definition
        command = options.build(
            StartCase,
            workflow=workflow,
            data=_data(given, definition),
            evidence=tuple(map(options.read_evidence, given["evidence"])),
            **common(given),
        )
        with _telling_fields(as_json, lambda: fields_of_start(definition.body)):
            send(opened, command, as_json)


@click.command("do")
@click.argument("case", shell_complete=complete_case)
@click.argument("trigger", required=False, shell_complete=complete_trigger)
@options.data_options
@options.evidence_option
@click.option(
    "--if-version", type=options.POSITION, help="Refuse it if the case has moved on since."
)
@click.option(
    "--override",
    is_flag=True,
    help="Go ahead although a guard does not hold: where the workflow lets you, with --reason.",
)
@options.command_options
@options.actor_option
@options.home_option
@options.json_option
def do_command(
    case: str,
    trigger: str | None,
    home: Address,
    as_json: bool,
    if_version: int | None,
    override: bool,
    **given: Any,
) -> None:
    """Ask for the transition TRIGGER of a CASE; without it, say what can be asked for.

    With --as, what this person may do comes first, and then, in short, why not the rest.

    \b
    pmo do DEC-0042
    pmo do DEC-0042 --as ada
    pmo do DEC-0042 submit amount=1.25m -e business-case=paper.pdf --as pat:requester
    """
    from engine.commands import PullTrigger

    with Home.open(home) as opened:
        found = find_case(opened, case)
        workflow = opened.service.catalog.pinned(found.definition)
        if trigger is None:
            _print_offers(opened, found, options.asked_about(given["actor"]), as_json)
            return
        _require_trigger(trigger, workflow, found)
        command = options.build(
            PullTrigger,
            case=found.key,
            trigger=trigger,
            data=_data(given, workflow.definition),
            evidence=tuple(map(options.read_evidence, given["evidence"])),
            expected_version=if_version,
            override=override or None,
            **common(given),
        )
        body = workflow.definition.body

        def fields() -> Iterator[str]:
            for offer in offers(body, found.state, found.data):
                if offer.trigger == trigger:
                    yield from fields_of_step(offer, body, found.data)

        with _telling_fields(as_json, fields):
            send(opened, command, as_json)


@click.command("attach")
@click.argument("case", shell_complete=complete_case)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", required=True, help="What it is: business-case, minutes ...")
@click.option("--as-of-date", metavar="DATE", help="What it speaks of; else when it was changed.")
@options.command_options
@options.actor_option
@options.home_option
@options.json_option
def attach_command(
    case: str,
    file: Path,
    kind: str,
    as_of_date: str | None,
    home: Address,
    as_json: bool,
    **given: Any,
) -> None:
    """Attach a FILE to a CASE: its hash is recorded, the file stays where it is."""
    from engine.commands import AttachEvidence

    with Home.open(home) as opened:
        found = find_case(opened, case)
        evidence = options.evidence_of(file, kind, as_of_date, "--as-of-date")
        command = options.build(AttachEvidence, case=found.key, evidence=evidence, **common(given))
        send(opened, command, as_json)


@click.command("observe")
@click.argument("case", shell_complete=complete_case)
@click.argument("name")
@options.data_options
@click.option("--workflow", help="Of which workflow; known for cases that are there already.")
@click.option("--state", help="The state that it says the case is in.")
@click.option("--source", required=True, help="Where it was read: a report, a system.")
@click.option("--record", default="", help="The line or record in it.")
@options.command_options
@options.actor_option
@options.home_option
@options.json_option
def observe_command(
    case: str,
    name: str,
    workflow: str | None,
    state: str | None,
    source: str,
    record: str,
    home: Address,
    as_json: bool,
    **given: Any,
) -> None:
    """Record that a fact called NAME is so of a CASE, whatever the rules say of it.

    \b
    pmo observe GMPP-0007 RatingChanged rating=Amber --occurred-at 2021-03-31 \\
        --source "Annual report 2021"
    """
    from engine.commands import Fact, Observe
    from engine.events import Source

    with Home.open(home) as opened:
        if workflow is None:
            from app.cli.keys import no_case

            try:
                workflow = opened.service.case(case).definition.name
            except NotFound:
                mend = "name its workflow: --workflow; a case nobody knew yet begins"
                raise no_case(opened, case, mend) from None
        definition = _newest(opened, workflow).definition
        fact = options.build(Fact, name=name, state=state, data=_data(given, definition))
        command = options.build(
            Observe,
            workflow=workflow,
            case=case,
            facts=(fact,),
            origin=Source(name=source, record=record),
            **common(given),
        )
        send(opened, command, as_json)


_BROUGHT = ("takes", "needs", "anew", "corrects")
"""The rules that look at what somebody brings along, and at nothing else."""
_OF_WHO_ASKS = ("by", "gone_up", "not_by", "conflict")


@contextmanager
def _telling_fields(as_json: bool, fields: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Where data was wanting, whoever may take the step is told how it is written, whatever else
    stands in the way: a condition on what is missing does not hold, either."""
    try:
        yield
    except Refused as refusal:
        against = {v.rule for v in refusal.verdicts if not v.held and v.weight == "shall"}
        if not as_json and against & {*_BROUGHT} and not against & {*_OF_WHO_ASKS}:
            for number, line in enumerate(dict.fromkeys(fields())):
                echo(f"{'      ' if number else 'hint: '}{line}", err=True)
        raise


def find_case(home: Home, key: str) -> Case:
    """The case as the log has it. Raises ``NotFound``, naming one that was probably meant."""
    try:
        return home.service.case(key)
    except NotFound:
        from app.cli.keys import no_case

        raise no_case(home, key) from None


def _newest(home: Home, name: str) -> Workflow:
    try:
        return home.service.catalog.newest(name).workflow
    except NotFound:
        from engine.validation import suggest
        from projections.definitions import workflows

        mend = suggest(name, workflows(home.views))
        raise NotFound.one("", f"no workflow {name!r} is published", mend) from None


def _require_trigger(trigger: str, workflow: Workflow, case: Case) -> None:
    """A slip of the keyboard is no attempt: it is not sent, and no refusal is recorded of it."""
    known = [rule.trigger for rule in workflow.definition.transitions]
    if trigger not in known:
        from engine.validation import suggest

        here = workflow.triggers(case.state)
        raise BadInput.one(
            trigger, f"{case.definition.name} has no such trigger", suggest(trigger, here or known)
        )


def _data(given: dict[str, Any], definition: Any) -> dict[str, Any]:
    words = [*given["data"], *given["fields"]]
    return options.read_data(words, given["withhold"], given["data_json"], definition)


def common(given: dict[str, Any]) -> dict[str, Any]:
    from engine import ids

    return {
        "command_id": ids.new_id() if given["command_id"] is None else given["command_id"],
        "actor": options.read_actor(given["actor"]),
        "occurred_at": given["occurred_at"],
        "on_behalf_of": given["on_behalf_of"],
        "reason": given["reason"],
    }


def send(home: Home, command: Command, as_json: bool) -> None:
    try:
        receipt = home.service.handle(command)
    except Refused as refusal:
        catch_up(home)  # a refusal may have been recorded
        if not command.actor.roles and any(v.rule == "by" and not v.held for v in refusal.verdicts):
            echo(f"hint: you asked as {command.actor.id}, in no role; see --as", err=True)
        raise
    catch_up(home)
    event = home.log.stream(receipt.stream, receipt.version - 1)[0].event
    case = home.service.case(receipt.stream)
    if as_json:
        print_json(asdict(receipt) | {"next": [asdict(offer) for offer in _offers(home, case)]})
        return
    before, after = getattr(event, "source", None), receipt.state
    moved = f"{before} → {after}" if before and after else after or case.state
    position = dim(f"(position {receipt.position})")
    echo(f"{bold(receipt.stream)}  {moved}  {', '.join(receipt.names)}  {position}")
    for warning in receipt.warnings:
        echo(f"  warning: {clean(warning.removeprefix('should: '))}")
    _print_next(_offers(home, case))


def catch_up(home: Home) -> None:
    """What is recorded stays recorded, whatever happens to the views."""
    try:
        home.catch_up()
    except StoreFailed as error:
        echo(f"warning: it is recorded, but the views are behind: {error}", err=True)


def _offers(home: Home, case: Case) -> list[Offer]:
    body = home.service.catalog.pinned(case.definition).definition.body
    return with_hurdles(home, case, offers(body, case.state, case.data))


def _print_offers(home: Home, case: Case, actor: str | None, as_json: bool) -> None:
    """What can be asked for; by somebody, if they say who they are."""
    prospect: Prospect | None = None
    body = home.service.catalog.pinned(case.definition).definition.body
    found = offers(body, case.state, case.data)
    if actor is None:
        offered = with_hurdles(home, case, found)
    else:
        prospect = for_somebody(home, case, found, options.read_actor(actor))
        offered = [*prospect.offered]
    if as_json:
        print_json([asdict(offer) for offer in offered])
        return
    echo(f"{bold(case.key)}  {case.state}")

    def fields(offer: Offer) -> Iterable[str]:
        return fields_of_step(offer, body, case.data)

    if prospect is None or not offered:
        _print_next(offered, fields)
    else:
        print_for(prospect, fields)


def _print_next(offered: list[Offer], fields: Telling = lambda _: ()) -> None:
    print_next(offered, fields)
    if not offered:
        echo("  nothing leaves this state")
