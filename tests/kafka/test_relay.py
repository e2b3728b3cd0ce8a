"""The relay on a real broker: everything, in order for each case, whatever breaks."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from kafka.admin import ConfigResource, KafkaAdminClient

from consumers import kafka_connection
from consumers.kafka_connection import make_topics, read_topics
from consumers.kafka_network import connect
from consumers.kafka_relay import KafkaRelay
from consumers.kafka_settings import KafkaSettings
from consumers.runner import BEHIND, MayPass, Runner
from engine.errors import LogDiverged
from tests.consumers.conftest import DECISION, PLAN, House
from tests.kafka.conftest import (
    SOURCE,
    check_told,
    positions,
    public,
    read_all,
    settings_at,
)
from tests.kafka_broker import ApacheKafka, OwnBroker
from tests.patience import PATIENCE, wait_until

Relaying = Callable[..., Runner]


def fill(house: House, plans: int = 20) -> None:
    started = [house.start("plan").stream for _ in range(plans)]
    for plan in started:
        house.do(plan, "issue-baseline")
    for plan in started:
        house.do(plan, "close")


def test_every_public_event_is_told_once_and_in_order_for_each_case(house, settings, relaying):
    fill(house)
    runner = relaying(settings)
    assert runner.catch_up() == house.log.head()
    fill(house, 2)
    runner.catch_up()
    records = read_all(settings.bootstrap, settings.topics.events)
    check_told(house, records, once=True)
    assert runner.lag() == 0
    assert runner.consumer.acknowledged == len(public(house))


def test_the_sdk_reads_what_was_sent(house, settings, relaying):
    fill(house, 3)
    relaying(settings).catch_up()
    wanted = public(house)
    for record in read_all(settings.bootstrap, settings.topics.events):
        event = from_binary(
            KafkaMessage(dict(record.headers), record.key, record.value), JSONFormat(), CloudEvent
        )
        body = wanted[int(event.get_extension("sequence"))]
        assert event.get_data() == body
        assert event.get_source() == SOURCE
        assert event.get_subject() == body["stream"] == record.key.decode()
        assert event.get_datacontenttype() == "application/json"


def test_each_workflow_has_its_topic_where_the_settings_say_so(house, kafka, prefix, relaying):
    topics = {"events": f"{prefix}.{{workflow}}", "partitions": 2, "replication": 1}
    settings = settings_at(kafka.bootstrap, prefix, topics=topics)
    house.start("plan")
    house.start("decision", title="x")
    relaying(settings).catch_up()
    told = {
        name: {record.key.decode() for record in read_all(settings.bootstrap, f"{prefix}.{name}")}
        for name in ("plan", "decision")
    }
    assert told == {
        "plan": {"definition/plan", "PLAN-0001"},
        "decision": {"definition/decision", "DEC-0001"},
    }
    assert read_topics(settings, [f"{prefix}.plan"])[f"{prefix}.plan"].partitions == 2


def test_a_topic_that_nobody_made_is_waited_for_and_named(house, kafka, prefix, relaying):
    topics = {"events": f"{prefix}.events", "create": False}
    settings = settings_at(kafka.bootstrap, prefix, topics=topics)
    with pytest.raises(MayPass, match=f"there is no topic {prefix}.events"):
        relaying(settings, pause=lambda seconds: None).catch_up()
    assert house.store.incidents() == []
    assert house.store.position("kafka") == 0


def test_what_the_topic_does_not_take_is_parked_with_its_case_and_all_else_goes_on(
    house, settings, relaying
):
    make_topics(settings, {settings.topics.events: {"max.message.bytes": "20000"}})
    fill(house, 2)
    big = house.start("plan", title="x" * 20_000).stream
    house.do(big, "close")
    fill(house, 2)
    runner = relaying(settings)
    runner.catch_up()
    told = positions(read_all(settings.bootstrap, settings.topics.events))
    parked = house.store.incidents("kafka")
    assert [one.stream for one in parked] == [big, big]
    assert "are more than" in parked[0].reason
    assert parked[1].reason == BEHIND
    assert {*told} == {*public(house)} - {one.position for one in parked}
    assert runner.retry().done == 0
    # A new connection must not take what is parked for something that the broker has lost.
    relaying(settings).catch_up()
    house.start("plan")
    again = relaying(settings)
    again.catch_up()
    assert again.consumer.lost == 0


def test_nothing_overtakes_what_the_topic_stopped_taking_while_the_relay_ran(
    house, kafka, prefix, relaying, apache_kafka
):
    settings = settings_at(kafka.bootstrap, prefix, compression="none")
    topic = settings.topics.events
    fill(house, 2)
    runner = relaying(settings)
    runner.catch_up()
    limit_messages(settings, topic, 20_000)
    big = house.start("plan", title="x" * 20_000).stream
    house.do(big, "issue-baseline")
    fill(house, 2)
    runner.catch_up()
    parked = house.store.incidents("kafka")
    assert [one.stream for one in parked] == [big, big]
    assert "are more than" in parked[0].reason  # it was asked again what it takes
    assert parked[1].reason == BEHIND
    told = positions(read_all(settings.bootstrap, topic))
    assert {*told} == {*public(house)} - {one.position for one in parked}
    assert runner.consumer.acknowledged == len(told)
    limit_messages(settings, topic, 1_000_000)
    relaying(settings).catch_up()
    again = relaying(settings)
    again.consumer.find_lost()
    assert again.retry().left == 0
    check_told(house, read_all(settings.bootstrap, topic), once=True)


def test_what_no_try_brings_across_is_parked_also_where_limits_cannot_be_read(
    house, kafka, prefix, relaying, apache_kafka, monkeypatch
):
    """The right to read a topic's configuration is not always granted."""
    settings = settings_at(kafka.bootstrap, prefix, compression="none")
    topic = settings.topics.events
    make_topics(settings, {topic: {"max.message.bytes": "20000"}})
    monkeypatch.setattr(kafka_connection, "_read_configs", lambda _admin, _names: {})
    fill(house, 2)
    big = house.start("plan", title="x" * 20_000).stream
    house.do(big, "issue-baseline")
    fill(house, 2)
    runner = relaying(settings)
    runner.catch_up()
    parked = house.store.incidents("kafka")
    assert [one.stream for one in parked] == [big, big]
    assert f"{topic} refused it" in parked[0].reason
    told = positions(read_all(settings.bootstrap, topic))
    assert {*told} == {*public(house)} - {one.position for one in parked}


