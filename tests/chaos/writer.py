"""A program that sends commands, and notes before and after each what it sent and was answered.

    python -m tests.chaos.writer ADDRESS HISTORY SEED

``ADDRESS`` is what ``engine.store.opening.open_log`` takes. Command number *n* of a seed is always
the same command, so whoever takes over from a writer that was killed sends the last ones again. It
ends when its standard input does.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from pathlib import Path

from engine.commands import Command, PublishDefinition, PullTrigger, Requester, StartCase
from engine.errors import PmoError, Refused, StoreFailed
from engine.loading import load_definition
from engine.service import Receipt, Service
from engine.store.opening import open_log
from tests.chaos.definition import TEXT
from tests.chaos.history import History, read

CASES = 40
AGAIN = 60
"""Commands that are sent again by whoever takes over: more than a group holds."""
LARGEST_GROUP = 24


def command(seed: int, number: int) -> Command:
    """Command ``number``: start a case, let it count, or close it. Some can only be refused."""
    chance = random.Random(f"{seed}:{number}")
    actor, name = Requester(id=f"writer-{seed}"), f"{number // 1000}.{chance.randrange(CASES)}"
    said = {"command_id": f"{seed}:{number}", "actor": actor}
    kind = chance.random()
    if number % 1000 < CASES:
        return StartCase(
            workflow="counter", data={"name": f"{number // 1000}.{number % 1000}"}, **said
        )
    if kind < 0.03:
        return PullTrigger(case=f"CTR-{name}", trigger="close", **said)
    data: dict[str, object] = {"count": number}
    if kind < 0.4:
        data["other"] = f"CTR-{number // 1000}.{chance.randrange(CASES)}"
    return PullTrigger(case=f"CTR-{name}", trigger="count", data=data, **said)


def publish(service: Service) -> None:
    body = load_definition(TEXT, "counter").body
    actor = Requester(id="chaos", kind="service")
    service.handle(PublishDefinition(command_id="publish", actor=actor, body=body, text=TEXT))


def send(service: Service, history: History, commands: list[Command]) -> bool:
    """Send a group; whether everybody was answered."""
    for each in commands:
        history.note(sent=each.command_id)
    answered = True
    for each, answer in zip(commands, service.handle_many(commands), strict=True):
        match answer:
            case Receipt():
                told = {"position": answer.position, "version": answer.version}
                history.note(done=each.command_id, case=answer.stream, **told)
            case Refused():
                history.note(refused=each.command_id)
            case StoreFailed():
                answered = False
            case PmoError():
                history.note(refused=each.command_id, why=str(answer))
    return answered


def main(address: str, path: str, seed: int) -> None:
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    sent = [int(line["sent"].split(":")[1]) for line in read(Path(path)) if "sent" in line]
    history, number = History(Path(path)), max(0, max(sent, default=0) - AGAIN)
    chance = random.Random(f"{seed}:{number}:sizes")
    service: Service | None = None
    while not stop.is_set():
        try:
            if service is None:
                service = Service(open_log(address))
                publish(service)
            size = chance.randint(1, LARGEST_GROUP)
            if send(service, history, [command(seed, number + i) for i in range(size)]):
                number += size
                continue
        except StoreFailed as error:
            print(f"writer {seed}: {error}", file=sys.stderr)
        time.sleep(0.05)  # the store is away; the same commands are sent again


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
