"""Commands from a topic on a real broker: one effect each, an answer each, and nothing stuck."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.errors import CommitFailedError

from consumers.kafka_commands import read_command
from consumers.kafka_network import connect
from consumers.kafka_settings import Door, KafkaSettings
from engine.commands import ASKABLE
from engine.errors import StoreFailed
from tests.kafka.conftest import (
    asking,
    drain,
    intake_of,
    pulling,
    read_all,
    replies,
    send,
    send_all,
    settings_at,
    starts,
    topics,
)
from tests.kafka_broker import OwnBroker, need_durable
from tests.patience import PATIENCE, wait_until


def test_a_command_has_its_effect_and_its_receipt_and_only_once(house, open_settings, taking):
    send(open_settings, asking("one"), asking("two"), asking("one"))
    drain(taking())
    send(open_settings, asking("one"))
    drain(taking())
    assert starts(house) == ["one", "two"]
    answers = {"one": [], "two": []}
    for reply in replies(open_settings):
        assert reply["outcome"] == "done"
        answers[reply["command_id"]].append(reply["receipt"])
    assert len(answers["one"]) == 3
    assert answers["one"][0] == answers["one"][1] == answers["one"][2]
    assert answers["one"][0]["stream"] == "PLAN-0001"


def test_a_refusal_is_an_answer_with_every_verdict(house, open_settings, taking):
    plan = house.start("plan").stream
    house.do(plan, "close")
    send(open_settings, pulling("late", plan, "close"), pulling("nowhere", "PLAN-9999", "close"))
    drain(taking())
    late, nowhere = sorted(replies(open_settings), key=lambda reply: reply["command_id"])
    assert late["outcome"] == "refused"
    assert [verdict["held"] for verdict in late["verdicts"]] == [False]
    assert nowhere["outcome"] == "not-found"
    assert nowhere["problems"][0]["where"] == "/case"


def test_answers_are_found_by_the_id_of_the_command_in_key_and_headers(open_settings, taking):
    send(open_settings, asking("one"))
    drain(taking())
    (record,) = read_all(open_settings.bootstrap, topics(open_settings)[1])
    assert record.key == b"one"
    assert dict(record.headers) == {
        "content-type": b"application/json",
        "command-id": b"one",
        "outcome": b"done",
    }


def test_a_header_without_a_value_makes_no_command_unreadable():
    """Other clients than ours send such headers."""
    kind, command = read_command(asking("one"), {"traceparent": None, "other": None}, 10_000)
    assert (kind, command.command_id, command.traceparent) == ("start-case", "one", None)


def test_an_intake_that_is_back_under_its_name_goes_on_at_once(
    house, open_settings, taking, apache_kafka, monkeypatch
):
    """And not only when the session of the one that was killed has timed out."""
    made: list[Any] = []

    def patient(*topics: str, **options: Any) -> Any:
        made.append(
            KafkaConsumer(*topics, **options | {"session_timeout_ms": int(2 * PATIENCE * 1_000)})
        )
        return made[-1]

    monkeypatch.setattr("consumers.kafka_intake.KafkaConsumer", patient)
    send(open_settings, asking("one"))
    first = taking(instance="a")
    wait_until(lambda: first.step() or starts(house))
    send(open_settings, asking("two"))
    second = taking(instance="a")  # and the first is heard of no more
    wait_until(lambda: second.step() or "two" in starts(house))
    assert starts(house) == ["one", "two"]
    assert len(made) == 2


@pytest.mark.parametrize(
    ("door", "said", "reason"),
    [
        ({"actors": {"crm": []}}, {}, "pat may not be named as the actor on this topic"),
        ({"actors": {"pat": ["reviewer"]}}, {}, "pat may not act as requester on this topic"),
        ({"kinds": ["service"]}, {}, "a human may not be named as the actor on this topic"),
        ({"commands": ["observe"]}, {}, "start-case is not among the commands"),
        ({"actors": {"*": []}}, {"actor": {"id": "reactions"}}, "reactions may not be named"),
    ],
)
def test_a_topic_may_ask_only_what_the_settings_say(
    house, kafka, prefix, taking, door, said, reason
):
    settings = settings_at(kafka.bootstrap, prefix, intake=intake_of(prefix, **door))
    send(settings, asking("one", **said))
    drain(taking(settings))
    (reply,) = replies(settings)
    assert reply["outcome"] == "refused"
    assert reason in reply["verdicts"][0]["reason"]
    assert starts(house) == []


def test_a_topic_takes_facts_only_where_that_is_written():
    """They are recorded whatever the rules say: an appointment of one's own, for one."""
    assert Door(actors={}).commands == tuple(kind for kind in ASKABLE if kind != "observe")
    assert Door(actors={}, commands=("observe",)).commands == ("observe",)


def test_everybody_else_is_who_is_not_named(house, kafka, prefix, taking):
    door = {"actors": {"*": ["requester"], "pat": []}}
    settings = settings_at(kafka.bootstrap, prefix, intake=intake_of(prefix, **door))
    other = {"id": "olga", "roles": ["requester"]}
    send(settings, asking("pat's"), asking("olga's", actor=other))
    drain(taking(settings))
    assert starts(house) == ["olga's"]


