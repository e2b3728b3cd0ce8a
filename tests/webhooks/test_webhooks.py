"""Webhooks, posted over real sockets: signed, in order, at least once, whatever becomes of the
receiver."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import WebhookVerificationError

from consumers import webhook_sending
from consumers.runner import BEHIND, MayPass
from consumers.store import Store
from engine import canonical
from engine.errors import BadInput
from engine.events import to_bytes
from tests.patience import PATIENCE, wait_until
from tests.webhooks.conftest import ANOTHER, SECRET


def positions(got):
    return [one.position for one in got]


def test_every_event_is_posted_as_a_signed_cloudevent(house, receiver):
    house.write(3)
    house.runner(house.webhook(receiver.url)).catch_up()
    assert positions(receiver.got) == [1, 2, 3, 4, 5]
    for one in receiver.got:
        assert one.verify() == one.event
        assert one.headers["webhook-id"] == one.event["id"]
        assert one.headers["content-type"] == "application/cloudevents+json"
        assert one.event["source"] == "/test"
        assert one.path == "/hooks?of=pmo"
    (recorded,) = house.log.stream("NOTE-0001")
    assert canonical.encode(receiver.got[2].event["data"]) == to_bytes(recorded.event)


def test_what_was_changed_on_the_way_does_not_verify(house, receiver):
    house.runner(house.webhook(receiver.url)).catch_up()
    one = receiver.got[0]
    one.body = one.body.replace(b"operator", b"imposter")
    with pytest.raises(WebhookVerificationError):
        one.verify()


def test_a_secret_is_rotated_without_a_gap(house, receiver):
    def post(*names):
        house.write()
        house.runner(house.webhook(receiver.url, secrets_env=names)).catch_up()
        return receiver.got[-1]

    assert post("HOOK_SECRET").verify(SECRET)
    both = post("NEW_SECRET", "HOOK_SECRET")
    assert both.verify(SECRET) == both.verify(ANOTHER)
    new = post("NEW_SECRET")
    assert new.verify(ANOTHER)
    with pytest.raises(WebhookVerificationError):
        new.verify(SECRET)


def test_only_what_was_asked_for_is_posted_and_the_rest_passed_over(house, receiver):
    (note,), (memo,) = house.write(), house.write(workflow="memo")
    house.attach(note)
    house.attach(memo)
    webhook = house.webhook(receiver.url, workflows=("memo",), types=("MemoWritten",))
    assert house.runner(webhook).catch_up() == house.log.head()
    assert [one.event["type"] for one in receiver.got] == ["pmo.memo.MemoWritten"]


def test_one_that_begins_now_is_not_told_of_the_past(house, receiver):
    house.write(3)
    runner = house.runner(house.webhook(receiver.url, from_now=True))
    runner.switch_on()
    house.write()
    runner.catch_up()
    assert positions(receiver.got) == [6]


def test_a_receiver_that_was_down_for_a_day_gets_everything_in_order(house, receiver):
    port = receiver.port
    runner = house.runner(house.webhook(receiver.url))
    receiver.stop()
    cases = house.write(30)
    for _ in range(5):
        for case in cases[:10]:
            house.attach(case)
    with pytest.raises(MayPass, match="gave no answer"):
        runner.catch_up()
    assert house.waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4]
    receiver.start(port)
    assert runner.catch_up() == house.log.head()
    assert positions(receiver.got) == [*range(1, house.log.head() + 1)]
    assert house.store.incidents() == []


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 429])
def test_what_may_pass_is_tried_again_and_what_was_taken_is_not_posted_again(
    house, receive, status
):
    failures = iter([False, False, True, True, True])
    receiver = receive(lambda got: status if next(failures, False) else 200)
    house.write(3)
    house.runner(house.webhook(receiver.url)).catch_up()
    assert positions(receiver.taken) == [1, 2, 3, 4, 5]
    assert positions(receiver.got) == [1, 2, 3, 3, 3, 3, 4, 5]
    assert house.waits == [0.1, 0.2, 0.4]
    assert f"answered {status}" in house.told[0]


def test_a_receiver_that_asks_for_a_pause_gets_one(house, receive):
    def later():
        return format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)

    asked = iter([lambda: "7", later, lambda: "soon"])

    def answer(got):
        until = next(asked, None)
        return (503, {"Retry-After": until()}, b"") if until else 200

    house.runner(house.webhook(receive(answer).url)).catch_up()
    assert house.waits[0] == 7
    assert 2 < house.waits[1] <= 40  # and 0.2 where it were not understood
    assert house.waits[2] == 0.4


def test_what_is_refused_is_parked_with_its_case_and_others_go_on(house, receive):
    bad = "NOTE-0002"
    receiver = receive(
        lambda got: (422, {}, b"no such project") if got.event["subject"] == bad else 200
    )
    house.write(3)
    house.attach(bad)
    house.attach("NOTE-0003")
    runner = house.runner(house.webhook(receiver.url))
    assert runner.catch_up() == house.log.head()
    assert [one.event["subject"] for one in receiver.taken][2:] == [
        "NOTE-0001", "NOTE-0003", "NOTE-0003"
    ]  # fmt: skip
    first, behind = house.store.incidents()
    assert (first.consumer, first.stream) == ("webhook:portal", bad)
    assert first.reason == "the endpoint answered 422 Unprocessable Entity: no such project"
    assert behind.reason == BEHIND
    receiver.answer = lambda got: 200
    assert runner.retry().done == 2
    assert [one.event["subject"] for one in receiver.taken][5:] == [bad, bad]
    assert house.store.incidents() == []


def test_a_receiver_that_is_gone_is_left_alone_and_loses_nothing(house, receive):
    receiver = receive(lambda got: 410 if got.position == 3 else 200)
    house.write(3)
    webhook = house.webhook(receiver.url)
    runner = house.runner(webhook)
    for _ in range(3):
        with pytest.raises(MayPass, match="switched us off"):
            runner.catch_up()
    assert positions(receiver.got) == [1, 2, 3]
    assert house.store.incidents() == []
    receiver.answer = lambda got: 200
    house.runner(house.webhook(receiver.url)).catch_up()  # as after a restart
    assert positions(receiver.taken)[-3:] == [3, 4, 5]


def test_a_redirect_is_not_followed(house, receive):
    inside = receive()
    receiver = receive(lambda got: (307, {"Location": inside.url}, b""))
    house.runner(house.webhook(receiver.url)).catch_up()
    assert inside.got == []
    assert "we do not" in house.store.incidents()[0].reason


def test_a_slow_receiver_is_not_waited_for_longer_than_said(house, receive):
    release = threading.Event()

    def hang(handler):
        release.wait()

    receiver = receive(lambda got: hang)
    runner = house.runner(house.webhook(receiver.url, answers_within=0.2))
    with pytest.raises(MayPass, match="gave no answer"):
        runner.catch_up()
    release.set()


def test_an_answer_that_comes_drop_by_drop_has_to_end(house, receive):
    def drip(handler):
        handler.close_connection = True
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            while True:
                handler.wfile.write(b"a")
                time.sleep(0.05)  # below the timeout of a read
        except OSError:
            return

    receiver = receive(lambda got: drip)
    webhook = house.webhook(receiver.url, answers_within=0.3)
    with pytest.raises(MayPass):
        webhook.send("id", b"{}")


def test_when_the_time_is_over_before_there_is_a_connection_nothing_is_posted(
    house, receiver, monkeypatch
):
    """Else nobody would be left to cut off an answer that comes drop by drop."""

    def resolve(*_):
        threading.Event().wait(0.3)
        return [(int(socket.AF_INET), "127.0.0.1")]

    monkeypatch.setattr(webhook_sending, "resolve", resolve)
    webhook = house.webhook(receiver.url, answers_within=0.1)
    with pytest.raises(MayPass, match="it took too long"):
        webhook.send("id", b"{}")
    assert receiver.got == []


def test_an_address_that_is_silent_leaves_time_to_the_next(house, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = [(int(socket.AF_INET), "127.0.0.1"), (int(socket.AF_INET), "127.0.0.2")]
        monkeypatch.setattr(webhook_sending, "resolve", lambda *_: there)
        port = silent.getsockname()[1]
        webhook = house.webhook(f"https://127.0.0.1:{port}/", answers_within=4.0)
        with pytest.raises(MayPass, match="Connection refused"):
            webhook.send("id", b"{}")


def test_an_endless_answer_is_not_read_to_its_end(house, receive):
    def pour(handler):
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                handler.wfile.write(b"x" * 65_536)
        except OSError:
            return

    receiver = receive(lambda got: pour)
    webhook = house.webhook(receiver.url)
    assert webhook.send("id", b"{}") == ""


@pytest.mark.parametrize(
    "said", [b"", b"\x00\x01nonsense", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 \r\n\r\n",
             b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000],
    ids=lambda said: ascii(said)[:20],
)  # fmt: skip
def test_an_answer_that_is_none_may_pass(house, receive, said):
    def nonsense(handler):
        handler.close_connection = True
        handler.wfile.write(said)

    receiver = receive(lambda got: nonsense)
    with pytest.raises(MayPass):
        house.webhook(receiver.url).send("id", b"{}")


def test_a_connection_that_was_closed_meanwhile_is_made_anew(house, receive):
    def once(handler):
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    receiver = receive(lambda got: once)
    webhook = house.webhook(receiver.url)
    for _ in range(3):
        assert webhook.send("id", b"{}") == ""


def test_one_that_is_down_holds_up_no_other(house, receive, receiver):
    down = receive(lambda got: 503)
    stop = threading.Event()
    house.write(10)
    runners = [
        house.runner(house.webhook(down.url, "down"), Store(house.folder / "consumers.db")),
        house.runner(house.webhook(receiver.url, "up"), Store(house.folder / "consumers.db")),
    ]
    threads = [threading.Thread(target=runner.follow, args=[stop]) for runner in runners]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(receiver.taken) >= house.log.head())
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert positions(receiver.taken) == [*range(1, house.log.head() + 1)]
    assert {one.position for one in down.got} == {1}
    assert down.taken == []


def test_killed_in_the_middle_and_started_again_nothing_is_lost_and_order_kept(house, receive):
    killed = threading.Event()
    process: list[subprocess.Popen] = []

    def answer(got):
        if len(receiver.taken) in (25, 60, 61) and not killed.is_set():
            killed.set()
            os.kill(process[-1].pid, signal.SIGKILL)
        return 200

    receiver = receive(answer)
    cases = house.write(40)
    for case in cases:
        house.attach(case, 2)
    house.close()
    words = [sys.executable, "-c", WORK, str(house.folder), receiver.url]
    codes = []
    for _ in range(4):
        killed.clear()
        process.append(subprocess.Popen(words))
        codes.append(process[-1].wait(PATIENCE))
    assert codes.count(-signal.SIGKILL) >= 2
    assert codes[-1] == 0
    house.__init__(house.folder)
    kept: dict[str, int] = {}
    for one in receiver.got:  # as a subscriber does that dedupes by webhook-id
        kept.setdefault(one.headers["webhook-id"], one.position)
    assert sorted(kept.values()) == [*range(1, house.log.head() + 1)]
    by_case: dict[str, list[int]] = {}
    for one in receiver.got:
        if kept[one.headers["webhook-id"]] not in (seen := by_case.setdefault(
            one.event["subject"], [])):  # fmt: skip
            seen.append(one.position)
    assert all(seen == sorted(seen) for seen in by_case.values())


WORK = """
import sys
from pathlib import Path
from consumers.runner import Runner
from consumers.store import Store
from consumers.webhook_settings import Endpoint
from consumers.webhooks import Webhook
from engine.store.sqlite import SQLiteLog
folder = Path(sys.argv[1])
endpoint = Endpoint(
    url=sys.argv[2], secrets_env=("HOOK_SECRET",), allow_http=True, allow_internal=True
)
log, store = SQLiteLog(folder / "ledger.db"), Store(folder / "consumers.db")
Runner(log, store, Webhook("portal", endpoint, "/test")).catch_up()
"""


@pytest.mark.parametrize("value", ["", "secret", "whsec_", "whsec_????", "whsec_c2hvcnQ=",
                                   "whsec_" + "A" * 200])  # fmt: skip
def test_a_secret_that_is_none_is_told_without_being_shown(house, monkeypatch, value):
    monkeypatch.setenv("HOOK_SECRET", value)
    with pytest.raises(BadInput, match="HOOK_SECRET") as told:
        house.webhook("http://127.0.0.1:1/")
    assert len(value) < 7 or value not in str(told.value)
