"""Messages that were no commands: put aside with their reason, and sent again once mended.

The topic of dead letters is the list. How far an operator has dealt with it is a committed offset
of a group of its own, so what was sent again, or dismissed, is not listed any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from consumers.kafka_connection import EVENTS_KEPT, options, plainly, read_topics
from consumers.kafka_delivery import Delivery, Message
from consumers.kafka_network import connect
from consumers.kafka_settings import Intake, KafkaSettings
from consumers.runner import MayPass
from engine.errors import BadInput

_REASON, _TOPIC, _PLACE, _AT, _CUT = (
    "pmo-reason",
    "pmo-topic",
    "pmo-place",
    "pmo-put-aside-at",
    "pmo-cut-from",
)
_OURS = (_REASON, _TOPIC, _PLACE, _AT, _CUT)
_SHOWN = 1_000
_PAGE = 100
"""Letters that are in memory at a moment: each may be as large as a topic takes."""


@dataclass(frozen=True, slots=True)
class Letter:
    """``place``: partition and offset it had in ``topic``. ``cut_from``: its size in bytes, if it
    was too large to be kept whole; such a one cannot be sent again."""

    number: str
    topic: str
    place: str
    put_aside_at: str
    reason: str
    cut_from: int | None
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def put_aside(record: Any, topic: str, why: str, at: str) -> Message:
    """A message of Kafka's, as the dead letter that becomes of it."""
    ours = {
        _REASON: why[:2_000],
        _TOPIC: record.topic,
        _PLACE: f"{record.partition}/{record.offset}",
        _AT: at,
    }
    theirs = [(name, value or b"") for name, value in record.headers if name not in _OURS]
    said = [*theirs, *((name, value.encode()) for name, value in ours.items())]
    return Message(topic, record.key or b"", record.value or b"", said)


def cut(message: Message) -> Message:
    """What fits anywhere: the beginning of it, and where the whole is told by its headers."""
    ours = [(name, value) for name, value in message.headers if name in _OURS]
    size = str(len(message.value)).encode()
    return message._replace(
        key=message.key[:_SHOWN], value=message.value[:_SHOWN], headers=[*ours, (_CUT, size)]
    )


def read_letters(settings: KafkaSettings) -> Iterator[Letter]:
    """Those not dealt with, in the order of each partition. Raises ``MayPass``."""
    with _opened(settings) as (_, pages):
        for page in pages:
            yield from page


def settle(settings: KafkaSettings, *, send: bool) -> tuple[int, list[Letter]]:
    """Send every letter again to the topic it came to, or (without ``send``) dismiss them all.

    How many were sent or dismissed, and which were not sent because they cannot be: they are dealt
    with, too, and are for the operator to look at. Raises ``MayPass``: those before it are dealt
    with.
    """
    intake = _intake(settings)
    delivery = Delivery(settings, "dead-letters", lambda _: EVENTS_KEPT)
    count, stuck = 0, list[Letter]()
    try:
        with _opened(settings) as (consumer, pages):
            for page in pages:
                odd = [
                    one
                    for one in page
                    if send and (one.cut_from is not None or one.topic not in intake.topics)
                ]
                ready = [one for one in page if one not in odd]
                if send and ready:
                    _send(delivery, ready)
                consumer.commit(_ends(consumer))
                count += len(ready)
                stuck += odd
    finally:
        delivery.give_up()
    return count, stuck


def _send(delivery: Delivery, letters: Sequence[Letter]) -> None:
    refused = delivery.deliver(
        [Message(one.topic, one.key, one.value, list(one.headers)) for one in letters]
    )
    if refused:
        raise MayPass("; ".join(refused.values()))


@contextmanager
def _opened(settings: KafkaSettings) -> Iterator[tuple[Any, Iterator[list[Letter]]]]:
    """The consumer, which stands behind the page that was taken last, and the pages."""
    intake = _intake(settings)
    topic = intake.dead_letters
    count = read_topics(settings, [topic])[topic].partitions
    with (
        plainly(settings),
        closing(
            connect(
                KafkaConsumer,
                **options(settings, "dead-letters"),
                group_id=f"{intake.group}-dead-letters",
                enable_auto_commit=False,
                allow_auto_create_topics=False,
            )
        ) as consumer,
    ):
        parts = [TopicPartition(topic, number) for number in range(count)]
        consumer.assign(parts)
        ends = consumer.end_offsets(parts) if parts else {}
        begins = consumer.beginning_offsets(parts) if parts else {}
        for part in parts:
            consumer.seek(part, max(consumer.committed(part) or 0, begins[part]))
        yield consumer, _pages(consumer, ends, settings.answers_within)


def _pages(consumer: Any, ends: Mapping[Any, int], patience: float) -> Iterator[list[Letter]]:
    """Up to where the topic ended when it was opened; no page may take longer than ``patience``."""
    give_up = monotonic() + patience
    while any(consumer.position(part) < end for part, end in ends.items()):
        found = consumer.poll(timeout_ms=500, max_records=_PAGE)
        if page := [_letter(record) for records in found.values() for record in records]:
            yield page
            give_up = monotonic() + patience
        elif monotonic() > give_up:
            raise MayPass("kafka: the dead letters could not be read in time")


def _ends(consumer: Any) -> dict[Any, Any]:
    return {
        part: OffsetAndMetadata(consumer.position(part), "", -1) for part in consumer.assignment()
    }


def _letter(record: Any) -> Letter:
    ours = {name: value.decode(errors="replace") for name, value in record.headers if name in _OURS}
    size = ours.get(_CUT, "")
    return Letter(
        f"{record.partition}/{record.offset}",
        ours.get(_TOPIC, ""),
        ours.get(_PLACE, ""),
        ours.get(_AT, ""),
        ours.get(_REASON, ""),
        int(size) if size.isdigit() else None,
        record.key or b"",
        record.value or b"",
        tuple((name, value) for name, value in record.headers if name not in _OURS),
    )


def _intake(settings: KafkaSettings) -> Intake:
    if settings.intake is None:
        raise BadInput.one("kafka", "there is no intake in the settings", "docs/kafka.md tells how")
    return settings.intake
