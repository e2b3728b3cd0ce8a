"""``pmo kafka``: whether the broker is as it should be, telling it again, and taking commands."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from app.cli import options
from app.cli.ending import told_to_end
from app.cli.failures import CheckFailed
from app.cli.opening import open_patiently
from app.cli.tables import print_json, print_rows, show_moment
from app.cli.terminal import clean, dim, echo
from app.home import Home
from app.places import Address
from engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.settings import Settings
    from consumers.kafka_settings import KafkaSettings


@click.group("kafka")
def kafka_command() -> None:
    """Kafka: check the broker, tell it again, take commands. The settings say where it is.

    Events are told while pmo work runs. docs/kafka.md has the whole of it.
    """


@kafka_command.command("check")
@options.home_option
@options.json_option
def check_command(home: Address, as_json: bool) -> None:
    """Reach the broker, look at every topic, and whether it has what it was told.

    Changes nothing. Exit code 1 where something is missing or would not work.
    """
    from app.kafka import check

    with Home.open(home) as opened:
        settings, _ = _read(opened)
        found = check(opened, settings)
    if as_json:
        print_json(asdict(found))
    else:
        print_rows(
            ["topic", "for", "partitions", "replicas", "largest", "is"],
            [
                [
                    one.name,
                    one.purpose,
                    f"{one.partitions}",
                    f"{one.replication}",
                    f"{one.largest:,}",
                    one.fault or ("ready" if one.partitions else "will be made"),
                ]
                for one in found.topics
            ],
            right=["partitions", "replicas", "largest"],
        )
        for line in found.lines():
            echo(line)
    if not found.sound:
        raise CheckFailed


@kafka_command.command("replay")
@click.option("--from", "first", type=options.POSITION, help="Tell events again from here on.")
@click.option("--states", is_flag=True, help="Tell the state of every case again.")
@options.home_option
@options.json_option
def replay_command(first: int | None, states: bool, home: Address, as_json: bool) -> None:
    """Tell Kafka again what it was told: events from a position on, or every state.

    For a topic that lost its messages, or was made anew. Who reads drops by its id what it has seen
    before. What pmo work has not come to yet is left to it.
    """
    from app.kafka import replay_events, replay_states

    if (first is None) == (not states):
        raise click.UsageError("write --from POSITION, or --states")
    with Home.open(home) as opened:
        settings, source = _read(opened)
        if first is not None:
            count, what = replay_events(opened, settings, source, first), "events"
        else:
            count, what = replay_states(opened, settings), "states"
    if as_json:
        print_json({what: count})
    else:
        echo(f"{count:,} {what} told again")


@kafka_command.command("dead-letters")
@click.option("--replay", is_flag=True, help="Send them again to the topics they came to.")
@click.option("--dismiss", is_flag=True, help="Do not list them any more.")
@options.home_option
@options.json_option
def dead_letters_command(replay: bool, dismiss: bool, home: Address, as_json: bool) -> None:
    """List what came to the intake and was no command, with the reason; send it again, or dismiss
    it.

    Replaying is for when what kept them is mended: a workflow, a limit in the settings.
    """
    from consumers.kafka_dead_letters import read_letters, settle

    if replay and dismiss:
        raise click.UsageError("--replay or --dismiss, not both")
    with Home.open(home) as opened:
        settings, _ = _read(opened)
    if not (replay or dismiss):
        _list(read_letters(settings), as_json)
        return
    count, stuck = settle(settings, send=replay)
    what = "replayed" if replay else "dismissed"
    if as_json:
        print_json({what: count, "not_sent": [_described(one) for one in stuck]})
    else:
        echo(f"{count:,} {what}")
        for one in stuck:
            echo(
                f"not sent, and not listed any more: {one.number}, from {one.topic} {one.place},"
                f" {'of which only the beginning is kept' if one.cut_from else 'no intake topic'}"
            )
    if stuck:
        raise CheckFailed


@kafka_command.command("intake")
@click.option("--once", is_flag=True, help="Handle what there is, and stop.")
@click.option(
    "--instance",
    metavar="NAME",
    help="This process's own name among several: killed and back, it goes on at once, and not after"
    " ten seconds.",
)
@options.home_option
@options.json_option
def intake_command(once: bool, instance: str | None, home: Address, as_json: bool) -> None:
    """Take commands from the topics of the intake, and answer them. Ctrl-C or SIGTERM
    ends it.

    Any number of these may run, here and elsewhere: every command has one effect. A database that
    is still starting is waited for, unless with --once.
    """
    from consumers.kafka_intake import KafkaIntake
    from engine.errors import PmoError

    told: set[str] = set()

    def tell(error: PmoError, seconds: float) -> None:
        if str(error) not in told:
            told.add(str(error))
            echo(f"warning: it waits and tries again: {error}", err=True)
        del seconds

    said = {"handled": 0, "dead_letters": 0}
    with told_to_end() as stop, (Home.open if once else open_patiently)(home) as opened:
        settings, _ = _read(opened)
        intake = KafkaIntake(opened.service, settings, told=tell, instance=instance)
        try:
            intake.run(stop, idle_for=_IDLE if once else None)
        finally:
            said = {"handled": intake.handled, "dead_letters": intake.dead}
    if once and stop.is_set():
        raise KeyboardInterrupt
    if as_json:
        print_json(said)
    else:
        echo(f"{said['handled']:,} commands answered, {said['dead_letters']:,} dead letters")


_IDLE = 3.0
"""Seconds without a message after which there are none: joining the group takes most of it."""


def _list(letters: Iterator[Any], as_json: bool) -> None:
    if as_json:
        print_json([_described(one) for one in letters])
        return
    one = None
    for one in letters:
        echo(f"{one.number}  {one.topic} {one.place}")
        echo(dim(f"    put aside {show_moment(one.put_aside_at)}"))
        for line in one.reason.splitlines():
            echo(f"    {clean(line)}")
        echo(f"    {clean(one.value[:200].decode(errors='backslashreplace'))}")
    if one is None:
        echo("there are no dead letters")


def _described(letter: Any) -> dict[str, Any]:
    return {
        "number": letter.number,
        "topic": letter.topic,
        "place": letter.place,
        "put_aside_at": letter.put_aside_at,
        "reason": letter.reason,
        "cut_from": letter.cut_from,
        "key": letter.key.decode(errors="backslashreplace"),
        "value": letter.value.decode(errors="backslashreplace"),
    }


def _read(home: Home) -> tuple[KafkaSettings, str]:
    from app.places import SETTINGS
    from app.settings import read_settings

    settings: Settings = read_settings(home.place.folder)
    if settings.kafka is None:
        raise BadInput.one("kafka", f"is not in {SETTINGS}", "docs/kafka.md tells how")
    return settings.kafka, settings.source
