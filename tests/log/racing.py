"""Writers whose commits are slow, fail or go unanswered, while readers tail: nothing is skipped.

    python -m tests.log.racing [--seconds N] [--seed N]

The long form of ``test_promise_2_nothing_is_skipped``: four processes write to one PostgreSQL, each
group of theirs is rolled back, delayed or loses its answer by chance, and five processes read. Each
reader sees to it that positions come one by one, and keeps a hash of what it saw; in the end the
log itself has to give the same.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import random
import select
import sys
import time
from contextlib import closing

import psycopg

from engine.errors import StoreFailed
from engine.store.log import Appended
from engine.store.postgres import PostgresLog
from engine.store.tail import tail
from tests.log.conftest import append
from tests.patience import PATIENCE
from tests.postgres import own_server

WRITERS, READERS, LARGEST_GROUP = 4, 5, 40


class UnreliablePostgres(PostgresLog):
    """Some writes fail, some are slow, and some connections are lost before the answer comes."""

    choose = random.Random(2)
    calm = 0.8
    """The share of groups to which nothing happens but a delay."""

    def _write(self, c, group):
        what = self.choose.random()
        if what > (1 + self.calm) / 2:
            raise psycopg.OperationalError("no route to host")
        super()._write(c, group)
        select.select([], [], [], self.choose.random() * 0.001)
        if what > self.calm:
            c.connection.close()

    def mend(self):
        self._write = super()._write


def write(address, seed, until, told):
    log, number = UnreliablePostgres(address), 0
    log.choose, log.calm = random.Random(seed), 0.95
    acknowledged = failed = 0
    while time.monotonic() < until:
        size = log.choose.randint(1, LARGEST_GROUP)
        group = [append(f"{seed}-{number + i}") for i in range(size)]
        number += size
        try:
            acknowledged += sum(isinstance(answer, Appended) for answer in log.append(group))
        except StoreFailed:
            failed += 1
    log.close()
    told.put((acknowledged, failed))


def read(address, stop, told):
    """Goes on until it has come to the position that ``stop`` says in the end."""
    seen, reached = hashlib.sha256(), 0
    with closing(PostgresLog(address)) as log:
        while not stop.value or reached < stop.value:
            for batch in tail(log, reached, until=max(log.head(), reached)):
                for position, body in batch:
                    assert position == reached + 1, f"{position} after {reached}"
                    reached = position
                    seen.update(body["event_id"].encode())
            log.wait(reached, 0.1)
    told.put((reached, seen.hexdigest()))


def race(address, seconds, seed):
    """How many events there are, how many groups failed; raises where a reader saw otherwise."""
    stop, told, wrote = (
        multiprocessing.Value("q", 0),
        multiprocessing.Queue(),
        multiprocessing.Queue(),
    )
    until = time.monotonic() + seconds
    PostgresLog(address).close()
    writers = [
        multiprocessing.Process(target=write, args=(address, seed * WRITERS + n, until, wrote))
        for n in range(WRITERS)
    ]
    readers = [
        multiprocessing.Process(target=read, args=(address, stop, told)) for _ in range(READERS)
    ]
    for process in writers + readers:
        process.start()
    counts = [wrote.get(timeout=seconds + PATIENCE) for _ in writers]
    with closing(PostgresLog(address)) as log:
        head = stop.value = log.head()
        seen = [told.get(timeout=600) for _ in readers]
        for process in writers + readers:
            process.join(PATIENCE)
            assert process.exitcode == 0
        whole, reached = hashlib.sha256(), 0
        for batch in tail(log, 0, until=head):
            for reached, body in batch:  # noqa: B007
                whole.update(body["event_id"].encode())
        assert seen == [(head, whole.hexdigest())] * READERS, seen
        assert log.check() == head >= sum(acknowledged for acknowledged, _ in counts)
    return head, sum(failed for _, failed in counts)


def main():
    options = argparse.ArgumentParser(prog="python -m tests.log.racing")
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--seconds", type=float, default=600)
    said = options.parse_args()
    print(f"seed {said.seed}, {said.seconds:.0f} seconds", flush=True)
    server = own_server()
    try:
        head, failed = race(server.new_database(), said.seconds, said.seed)
    finally:
        server.remove()
    print(f"{head:,} events, {failed:,} groups failed; {READERS} readers saw each once, in order:")
    print(f"{READERS * head:,} positions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
