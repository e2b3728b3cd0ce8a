"""The feed: everything once, in order, from anywhere, at any reader's own pace."""

from __future__ import annotations

import json
import threading

import pytest
from cloudevents.v1.http import from_dict

from app.http.application import LONGEST_WAIT
from app.http.document import BATCH, EVENT_STREAM, JSON
from engine import canonical
from engine.commands import PublishDefinition, Requester
from engine.events import to_bytes
from engine.loading import load_definition
from tests.http.conftest import Running, read_ids, read_stream
from tests.patience import PATIENCE, wait_until


def read_all(service: Running, after: int = 0, **asked) -> list[dict]:
    found = []
    while True:
        page = service.client.get("/v1/events", params={"after": after, **asked}).json()
        found += page["events"]
        if page["next_after"] == after:
            return found
        assert page["next_after"] > after
        after = page["next_after"]


def sequences(events: list[dict]) -> list[int]:
    return [int(event["sequence"]) for event in events]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_of_any_size_hold_every_event_once_in_order(service, limit):
    service.write_directly(count=20)
    events = read_all(service, limit=limit)
    assert sequences(events) == [*range(1, service.home.log.head() + 1)]


def test_what_is_read_is_what_was_recorded(service):
    service.write(number=0.1, amount="1.25m")
    event = read_all(service)[-1]
    assert event["source"] == "/test"
    assert event["type"] == "pmo.note.NoteWritten"
    (recorded,) = service.home.log.stream("NOTE-0001")
    assert canonical.encode(event["data"]) == to_bytes(recorded.event)


def test_a_filtered_reader_advances_over_what_it_did_not_ask_for(service, monkeypatch):
    monkeypatch.setattr("app.http.feed.MOST_SCANNED", 10)
    service.write_directly("note", 30)
    wanted = service.write_directly("memo", 1)[0]
    service.write_directly("note", 30)
    page = service.client.get("/v1/events", params={"after": 3, "workflow": "memo"}).json()
    assert page["events"] == []
    assert page["next_after"] == 13
    assert sequences(read_all(service, after=3, workflow="memo")) == [wanted.position]
    assert sequences(read_all(service, type="MemoWritten")) == [wanted.position]
    assert sequences(read_all(service, type="pmo.memo.MemoWritten")) == [wanted.position]
    assert sequences(read_all(service, case="MEMO-0001")) == [wanted.position]
    assert read_all(service, type="pmo.note.MemoWritten") == []


def test_filters_of_one_kind_are_alternatives(service):
    notes, memos = service.write_directly("note", 2), service.write_directly("memo", 2)
    found = read_all(service, case=[notes[0].stream, memos[1].stream])
    assert sequences(found) == [notes[0].position, memos[1].position]


def test_the_engines_own_bookkeeping_is_passed_over(service, home):
    text = PLAN
    body = load_definition(text, "claim.yaml").body
    operator = Requester(id="operator")
    home.service.handle(PublishDefinition(command_id="p", actor=operator, body=body, text=text))
    service.command(kind="start-case", workflow="plan", data={"of": "x"})
    service.command(kind="pull-trigger", case="PLAN-0001", trigger="issue")
    streams = {body["stream"] for _, body in home.log.bodies(0, 1000)}
    assert any(stream.startswith("claim/") for stream in streams)
    page = service.client.get("/v1/events").json()
    assert not any(event["subject"].startswith("claim/") for event in page["events"])
    assert page["next_after"] == home.log.head()


PLAN = """
workflow: plan
version: 1
title: Plan
key: PLAN
roles: {writer: }
data:
  of: {type: text}
states:
  draft: {initial: true}
  issued:
  closed: {final: true}
only_one: {per: of, in: issued}
start: {emits: PlanDrafted}
transitions:
  - {trigger: issue, from: draft, to: issued, by: [writer], emits: PlanIssued}
  - {trigger: close, from: issued, to: closed, by: [writer], emits: PlanClosed}
"""


