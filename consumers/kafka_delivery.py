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
from consumers.kafka_network import connect
from consumers.kafka_settings import KafkaSettings
from consumers.runner import MayPass

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_BATCH = 262_144
_LINGER = 250
"""Milliseconds. Nothing waits so long: whatever is sent is flushed at once when all of it has been
handed over. Until then the client would send a few messages at a time, and be in our way."""
_LARGEST_REQUEST = 16 * 1024 * 1024
_LARGE = 8_000
"""Bytes of a value that a topic may not take any more, if its limit was lowered since it was asked
for it. Nothing of the same key follows such a one before it is acknowledged. Most events have a
tenth of that, and are not waited for one by one: no topic of use takes so little."""
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
        names = {message.topic for message in messages}
        refused: dict[int, str] = {}
        left: Sequence[int] = range(len(messages))
        at_once = len(messages)
        while left:
            try:
                self.ready(names)
                ready, left = self._sort_out(messages, left, refused, at_once)
                with plainly(self.settings):
                    failed = self._send(messages, ready)
            except MayPass:
                self.give_up()
                raise
            if not failed:
                continue
            # A topic takes less than it did. The producer has stopped at that, and what it had not
            # sent yet has failed with the same words: so ask again what fits, and send fewer.
            self.give_up()
            if len(ready) > 1:
                left = sorted([*failed, *left])
                at_once = len(ready) // 2
            else:
                refused |= failed
        return refused

    def _sort_out(
        self,
        messages: Sequence[Message],
        places: Sequence[int],
        refused: dict[int, str],
        at_once: int,
    ) -> tuple[list[int], list[int]]:
        """The places of those to be sent now, and of those to be sent after; what is too large is
        added to ``refused``."""
        ready: list[int] = []
        later: list[int] = []
        stuck = {(messages[place].topic, messages[place].key) for place in refused}
        awaited: set[tuple[str, bytes]] = set()
        for place in places:
            message = messages[place]
            at = message.topic, message.key
            if at in stuck:
                continue
            if at in awaited or len(ready) == at_once:
                later.append(place)
            elif why := self.too_large(message):
                refused[place] = why
                stuck.add(at)
            else:
                ready.append(place)
                if len(message.value) > _LARGE:
                    awaited.add(at)
        return ready, later

    def _send(self, messages: Sequence[Message], places: Sequence[int]) -> dict[int, str]:
        """Until each is acknowledged, or has failed; those, if one of them was too large. Raises
        what else keeps any of them from being acknowledged."""
        producer = self._open()
        counts = {topic: state.partitions for topic, state in self._topics.items()}
        for topic in {messages[place].topic for place in places}:
            if (now := len(producer.partitions_for(topic))) < counts[topic]:
                raise MayPass(
                    f"kafka: {topic} was made anew, with {now} partitions instead of"
                    f" {counts[topic]}"
                )
        futures = []
        for place in places:
            topic, key, value, headers = messages[place]
            partition = partition_of(key, counts[topic])
            futures.append(producer.send(topic, value, key, headers, partition))
        # Longer than any message may wait: when this returns none can still be sent late.
        producer.flush(self.settings.answers_within + 30)
        failed = {
            place: future.exception
            for place, future in zip(places, futures, strict=True)
            if future.failed()
        }
        self.acknowledged += len(places) - len(failed)
        if failed and not any(isinstance(error, _TOO_LARGE) for error in failed.values()):
            raise next(iter(failed.values()))
        return {
            place: f"{messages[place].topic} refused it: {error}" for place, error in failed.items()
        }

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
            self._producer = connect(
                KafkaProducer,
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
