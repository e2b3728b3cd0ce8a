"""What a broker has lost, or has too much: the end of each partition is held against the log.

A broker that dies at a bad moment may lose the end of what it had acknowledged. Every message says
at which position its event stands, so the last one of a partition tells from where on it has to be
told again. That is looked at whenever a connection is made, which is what follows such a loss.

It may also be the log that has lost its end, when it was restored, or taken over by a standby that
was behind: then a partition ends with an event that the log does not have. What is recorded now
under the same positions would look like a repetition to readers, so nothing more is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from time import monotonic
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from consumers.kafka_connection import options, partition_of, plainly
from consumers.kafka_delivery import Delivery
from consumers.kafka_network import connect
from consumers.kafka_settings import KafkaSettings
from consumers.runner import MayPass
from consumers.store import Store
from consumers.work import Work, tail_works
from engine.errors import LogDiverged
from engine.store.tail import Followed, tail
from engine.upcasts import Body

LOOK_BACK = 20_000
"""Events before the checkpoint that are looked at: many times what a second can bring."""


class Place(NamedTuple):
    topic: str
    partition: int


class Told(NamedTuple):
    """Of a message: the position of its event, and whose event it is, where it says so."""

    position: int
    event: str
    source: str


_NOTHING = Told(0, "", "")


def read_tails(
    settings: KafkaSettings, counts: Mapping[str, int], header: str
) -> dict[Place, Told | None]:
    """What the last message of each partition told, its position in that header.

    Position 0 where nothing was ever told, ``None`` where it cannot be known: the messages have
    expired, or the last is none of ours. ``counts``: the partitions of each topic. Raises
    ``MayPass``.
    """
    with (
        plainly(settings),
        closing(
            connect(
                KafkaConsumer,
                **options(settings, "tails"),
                enable_auto_commit=False,
                allow_auto_create_topics=False,
            )
        ) as consumer,
    ):
        parts = [TopicPartition(topic, n) for topic, count in counts.items() for n in range(count)]
        ends, begins = consumer.end_offsets(parts), consumer.beginning_offsets(parts)
        tails: dict[Place, Told | None] = {
            Place(*part): None if ends[part] else _NOTHING for part in parts
        }
        held = [part for part in parts if begins[part] < ends[part]]
        consumer.assign(held)
        for part in held:
            consumer.seek(part, ends[part] - 1)
        missing = set(held)
        give_up = monotonic() + settings.answers_within
        while missing:
            if monotonic() > give_up:
                raise MayPass("kafka: the ends of the topics could not be read in time")
            for part, records in consumer.poll(timeout_ms=500).items():
                missing.discard(part)
                tails[Place(*part)] = _told(records[0], header)
    return tails


def find_lost(
    log: Followed,
    store: Store,
    consumer: str,
    delivery: Delivery,
    topic_of: Callable[[Body], str | None],
    header: str,
    source: str | None = None,
) -> list[int]:
    """The positions of what the consumer has told, and what is not there any more, ascending.

    ``topic_of``: the topic that an event goes to. Raises ``MayPass``, and ``LogDiverged`` where the
    topic ends with an event of this ``source`` that is not in the log.
    """
    checkpoint = store.position(consumer) or 0
    parked = undone(store, consumer)
    told = [
        (position, topic, body["stream"].encode())
        for batch in tail(log, max(0, checkpoint - LOOK_BACK), until=checkpoint)
        for position, body in batch
        if position not in parked and (topic := topic_of(body))
    ]
    states = delivery.ready({topic for _, topic, _ in told})
    counts = {topic: states[topic].partitions for topic in {topic for _, topic, _ in told}}
    if not counts:
        return []
    tails = read_tails(delivery.settings, counts, header)
    for place, told_last in tails.items():
        if told_last and told_last.position and told_last.source == source:
            _recognise(log, place, told_last)
    return [
        position
        for position, topic, key in told
        if (last := tails[Place(topic, partition_of(key, counts[topic]))]) is not None
        and last.position < position
    ]


def _recognise(log: Followed, place: Place, told: Told) -> None:
    found = log.bodies(told.position - 1, 1)
    if not found or found[0][1]["event_id"] != told.event:
        raise LogDiverged(
            told.position,
            f"{place.topic} (partition {place.partition})",
            "Restore the log, or let its readers begin anew with another topic",
        )


def read_works(log: Followed, positions: Sequence[int], batch: int) -> Iterator[list[Work]]:
    """The events at these ascending positions, up to ``batch`` at a time."""
    for first in range(0, len(positions), batch):
        wanted = positions[first : first + batch]
        here = set(wanted)
        found: list[Work] = []
        for works in tail_works(log, wanted[0] - 1, batch=1000, until=wanted[-1]):
            found += (work for work in works if work.position in here)
        yield found


def undone(store: Store, consumer: str) -> set[int]:
    """The positions that were never told: they are parked, or were dismissed."""
    return {
        incident.position
        for incident in store.incidents(consumer, closed=True)
        if incident.closed_for != "done"
    }


def _told(record: Any, header: str) -> Told | None:
    said = dict(record.headers)
    position = said.get(header, b"")
    if not position.isdigit():
        return None
    return Told(int(position), *(said.get(name, b"").decode() for name in ("ce_id", "ce_source")))