def limit_messages(settings: KafkaSettings, topic: str, largest: int) -> None:
    with closing(connect(KafkaAdminClient, bootstrap_servers=settings.bootstrap)) as admin:
        said = {"max.message.bytes": str(largest)}
        admin.alter_configs([ConfigResource("TOPIC", topic, said)])
    wait_until(lambda: read_topics(settings, [topic])[topic].largest == largest)


def test_no_broker_at_all_is_waited_for(house, prefix, relaying):
    settings = settings_at("127.0.0.1:1", prefix, answers_within=1)
    waits: list[float] = []
    with pytest.raises(MayPass, match=r"kafka at 127\.0\.0\.1:1"):
        relaying(settings, pause=waits.append).catch_up()
    assert len(waits) == 7
    assert house.store.incidents() == []


def test_a_broker_that_is_away_takes_no_more_threads_and_files_at_every_try(
    house, prefix, relaying, caplog
):
    """Else a day of it is more than a process may have."""
    caplog.set_level("CRITICAL", "kafka")  # what is logged keeps the sockets that it tells of
    settings = settings_at("127.0.0.1:1", prefix, answers_within=1)
    taken: list[tuple[int, int]] = []
    with pytest.raises(MayPass):
        relaying(
            settings, pause=lambda seconds: None, told=lambda *_: taken.append(threads_and_files())
        ).catch_up()
    assert len(taken) == 7
    check_no_more(taken)


def threads_and_files() -> tuple[int, int]:
    return threading.active_count(), len([*Path("/dev/fd").iterdir()])


def check_no_more(taken: Sequence[tuple[int, int]]) -> None:
    (threads, files), (threads_at_last, files_at_last) = taken[1], taken[-1]
    assert threads_at_last <= threads, taken
    assert files_at_last <= files + 1, taken  # of one that went on at that moment


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_goes_down_in_the_middle_and_comes_back_misses_nothing(
    house, settings, relaying, own_kafka: OwnBroker, how
):
    fill(house, 5)
    runner = relaying(settings, batch=20)
    stop = threading.Event()
    follower = threading.Thread(target=runner.follow, args=[stop])
    follower.start()
    try:
        for _ in range(3):
            fill(house, 10)
        getattr(own_kafka, how)()
        fill(house, 10)
        own_kafka.start()
        fill(house, 10)
        wait_until(lambda: runner.lag() == 0)
    finally:
        stop.set()
        follower.join(PATIENCE)
    check_told(house, read_all(settings.bootstrap, settings.topics.events))
    assert house.store.incidents() == []


