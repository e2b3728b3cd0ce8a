"""What nobody should send, and what becomes of it: an answer, or a closed connection, and a service
that goes on for everybody else."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from contextlib import ExitStack

import pytest

from app.http.bodies import LARGEST_BODY
from tests.http.conftest import WRITER, Running
from tests.patience import PATIENCE, wait_until

HEADERS = {"Idempotency-Key": "k", "Content-Type": "application/json"}
POST = (b"POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n"
        b"Content-Type: application/json\r\n")  # fmt: skip


@pytest.fixture
def service(shared):
    return shared


@pytest.fixture(autouse=True)
def goes_on(service):
    yield
    assert service.client.get("/health").status_code == 200
    assert service.write()


def post(service: Running, body: bytes):
    return service.client.post("/v1/commands", content=body, headers=HEADERS)


def read_to_end(connection: socket.socket) -> bytes:
    got = b""
    while chunk := connection.recv(65536):
        got += chunk
    return got


def test_a_huge_body_is_refused_before_it_is_read(service):
    with service.connect() as connection:
        connection.sendall(POST + b"Content-Length: 99999999999\r\n\r\n")
        assert b" 413 " in read_to_end(connection).splitlines()[0]


def test_a_huge_body_that_does_not_say_so_is_refused(service):
    def chunks():
        for _ in range(LARGEST_BODY // 50_000 + 2):
            yield b"[" * 50_000

    answer = post(service, chunks())
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"\xff\xfe", b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 100_000,
     b'{"a":' * 50_000, b"\x00", b'{"a": 1,}'],
)  # fmt: skip
def test_what_is_no_json_is_told(service, body):
    answer = post(service, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/json; charset=utf-16", 415), ('application/json;charset="latin-1"', 415),
     ("application/json; charset=UTF-8", 422), ('application/json; x=1; charset="utf-8"', 422)],
)  # fmt: skip
def test_json_in_another_encoding_than_its_own_is_refused(service, kind, status):
    headers = {**HEADERS, "Content-Type": kind}
    answer = service.client.post("/v1/commands", content=b"{}", headers=headers)
    assert answer.status_code == status


def test_a_body_that_is_compressed_is_refused_with_what_would_be_taken(service):
    headers = {**HEADERS, "Content-Encoding": "gzip"}
    answer = service.client.post("/v1/commands", content=gzip.compress(b"{}"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("body", ["[]", "null", "3", '"x"', "{}", "[[[[]]]]", '{"kind": {}}'])
def test_json_that_is_no_command_is_told(service, body):
    assert post(service, body.encode()).status_code == 422


@pytest.mark.parametrize(
    "data",
    [{"text": {"a": [[[[]]]]}}, {"number": 1e308}, {"text": "x" * 1_500_000},
     {"\x00": 1}, {"": ""}, {"text": True}, {"amount": {"amount": "1"}}, {"number": -(2**63)}],
    ids=lambda one: ascii(one)[:24],
)  # fmt: skip
def test_data_that_makes_no_sense_is_told(service, data):
    said = {"kind": "start-case", "workflow": "note", "data": {"text": "x", **data}}
    answer = post(service, json.dumps({**said, "actor": WRITER}).encode())
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("depth", [100, 190, 900])
def test_data_that_is_deep_is_told(service, depth):
    deep = '{"a":' * depth + "1" + "}" * depth
    said = json.dumps({"kind": "start-case", "workflow": "note", "actor": WRITER})
    answer = post(service, f'{said[:-1]}, "data": {{"text": {deep}}}}}'.encode())
    assert answer.status_code == 422, answer.text


def test_names_that_reach_elsewhere_are_only_names(service):
    for case in ("../x", "claim/x", "definition/note", "a\x00b", "x" * 10_000):
        said = {"kind": "pull-trigger", "case": case, "trigger": "send", "actor": WRITER}
        answer = post(service, json.dumps(said).encode())
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "sent",
    [b"\x00" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00" * 20,
     b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"],
    ids=lambda one: ascii(one)[:24],
)  # fmt: skip
def test_what_is_no_http_is_told_and_cut_off(service, sent):
    with service.connect() as connection:
        connection.sendall(sent)
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "malformed"


@pytest.mark.parametrize("sent", [b"GET /", b"GET / HTTP/1.1\r\nX: "])
def test_a_head_that_is_too_large_is_told_so_and_cut_off(service, sent):
    with service.connect() as connection:
        connection.sendall(sent + b"a" * 100_000)
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too-large"


def test_pipelined_requests_are_answered_in_order(service):
    with service.connect() as connection:
        connection.sendall(
            b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
            b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
            b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        answer = read_to_end(connection)
    statuses = [line for line in answer.split(b"\r\n") if b"HTTP/1.1 " in line]
    assert [status[-25:].partition(b"HTTP/1.1 ")[2][:3] for status in statuses] == [
        b"200", b"404", b"200"
    ]  # fmt: skip


def test_a_request_that_comes_drop_by_drop_is_cut_off(service, monkeypatch):
    monkeypatch.setattr("app.http.server.SLOWEST_HEAD", 0.3)
    with service.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        assert read_to_end(connection) == b""
    with service.connect() as silent:
        assert read_to_end(silent) == b""


def test_a_body_that_comes_drop_by_drop_is_cut_off(service, monkeypatch):
    monkeypatch.setattr("app.http.bodies.SLOWEST_BODY", 0.3)
    with service.connect() as connection:
        connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_stream_of_which_nothing_is_taken_is_cut_off(service, monkeypatch):
    monkeypatch.setattr("app.http.server.SLOWEST_READER", 0.3)
    for _ in range(120):
        service.write(text="x" * 100_000)  # more than the system keeps for a connection
    asked = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    streams = service.server.served.measured
    with service.connect() as connection:
        connection.sendall(asked)
        wait_until(lambda: streams.streams == 1)
        wait_until(lambda: streams.streams == 0)
    monkeypatch.setattr("app.http.server.SLOWEST_READER", 2)
    with service.connect() as slow:
        slow.sendall(asked)
        got, last = 0, service.home.log.head()
        while b"id: %d:" % last not in (chunk := slow.recv(50_000)):
            got += len(chunk)
            assert chunk, "whoever takes what comes is not let go"
            threading.Event().wait(0.01)  # all of it takes longer than nothing may
    assert got > 119 * 100_000


def test_a_body_that_ends_too_early_changes_nothing(service):
    head = service.home.log.head()
    with service.connect() as connection:
        connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
    assert service.client.get("/health").status_code == 200
    assert service.home.log.head() == head


def test_more_connections_than_it_takes_are_turned_away_with_a_problem(serve, monkeypatch):
    monkeypatch.setattr("app.http.server.SLOWEST_HEAD", PATIENCE)
    monkeypatch.setattr("app.http.server.SURPLUS_HEAD", PATIENCE)
    service = serve(connections=10)
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as stack:
        connections = [stack.enter_context(service.connect()) for _ in range(30)]
        connections[-1].sendall(request)
        with connections[-1].makefile("rb") as came:
            head, _, body = came.read().partition(b"\r\n\r\n")  # and it is closed
        told = head.lower().split(b"\r\n")
        assert b" 503 " in told[0]
        assert {b"content-type: application/problem+json", b"retry-after: 1"} <= {*told}
        assert json.loads(body)["code"] == "too-many-connections"
        connections[9].sendall(request)
        assert b" 200 " in connections[9].recv(10_000)
        monkeypatch.setattr("app.http.server.SURPLUS_HEAD", 0.3)
        idle = stack.enter_context(service.connect())
        assert idle.recv(1) == b"", "it is not kept open for nothing"
