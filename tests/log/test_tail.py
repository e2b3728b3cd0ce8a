from __future__ import annotations

import threading

import pytest

from engine.errors import LogDamaged
from engine.store.tail import tail
from tests.log.conftest import append
from tests.patience import PATIENCE


def test_catching_up_delivers_each_position_once_and_ends(log):
    log.append([append("A", count=7)])
    batches = list(tail(log, 0, batch=3, until=log.head()))
    assert [[p for p, _ in b] for b in batches] == [[1, 2, 3], [4, 5, 6], [7]]
    assert [body["version"] for b in batches for _, body in b] == [1, 2, 3, 4, 5, 6, 7]


def test_catching_up_from_the_middle_stops_exactly_where_told(log):
    log.append([append("A", count=7)])
    assert [[p for p, _ in b] for b in tail(log, 2, batch=3, until=6)] == [[3, 4, 5], [6]]


def test_catching_up_with_an_empty_log_is_nothing(log):
    assert list(tail(log, 0, until=0)) == []


def test_following_wakes_for_what_comes_later(log):
    following = tail(log, 0)
    log.append([append("A")])
    assert [p for p, _ in next(following)] == [1]
    later = threading.Thread(target=log.append, args=([append("A", 2, count=2)],))
    later.start()
    assert [p for p, _ in next(following)] == [2, 3]
    later.join()


def test_following_ends_when_told_to_stop(log):
    stop, ended = threading.Event(), threading.Event()

    def follow():
        for _ in tail(log, 0, stop=stop):
            stop.set()
        ended.set()

    thread = threading.Thread(target=follow)
    thread.start()
    log.append([append("A")])
    assert ended.wait(PATIENCE)
    thread.join()


def test_following_stops_while_there_is_nothing_to_read(log):
    stop = threading.Event()
    thread = threading.Thread(target=lambda: list(tail(log, 0, stop=stop)))
    thread.start()
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_reader_never_passes_over_a_missing_position(ledger, path, tamper):
    ledger.append([append("A", count=5)])
    tamper("DELETE FROM events WHERE position = 3")
    with pytest.raises(LogDamaged, match="position 1: missing"):
        list(tail(ledger, 0, until=5))
    assert [p for b in tail(ledger, 4, until=5) for p, _ in b] == [5]
    with pytest.raises(LogDamaged, match="position 3: a reader has read an event there"):
        list(tail(ledger, 3, until=5))
