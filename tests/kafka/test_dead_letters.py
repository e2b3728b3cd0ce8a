"""What no command can be made of is put aside: with its reason, to be sent again or dismissed."""

from __future__ import annotations

import pytest

from consumers import kafka_dead_letters
from consumers.kafka_connection import make_topics
from consumers.kafka_dead_letters import read_letters, settle
from consumers.kafka_delivery import Delivery
from consumers.kafka_intake import KafkaIntake
from consumers.kafka_settings import KafkaSettings
from consumers.runner import MayPass
from tests.consumers.conftest import House
from tests.kafka.conftest import asking, drain, intake_of, send, settings_at, starts, topics


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
