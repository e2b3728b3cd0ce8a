"""Of many processes on one home one is at work; when it dies another takes over, and fences it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from consumers.leases import Leases
from consumers.runner import Runner
from consumers.store import Store, Superseded, Trouble
from consumers.work import Work
from tests.consumers.conftest import PLAN, House

ROOT = Path(__file__).parents[2]
LASTS = 1.5
"""Seconds: long enough for a process on a busy machine to renew, short enough to wait for."""

PATIENT = 60.0

# Tells in a file of everything it does: position, its own name.
WORKER = """
import sys, threading, time
from pathlib import Path
from consumers.leases import Leases
from consumers.postgres import PostgresMemories
from consumers.runner import Runner
from consumers.store import Store
from engine.store.opening import open_log

ledger, told, name, lasts = sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
memories = PostgresMemories(ledger) if "://" in ledger else Path(ledger).with_name("consumers.db")

class Teller:
    name, ordered, from_head, batch = "teller", True, False, 1
    def consume(self, batch):
        with told.open("a") as file:
            file.write("".join(f"{work.position} {name}\\n" for work in batch))
        return []

runner = Runner(open_log(ledger), Store(memories), Teller(),
                leases=Leases(memories, lasts), told=lambda error, _: print(error, flush=True))
print("ready", flush=True)
runner.follow(threading.Event())
"""


class Nothing:
    """A consumer that has nothing to do."""

    name = "teller"
    ordered = False
    from_head = False
    batch = 100

    def __init__(self) -> None:
        self.seen: list[int] = []

    def consume(self, batch: Sequence[Work]) -> list[Trouble]:
        self.seen += [work.position for work in batch]
        return []

    def retry(self, work: Work, item: str) -> str:
        return ""


class Told:
    """What workers say they have done."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def lines(self) -> list[tuple[int, str]]:
        if not self.file.exists():
            return []
        said = [line.split() for line in self.file.read_text().splitlines()]
        return [(int(position), name) for position, name in said]

    def wait_for(self, position: int, but: str = "") -> str:
        """Who has done a position (other than ``but``), once somebody has."""
        give_up = time.monotonic() + PATIENT
        while time.monotonic() < give_up:
            for at, name in self.lines():
                if at == position and name != but:
                    return name
            time.sleep(0.02)
        raise AssertionError(f"nobody has come to {position}: {self.lines()}")


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "told.txt")


@pytest.fixture
def worker(bare: House, told: Told) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a process that is at work, or stands by."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", WORKER, bare.ledger, str(told.file), name, str(LASTS)]
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def leases(bare: House) -> Iterator[Callable[..., Leases]]:
    made: list[Leases] = []

    def make() -> Leases:
        made.append(Leases(bare.memories, PATIENT))
        return made[-1]

    yield make
    for one in made:
        one.close()


def write(house: House, several: int = 1) -> int:
    """Events; the position of the last."""
    if house.log.head() == 0:
        house.publish(PLAN)
    for _ in range(several):
        house.start("plan")
    return house.log.head()


def test_a_lease_is_one_processs_until_it_runs_out_or_is_left(leases):
    first, second = leases(), leases()
    taken = first.take("teller")
    assert taken is not None
    assert second.take("teller") is None
    assert second.take("another") is not None
    assert first.take("teller") == taken
    first.close()
    following = second.take("teller")
    assert following is not None
    assert following.number == taken.number + 1


def settle(house: House, position: int) -> None:
    """Wait until a position is done, and remembered."""
    give_up = time.monotonic() + PATIENT
    while house.store.position("teller") != position:
        assert time.monotonic() < give_up
        time.sleep(0.02)


def run_out(house: House) -> None:
    """The time of every lease is over."""
    house.store._memory.run("UPDATE lease SET until = 0")


