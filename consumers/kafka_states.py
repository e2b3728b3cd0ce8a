"""What every case is now, to compacted topics: one a workflow, key = case, for readers of tables.

Of several changes in one batch only the last is told. Whoever reads keeps, for each key, the
message with the highest ``version``: one that is sent again may come after a later one.
"""

from __future__ import annotations

from collections.abc import Sequence

from consumers.cases import Cases
from consumers.cloud_events import CONTENT_TYPE
from consumers.kafka_connection import STATES_KEPT
from consumers.kafka_delivery import Delivery, Message
from consumers.kafka_settings import KafkaSettings
from consumers.kafka_tails import find_lost, read_works
from consumers.store import Store, Trouble
from consumers.work import Work, tail_works
from engine import canonical
from engine.store.log import Log
from engine.upcasts import Body

NAME = "kafka-states"
BATCH = 1_000

_POSITION = "position"


class KafkaStates:
    """A ``consumers.runner.Consumer``, for one thread at a time."""

    name = NAME
    ordered = True
    from_head = False
    batch = BATCH

    def __init__(self, log: Log, store: Store, settings: KafkaSettings) -> None:
        self._log = log
        self._store = store
        self._settings = settings
        self._cases = Cases(log)
        self._delivery = Delivery(settings, "states", lambda _: STATES_KEPT)
        self.lost = 0

    @property
    def acknowledged(self) -> int:
        """Messages since it was made."""
        return self._delivery.acknowledged

    def consume(self, batch: Sequence[Work]) -> list[Trouble]:
        told = [work for work in batch if self._topic(work.body)]
        if not told:
            return []
        if not self._delivery.connected:
            self._mend()
        return self._tell(told)

    def retry(self, work: Work, item: str) -> str:  # noqa: ARG002  one event is one item
        return "\n".join(trouble.reason for trouble in self.consume([work]))

    def replay(self, until: int) -> int:
        """Tell what every case was at a position, however long ago it came to be so; how many
        messages. Raises ``MayPass``."""
        before = self.acknowledged
        for works in tail_works(self._log, 0, batch=BATCH, until=until):
            self._tell([work for work in works if self._topic(work.body)])
        return self.acknowledged - before

    def find_lost(self) -> list[int]:
        """The positions of what the broker had, and has not any more. Raises ``MayPass``."""
        return find_lost(self._log, self._store, self.name, self._delivery, self._topic, _POSITION)

    def close(self) -> None:
        self._delivery.give_up()

    def _mend(self) -> None:
        for works in read_works(self._log, self.find_lost(), BATCH):
            self._tell(works)
            self.lost += len(works)

    def _tell(self, works: Sequence[Work]) -> list[Trouble]:
        self._cases.see(works)
        last = {work.stream: work for work in works}
        ready = sorted(last.values(), key=lambda work: work.position)
        refused = self._delivery.deliver([self._message(work) for work in ready])
        return [
            Trouble(ready[place].position, ready[place].stream, why)
            for place, why in refused.items()
        ]

    def _topic(self, body: Body) -> str | None:
        if "/" in body["stream"]:
            return None
        return self._settings.topic_of_states(body["definition"]["name"])

    def _message(self, work: Work) -> Message:
        topic = self._topic(work.body)
        assert topic is not None
        case = self._cases.as_left_by(work)
        state = {
            "key": case.key,
            "workflow": case.definition.name,
            "definition": case.definition.version,
            "state": case.state,
            "data": dict(case.data),
            "version": case.version,
            "position": work.position,
            "recorded_at": work.body["recorded_at"],
        }
        headers = [
            ("content-type", CONTENT_TYPE.encode()),
            (_POSITION, str(work.position).encode()),
        ]
        return Message(topic, case.key.encode(), canonical.encode(state), headers)
