"""A service that asks for things over Kafka, and notes what it asked for before and after.

    python -m tests.chaos.asker BOOTSTRAP TOPIC HISTORY SEED

Like a writer it sends the same command under every number, and the last ones again when it takes
over from one that was killed. It ends when its standard input does.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from pathlib import Path

from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.kafka_network import connect
from engine.commands import ASKABLE
from tests.chaos.history import History, read
from tests.chaos.writer import command

AGAIN = 20
"""Commands that are sent again by whoever takes over: as many as there are in a group."""
PAUSE = 0.2


def message(seed: int, number: int) -> tuple[str, bytes]:
    asked = command(seed, number)
    kind = next(kind for kind, form in ASKABLE.items() if isinstance(asked, form))
    said = asked.model_dump(mode="json", exclude_unset=True)
    return asked.command_id, json.dumps({"kind": kind, **said}).encode()


def main(bootstrap: str, topic: str, path: str, seed: int) -> None:
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    sent = [int(line["sent"].split(":")[1]) for line in read(Path(path)) if "sent" in line]
    history, number = History(Path(path)), max(0, max(sent, default=0) - AGAIN)
    chance = random.Random(f"{seed}:{number}:sizes")
    producer: KafkaProducer | None = None
    while not stop.wait(PAUSE):
        group = [message(seed, number + i) for i in range(chance.randint(1, AGAIN))]
        for command_id, _ in group:
            history.note(sent=command_id)
        try:
            producer = producer or connect(KafkaProducer, bootstrap_servers=bootstrap, acks="all")
            futures = [producer.send(topic, value) for _, value in group]
            for (command_id, _), future in zip(group, futures, strict=True):
                future.get(10)
                history.note(there=command_id)
            number += len(group)
        except KafkaError as error:  # the broker is away; the same commands are sent again
            print(f"asker: {type(error).__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
