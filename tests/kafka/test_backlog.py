"""Nobody was there for a day, and thousands of events wait: whoever brings them up does so in
order, and needs no more memory for many than for few."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing

from bench.ledgers import fill
from tests.cli.conftest import ROOT
from tests.kafka.conftest import positions, read_all
from tests.kafka.test_reader import told
from tests.patience import PATIENCE

FEW, MANY = 4_000, 12_000
"""Events that wait. The relay sends 2,000 at a time."""
MORE = 8_000_000
"""Bytes, for what is read ahead. The 8,000 more take three times that as the reader gets them, and
six times as the relay does."""

PEAK = """
import atexit, tracemalloc
tracemalloc.start()
atexit.register(lambda: print(tracemalloc.get_traced_memory()[1]))
"""
WORK = "from app.cli import main; main()"
READ = """
import sqlite3, sys
from consumers.kafka_reader import read
from tests.kafka.test_reader import TABLE, note
connection = sqlite3.connect(sys.argv[1])
connection.execute(TABLE)
read(note, *sys.argv[2:], connection, idle_for=3)
"""


def peak(program: str, *words: str) -> int:
    """The most bytes that Python's objects took at a moment."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK + program, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def by_case(events: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """The positions of each case in the order in which they came first."""
    cases: dict[str, dict[int, None]] = {}
    for case, position in events:
        cases.setdefault(case, {})[position] = None
    return {case: [*found] for case, found in cases.items()}


def test_what_has_waited_is_told_and_read_in_order_in_memory_that_does_not_grow_with_it(
    kafka, prefix, tmp_path
):
    peaks = {}
    for count in (FEW, MANY):
        home, topic = tmp_path / f"{count}", f"{prefix}.{count}"
        home.mkdir()
        with closing(fill(home / "ledger.db", count)) as log:
            waiting = by_case((body["stream"], at) for at, body in log.bodies(0, count + 1))
        (home / "settings.yaml").write_text(
            f"kafka: {{bootstrap: '{kafka.bootstrap}', topics: {{events: {topic},"
            f" states: '{topic}.{{workflow}}', partitions: 3, replication: 1}}}}\n"
        )
        relay = peak(WORK, "work", "--once", "--home", str(home))
        records = read_all(kafka.bootstrap, topic)
        keys = [record.key.decode() for record in records]
        assert by_case(zip(keys, positions(records), strict=True)) == waiting
        reader = peak(READ, str(home / "mine.db"), kafka.bootstrap, topic, prefix)
        with closing(sqlite3.connect(home / "mine.db")) as mine:
            read = told(mine)
        assert len(read) == count + 1
        assert by_case(read) == waiting
        peaks[count] = relay, reader
    more = [many - few for few, many in zip(*peaks.values(), strict=True)]
    assert max(more) < MORE, (more, peaks)
