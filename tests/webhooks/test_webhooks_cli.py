"""``pmo webhooks`` and ``pmo work``: from settings to what is posted."""

from __future__ import annotations

import signal

import pytest

from tests.cli.conftest import Pmo
from tests.patience import PATIENCE, wait_until
from tests.webhooks.conftest import SECRET

SETTINGS = """
source: /test
webhooks:
  portal:
    url: {url}
    secrets_env: [HOOK_SECRET]
    types: [NoteWritten, NoteSent]
    allow_http: true
    allow_internal: true
"""
NOTE = """
workflow: note
version: 1
title: Note
key: NOTE
roles: {writer: }
data: {text: {type: text}}
states: {draft: {initial: true}, sent: {final: true}}
start: {by: [writer], emits: NoteWritten}
transitions: [{trigger: send, from: draft, to: sent, by: [writer], emits: NoteSent}]
"""


@pytest.fixture
def pmo(tmp_path, receiver, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    pmo = Pmo(tmp_path / "home")
    pmo.done("init", "--bare")
    (tmp_path / "note.yaml").write_text(NOTE)
    pmo.done("publish", str(tmp_path / "note.yaml"), actor="olaf")
    (pmo.home / "settings.yaml").write_text(SETTINGS.format(url=receiver.url))
    return pmo


def types(got):
    return [one.event["type"] for one in got]


def test_work_posts_what_the_settings_say(pmo, receiver):
    pmo.done("start", "note", "text=x", actor="wanda:writer")
    pmo.done("do", "NOTE-0001", "send", actor="wanda:writer")
    pmo.done("work", "--once")
    assert types(receiver.got) == ["pmo.note.NoteWritten", "pmo.note.NoteSent"]
    assert receiver.got[0].verify()
    (hook,) = pmo.done("webhooks", "--json").json()
    assert (hook["name"], hook["lag"], hook["incidents"]) == ("portal", 0, 0)
    pmo.done("work", "--once")
    assert len(receiver.got) == 2


def test_work_that_goes_on_posts_at_once_and_stops_when_told(pmo, receiver):
    process = pmo.start("work")
    try:
        for number in range(1, 4):
            pmo.done("start", "note", "text=x", actor="wanda:writer")
            wait_until(
                lambda number=number: process.poll() is not None or len(receiver.got) >= number
            )
            assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err


def test_an_endpoint_that_is_down_fails_a_single_round_and_loses_nothing(pmo, receiver):
    port = receiver.port
    receiver.stop()
    pmo.done("start", "note", "text=x", actor="wanda:writer")
    answer = pmo("work", "--once")
    assert answer.code == 3
    assert "gave no answer" in answer.err
    receiver.start(port)
    pmo.done("work", "--once")
    assert types(receiver.got) == ["pmo.note.NoteWritten"]


def test_what_is_refused_is_an_incident_that_can_be_retried_or_dismissed(pmo, receiver):
    receiver.answer = lambda got: (400, {}, b"not like this")
    for _ in range(2):
        pmo.done("start", "note", "text=x", actor="wanda:writer")
    pmo.done("work", "--once")
    first, second = pmo.done("incidents", "--json").json()
    assert "not like this" in first["reason"]
    assert pmo("incidents", "retry", str(first["number"])).code == 1
    receiver.answer = lambda got: 200
    pmo.done("incidents", "retry", str(first["number"]))
    pmo.done("incidents", "dismiss", str(second["number"]), "--reason", "nobody wants it")
    assert pmo.done("incidents", "--json").json() == []
    assert len(receiver.taken) == 1


def test_an_endpoint_is_tried_with_an_event_that_says_nothing(pmo, receiver):
    tried = pmo.done("webhooks", "test", "portal", "--json").json()
    assert receiver.got[0].headers["webhook-id"] == tried["event_id"]
    assert receiver.got[0].verify()["type"] == "pmo.webhook.Tried"
    receiver.answer = lambda got: (401, {}, b"who are you?")
    answer = pmo("webhooks", "test", "portal")
    assert answer.code == 1
    assert "who are you?" in answer.out
    receiver.stop()
    assert pmo("webhooks", "test", "portal").code == 3


def test_what_was_posted_is_posted_again_from_a_position(pmo, receiver):
    for _ in range(3):
        pmo.done("start", "note", "text=x", actor="wanda:writer")
    pmo.done("work", "--once")
    pmo.done("start", "note", "text=x", actor="wanda:writer")  # not posted yet
    before = [(one.headers["webhook-id"], one.body) for one in receiver.got]
    told = pmo.done("webhooks", "replay", "portal", "--from", "3", "--json").json()
    assert told == {"posted": 2, "reached": 4, "stopped_at": None, "refused": ""}
    assert [(one.headers["webhook-id"], one.body) for one in receiver.got[3:]] == before[1:]
    assert pmo("webhooks", "replay", "portal", "--from", "5").code == 2
    receiver.answer = lambda got: 400 if got.position == 4 else 200
    told = pmo("webhooks", "replay", "portal", "--from", "1", "--json")
    assert (told.code, told.json()["stopped_at"], told.json()["posted"]) == (1, 4, 2)


def test_a_new_secret_is_one(pmo, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", pmo.done("webhooks", "secret").out.strip())
    pmo.done("webhooks", "test", "portal")


@pytest.mark.parametrize(
    "words",
    [["test"], ["replay", "portal"], ["test", "portal", "--from", "1"], ["secret", "portal"],
     ["test", "portla"], ["replay", "portla", "--from", "1"]],
)  # fmt: skip
def test_what_makes_no_sense_is_told(pmo, words):
    answer = pmo("webhooks", *words)
    assert answer.code == 2
    assert "portla" not in words or "did you mean 'portal'?" in answer.err


def test_settings_that_make_no_sense_are_told_with_their_place(pmo):
    text = (pmo.home / "settings.yaml").read_text()
    (pmo.home / "settings.yaml").write_text(text.replace("allow_http: true", "allow_http: false"))
    answer = pmo("webhooks")
    assert answer.code == 2
    assert "settings.yaml:" in answer.err
    assert "allow_http" in answer.err


def test_a_secret_that_is_missing_is_told(pmo, monkeypatch):
    monkeypatch.delenv("HOOK_SECRET")
    answer = pmo("work", "--once")
    assert answer.code == 2
    assert "HOOK_SECRET" in answer.err
