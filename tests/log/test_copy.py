"""A log copied from any store into any other is the same log."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import BadInput, LogDamaged
from engine.store.copy import copy_log
from engine.store.log import Appended, Marked
from engine.store.memory import MemoryLog
from engine.store.opening import open_log
from tests.log.conftest import JUST_BEFORE_TEN, TEN, append
from tests.stores import STORES

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=STORES)
def target(request, tmp_path):
    if request.param == "postgres":
        address = request.getfixturevalue("another_database")
    else:
        address = {"memory": ":memory:", "sqlite": str(tmp_path / "target.db")}[request.param]
    with closing(open_log(address)) as log:
        yield log


@pytest.fixture
def another_database(postgres):
    address = postgres.new_database()
    yield address
    postgres.drop_database(address)


@pytest.fixture
def source():
    """On one store: any other holds the same for the same commands, as the test below shows."""
    log = MemoryLog()
    log.append(
        [append(f"S-{i}", count=i % 7 + 1, at="2026-01-01T10:00:00.000000Z") for i in range(900)]
    )
    log.append([append("S-0", 2, count=0), append("S-0", 2, at=TEN), append("S-0", 3, count=0)])
    return log


def contents(log):
    markers, last = {}, ""
    while some := log.markers(last, 100):
        assert len(some) <= 100
        markers |= some
        last = max(some)
    return log.rows(0, log.head()), markers


def quietly(done, total):
    assert done <= total


def test_positions_bytes_hashes_and_markers_stay_as_they_are(source, target):
    told = []
    assert copy_log(source, target, lambda done, total: told.append((done, total))) == 3595
    assert contents(target) == contents(source)
    assert told == [(1000, 3595), (2000, 3595), (3000, 3595), (3595, 3595)]
    assert target.check() == target.head() == 3595
    assert target.chain(3595) == source.chain(3595)


def test_the_copy_goes_on_as_the_original_would(source, target):
    copy_log(source, target, quietly)
    known = next(iter(contents(source)[1]))
    again = append("S-0", 1, command_id=known)
    assert target.append([again]) == source.append([again])
    later = append("N", at=JUST_BEFORE_TEN)
    answers = [log.append([later])[0] for log in (source, target)]
    assert answers[0] == answers[1]
    assert answers[1].events[0].event.recorded_at == TEN
    assert target.chain(3596) == source.chain(3596)
    assert target.check() == 3596


def test_from_any_store_into_any(log, target):
    log.append([append("A", count=2), append("C", 5), append("B")])
    copy_log(log, target, quietly)
    assert contents(target) == contents(log)
    assert target.check() == 3


def test_an_empty_log_is_copied_too(target):
    assert copy_log(MemoryLog(), target, quietly) == 0
    assert isinstance(target.append([append("A")])[0], Appended)


@pytest.mark.parametrize("count", [0, 1])
def test_a_log_that_is_not_empty_is_left_alone(source, target, count):
    command = append("A", count=count)
    target.append([command])
    with pytest.raises(BadInput, match=rf"holds {count} events already"):
        copy_log(source, target, quietly)
    assert (target.head(), target.check()) == (count, count)
    assert target.append([command]) == [Marked(1, count, command.fingerprint)]


def test_what_is_appended_to_the_source_meanwhile_is_left_out(source, target):
    def progress(done, total):
        source.append([append(f"L-{done}", at=TEN)])

    assert copy_log(source, target, progress) == 3595
    assert target.check() == 3595
    assert source.head() == 3599


def test_a_copy_that_fails_half_way_leaves_nothing_and_can_be_made_again(source, target):
    def fail(done, total):
        if done == 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_log(source, target, fail)
    assert (target.head(), contents(target)) == (0, ([], {}))
    copy_log(source, target, quietly)
    assert contents(target) == contents(source)


def test_a_damaged_source_is_told_at_its_position_and_not_copied(source, target):
    stored = source._recorder._stored_events
    stored[1233] = stored[1234]
    with pytest.raises(LogDamaged, match="position 1234"):
        copy_log(source, target, quietly)
    assert target.head() == 0


def test_a_source_without_a_marker_is_told_and_not_copied(source, target):
    first = next(marker for marker, at in source._markers.items() if at.first_position == 2)
    del source._markers[first]
    with pytest.raises(LogDamaged, match="position 2: the marker"):
        copy_log(source, target, quietly)
    assert target.head() == 0


@pytest.mark.parametrize("address", ["sqlite", "postgres"], indirect=True)
def test_a_copy_that_is_killed_leaves_nothing(source, address, tmp_path):
    program = """
import os, signal, sys
from engine.store.copy import copy_log
from engine.store.opening import open_log
def kill(done, total):
    if done == 2000:
        os.kill(os.getpid(), signal.SIGKILL)
copy_log(open_log(sys.argv[1]), open_log(sys.argv[2]), kill)
"""
    original = str(tmp_path / "original.db")
    with closing(open_log(original)) as log:
        copy_log(source, log, quietly)
        command = [sys.executable, "-c", program, original, address]
        done = subprocess.run(command, cwd=ROOT, check=False)
        assert done.returncode == -signal.SIGKILL
        with closing(open_log(address)) as target:
            assert target.head() == 0
            copy_log(log, target, quietly)
            assert contents(target) == contents(source)
