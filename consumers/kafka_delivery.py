"""Messages on their way to the broker: all of them acknowledged, or it is known which are not.

One idempotent producer, made when something is to be sent, and given up after any trouble. What
was under way then is sent again over a new one; whoever reads may see it twice, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from consumers.kafka_connection import (
    TopicState,
    options,
    partition_of,
    plainly,
    ready_topics,
)
from consumers.kafka_settings import KafkaSettings
from consumers.runner import MayPass

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_BATCH = 262_144
_LINGER = 250
"""Milliseconds. Nothing waits so long: whatever is sent is flushed at once when all of it has been
handed over. Until then the client would send a few messages at a time, and be in our way."""
_LARGEST_REQUEST = 16 * 1024 * 1024
_AROUND_A_RECORD = 110
"""Bytes that a batch of one record has around key, value and headers, at most."""


class Message(NamedTuple):
    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]

    @property
    def size(self) -> int:
        """Bytes that it takes at most, before compression."""
        headers = sum(len(name.encode()) + len(value) + 10 for name, value in self.headers)
        return _AROUND_A_RECORD + len(self.key) + len(self.value) + headers


class Delivery:
    """For one thread at a time. ``acknowledged`` counts messages, those sent again included."""

    def __init__(
        self,
        settings: KafkaSettings,
        what: str,
        kept: Callable[[str], Mapping[str, str]],
    ) -> None:
        """``what`` is for the broker's own logs; ``kept``: the configuration a topic is made
        with."""
        self.settings = settings
        self._what = what
        self._kept = kept
        self._topics: dict[str, TopicState] = {}
        self._producer: Any = None
        self.acknowledged = 0

    @property
    def connected(self) -> bool:
        return self._producer is not None

    def ready(self, names: set[str]) -> dict[str, TopicState]:
        """These topics as they are, made where that is wanted. Raises ``MayPass``."""
        if new := names - self._topics.keys():
            self._topics |= ready_topics(self.settings, {name: self._kept(name) for name in new})
        return self._topics

    def too_large(self, message: Message) -> str:
        """Why the topic would not take it; empty if it will. The topic must be ``ready``."""
        largest = min(self._topics[message.topic].largest, _LARGEST_REQUEST)
        if len(message.value) + 4_000 < largest or message.size <= largest:
            return ""
        return (
            f"{message.size:,} bytes are more than {message.topic} takes ({largest:,}); raise its"
            " max.message.bytes and try again"
        )

    def deliver(self, messages: Sequence[Message]) -> dict[int, str]:
        """Send them, in order for each key, and wait until the broker has acknowledged them.

        What no try will bring across, because it is too large: which of them, and why; what has the
        same key and comes after it is not sent. Raises ``MayPass`` when it is not known of all
        others that they are durable: send them again.
        """
        self.ready({message.topic for message in messages})
        refused, ready = self._sort_out(messages)
        try:
            with plainly(self.settings):
                producer = self._open()
                counts = {topic: state.partitions for topic, state in self._topics.items()}
                futures = []
                for place in ready:
                    topic, key, value, headers = messages[place]
                    partition = partition_of(key, counts[topic])
                    futures.append(producer.send(topic, value, key, headers, partition))
                # Longer than any message may wait: when this returns none can still be sent late.
                producer.flush(self.settings.answers_within + 30)
                for place, future in zip(ready, futures, strict=True):
                    if not future.failed():
                        continue
                    if not isinstance(future.exception, _TOO_LARGE):
                        raise future.exception
                    refused[place] = f"{messages[place].topic} refused it: {future.exception}"
        except MayPass:
            self.give_up()
            raise
        self.acknowledged += len(ready)
        return refused

    def _sort_out(self, messages: Sequence[Message]) -> tuple[dict[int, str], list[int]]:
        """Those that are too large, and those to be sent, by their places."""
        refused: dict[int, str] = {}
        ready = []
        stuck: set[tuple[str, bytes]] = set()
        for place, message in enumerate(messages):
            at = message.topic, message.key
            if stuck and at in stuck:
                continue
            if why := self.too_large(message):
                refused[place] = why
                stuck.add(at)
            else:
                ready.append(place)
        return refused, ready

    def give_up(self) -> None:
        """Drop the producer, and what was known of topics: the next one begins afresh."""
        producer, self._producer = self._producer, None
        self._topics = {}
        if producer is None:
            return
        try:
            producer.close(timeout=0)
        except KafkaTimeoutError:
            # It would go on trying, and what it sends late would come after what is sent anew.
            producer._sender.force_close()

    def _open(self) -> Any:
        if self._producer is None:
            wait = self.settings.answers_within * 1_000
            compression = self.settings.compression
            self._producer = KafkaProducer(
                **options(self.settings, self._what),
                # All of these said: one that conflicts would turn idempotence off with a log line.
                enable_idempotence=True,
                acks="all",
                retries=1_000_000,
                max_in_flight_requests_per_connection=5,
                allow_auto_create_topics=False,
                delivery_timeout_ms=wait,
                request_timeout_ms=max(wait // 2, 500),
                max_block_ms=wait,
                linger_ms=_LINGER,
                batch_size=_BATCH,
                max_request_size=_LARGEST_REQUEST,
                metrics_enabled=False,
                compression_type=None if compression == "none" else compression,
            )
        return self._producer
