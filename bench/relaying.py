"""The relay beside kafka-python's own best: the same messages, which we read, encode, send, have
acknowledged and checkpoint; the peer is handed them ready-made, and flushes once. The same where
many more have waited, as after a day on which the broker was away. Then 1,000
commands a second, and how long each takes from being asked to a Kafka consumer having its event,
while `pmo work` runs as it does for users. Every part is a process of its own.

    .venv/bin/python -m bench.relaying
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from app.garbage import collect_seldom
from app.home import Home
from bench.ledgers import fill
from bench.report import Row, write
from consumers.kafka_connection import EVENTS_KEPT, ready_topics
from consumers.kafka_delivery import Message
from consumers.kafka_relay import KafkaRelay
from consumers.kafka_settings import KafkaSettings
from consumers.runner import Runner
from consumers.store import Store
from consumers.work import as_work
from engine import ids
from engine.commands import Command, PublishDefinition, Requester, StartCase
from engine.loading import load_definition
from tests import kafka_broker

ROUNDS = {20_000: 3, 100_000: 1}
"""By how many events wait to be told."""
SECONDS, A_SECOND, WARM_UP = 20, 1_000, 3
PAT = Requester(id="pat")

PLAN = """
workflow: plan
version: 1
title: Plan
key: PLAN
data: {title: {type: text}, asked: {type: text}}
states: {open: {initial: true}, closed: {final: true}}
transitions: [{trigger: close, from: open, to: closed}]
"""


def main() -> None:
    collect_seldom()  # as `pmo work` does; it holds for the peer, too
    with tempfile.TemporaryDirectory(prefix="bench-kafka-") as name:
        broker = kafka_broker._open(Path(name))
        try:
            found = {events: rates(broker.bootstrap, events) for events in ROUNDS}
            waits = latencies(broker.bootstrap)
        finally:
            broker.close()
    p50, p99 = (1_000 * waits[int(len(waits) * share)] for share in (0.5, 0.99))
    write(
        f"Relaying to Kafka ({broker.kind})",
        __doc__ or "",
        "kafka-python alone",
        [
            *(
                Row(f"{events:,} events", f"{ours:,.0f}/s", f"{peer:,.0f}/s", f"{ours / peer:.2f}")
                for events, (ours, peer) in found.items()
            ),
            Row(f"command to consumer at {A_SECOND:,}/s, p50", f"{p50:.1f} ms", "", ""),
            Row(f"command to consumer at {A_SECOND:,}/s, p99", f"{p99:.1f} ms", "", ""),
        ],
    )


def settings_for(bootstrap: str, topic: str) -> KafkaSettings:
    topics = {"events": topic, "states": None, "partitions": 3, "replication": 1}
    return KafkaSettings.model_validate({"bootstrap": bootstrap, "topics": topics})


def rates(bootstrap: str, events: int) -> tuple[float, float]:
    """Events a second: ours and the peer's best, taken in turns, each round with its own topic."""
    best = [0.0, 0.0]
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name,
        closing(fill(Path(name) / "ledger.db", events)) as log,
    ):
        for number in range(ROUNDS[events]):
            turn = f"{events}-{number}"
            best[0] = max(best[0], relay(log, Path(name), bootstrap, turn))
            best[1] = max(best[1], produce(log, Path(name), bootstrap, turn))
    return best[0], best[1]


def relay(log: Any, folder: Path, bootstrap: str, turn: str) -> float:
    settings = settings_for(bootstrap, f"ours-{turn}")
    with closing(Store(folder / f"consumers-{turn}.db")) as store:
        made = KafkaRelay(log, store, settings, "/bench")
        with closing(made):
            runner = Runner(log, store, made)
            runner.switch_on()
            made._delivery.ready({settings.topics.events})
            made._delivery._open()
            started = time.perf_counter()
            runner.catch_up()
            seconds = time.perf_counter() - started
            assert made.acknowledged == log.head()
    return float(log.head() / seconds)


