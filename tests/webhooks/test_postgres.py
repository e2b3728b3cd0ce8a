"""Webhooks of a home in PostgreSQL: position, parked work and order are kept in the database."""

from __future__ import annotations

from contextlib import closing

import pytest

from consumers.runner import BEHIND
from tests.webhooks.conftest import SECRET, House


def test_what_is_refused_is_parked_in_the_database_and_posted_by_the_next_process(
    database, receive, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    refusing = receive(lambda got: 422 if got.event["subject"] == "NOTE-0001" else 204)
    with closing(House(tmp_path, database)) as house:
        first, second = house.write(2)
        house.attach(first)
        runner = house.runner(house.webhook(refusing.url))
        assert runner.catch_up() == house.log.head() == 5
        assert [one.position for one in refusing.taken] == [1, 2, 4]
        parked = house.store.incidents()
        assert [one.position for one in parked] == [3, 5]
        assert parked[1].reason == BEHIND
    taking = receive()
    with closing(House(tmp_path, database)) as another:
        another.attach(second)
        runner = another.runner(another.webhook(taking.url))
        runner.catch_up()
        assert runner.retry().left == 0
        assert [one.position for one in taking.got] == [6, 3, 5]
        assert [one.verify()["subject"] for one in taking.got] == [second, first, first]
        assert runner.lag() == 0
