"""The relay on a home in PostgreSQL: the same messages, and its checkpoint is in the database."""

from __future__ import annotations

from contextlib import closing

from consumers.kafka_relay import KafkaRelay
from consumers.kafka_states import KafkaStates
from consumers.postgres import PostgresMemories
from consumers.runner import Runner
from tests.consumers.conftest import DECISION, PLAN, House
from tests.kafka.conftest import SOURCE, check_told, public, read_all
from tests.kafka.test_relay import fill


def test_everything_is_told_once_and_the_next_process_goes_on(database, settings):
    with closing(House(database, PostgresMemories(database))) as house:
        house.publish(PLAN, DECISION)
        fill(house, 5)
        with closing(KafkaRelay(house.log, house.store, settings, SOURCE)) as relay:
            assert Runner(house.log, house.store, relay).catch_up() == house.log.head()
    with closing(House(database, PostgresMemories(database))) as house:
        fill(house, 2)
        with closing(KafkaRelay(house.log, house.store, settings, SOURCE)) as relay:
            runner = Runner(house.log, house.store, relay)
            runner.catch_up()
            assert runner.lag() == 0
            assert relay.find_lost() == []
        records = read_all(settings.bootstrap, settings.topics.events)
        check_told(house, records, once=True)
        wanted = public(house)
        stored = {row.position: row.state for row in house.log.rows(0, 1000)}
        told = {int(dict(record.headers)["ce_sequence"]): record.value for record in records}
        assert told == {position: stored[position] for position in wanted}


def test_states_of_a_ledger_on_postgresql_are_told(database, settings):
    with closing(House(database, PostgresMemories(database))) as house:
        house.publish(PLAN, DECISION)
        fill(house, 3)
        with closing(KafkaStates(house.log, house.store, settings)) as states:
            Runner(house.log, house.store, states).catch_up()
        records = read_all(settings.bootstrap, settings.topic_of_states("plan"))
        assert {record.key: b'"state":"closed"' in record.value for record in records} == {
            f"PLAN-{number:04}".encode(): True for number in (1, 2, 3)
        }