def test_the_engines_own_ids_cannot_be_taken_by_others(house, open_settings, taking):
    send(open_settings, asking("reaction:1:x:0:PLAN-0001"), asking("deadline:PLAN-0001:1:0"))
    drain(taking())
    assert [reply["outcome"] for reply in replies(open_settings)] == ["bad-input"] * 2
    assert starts(house) == []


def test_what_is_cut_off_before_its_offsets_are_committed_is_answered_again_with_one_effect(
    house, open_settings, taking, monkeypatch
):
    send(open_settings, *(asking(f"c{number}") for number in range(20)))
    cut_off = taking()
    monkeypatch.setattr(cut_off, "_commit", lambda found: None)
    while cut_off.handled < 20:
        cut_off.step()
    cut_off._begin_anew()
    drain(taking())
    assert sorted(starts(house)) == sorted(f"c{number}" for number in range(20))
    answers: dict[str, list[Any]] = {}
    for reply in replies(open_settings):
        answers.setdefault(reply["command_id"], []).append(reply["receipt"])
    assert all(len(same) == 2 and same[0] == same[1] for same in answers.values())


def test_a_store_that_fails_is_waited_for_and_the_group_comes_again(
    house, open_settings, taking, monkeypatch
):
    send(open_settings, asking("one"), asking("two"))
    handle = house.service.handle_many
    failures = [StoreFailed("the disk is full")] * 2

    def failing(commands: Any) -> Any:
        answers = [*commands]
        if failures:
            return [failures.pop() for _ in answers][:1] * len(answers)
        return handle(answers)

    monkeypatch.setattr(house.service, "handle_many", failing)
    waits: list[str] = []
    drain(taking(told=lambda error, seconds: waits.append(str(error))))
    assert waits == ["the disk is full"]
    assert sorted(starts(house)) == ["one", "two"]
    assert [reply["outcome"] for reply in replies(open_settings)] == ["done", "done"]


def test_a_rebalance_in_mid_batch_harms_nothing(house, open_settings, taking, lets_go):
    """A second intake joins while the first has a group in its hands; it commits late."""
    send_to_all_partitions(open_settings, 60)
    first, second = taking(group=10), taking(group=10)
    outcomes: list[str] = []
    commit = first._commit

    def joined_meanwhile(found: Any) -> None:
        if not outcomes:
            outcomes.append("joined")
            # Each poll lets the group's coordinator go on; the first is away meanwhile.
            for _ in range(15):
                second.step()
        commit(found)

    first._commit = joined_meanwhile  # type: ignore[method-assign]
    stop = threading.Event()
    threads = [threading.Thread(target=one.run, args=[stop]) for one in (first,)]
    for thread in threads:
        thread.start()
    wait_until(lambda: bool(outcomes))
    wait_until(lambda: len(starts(house)) == 60)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    second._begin_anew()
    drain(taking())
    assert sorted(starts(house)) == sorted(f"c{number:02}" for number in range(60))
    answers: dict[str, list[Any]] = {}
    for reply in replies(open_settings):
        answers.setdefault(reply["command_id"], []).append(reply["receipt"])
    assert len(answers) == 60
    assert all(one == same[0] for same in answers.values() for one in same)


def send_to_all_partitions(settings: KafkaSettings, count: int) -> None:
    for number in range(count):
        send_all(
            settings.bootstrap,
            topics(settings)[0],
            [asking(f"c{number:02}")],
            key=f"k{number}".encode(),
        )


def test_commits_for_partitions_that_moved_on_are_dropped(open_settings, taking, monkeypatch):
    send(open_settings, asking("one"))
    intake = taking()
    intake._open()

    def moved(offsets: Any) -> None:
        raise CommitFailedError

    monkeypatch.setattr(intake._consumer, "commit", moved)
    while not intake.step():
        pass
    assert intake.handled == 1


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_goes_down_under_the_intake_loses_no_command(
    house, open_settings, taking, own_kafka: OwnBroker, how
):
    if how == "kill":
        need_durable(own_kafka)
    send(open_settings, *(asking(f"a{number}") for number in range(30)))
    stop = threading.Event()
    intake = taking(group=5)
    thread = threading.Thread(target=intake.run, args=[stop])
    thread.start()
    try:
        wait_until(lambda: len(starts(house)) >= 5)
        getattr(own_kafka, how)()
        own_kafka.start()
        send(open_settings, *(asking(f"b{number}") for number in range(10)))
        wait_until(lambda: len(starts(house)) == 40)
        wait_until(lambda: len({r["command_id"] for r in replies(open_settings)}) == 40)
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert len({*starts(house)}) == 40


def test_the_groups_offsets_say_how_far_it_is(open_settings, taking):
    send(open_settings, *(asking(f"c{number}") for number in range(7)))
    drain(taking())
    assert open_settings.intake is not None
    with closing(
        connect(
            KafkaConsumer,
            bootstrap_servers=open_settings.bootstrap,
            group_id=open_settings.intake.group,
        )
    ) as consumer:
        from kafka import TopicPartition

        committed = [
            consumer.committed(TopicPartition(topics(open_settings)[0], number)) or 0
            for number in range(3)
        ]
    assert sum(committed) == 7
