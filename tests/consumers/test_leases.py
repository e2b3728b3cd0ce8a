"""Of many processes on one home one is at work; when it dies another takes over, and fences it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from consumers.leases import LASTS as USUALLY
from consumers.leases import Leases
from consumers.runner import Runner
from consumers.store import Store, Superseded, Trouble
from consumers.work import Work
from tests.consumers.conftest import PLAN, House
from tests.patience import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
LASTS = 2 * PATIENCE

# Tells in a file of everything it does: position, its own name. Its leases last longer than a test,
# so that a busy machine lets none run out: the test says when one does, to all by ``run_out``, and
# by a signal to a process whose own watch is to say so, too. Who stands by looks again at once, and
# not only after a third of a lease.
WORKER = """
import signal, sys, threading
from pathlib import Path
from consumers.leases import Leases
from consumers.postgres import PostgresMemories
from consumers.runner import Runner
from consumers.store import Store
from engine.store.opening import open_log

ledger, told, name, lasts = sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
memories = PostgresMemories(ledger) if "://" in ledger else Path(ledger).with_name("consumers.db")

class Eager(threading.Event):
    def wait(self, timeout=None):
        return super().wait(0.05)

class Teller:
    name, ordered, from_head, batch = "teller", True, False, 1
    def consume(self, batch):
        with told.open("a") as file:
            file.write("".join(f"{work.position} {name}\\n" for work in batch))
        return []

leases = Leases(memories, lasts)

def put_the_watch_on(*_):
    leases._renewed.update((name, at - lasts) for name, at in leases._renewed.items())

signal.signal(signal.SIGUSR1, put_the_watch_on)
runner = Runner(open_log(ledger), Store(memories), Teller(),
                leases=leases, told=lambda error, _: print(error, flush=True))
print("ready", flush=True)
runner.follow(Eager())
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


class Noting(threading.Event):
    """Is set as soon as somebody waits for it, and notes for how long they would have."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout)
        self.set()
        return True


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
        found: list[str] = []

        def has_come() -> bool:
            found[:] = [name for at, name in self.lines() if at == position and name != but]
            return bool(found)

        wait_until(has_come)
        return found[0]


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
        made.append(Leases(bare.memories, LASTS))
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
    wait_until(lambda: house.store.position("teller") == position)


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
    stop = Noting()
    second.follow(stop)
    assert stop.asked == [LASTS / 3]
    second._store.close()


def test_who_wakes_too_late_has_no_effect_at_all(bare, leases):
    """Its lease has run out by its own watch: it does not even begin."""
    write(bare, 3)
    consumer = Nothing()
    runner = Runner(bare.log, bare.store, consumer, leases=leases())
    runner.switch_on()
    assert runner.leads()
    runner._leases._renewed["teller"] -= LASTS
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
    run_out(bare)
    assert told.wait_for(write(bare, 5)) != leader
    # It runs out by itself after so long, and those who stand by look every third of that.
    assert USUALLY * (1 + 1 / 3) < 10
    settle(bare, bare.log.head())
    assert [at for at, _ in told.lines()] == [*range(1, bare.log.head() + 1)]


def test_a_leader_that_was_stopped_and_wakes_up_writes_nothing_any_more(bare, worker, told):
    stopped = worker("stopped")
    settle(bare, write(bare, 3))  # a lock on a file is held for as long as its process lives
    stopped.send_signal(signal.SIGSTOP)
    run_out(bare)
    worker("other")
    last = write(bare, 3)
    told.wait_for(last, but="stopped")
    settle(bare, last)
    (holder,) = bare.store.leaders().values()
    assert f" {stopped.pid} " not in holder
    stopped.send_signal(signal.SIGUSR1)  # it hears of it when it wakes up, before all else
    stopped.send_signal(signal.SIGCONT)
    last = write(bare, 3)
    assert told.wait_for(last) == "other"
    done = [at for at, name in told.lines() if name == "other"]
    assert done == sorted(done)
    assert stopped.poll() is None  # it stands by
    assert [at for at, name in told.lines() if name == "stopped" and at > 4] == []
    os.kill(stopped.pid, signal.SIGKILL)