def test_a_broker_that_lost_the_end_of_what_it_had_is_told_it_again(
    house, settings, relaying, apache_kafka: ApacheKafka
):
    fill(house, 20)
    relaying(settings).catch_up()
    before = read_all(settings.bootstrap, settings.topics.events)
    apache_kafka.kill()
    cut = 0
    for segment in apache_kafka.data.glob(f"{settings.topics.events}-*/*.log"):
        kept = segment.stat().st_size
        segment.write_bytes(segment.read_bytes()[: kept // 2])
        cut += kept - kept // 2
    assert cut
    apache_kafka.start()
    assert len(read_all(settings.bootstrap, settings.topics.events)) < len(before)
    house.start("plan")
    runner = relaying(settings)
    runner.catch_up()
    check_told(house, read_all(settings.bootstrap, settings.topics.events), once=True)
    assert runner.consumer.lost > 0


def test_a_topic_that_was_deleted_is_told_anew(house, settings, relaying, kafka):
    fill(house, 5)
    relaying(settings).catch_up()
    admin = connect(KafkaAdminClient, bootstrap_servers=settings.bootstrap)
    admin.delete_topics([settings.topics.events])
    admin.close()
    house.start("plan")
    wait_until(
        lambda: (
            not read_topics(settings, [settings.topics.events])[settings.topics.events].partitions
        )
    )
    relaying(settings).catch_up()
    check_told(house, read_all(settings.bootstrap, settings.topics.events), once=True)


def test_a_topic_that_was_made_anew_with_fewer_partitions_is_told_anew_and_parks_nothing(
    house, settings, relaying, kafka
):
    topic = settings.topics.events
    fill(house, 5)
    runner = relaying(settings)
    runner.catch_up()
    admin = connect(KafkaAdminClient, bootstrap_servers=settings.bootstrap)
    admin.delete_topics([topic])
    admin.close()
    wait_until(lambda: not read_topics(settings, [topic])[topic].partitions)
    topics = settings.topics.model_copy(update={"partitions": 1})
    make_topics(settings.model_copy(update={"topics": topics}), {topic: {}})
    producer = runner.consumer._delivery._producer

    def has_heard() -> bool:
        producer._metadata.request_update()
        return len(producer.partitions_for(topic)) == 1

    wait_until(has_heard)
    house.start("plan")
    runner.catch_up()
    assert house.store.incidents() == []
    check_told(house, read_all(settings.bootstrap, topic), once=True)


def test_a_topic_that_has_more_than_the_log_is_told_nothing_more(
    settings, relaying_from, tmp_path, kafka
):
    """The log was put back to what it was, with all that consumers remember of it, and went on:
    readers who have seen its positions would take what stands there now for repetitions."""
    house, runner = relaying_from(tmp_path / "one", settings)
    fill(house, 3)
    runner.catch_up()
    house.close()
    shutil.copytree(tmp_path / "one", tmp_path / "before")
    house, runner = relaying_from(tmp_path / "one", settings)
    for _ in range(6):
        house.start("plan")
    runner.catch_up()
    told = positions(read_all(kafka.bootstrap, settings.topics.events))
    house, runner = relaying_from(tmp_path / "before", settings)
    for _ in range(8):
        house.start("plan")
    for _ in range(2):
        with pytest.raises(
            LogDiverged, match=rf"{settings.topics.events} \(partition .*another topic"
        ):
            runner.catch_up()
    assert positions(read_all(kafka.bootstrap, settings.topics.events)) == told
    assert runner.lag() > 0


@pytest.fixture
def relaying_from(
    settings: KafkaSettings,
) -> Iterator[Callable[[Path, KafkaSettings], tuple[House, Runner]]]:
    with ExitStack() as stack:

        def make(folder: Path, settings: KafkaSettings) -> tuple[House, Runner]:
            folder.mkdir(exist_ok=True)
            house = House(folder / "ledger.db", folder / "consumers.db")
            stack.callback(house.close)
            house.publish(PLAN, DECISION)
            relay = KafkaRelay(house.log, house.store, settings, SOURCE)
            stack.callback(relay.close)
            return house, Runner(house.log, house.store, relay, chance=lambda: 0.1)

        yield make


def test_an_operator_has_everything_told_again_from_a_position_on(house, settings, relaying):
    fill(house, 4)
    runner = relaying(settings)
    runner.catch_up()
    relay = runner.consumer
    assert isinstance(relay, KafkaRelay)
    head = house.log.head()
    assert relay.replay(head - 5, head) == 5
    records = read_all(settings.bootstrap, settings.topics.events)
    check_told(house, records)
    assert sorted(positions(records)) == sorted([*public(house), *range(head - 4, head + 1)])
    assert house.store.position("kafka") == head
