"""``pmo work`` does what is due; ``pmo deadlines`` shows what is, and will be."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from app.cli import options
from app.cli.completing import complete_case
from app.cli.ending import told_to_end
from app.cli.keys import no_case, no_workflow
from app.cli.opening import open_patiently
from app.cli.tables import MISSING, print_json, print_rows, show_moment
from app.cli.terminal import clean, echo
from app.home import Home
from app.places import Address
from engine.errors import Contended, LogDamaged, StoreFailed

if TYPE_CHECKING:
    from consumers.scheduler import Report, Waiting

SCHEDULER = "scheduler"
"""The lease of whoever does what is due."""

_SECONDS = 1.0
"""Between two looks at the clock, which may jump meanwhile: then it is seen at the next one."""


@click.command("work")
@click.option("--once", is_flag=True, help="Do what is due now, and stop.")
@options.home_option
@options.json_option
def work_command(once: bool, home: Address, as_json: bool) -> None:
    """Do what is due: pull the triggers of deadlines, record reminders, react to events, and tell
    Kafka of them where settings.yaml says so. Ctrl-C or SIGTERM ends it.

    Any number of these may run at once, here or elsewhere: everything is done once, by one of them;
    the others stand by and take over within seconds when that one ends. What is due and the rules
    refuse is listed with the reason, and tried again when the case has changed, and from time to
    time. Reactions that are refused are for pmo incidents. A database that is still starting is
    waited for, unless with --once.
    """
    if once:
        with Home.open(home) as opened:
            _work_once(opened, as_json)
        return
    with told_to_end() as told, open_patiently(home) as opened:
        _work_on(opened, as_json, told)


def _work_once(home: Home, as_json: bool) -> None:
    from app.consuming import runners
    from consumers.reactions import Reactions
    from consumers.runner import MayPass

    at_work = runners(home)
    report = _do_what_is_due(home)
    failures = []
    for runner in at_work:
        try:
            runner.catch_up()
        except (MayPass, StoreFailed, Contended) as error:
            failures.append(error)  # what keeps one of them back must not keep the others
    reacted = sum(r.consumer.done for r in at_work if isinstance(r.consumer, Reactions))
    _tell(report, sum(home.consumers.counts().values()), set(), as_json, reacted)
    if failures:
        raise failures[0]


def _work_on(home: Home, as_json: bool, end: threading.Event) -> None:
    """The scheduler looks at the clock now and then; consumers are woken by what is recorded."""
    from app.following import Followers
    from app.garbage import collect_seldom

    told: set[tuple[object, ...]] = set()
    others: dict[str, str] = {}
    with Followers(home, _warn) as followers:
        collect_seldom()
        while not end.is_set():
            report = _work(home)
            if report is not None:
                incidents = sum(home.consumers.counts().values())
                _tell(report, incidents, told, as_json)
            others = _tell_others(home, others)
            if followers.wait(_SECONDS):
                return


def _warn(words: str) -> None:
    echo(f"warning: {words}", err=True)


def _work(home: Home) -> Report | None:
    """What was done; ``None`` where the store failed, which is told, and may be better soon."""
    try:
        return _do_what_is_due(home)
    except LogDamaged:
        raise
    except (StoreFailed, Contended) as error:
        home.leases.leave(SCHEDULER)  # another process may be able to
        _warn(str(error))
        return None


def _tell(
    report: Report,
    incidents: int,
    told: set[tuple[object, ...]],
    as_json: bool,
    reacted: int | None = None,
) -> None:
    """What was done, and of what waits only what is news. ``reacted``: what reactions got done,
    where they had their turn before this is told; then it is told whether or not it is news."""
    once = reacted is not None
    news = [w for w in report.waiting if (*w.key, w.reason) not in told]
    more = incidents > 0 and ("incidents", incidents) not in told
    told.update((*w.key, w.reason) for w in report.waiting)
    told.add(("incidents", incidents))
    if not (once or report.done or news or more):
        return
    if as_json:
        waiting = [asdict(w) for w in (report.waiting if once else news)]
        said = {"fired": report.fired, "reminded": report.reminded, "refused": waiting}
        print_json({**said, "incidents": incidents, **({"reacted": reacted} if once else {})})
        return
    also = f", {reacted:,} reactions" if reacted is not None else ""
    echo(f"{report.fired:,} triggers pulled, {report.reminded:,} reminders recorded{also}")
    tell_waiting(news)
    if incidents:
        echo(f"incidents: {incidents:,} (pmo incidents tells why)")


def _do_what_is_due(home: Home) -> Report:
    """If nobody else is at it; whoever is keeps the views up, too."""
    from consumers.scheduler import Report

    return home.scheduler.work() if home.leases.take(SCHEDULER) else Report()


def _tell_others(home: Home, told: dict[str, str]) -> dict[str, str]:
    """Who else is at work on what; said once."""
    try:
        leaders = home.consumers.leaders()
    except StoreFailed:
        return told  # it has been told why
    others = {name: who for name, who in leaders.items() if who != home.leases.holder}
    for name, who in others.items():
        if told.get(name) != who:
            echo(f"standing by: {name} is at work in {who}", err=True)
    return others


def tell_waiting(waiting: Sequence[Waiting]) -> None:
    for one in waiting:
        echo(
            f"  {one.case_key}: {one.what} was due {show_moment(one.at)} and is refused: "
            f"{clean(one.reason)}; tried again {show_moment(one.next_try_at)}"
        )


@click.command("deadlines")
@click.argument("case", required=False, shell_complete=complete_case)
@click.option("--workflow", help="Only of this workflow.")
@click.option("--until", type=options.Moment(), help="Only what is due by then.")
@click.option("--all", "settled", is_flag=True, help="Also what was met, missed or done.")
@click.option("--limit", type=options.COUNT, default=50, show_default=True)
@options.home_option
@options.json_option
def deadlines_command(
    case: str | None,
    workflow: str | None,
    until: str | None,
    settled: bool,
    limit: int,
    home: Address,
    as_json: bool,
) -> None:
    """List what is due when, the earliest first: of a CASE, a workflow, or everything."""
    from engine.clock import last_instant
    from projections.cases import case as find_case
    from projections.deadlines import deadlines
    from projections.definitions import workflows

    with Home.open(home) as opened:
        if case is not None and find_case(opened.views, case) is None:
            raise no_case(opened, case)
        if workflow is not None and workflow not in workflows(opened.views):
            raise no_workflow(opened, workflow)
        rows, total = deadlines(
            opened.views,
            case=case,
            workflow=workflow,
            until=until and last_instant(until),
            settled=settled,
            limit=limit,
        )
    if as_json:
        print_json({"total": total, "deadlines": rows})
        return
    print_rows(
        ["due", "case", "state", "what", "share", "outcome"],
        [
            [
                show_moment(row["at"]),
                row["case_key"],
                row["state"],
                row["pulls"] or "reminder",
                row["share"],
                row["outcome"] or MISSING,
            ]
            for row in rows
        ],
    )
    if not rows:
        whose = case or workflow
        asked = f" of {clean(whose)}" if whose else ""
        by = f", due by {show_moment(until)}" if until else ""
        more = "" if settled else "; --all shows what was met, missed or done, too"
        echo(f"no {'' if settled else 'open '}deadline{asked} found{by}{more}", err=True)
    if len(rows) < total:
        echo(f"{len(rows)} of {total:,} deadlines; --limit shows more", err=True)