def produce(log: Any, folder: Path, bootstrap: str, turn: str) -> float:
    """The best that kafka-python does with these messages: no limit on what is under way, the same
    guarantees, and of a few sizes of batches the fastest."""
    settings = settings_for(bootstrap, f"peer-{turn}")
    with closing(Store(folder / f"peer-{turn}.db")) as store:
        maker = KafkaRelay(log, store, settings, "/bench")
        messages = [maker._message(as_work(row)) for row in log.rows(0, log.head())]
    best = 0.0
    for size in (16_384, 65_536, 262_144):
        for compression in (None, "lz4"):
            topic = f"peer-{turn}-{size}-{compression or 'none'}"
            ready_topics(settings, {topic: EVENTS_KEPT})
            best = max(best, handed(bootstrap, topic, messages, size, compression))
    return best


def handed(
    bootstrap: str, topic: str, messages: list[Message], size: int, compression: str | None
) -> float:
    with closing(
        KafkaProducer(
            bootstrap_servers=bootstrap,
            enable_idempotence=True,
            acks="all",
            metrics_enabled=False,
            batch_size=size,
            compression_type=compression,
        )
    ) as producer:
        producer.partitions_for(topic)
        started = time.perf_counter()
        futures = [producer.send(topic, m.value, m.key, m.headers) for m in messages]
        producer.flush(120)
        seconds = time.perf_counter() - started
        assert all(future.succeeded() for future in futures)
    return len(messages) / seconds


def latencies(bootstrap: str) -> list[float]:
    """Seconds from a command being asked to a consumer having its event, in ascending order."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        home = Path(name) / "home"
        with Home.create(home) as opened:
            body = load_definition(PLAN, "bench").body
            opened.service.handle(
                PublishDefinition(command_id="p", actor=PAT, body=body, text=PLAN)
            )
        topic = "latency"
        (home / "settings.yaml").write_text(
            f"kafka: {{bootstrap: '{bootstrap}',"
            f" topics: {{events: {topic}, states: null, partitions: 3, replication: 1}}}}\n"
        )
        ready_topics(settings_for(bootstrap, topic), {topic: EVENTS_KEPT})
        program = [sys.executable, "-c", "from app.cli import main; main()"]
        asked = SECONDS * A_SECOND
        with (
            running([*program, "work", "--home", str(home)]),
            running([sys.executable, "-m", "bench.relaying", "ask", str(home)]),
        ):
            waits = listen(bootstrap, topic, asked)
    return sorted(waits[WARM_UP * A_SECOND :])


def listen(bootstrap: str, topic: str, count: int) -> list[float]:
    waits: list[float] = []
    give_up = time.monotonic() + 4 * SECONDS
    with closing(KafkaConsumer(bootstrap_servers=bootstrap)) as consumer:
        parts = [TopicPartition(topic, number) for number in range(3)]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        while len(waits) < count and time.monotonic() < give_up:
            for records in consumer.poll(timeout_ms=100).values():
                now = time.time()
                asked = (r.value for r in records if b'"asked"' in r.value)
                waits += [now - asked_at(value) for value in asked if b"PlanStarted" in value]
    assert len(waits) >= count * 0.9, f"only {len(waits):,} of {count:,} came"
    return waits


def asked_at(value: bytes) -> float:
    import orjson

    asked = orjson.loads(value)["data"].get("asked", "")
    return float(asked)


def ask(home: Path) -> None:
    """1,000 commands a second from 20 callers, as a service would have them."""
    with Home.open(home) as opened:
        opened.service.handle(_start())
        begin = time.perf_counter() + 4
        threads = [
            threading.Thread(target=_caller, args=[opened, begin, number]) for number in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _caller(home: Home, begin: float, number: int) -> None:
    each = A_SECOND // 20
    for turn in range(SECONDS * each):
        due = begin + (turn + number / 20) / each
        if (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        home.service.handle(_start())


def _start() -> Command:
    asked = {"asked": f"{time.time():.6f}"}
    return StartCase(command_id=ids.new_id(), actor=PAT, workflow="plan", data=asked)


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    if sys.argv[1:2] == ["ask"]:
        ask(Path(sys.argv[2]))
    else:
        main()