def test_a_batch_is_what_cloudevents_calls_one(service):
    service.write()
    headers = {"Accept": "application/cloudevents-batch+json"}
    answer = service.client.get("/v1/events", headers=headers)
    assert answer.headers["content-type"] == "application/cloudevents-batch+json"
    assert answer.headers["pmo-next-after"] == str(service.home.log.head())
    assert [from_dict(event)["sequence"] for event in answer.json()][-1] == f"{3:020}"


@pytest.mark.parametrize(
    ("accept", "form"),
    [("*/*", JSON), ("", JSON), ("application/xml", JSON), ("text/event-stream;q=0", JSON),
     ("text/event-stream;q=nan", JSON),
     ("text/event-stream;q=0, application/cloudevents-batch+json", BATCH),
     (f"{JSON}, {EVENT_STREAM}", JSON), (f"{EVENT_STREAM}, {JSON}", EVENT_STREAM),
     (f"{JSON};q=0.5, {BATCH}; q=0.9, {EVENT_STREAM};q=x", BATCH),
     ("Text/Event-Stream", EVENT_STREAM), ("text/event-streams", JSON)],
)  # fmt: skip
def test_the_form_is_the_one_that_is_wanted_most(shared, accept, form):
    answer = shared.client.head("/v1/events", headers={"Accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == form


def test_a_reader_that_waits_is_woken_by_what_it_wants(service):
    head = service.home.log.head()
    asked = {"after": head, "wait": LONGEST_WAIT, "workflow": "memo"}
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(service.client.get("/v1/events", params=asked).json())
    )
    waiting.start()
    service.write_directly("note", 3)
    wanted = service.write_directly("memo", 1)[0]
    waiting.join(PATIENCE)
    assert sequences(answers[0]["events"]) == [wanted.position]


def test_a_reader_that_waits_in_vain_is_told_how_far_it_has_come(service):
    service.write_directly("note", 3)
    page = service.client.get(
        "/v1/events", params={"after": 2, "wait": 0.2, "workflow": "memo"}
    ).json()
    assert page == {"events": [], "next_after": 5, "head": 5}


def test_a_reader_that_has_come_further_than_the_log_is_told_so(service):
    for headers in ({}, {"Accept": "text/event-stream"}):
        answer = service.client.get("/v1/events", params={"after": 999}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "position-ahead")
        assert answer.json()["head"] == service.home.log.head()


def test_a_reader_that_says_which_event_it_saw_is_told_where_another_stands_there(service):
    """The log went back, by a backup or a standby, and has grown past the reader since."""
    get = service.client.get
    (first,) = get("/v1/events", params={"limit": 1}).json()["events"]
    at = {"after": int(first["sequence"])}
    assert get("/v1/events", params=at | {"seen": first["id"]}).status_code == 200
    for headers in ({}, {"Accept": "text/event-stream"}):
        answer = get("/v1/events", params=at | {"seen": "another"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "log-diverged")


def test_a_stream_goes_on_with_what_is_recorded_later(service):
    service.write_directly("note", 250)
    head = service.home.log.head()
    writer = threading.Thread(target=service.write_directly, args=("note", 50))
    writer.start()
    found = read_stream(service, head + 50)
    writer.join()
    assert [at for at, _ in found] == [*range(1, head + 51)]
    assert [int(json.loads(data)["sequence"]) for _, data in found] == [at for at, _ in found]


def test_a_stream_resumes_after_the_last_event_id(service):
    service.write_directly("note", 10)
    found = read_stream(service, 2, {"Last-Event-ID": "7"}, after=1)
    assert [at for at, _ in found] == [8, 9]


def test_a_stream_that_is_asked_to_go_on_in_another_log_is_refused_by_its_last_event_id(service):
    """As a browser asks, which sends the id as it came, and nothing else."""
    service.write_directly("note", 10)
    ids = [told for told, _ in read_ids(service, 12)]
    events = read_all(service)
    assert ids == [f"{int(event['sequence'])}:{event['id']}" for event in events]
    found = read_ids(service, 2, {"Last-Event-ID": ids[9]})
    assert [told for told, _ in found] == ids[10:]
    another = f"10:{events[8]['id']}"
    stream = {"Accept": "text/event-stream", "Last-Event-ID": another}
    answer = service.client.get("/v1/events", headers=stream)
    assert (answer.status_code, answer.json()["code"]) == (409, "log-diverged")
    for odd in ("10:", ":x", "10:\u00fc".encode(), "10:x y"):
        answer = service.client.get("/v1/events", headers=stream | {"Last-Event-ID": odd})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_stream_with_a_filter_tells_how_far_it_has_come(service):
    service.write_directly("note", 20)
    ((told, data),) = read_ids(service, 1, workflow="memo", after=2)
    assert (told, data) == (f"22:{read_all(service)[-1]['id']}", "")
    stream = {"Accept": "text/event-stream", "Last-Event-ID": told}
    assert service.client.head("/v1/events", headers=stream).status_code == 200


def test_a_stream_says_that_it_is_still_there(service, monkeypatch):
    monkeypatch.setattr("app.http.feed.HEARTBEAT", 0.05)
    asked = {"after": service.home.log.head()}
    headers = {"Accept": "text/event-stream"}
    with service.client.stream("GET", "/v1/events", params=asked, headers=headers) as answer:
        lines = (line for line in answer.iter_lines() if line)
        assert [next(lines) for _ in range(3)] == ["retry: 1000", ": still here", ": still here"]


def test_a_slow_reader_holds_up_nobody(service):
    service.write_directly("note", 3_000)
    with service.connect() as slow:
        slow.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
                     b"Accept: text/event-stream\r\n\r\n")  # fmt: skip
        assert slow.recv(100)  # and then it reads no more
        assert len(read_stream(service, 3_000)) == 3_000
        assert service.write()["position"]
        assert _streams(service) == 1


def test_a_reader_that_goes_away_is_noticed(service):
    with service.connect() as reader:
        reader.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
                       b"Accept: text/event-stream\r\n\r\n")  # fmt: skip
        assert reader.recv(100)
        assert _streams(service) == 1
    wait_until(lambda: not _streams(service))