def test_a_lease_that_has_run_out_can_be_taken(bare, leases):
    short, other = leases(), leases()
    assert short.take("teller") is not None
    run_out(bare)
    taken = other.take("teller")
    assert taken is not None
    assert taken.number == 2
    assert short.take("teller") is None


def test_a_clock_that_was_set_back_keeps_no_dead_process_in_office(bare, leases):
    dead, other = leases(), leases()
    assert dead.take("teller") is not None
    bare.store._memory.run("UPDATE lease SET until = until + 3600")
    taken = other.take("teller")
    assert taken is not None
    assert taken.number == 2


def test_who_has_been_taken_over_writes_nothing(bare, leases):
    stale = leases().take("teller")
    run_out(bare)
    fresh = leases().take("teller")
    bare.store.begin("teller", 0)
    trouble = Trouble(7, "X-1", "it broke")
    with pytest.raises(Superseded):
        bare.store.finish("teller", 7, [trouble], bare.clock.now(), stale)
    assert bare.store.position("teller") == 0
    assert bare.store.incidents() == []
    bare.store.finish("teller", 7, [trouble], bare.clock.now(), fresh)
    assert bare.store.position("teller") == 7


def test_who_stands_by_does_nothing_and_says_how_far_the_other_is(bare, leases):
    head = write(bare, 3)
    at_work, standing_by = Nothing(), Nothing()
    first = Runner(bare.log, bare.store, at_work, leases=leases())
    second = Runner(bare.log, Store(bare.memories), standing_by, leases=leases())
    assert first.catch_up() == head
    write(bare)
    assert second.catch_up() == head
    assert standing_by.seen == []
    assert at_work.seen == [*range(1, head + 1)]
    assert bare.store.leaders() == {"teller": first._leases.holder}
    second._store.close()


def test_who_wakes_too_late_has_no_effect_at_all(bare, leases):
    """Its lease has run out by its own watch: it does not even begin."""
    write(bare, 3)
    consumer = Nothing()
    runner = Runner(bare.log, bare.store, consumer, leases=leases())
    runner.switch_on()
    assert runner.leads()
    runner._leases._renewed["teller"] -= PATIENT
    batch = [Work(position, body) for position, body in bare.log.bodies(0, 2)]
    with pytest.raises(Superseded):
        runner._take(batch)
    assert consumer.seen == []


def test_after_a_killed_leader_another_takes_over_within_seconds(bare, worker, told):
    processes = {name: worker(name) for name in ("a", "b", "c")}
    leader = told.wait_for(write(bare, 5))
    assert {name for _, name in told.lines()} == {leader}
    settle(bare, bare.log.head())
    processes[leader].send_signal(signal.SIGKILL)
    processes[leader].wait()
    died_at = time.monotonic()
    follower = told.wait_for(write(bare, 5))
    # The lease runs out, and those who stand by look every third of one; the rest is the machine's.
    assert time.monotonic() - died_at < LASTS * (1 + 1 / 3) + 10
    assert follower != leader
    settle(bare, bare.log.head())
    assert [at for at, _ in told.lines()] == [*range(1, bare.log.head() + 1)]


def test_a_leader_that_was_stopped_and_wakes_up_writes_nothing_any_more(bare, worker, told):
    stopped = worker("stopped")
    settle(bare, write(bare, 3))  # a lock on a file is held for as long as its process lives
    stopped.send_signal(signal.SIGSTOP)
    worker("other")
    last = write(bare, 3)
    told.wait_for(last, but="stopped")
    settle(bare, last)
    (holder,) = bare.store.leaders().values()
    assert f" {stopped.pid} " not in holder
    stopped.send_signal(signal.SIGCONT)
    last = write(bare, 3)
    assert told.wait_for(last) == "other"
    done = [at for at, name in told.lines() if name == "other"]
    assert done == sorted(done)
    assert stopped.poll() is None  # it stands by
    assert [at for at, name in told.lines() if name == "stopped" and at > 4] == []
    os.kill(stopped.pid, signal.SIGKILL)
