"""A storm: writers, readers and workers on one store, all of which are killed at random.

    python -m tests.chaos.storm [--seed N] [--seconds N] [--store sqlite|postgresql|standby|kafka]

On ``standby`` PostgreSQL has a synchronous standby, which takes over whenever the primary is lost,
and gets a new one behind it. On ``kafka`` the log is in PostgreSQL, workers relay it, a service of
the subscriber's reads it, and another asks for things there, which an intake does.

The seed decides what is sent, and who is killed in which order; ``make chaos`` takes one storm
after the other. Where something is wrong the folder that is named keeps what was left behind.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.checker import Row, faults, reader_faults
from tests.chaos.history import read
from tests.chaos.programs import PMO, PYTHON, Program, pmo, wait_until
from tests.chaos.stores import STORES, Store

WRITERS, READERS, WORKERS = 3, 2, 2


@dataclass
class Storm:
    store: Store
    folder: Path
    seed: int
    programs: list[Program] = field(default_factory=list)
    blown: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        where = self.folder
        for number in range(WRITERS):
            words = [
                self.store.address,
                str(where / f"writer-{number}"),
                f"{self.seed * 10 + number}",
            ]
            self._add(f"writer-{number}", "tests.chaos.writer", *words, asks=True)
        for number in range(READERS):
            history = str(where / f"reader-{number}")
            self._add(f"reader-{number}", "tests.chaos.reader", self.store.address, history)
        for number in range(WORKERS):
            self._add(f"worker-{number}", "work", "--home", self.store.home, program=[PMO])
        self.programs += self.store.programs(where)

    def _add(
        self, name: str, *words: str, program: Sequence[str] = PYTHON, asks: bool = False
    ) -> None:
        self.programs.append(Program(name, [*program, *words], self.folder, asks=asks))

    def blow(self, seconds: float) -> None:
        """Kill and pause, in an order that the seed decides, until the time is up."""
        chance = random.Random(self.seed)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(chance.uniform(0.1, 1.2))
            against_store = self.store.blows()
            if against_store and chance.random() < 0.15:
                name = chance.choice(sorted(against_store))
                against_store[name]()
            else:
                program = chance.choice(self.programs)
                if chance.random() < 0.2:
                    program.pause(chance.uniform(0.1, 2))
                    name = f"{program.name} paused"
                else:
                    program.kill()
                    name = f"{program.name} killed"
            self.blown[name] += 1

    def notes(self, kind: str, count: int) -> list[list[dict[str, object]]]:
        return [list(read(self.folder / f"{kind}-{number}")) for number in range(count)]

    def settle(self) -> list[Row]:
        """Who asks ends, everybody else comes to the end of the log; the log."""
        for program in self.programs:
            if program.asks:
                program.stop()
        self._wait_until(self.store.has_answered, "every command is answered")
        rows = self.store.rows()
        self._wait_until(
            lambda: all(
                notes and notes[-1]["saw"] >= len(rows) for notes in self.notes("reader", READERS)
            ),
            "the readers come to the end of the log",
        )
        self._wait_until(
            lambda: self.store.has_settled(rows), "the subscriber comes to the end of the log"
        )
        for program in self.programs:
            if not program.asks:
                program.stop()
        return self.store.rows()

    def _wait_until(self, holds: Callable[[], bool], what: str) -> None:
        def tended() -> bool:
            for program in self.programs:
                program.start_again()
            return holds()

        wait_until(tended, what)

    def told(self) -> Iterator[str]:
        """The last words of every program: where something is wrong they say why."""
        for program in self.programs:
            if words := program.log.read_text(errors="replace").strip():
                yield f"{program.name}: {words[-2_000:]}"

    def faults(self, rows: list[Row]) -> Iterator[str]:
        yield from faults(rows, [*self.notes("writer", WRITERS), *self.store.asked()])
        for number, notes in enumerate(self.notes("reader", READERS)):
            yield from reader_faults(rows, notes, f"reader-{number}")
        yield from self.store.faults(rows)
        told = pmo("verify", "--home", self.store.home)
        if told.returncode:
            yield f"pmo verify: {told.stdout.decode()}{told.stderr.decode()}"


def run(kind: str, seed: int, seconds: float, folder: Path) -> tuple[Storm, list[Row], list[str]]:
    """A whole storm: what happened, the log it left, and what is wrong with it."""
    with STORES[kind](folder) as store:
        made = pmo("init", "--home", store.home)
        assert made.returncode == 0, made.stderr.decode()
        storm = Storm(store, folder, seed)
        try:
            for program in storm.programs:
                program.start()
            wait_until(lambda: store.is_busy(store.rows()), "everybody who asks begins")
            storm.blow(seconds)
            late = []
            try:
                rows = storm.settle()
            except TimeoutError as error:
                late, rows = [str(error)], store.rows()
            wrong = [*late, *storm.faults(rows)]
            return storm, rows, [*wrong[:20], *storm.told()] if wrong else []
        finally:
            for program in storm.programs:
                if program.process and program.process.poll() is None:
                    program.end(signal.SIGKILL)


def main() -> int:
    options = argparse.ArgumentParser(prog="make chaos")
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--store", choices=STORES, action="append")
    said = options.parse_args()
    for kind in said.store or STORES:
        folder = Path(tempfile.mkdtemp(prefix=f"pmo-chaos-{kind}-"))
        print(f"{kind}: seed {said.seed}, {said.seconds:.0f} seconds, in {folder}", flush=True)
        storm, rows, wrong = run(kind, said.seed, said.seconds, folder)
        blows = ", ".join(f"{count} x {name}" for name, count in sorted(storm.blown.items()))
        print(f"  {len(rows):,} events; {blows}")
        for fault in wrong:
            print(f"  WRONG: {fault}")
        if wrong:
            return 1
        shutil.rmtree(folder)
        print("  nothing lost, nothing twice, order kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
