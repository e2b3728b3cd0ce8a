"""Commands from topics: each has one effect, by its command id, and is answered.

A message is JSON: ``kind`` and the fields of a command (``engine.commands``). A group of messages
is handled, the broker acknowledges the answers, and then the group's offsets are committed.
Whatever is cut off in between is done again: the engine's markers let a command have one effect,
and its receipt is the same again. A refusal is an answer like any other. What is no command is a
dead letter, with its reason, and holds up nobody.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from consumers.cloud_events import CONTENT_TYPE
from consumers.kafka_commands import Unreadable, check, read_command
from consumers.kafka_connection import (
    EVENTS_KEPT,
    REPLIES_KEPT,
    Silence,
    look_for,
    options,
    plainly,
)
from consumers.kafka_dead_letters import cut, put_aside
from consumers.kafka_delivery import Delivery, Message
from consumers.kafka_network import connect
from consumers.kafka_settings import KafkaSettings
from consumers.runner import LONGEST_WAIT, SHORTEST_WAIT, MayPass
from engine import canonical
from engine.clock import Clock, SystemClock
from engine.commands import Command
from engine.errors import BadInput, Contended, PmoError, Refused, StoreFailed
from engine.service import Receipt, Service

GROUP = 500

_MOVED_ON = (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
"""Some of the partitions are somebody else's by now, who begins where nobody has committed."""


