"""Commands from a topic on a real broker: one effect each, an answer each, and nothing stuck."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.errors import CommitFailedError

from consumers import kafka_dead_letters
from consumers.kafka_commands import read_command
from consumers.kafka_connection import make_topics
from consumers.kafka_dead_letters import read_letters, settle
from consumers.kafka_delivery import Delivery
from consumers.kafka_intake import KafkaIntake
from consumers.kafka_network import connect
from consumers.kafka_settings import Door, KafkaSettings
from consumers.runner import MayPass
from engine.commands import ASKABLE
from engine.errors import StoreFailed
from tests.consumers.conftest import House
from tests.kafka.conftest import intake_of, read_all, send_all, settings_at
from tests.kafka_broker import OwnBroker, need_durable
from tests.patience import PATIENCE, wait_until

PAT = {"id": "pat", "roles": ["requester"]}


def asking(command_id: str, kind: str = "start-case", **said: Any) -> bytes:
    said = {"workflow": "plan", "data": {"title": command_id}} | said
    return json.dumps({"kind": kind, "command_id": command_id, "actor": PAT, **said}).encode()


def pulling(command_id: str, case: str, trigger: str) -> bytes:
    said = {"command_id": command_id, "actor": PAT, "case": case, "trigger": trigger}
    return json.dumps({"kind": "pull-trigger", **said}).encode()


@pytest.fixture
def taking(house: House, open_settings: KafkaSettings) -> Iterator[Callable[..., KafkaIntake]]:
    made: list[KafkaIntake] = []
    names = topics(open_settings)
    make_topics(open_settings, {name: {} for name in names})

    def taking(settings: KafkaSettings = open_settings, **how: Any) -> KafkaIntake:
        made.append(KafkaIntake(house.service, settings, **how))
        return made[-1]

    yield taking
    for intake in made:
        intake._begin_anew()


def topics(settings: KafkaSettings) -> list[str]:
    assert settings.intake is not None
    return [*settings.intake.topics, settings.intake.replies, settings.intake.dead_letters]


def drain(intake: KafkaIntake) -> None:
    intake.run(threading.Event(), idle_for=1.0)


def send(settings: KafkaSettings, *values: bytes) -> None:
    send_all(settings.bootstrap, topics(settings)[0], values)


def replies(settings: KafkaSettings) -> list[dict[str, Any]]:
    return [
        json.loads(record.value) for record in read_all(settings.bootstrap, topics(settings)[1])
    ]


def starts(house: House) -> list[str]:
    return [
        b["data"]["title"] for _, b in house.log.bodies(0, 10_000) if b["name"] == "PlanStarted"
    ]


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


def test_poison_first_in_line_is_put_aside_with_its_reason_and_holds_up_nobody(
    house, open_settings, taking
):
    poison = [
        b"\xff no JSON",
        b'["a list"]',
        asking("x", kind="start-cas"),
        asking("y", nonsense=1),
        asking("z", data={"title": "x" * 20_000}),
        b'{"kind": ["start-case"], "command_id": "v"}',
        asking("w", reason="NUL: \x00"),
    ]
    send(open_settings, *poison, asking("good"))
    intake = taking()
    drain(intake)
    assert starts(house) == ["good"]
    assert (intake.handled, intake.dead) == (1, 7)
    letters = [*read_letters(open_settings)]
    assert [letter.value for letter in letters] == poison
    assert {letter.topic for letter in letters} == {topics(open_settings)[0]}
    said = [letter.reason for letter in letters]
    assert said[0].startswith("not JSON")
    assert said[1] == "not a JSON object"
    assert "did you mean 'start-case'?" in said[2]
    assert "/nonsense" in said[3]
    assert said[4].startswith("too large")
    assert "/kind: there is no command ['start-case']" in said[5]
    assert said[6].startswith("/reason")


def test_a_header_without_a_value_makes_no_command_unreadable():
    """Other clients than ours send such headers."""
    kind, command = read_command(asking("one"), {"traceparent": None, "other": None}, 10_000)
    assert (kind, command.command_id, command.traceparent) == ("start-case", "one", None)


def test_dead_letters_are_sent_again_once_and_dismissed_once(house, kafka, prefix, taking):
    strict = settings_at(kafka.bootstrap, prefix, intake=intake_of(prefix) | {"largest": 50})
    send(strict, asking("was too large for the settings"))
    drain(taking(strict))
    assert len([*read_letters(strict)]) == 1
    assert settle(strict, send=True) == (1, [])
    assert [*read_letters(strict)] == []
    mended = settings_at(kafka.bootstrap, prefix, intake=intake_of(prefix))
    drain(taking(mended))
    assert starts(house) == ["was too large for the settings"]
    send(mended, b"nonsense")
    drain(taking(mended))
    assert settle(mended, send=False)[0] == 1
    assert [*read_letters(mended)] == []
    assert settle(mended, send=True) == (0, [])


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


def test_dead_letters_are_dealt_with_page_by_page(open_settings, taking, monkeypatch):
    """However many there are; and those before a trouble are not sent a second time."""
    monkeypatch.setattr(kafka_dead_letters, "_PAGE", 3)
    send(open_settings, *(b"nonsense %d" % number for number in range(10)))
    drain(taking())
    values = [letter.value for letter in read_letters(open_settings)]
    assert sorted(values) == [b"nonsense %d" % number for number in range(10)]
    deliver, calls = Delivery.deliver, []

    def fail_once(delivery, messages):
        calls.append([message.value for message in messages])
        if len(calls) == 2:
            raise MayPass("the broker went away")
        return deliver(delivery, messages)

    monkeypatch.setattr(Delivery, "deliver", fail_once)
    with pytest.raises(MayPass, match="went away"):
        settle(open_settings, send=True)
    assert len(calls[0]) <= 3
    left = [letter.value for letter in read_letters(open_settings)]
    assert sorted(left + calls[0]) == sorted(values)
    assert settle(open_settings, send=True) == (len(left), [])
    assert sorted(value for call in [calls[0], *calls[2:]] for value in call) == sorted(values)


def test_a_letter_that_does_not_fit_is_kept_in_part_and_not_sent_again(
    house, kafka, prefix, open_settings
):
    commands, replies_to, dead = topics(open_settings)
    small = {"max.message.bytes": "3000"}
    make_topics(open_settings, {commands: {}, replies_to: {}, dead: small})
    send(open_settings, b"x" * 5_000)
    with closing_intake(house, open_settings) as intake:
        drain(intake)
    (letter,) = read_letters(open_settings)
    assert letter.cut_from == 5_000
    assert letter.place in {f"{partition}/0" for partition in range(3)}
    assert settle(open_settings, send=True) == (0, [letter])


class closing_intake:  # noqa: N801  used like contextlib.closing
    def __init__(self, house: House, settings: KafkaSettings) -> None:
        self.intake = KafkaIntake(house.service, settings)

    def __enter__(self) -> KafkaIntake:
        return self.intake

    def __exit__(self, *_: object) -> None:
        self.intake._begin_anew()


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