def test_a_service_that_stops_lets_its_readers_go_and_they_resume_at_another(serve, monkeypatch):
    """They get the ends of their answers. Whoever had to be cut off in the end would get none."""
    monkeypatch.setattr("app.http.server.FAREWELL", LONGEST_WAIT // 2)
    first, second = serve(), serve()
    first.write_directly("note", 5)
    found, polled, under_way = [], [], threading.Event()
    page = first.server.served.feed.page

    def noted(*given):
        under_way.set()
        return page(*given)

    monkeypatch.setattr(first.server.served.feed, "page", noted)
    reading = threading.Thread(target=lambda: found.extend(read_stream(first, 999, after=3)))
    asked = {"after": 7, "wait": LONGEST_WAIT}
    polling = threading.Thread(
        target=lambda: polled.append(first.client.get("/v1/events", params=asked).json()["events"])
    )
    reading.start()
    polling.start()
    wait_until(lambda: _streams(first) and under_way.is_set())
    first.server.should_exit = True
    reading.join(PATIENCE)
    polling.join(PATIENCE)
    assert polled == [[]]
    second.write_directly("note", 2)
    rest = read_stream(second, 2, {"Last-Event-ID": str(found[-1][0])})
    assert [at for at, _ in [*found, *rest]] == [*range(4, 10)]


def _streams(service: Running) -> int:
    text = service.client.get("/metrics").text
    return int(next(line.split()[-1] for line in text.splitlines()
                    if line.startswith("pmo_http_streams")))  # fmt: skip
