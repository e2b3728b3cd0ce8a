"""The consumers of a home: what follows its log and acts on the world, or on the log itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.home import Home
from consumers.store import Incident, Store
from engine.clock import SystemClock
from engine.errors import BadInput, NotFound, PmoError

if TYPE_CHECKING:
    from consumers.runner import Consumer, Retried, Runner


@dataclass(frozen=True, slots=True)
class Standing:
    """How a consumer is: ``lag`` in events, and how many ``incidents`` wait to be looked at.

    ``leader`` is the process that is at work on it just now, by machine and number."""

    consumer: str
    began: int
    position: int
    lag: int
    incidents: int
    leader: str | None


def runners(home: Home, told: Callable[[PmoError, float], object] | None = None) -> list[Runner]:
    """A runner of every consumer that the settings switch on, each for a thread of its own.

    ``told`` hears why one waits, and for how many seconds. To add a consumer, add it here. Raises
    ``BadInput`` for settings that make no sense.
    """
    from app.settings import read_settings
    from consumers.reactions import Reactions
    from consumers.runner import Runner

    settings = read_settings(home.place.folder)
    found: list[tuple[Store, Consumer]] = [
        (home.another_store(), Reactions(home.log, home.service))
    ]
    if kafka := settings.kafka:
        from consumers import kafka_relay, kafka_states

        store = home.another_store()
        relay = kafka_relay.KafkaRelay(home.log, store, kafka, settings.source)
        found.append((store, home.keep(relay)))
        if kafka.topics.states:
            store = home.another_store()
            found.append((store, home.keep(kafka_states.KafkaStates(home.log, store, kafka))))
    if settings.webhooks:
        from consumers.webhooks import Webhook

        for name, endpoint in settings.webhooks.items():
            webhook = home.keep(Webhook(name, endpoint, settings.source))
            found.append((home.another_store(), webhook))
    return [
        Runner(home.log, store, consumer, told=told, leases=home.leases)
        for store, consumer in found
    ]


def switch_on(home: Home) -> None:
    """Let every consumer count from now on, also if nobody runs it until later."""
    for runner in runners(home):
        runner.switch_on()


def read_standings(home: Home) -> list[Standing]:
    """How every consumer is that was ever switched on. Raises ``StoreFailed``."""
    if not home.place.has_memories():
        return []
    head = home.head()
    with closing(Store(home.place.memories, reading=True)) as store:
        counts, leaders = store.counts(), store.leaders()
        return [
            Standing(
                one.consumer,
                one.began,
                one.position,
                max(0, head - one.position),
                counts.get(one.consumer, 0),
                leaders.get(one.consumer),
            )
            for one in store.checkpoints()
        ]


def read_incidents(home: Home, closed: bool = False) -> list[Incident]:
    """Raises ``StoreFailed``."""
    if not home.place.has_memories():
        return []
    with closing(Store(home.place.memories, reading=True)) as store:
        return store.incidents(closed=closed)


def retry(home: Home, numbers: Sequence[int] | None, by: str) -> Retried:
    """Do what was parked again: these incidents, or all. Raises ``NotFound``."""
    from consumers.runner import Retried

    incidents = _find(home, numbers)
    known = {runner.name: runner for runner in runners(home)}
    for name in {incident.consumer for incident in incidents} - {*known}:
        raise BadInput.one("consumer", f"{name} is not at work in this home", "set it up first")
    if numbers is None:
        results = [runner.retry(by=by) for runner in known.values()]
    else:
        results = [known[one.consumer].retry(one.number, by) for one in incidents]
    return Retried(sum(one.done for one in results), sum(one.left for one in results))


def dismiss(home: Home, numbers: Sequence[int] | None, by: str, why: str) -> int:
    """Leave what was parked undone for good; how many. Raises ``NotFound``."""
    now = SystemClock().now()
    incidents = _find(home, numbers)
    return sum(home.consumers.close_incident(one.number, now, by, why) for one in incidents)


def _find(home: Home, numbers: Sequence[int] | None) -> list[Incident]:
    open_ = {incident.number: incident for incident in read_incidents(home)}
    if numbers is None:
        return [*open_.values()]
    for number in numbers:
        if number not in open_:
            raise NotFound.one(
                "incidents", f"no incident {number} is open", "pmo incidents lists them"
            )
    return [open_[number] for number in dict.fromkeys(numbers)]
