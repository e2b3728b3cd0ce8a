"""What a broker has lost: the end of each partition is held against the log.

A broker that dies at a bad moment may lose the end of what it had acknowledged. Every message says
at which position its event stands, so the last one of a partition tells from where on it has to be
told again. That is looked at whenever a connection is made, which is what follows such a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from time import monotonic
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from consumers.kafka_connection import options, partition_of, plainly
from consumers.kafka_delivery import Delivery
from consumers.kafka_settings import KafkaSettings
from consumers.runner import MayPass
from consumers.store import Store
from consumers.work import Work, tail_works
from engine.store.tail import Followed, tail
from engine.upcasts import Body

LOOK_BACK = 20_000
"""Events before the checkpoint that are looked at: many times what a second can bring."""


class Place(NamedTuple):
    topic: str
    partition: int


def read_tails(
    settings: KafkaSettings, counts: Mapping[str, int], header: str
) -> dict[Place, int | None]:
    """The position told by the last message of each partition, in its header.

    0 where nothing was ever told, ``None`` where it cannot be known: the messages have expired, or
    the last is none of ours. ``counts``: the partitions of each topic. Raises ``MayPass``.
    """
    with (
        plainly(settings),
        closing(
            KafkaConsumer(
                **options(settings, "tails"),
                enable_auto_commit=False,
                allow_auto_create_topics=False,
            )
        ) as consumer,
    ):
        parts = [TopicPartition(topic, n) for topic, count in counts.items() for n in range(count)]
        ends, begins = consumer.end_offsets(parts), consumer.beginning_offsets(parts)
        tails: dict[Place, int | None] = {Place(*part): None if ends[part] else 0 for part in parts}
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
) -> list[int]:
    """The positions of what the consumer has told, and what is not there any more, ascending.

    ``topic_of``: the topic that an event goes to. Raises ``MayPass``.
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
    return [
        position
        for position, topic, key in told
        if (last := tails[Place(topic, partition_of(key, counts[topic]))]) is not None
        and last < position
    ]


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


def _told(record: Any, header: str) -> int | None:
    said = dict(record.headers).get(header, b"")
    return int(said) if said.isdigit() else None
