"""Events to Kafka: CloudEvents 1.0 in binary mode, one message an event, key = case.

At least once and in order for each case. The checkpoint moves when the broker has acknowledged the
whole batch; until then the whole batch is sent again. Readers tell by ``ce_id`` what they have
seen: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

from collections.abc import Sequence

from consumers import cloud_events
from consumers.kafka_connection import EVENTS_KEPT
from consumers.kafka_delivery import Delivery, Message
from consumers.kafka_settings import KafkaSettings
from consumers.kafka_tails import find_lost, read_works, undone
from consumers.store import Store, Trouble
from consumers.work import Work, tail_works
from engine.store.log import Log
from engine.upcasts import Body

NAME = "kafka"
BATCH = 2_000
"""Events that are sent before their acknowledgements are waited for: what is in flight is bounded
by it, and a slow broker slows the reading of the log instead of filling the memory."""

_SEQUENCE = "ce_sequence"


class _Headers(dict[str, str]):
    """The header of an attribute, by its name."""

    def __missing__(self, name: str) -> str:
        header = "content-type" if name == "datacontenttype" else f"ce_{name}"
        self[name] = header
        return header


_HEADERS = _Headers()


class KafkaRelay:
    """A ``consumers.runner.Consumer``, for one thread at a time.

    ``again`` and ``lost`` count events since it was made: sent a further time because their batch
    had failed, and told anew because the broker had lost them.
    """

    name = NAME
    ordered = True
    from_head = False
    batch = BATCH

    def __init__(self, log: Log, store: Store, settings: KafkaSettings, source: str) -> None:
        """``source`` is the ledger's name for others: a URI reference, the same for ever."""
        self._log = log
        self._store = store
        self._settings = settings
        self._source = source
        self._delivery = Delivery(settings, "relay", lambda _: EVENTS_KEPT)
        self._failed = 0
        self.again = 0
        self.lost = 0

    @property
    def acknowledged(self) -> int:
        """Messages since it was made."""
        return self._delivery.acknowledged

    def consume(self, batch: Sequence[Work]) -> list[Trouble]:
        told = [work for work in batch if cloud_events.is_public(work.body)]
        if not told:
            return []
        if not self._delivery.connected:
            self._mend()
        self.again += min(self._failed, len(told))
        self._failed = len(told)
        troubles = self._deliver(told)
        self._failed = 0
        return troubles

    def retry(self, work: Work, item: str) -> str:  # noqa: ARG002  one event is one item
        return "\n".join(trouble.reason for trouble in self.consume([work]))

    def replay(self, after: int, until: int) -> int:
        """Tell again what stands in the log after a position, up to another; how many events.

        What is parked waits on. Raises ``MayPass``.
        """
        parked = undone(self._store, self.name)
        before = self.acknowledged
        for works in tail_works(self._log, after, batch=BATCH, until=until):
            ready = [work for work in works if work.position not in parked]
            self._deliver([work for work in ready if cloud_events.is_public(work.body)])
        return self.acknowledged - before

    def find_lost(self) -> list[int]:
        """The positions of what the broker had, and has not any more. Raises ``MayPass``, and
        ``LogDiverged`` where it has what the log has not."""
        return find_lost(
            *(self._log, self._store, self.name, self._delivery, self._topic, _SEQUENCE),
            self._source,
        )

    def close(self) -> None:
        self._delivery.give_up()

    def _mend(self) -> None:
        for works in read_works(self._log, self.find_lost(), BATCH):
            self._deliver(works)
            self.lost += len(works)

    def _deliver(self, works: Sequence[Work]) -> list[Trouble]:
        refused = self._delivery.deliver([self._message(work) for work in works])
        return [
            Trouble(works[place].position, works[place].stream, why)
            for place, why in refused.items()
        ]

    def _topic(self, body: Body) -> str | None:
        if not cloud_events.is_public(body):
            return None
        return self._settings.topic_of_events(body["definition"]["name"])

    def _message(self, work: Work) -> Message:
        body = work.body
        told = cloud_events.attributes(work.position, body, self._source)
        headers = [(_HEADERS[name], value.encode()) for name, value in told.items()]
        topic = self._settings.topic_of_events(body["definition"]["name"])
        data = cloud_events.data(body, work.stored)
        return Message(topic, body["stream"].encode(), data, headers)
