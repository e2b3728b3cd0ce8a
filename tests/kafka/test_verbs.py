"""`pmo work`, `pmo kafka` and settings.yaml, as an operator uses them."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from consumers.kafka_connection import make_topics
from consumers.kafka_settings import KafkaSettings
from tests.cli.conftest import Pmo, made_home, pmo
from tests.kafka.conftest import positions, read_all, send_all
from tests.kafka_broker import Broker
from tests.patience import PATIENCE, wait_until

__all__ = ["made_home", "pmo"]

SETTINGS = """
source: /ledgers/verbs
kafka:
  bootstrap: {bootstrap}
  answers_within: 5
  topics: {{events: {prefix}.events, states: "{prefix}.state.{{workflow}}", partitions: 2}}
  intake:
    topics:
      {prefix}.commands: {{actors: {{pat: [requester]}}, kinds: [human]}}
    replies: {prefix}.replies
    dead_letters: {prefix}.dead-letters
    group: {prefix}-intake
"""


@pytest.fixture
def wired(pmo: Pmo, kafka: Broker, prefix: str) -> Pmo:
    """A home whose settings name the broker."""
    text = SETTINGS.format(bootstrap=kafka.bootstrap, prefix=prefix)
    (pmo.home / "settings.yaml").write_text(text, encoding="utf-8")
    return pmo


def test_work_tells_kafka_and_check_says_that_all_is_well(wired, kafka, prefix):
    assert " will be made" in wired.done("kafka", "check").out
    wired.done("start", "decision", "title=One")
    wired.done("work", "--once")
    records = read_all(kafka.bootstrap, f"{prefix}.events")
    assert sorted(positions(records)) == [1, 2, 3, 4]
    assert {dict(r.headers)["ce_source"] for r in records} == {b"/ledgers/verbs"}
    (state,) = read_all(kafka.bootstrap, f"{prefix}.state.decision")
    assert json.loads(state.value)["data"]["title"] == "One"
    found = wired.done("kafka", "check", "--json").json()
    assert (found["lag"], found["incidents"], found["lost"]) == (0, 0, 0)
    assert {topic["name"] for topic in found["topics"]} >= {f"{prefix}.events", f"{prefix}.replies"}
    (line, *_) = (one for one in wired.done("kafka", "check").out.splitlines() if ".events" in one)
    assert line.endswith(" ready")
    assert "the relay is 0 events behind" in wired.done("kafka", "check").out
    standings = {
        one["consumer"]: one["lag"] for one in wired.done("status", "--json").json()["consumers"]
    }
    assert standings["kafka"] == standings["kafka-states"] == 0


def test_work_that_goes_on_tells_of_what_is_recorded_meanwhile_and_ends_when_asked(
    wired, kafka, prefix
):
    with wired.start("work") as process:
        try:
            wired.done("start", "decision", "title=One")
            wait_until(lambda: len(events(kafka, prefix)) == 4)
            wired.done("start", "decision", "title=Two")
            wait_until(lambda: len(events(kafka, prefix)) == 5)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def events(kafka: Broker, prefix: str) -> list[Any]:
    return read_all(kafka.bootstrap, f"{prefix}.events")


def test_work_says_why_it_waits_and_does_all_else_meanwhile(pmo):
    pmo.done("start", "decision", "title=One")
    text = "kafka: {bootstrap: '127.0.0.1:1', answers_within: 1}"
    (pmo.home / "settings.yaml").write_text(text, encoding="utf-8")
    with pmo.start("work") as process:
        assert process.stderr is not None
        said = [process.stderr.readline(), process.stderr.readline()]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert all("waits and tries again: kafka at 127.0.0.1:1" in line for line in said)
    assert {line.split()[1] for line in said} == {"kafka", "kafka-states"}


def test_replay_tells_again_from_a_position_on(wired, kafka, prefix):
    wired.done("work", "--once")
    assert wired.done("kafka", "replay", "--from", "2").out == "2 events told again\n"
    assert sorted(positions(events(kafka, prefix))) == [1, 2, 2, 3, 3]
    assert wired.done("kafka", "replay", "--states", "--json").json() == {"states": 0}
    assert wired("kafka", "replay").code == 2


def test_commands_are_taken_answered_and_put_aside(wired, kafka, prefix):
    at_broker = KafkaSettings.model_validate(
        {"bootstrap": kafka.bootstrap, "topics": {"partitions": 1, "replication": 1}}
    )
    make_topics(at_broker, {f"{prefix}.commands": {}})
    command = {
        "kind": "start-case",
        "command_id": "from-kafka-1",
        "actor": {"id": "pat", "roles": ["requester"]},
        "workflow": "decision",
        "data": {"title": "By Kafka"},
    }
    send_all(kafka.bootstrap, f"{prefix}.commands", [b"nonsense", json.dumps(command).encode()])
    taken = wired.done("kafka", "intake", "--once")
    assert taken.out == "1 commands answered, 1 dead letters\n"
    assert wired.done("show", "DEC-0001", "--json").json()["data"]["title"] == "By Kafka"
    (letter,) = wired.done("kafka", "dead-letters", "--json").json()
    assert letter["value"] == "nonsense"
    assert "not JSON" in wired.done("kafka", "dead-letters").out
    assert wired.done("kafka", "dead-letters", "--replay").out == "1 replayed\n"
    assert wired.done("kafka", "dead-letters").out == "there are no dead letters\n"
    assert wired.done("kafka", "intake", "--once", "--json").json()["dead_letters"] == 1
    assert wired.done("kafka", "dead-letters", "--dismiss").out == "1 dismissed\n"


def test_check_names_what_is_missing_or_wrong(wired, kafka, prefix):
    at_broker = KafkaSettings.model_validate(
        {"bootstrap": kafka.bootstrap, "topics": {"partitions": 1, "replication": 1}}
    )
    make_topics(at_broker, {f"{prefix}.state.decision": {"cleanup.policy": "delete"}})
    answer = wired("kafka", "check")
    assert answer.code == 1
    assert "not compacted: set its cleanup.policy to compact" in answer.out
    assert "the relay has not begun" in answer.out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kafka: {bootstrap: nowhere}", "settings.yaml:1:"),
        ("kafka: {bootstrap: 'b:1', topics: {states: pmo.states}}", "needs {workflow}"),
        ("kafka: {bootstrap: 'b:1', security: {protocol: SASL_SSL}}", "needs username"),
        ("kafka: {bootstrap: 'b:1', topics: {events: 'a b'}}", "cannot be the name of a topic"),
        ("kafak: {}", "did you mean 'kafka'?"),
        (
            "kafka: {bootstrap: 'b:1', intake: {topics: {c: {actors: {}}}, replies: c}}",
            "topics of their own",
        ),
    ],
)
def test_settings_that_make_no_sense_are_told_where_and_why(pmo, text, complaint):
    (pmo.home / "settings.yaml").write_text(text, encoding="utf-8")
    answer = pmo("kafka", "check")
    assert answer.code == 2
    assert complaint in answer.err
    assert "settings.yaml:1:" in answer.err


def test_a_password_that_is_not_in_the_environment_is_told(pmo, monkeypatch):
    security = "{protocol: SASL_SSL, username: pmo, password_env: PMO_TEST_NO_PASSWORD}"
    text = f"kafka: {{bootstrap: 'b:1', security: {security}}}"
    (pmo.home / "settings.yaml").write_text(text, encoding="utf-8")
    monkeypatch.delenv("PMO_TEST_NO_PASSWORD", raising=False)
    answer = pmo("kafka", "check")
    assert answer.code == 2
    assert "PMO_TEST_NO_PASSWORD is not in the environment" in answer.err


def test_without_a_section_kafka_the_verbs_say_so(pmo):
    answer = pmo("kafka", "check")
    assert answer.code == 2
    assert "is not in settings.yaml" in answer.err