class KafkaIntake:
    """For one thread; any number of these, here and elsewhere, share the topics.

    ``handled`` and ``dead`` count messages since it was made: answered by the service, put aside.
    """

    def __init__(
        self,
        service: Service,
        settings: KafkaSettings,
        *,
        clock: Clock | None = None,
        told: Callable[[PmoError, float], object] | None = None,
        group: int = GROUP,
        instance: str | None = None,
    ) -> None:
        """``told`` hears why it waits, and for how many seconds. ``instance``: a name of this
        process's own in the consumer group; back under it, it has its partitions at once. Raises
        ``BadInput`` where the settings have no intake."""
        if settings.intake is None:
            raise BadInput.one("kafka", "there is no intake in the settings", "see docs/kafka.md")
        self._service = service
        self._settings = settings
        self._intake = settings.intake
        self._clock = clock or SystemClock()
        self._told = told
        self._group = group
        self._instance = instance
        self._delivery = Delivery(settings, "intake", self._kept)
        self._consumer: Any = None
        self.handled = 0
        self.dead = 0

    def run(self, stop: threading.Event, idle_for: float | None = None) -> None:
        """Take and answer commands until told to stop, or until none came for so many seconds."""
        tries = 0
        silence = Silence()
        try:
            while not stop.is_set():
                try:
                    came = self.step()
                    if idle_for is not None and silence.lasts(self._open(), came) >= idle_for:
                        return
                    tries = 0
                except (MayPass, StoreFailed, Contended) as error:
                    self._begin_anew()
                    tries += 1
                    self._pause(stop, error, tries)
        finally:
            self._begin_anew()

    def step(self) -> int:
        """Take up to one group, answer it, and tell the broker that it is done; how many messages.

        Raises ``MayPass``, ``StoreFailed`` or ``Contended``: after ``run`` has begun anew the same
        group comes again.
        """
        with plainly(self._settings):
            consumer = self._open()
            found = consumer.poll(timeout_ms=look_for(consumer), max_records=self._group)
        records = [record for some in found.values() for record in some]
        if records:
            if refused := self._delivery.deliver(self._answer(records)):
                raise MayPass("; ".join(refused.values()))
            self._commit(found)
        return len(records)

    def _answer(self, records: Sequence[Any]) -> list[Message]:
        """Everything that has to be said about these messages."""
        self._delivery.ready({self._intake.replies, self._intake.dead_letters})
        said: list[Message] = []
        commands: list[Command] = []
        for record in records:
            try:
                kind, command = read_command(
                    record.value, dict(record.headers), self._intake.largest
                )
                check(kind, command, self._intake.topics[record.topic])
                commands.append(command)
            except Unreadable as error:
                said += self._put_aside(record, error)
            except (Refused, BadInput) as error:
                said.append(self._reply(command.command_id, describe(error)))
        for command, answer in zip(commands, self._service.handle_many(commands), strict=True):
            if isinstance(answer, StoreFailed | Contended):
                raise answer
            said.append(self._reply(command.command_id, describe(answer)))
        self.handled += len(commands)
        return said

    def _put_aside(self, record: Any, error: Unreadable) -> list[Message]:
        """The dead letter, and word of it to whoever asked, where it can be told who that is."""
        self.dead += 1
        letter = put_aside(record, self._intake.dead_letters, error.why, self._clock.now())
        said = [cut(letter) if self._delivery.too_large(letter) else letter]
        if error.command_id:
            told = {"outcome": "dead-letter", "what": error.why[:2_000]}
            said.append(self._reply(error.command_id, told))
        return said

    def _reply(self, command_id: str, told: Mapping[str, Any]) -> Message:
        headers = [
            ("content-type", CONTENT_TYPE.encode()),
            ("command-id", command_id.encode()),
            ("outcome", str(told["outcome"]).encode()),
        ]
        key, topic = command_id.encode(), self._intake.replies
        message = Message(topic, key, canonical.encode({"command_id": command_id, **told}), headers)
        if self._delivery.too_large(message):
            short = {"command_id": command_id, "outcome": told["outcome"], "what": "see the log"}
            return message._replace(value=canonical.encode(short))
        return message

    def _kept(self, topic: str) -> Mapping[str, str]:
        return REPLIES_KEPT if topic == self._intake.replies else EVENTS_KEPT

    def _commit(self, found: Mapping[Any, Sequence[Any]]) -> None:
        offsets = {
            part: OffsetAndMetadata(records[-1].offset + 1, "", -1)
            for part, records in found.items()
        }
        with plainly(self._settings):
            try:
                self._consumer.commit(offsets)
            except _MOVED_ON:
                # They are handled a second time, by somebody else: the same receipts, no effects.
                return

    def _open(self) -> Any:
        if self._consumer is None:
            self._delivery.ready({*self._intake.topics})
            self._consumer = connect(
                KafkaConsumer,
                *self._intake.topics,
                **options(self._settings, "intake"),
                group_id=self._intake.group,
                group_instance_id=self._instance,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                max_poll_records=self._group,
                # One that died holds its partitions for so long; the default is 45 s.
                session_timeout_ms=10_000,
                metrics_enabled=False,
            )
        return self._consumer

    def _begin_anew(self) -> None:
        """From where the group's offsets are, over new connections."""
        self._delivery.give_up()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=2_000)

    def _pause(self, stop: threading.Event, error: PmoError, tries: int) -> None:
        longest = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(tries - 1, 20))
        seconds = random.random() * longest
        if self._told:
            self._told(error, seconds)
        stop.wait(seconds)


def describe(answer: Receipt | PmoError) -> dict[str, Any]:
    """An answer of the service as JSON: ``outcome`` is ``done``, or the code of the error."""
    match answer:
        case Receipt():
            return {"outcome": "done", "receipt": asdict(answer)}
        case Refused():
            verdicts = [
                {
                    "rule": verdict.rule,
                    "held": verdict.held,
                    "reason": verdict.reason,
                    "weight": getattr(verdict, "weight", "shall"),
                }
                for verdict in answer.verdicts
            ]
            return {"outcome": answer.code, "what": answer.what, "verdicts": verdicts}
        case BadInput():
            problems = [asdict(problem) for problem in answer.problems]
            return {"outcome": answer.code, "what": str(answer), "problems": problems}
        case _:
            return {"outcome": answer.code, "what": str(answer)}
