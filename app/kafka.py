"""Kafka and a home held against each other: what the broker is missing, and telling it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.home import Home
from consumers import kafka_relay, kafka_states
from consumers.kafka_connection import TopicState, read_topics
from consumers.kafka_relay import KafkaRelay
from consumers.kafka_settings import KafkaSettings
from consumers.kafka_states import KafkaStates
from projections.definitions import published


@dataclass(frozen=True, slots=True)
class TopicFound:
    """A topic that is needed; ``fault`` is empty where it is as it should be."""

    name: str
    purpose: str
    partitions: int
    replication: int
    largest: int
    fault: str


@dataclass(frozen=True, slots=True)
class Found:
    """``lag`` is in events: how far the relay is behind the log; ``None``: it never began.

    ``lost`` are events that the broker was told and does not have any more. They are looked for
    where all topics are there.
    """

    topics: list[TopicFound]
    lag: int | None
    incidents: int
    lost: int

    @property
    def sound(self) -> bool:
        return not (self.lost or self.incidents or any(topic.fault for topic in self.topics))

    def lines(self) -> Iterator[str]:
        if self.lag is None:
            yield "the relay has not begun: pmo work begins it"
        else:
            yield f"the relay is {self.lag:,} events behind"
        if self.incidents:
            yield f"incidents: {self.incidents:,} (pmo incidents tells why)"
        if self.lost:
            yield (
                f"the broker has lost {self.lost:,} events: pmo work tells them again when it next"
                " connects"
            )


def check(home: Home, settings: KafkaSettings) -> Found:
    """Raises ``MayPass`` where the broker cannot be reached."""
    purposes = _purposes(home, settings)
    states = read_topics(settings, purposes)
    topics = [
        TopicFound(
            name,
            purpose,
            states[name].partitions,
            states[name].replication,
            states[name].largest,
            _fault(states[name], purpose, settings.topics.create),
        )
        for name, purpose in purposes.items()
    ]
    store = home.consumers
    position = store.position(kafka_relay.NAME)
    counts = store.counts()
    there = all(states[name].partitions for name, purpose in purposes.items() if purpose == _EVENTS)
    relay = KafkaRelay(home.log, store, settings, "")
    try:
        lost = len(relay.find_lost()) if position and there else 0
    finally:
        relay.close()
    return Found(
        topics,
        None if position is None else max(0, home.log.head() - position),
        counts.get(kafka_relay.NAME, 0) + counts.get(kafka_states.NAME, 0),
        lost,
    )


def replay_events(home: Home, settings: KafkaSettings, source: str, first: int) -> int:
    """Tell again what the relay has told, from this position on; how many. Raises ``MayPass``."""
    relay = KafkaRelay(home.log, home.consumers, settings, source)
    try:
        until = home.consumers.position(kafka_relay.NAME) or 0
        return relay.replay(max(0, first - 1), until) if first <= until else 0
    finally:
        relay.close()


def replay_states(home: Home, settings: KafkaSettings) -> int:
    """Tell again what every case is, as far as it was told; how many messages. Raises
    ``MayPass``."""
    states = KafkaStates(home.log, home.consumers, settings)
    try:
        return states.replay(home.consumers.position(kafka_states.NAME) or 0)
    finally:
        states.close()


_EVENTS, _STATES, _COMMANDS, _REPLIES, _DEAD = "events", "states", "commands", "replies", "dead"


def _purposes(home: Home, settings: KafkaSettings) -> dict[str, str]:
    found: dict[str, str] = {}
    for workflow in sorted({row["name"] for row in published(home.views)}):
        found[settings.topic_of_events(workflow)] = _EVENTS
        if states := settings.topic_of_states(workflow):
            found[states] = _STATES
    if intake := settings.intake:
        found |= dict.fromkeys(intake.topics, _COMMANDS)
        found |= {intake.replies: _REPLIES, intake.dead_letters: _DEAD}
    return dict(sorted(found.items(), key=lambda item: (item[1] != _EVENTS, item)))


def _fault(state: TopicState, purpose: str, create: bool) -> str:
    if not state.partitions:
        return "" if create else "missing, and the settings say not to make any"
    if purpose == _STATES and not state.compacted:
        return "not compacted: set its cleanup.policy to compact"
    if purpose != _STATES and state.compacted:
        return "compacted: it would lose messages; set its cleanup.policy to delete"
    return ""
