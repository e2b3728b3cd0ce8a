"""Processes that append until they are killed, for the tests that kill them.

Run as a program it imports everything once and then makes one process for each line it reads: a
fork takes milliseconds, a fresh interpreter half a second. A line is ``ADDRESS SEED``. It answers
``started PID``; the process writes a line ``FIRST_POSITION MARKER`` for each append acknowledged;
when it is dead there follows ``dead``.
"""

from __future__ import annotations

import os
import random
import sys

import engine.store.postgres  # noqa: F401  so that no fork has to
from engine.store.log import Appended
from engine.store.opening import open_log
from tests.log.conftest import append


def append_for_ever(address: str, seed: str) -> None:
    """Groups of 1 to 8 appends; each writes two events, so that a half-written one would show."""
    choose = random.Random(seed)
    log = open_log(address)
    number = 0
    while True:
        group = []
        for _ in range(choose.randint(1, 8)):
            number += 1
            group.append(append(f"{seed}-{number}", count=2))
        answers = log.append(group)
        for wanted, answer in zip(group, answers, strict=True):
            assert isinstance(answer, Appended)
            say(f"{answer.events[0].position} {wanted.command_id}")


def say(line: str) -> None:
    """In one piece, and not kept in a buffer that dies with the process."""
    os.write(1, f"{line}\n".encode())


def main() -> None:
    for line in sys.stdin:
        address, seed = line.split()
        pid = os.fork()
        if pid == 0:
            append_for_ever(address, seed)
        say(f"started {pid}")
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    main()
