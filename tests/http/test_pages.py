"""What docs/http.md and docs/webhooks.md tell to type, typed."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
from collections.abc import Callable

import pytest

from app.home import Home
from app.http.settings import ServeSettings
from app.settings import Settings
from consumers.webhooks import sign
from engine.yaml_source import read_yaml
from tests.cli.conftest import ROOT, Pmo
from tests.http.conftest import Running
from tests.patience import PATIENCE

HTTP, WEBHOOKS = ((ROOT / "docs" / name).read_text("utf-8") for name in ("http.md", "webhooks.md"))
SECRET, KEY = "whsec_" + "QUJD" * 10, b"ABC" * 10


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def need(program: str) -> str:
    found = shutil.which(program)
    if not found:
        assert not os.environ.get("CI"), f"{program} is missing"
        pytest.skip(f"{program} is missing; install it to have the examples run")
    return found


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    pmo = Pmo(tmp_path_factory.mktemp("pages") / "home")
    pmo.done("init")
    with Home.open(pmo.home) as home:
        running = Running(home, ServeSettings(port=0))
        yield running
        running.stop()


def test_every_line_of_curl_works_as_the_page_goes_on(shipped):
    need("curl")
    script = "\n".join(["set -eu", *blocks(HTTP, "sh")])
    done = subprocess.run(
        ["bash", "-c", script], check=False,
        env={**os.environ, "PMO": shipped.address, "no_proxy": "*"},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for told in (
        '"stream":"DEC-0001"', '"code":"refused"', '"views_position":', '"next_after":2',
        "pmo-next-after: 41", "\nid: 41:", '{"status":"ready"}', "\npmo_log_position ",
        '"openapi":"3.1.0"', '"names":["EvidenceAttached"]', '"names":["RatingChanged"]',
    ):  # fmt: skip
        assert told in done.stdout, (told, done.stdout[:3000])


def test_the_reader_of_the_page_reads_everything(shipped, monkeypatch):
    monkeypatch.setenv("PMO", shipped.address)
    names: dict[str, Callable] = {}
    exec(blocks(HTTP, "python")[0], names)
    head = shipped.home.log.head()
    reader = names["read"]()
    assert [int(next(reader)["sequence"]) for _ in range(head)] == [*range(1, head + 1)]


@pytest.mark.parametrize("told", [{"after": 10**6}, {"after": 1, "seen": "another"}])
def test_the_reader_of_the_page_stops_where_the_log_is_another_one(shipped, monkeypatch, told):
    monkeypatch.setenv("PMO", shipped.address)
    names: dict[str, Callable] = {}
    exec(blocks(HTTP, "python")[0], names)
    with pytest.raises(urllib.error.HTTPError) as caught:
        next(names["read"](**told))
    caught.value.close()
    assert caught.value.code == 409


def test_the_reader_of_the_page_asks_again_where_an_answer_broke_off(monkeypatch):
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{",
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"",
        b'HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n{"events": [{"sequence": "7", "id": "x"}]}',
    ]

    def answer() -> None:
        for told in answers:
            connection, _ = listening.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(told)

    names: dict[str, Callable] = {}
    exec(blocks(HTTP, "python")[0], names)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=answer)
        answering.start()
        monkeypatch.setenv("PMO", f"http://127.0.0.1:{listening.getsockname()[1]}")
        assert next(names["read"]())["sequence"] == "7"
        answering.join(PATIENCE)


@pytest.mark.parametrize("page", [HTTP, WEBHOOKS], ids=["http", "webhooks"])
def test_settings_on_the_pages_are_settings(page):
    found = blocks(page, "yaml")
    assert found
    for text in found:
        Settings.model_validate(read_yaml(text.encode(), "page").value)


def headers(at: int, body: bytes, *keys: bytes) -> dict[str, str]:
    return {"webhook-id": "id-1", "webhook-timestamp": str(at),
            "webhook-signature": sign(keys, "id-1", at, body)}  # fmt: skip


def cases() -> list[tuple[dict[str, str], bytes, bool]]:
    now, body = int(time.time()), '{"a": "é"}'.encode()
    return [
        (headers(now, body, KEY), body, True),
        (headers(now, body, b"x" * 30, KEY), body, True),
        (headers(now, body, b"x" * 30), body, False),
        (headers(now, body, KEY), body + b" ", False),
        (headers(now - 3600, body, KEY), body, False),
        ({**headers(now, body, KEY), "webhook-signature": "v1,"}, body, False),
        ({**headers(now, body, KEY), "webhook-signature": "v1,\xe9\xe9"}, body, False),
        ({**headers(now, body, KEY), "webhook-timestamp": "yesterday"}, body, False),
        ({**headers(now, body, KEY), "webhook-timestamp": str(now - 1)}, body, False),
        ({**headers(now, body, KEY), "webhook-id": "id-2"}, body, False),
        *(({**headers(now, body, KEY)} | {name: ""}, body, False) for name in headers(0, b"")),
        ({}, body, False),
    ]


def test_the_verifier_in_python_tells_right_from_wrong():
    names: dict[str, Callable] = {}
    exec(blocks(WEBHOOKS, "python")[0], names)
    for told, body, right in cases():
        assert names["verify"](SECRET, told, body) is right


def test_the_verifier_in_javascript_tells_right_from_wrong():
    node = need("node")
    asked = [[told, body.decode(), right] for told, body, right in cases()]
    script = (
        blocks(WEBHOOKS, "javascript")[0]
        + f"""
for (const [headers, body, right] of {json.dumps(asked)})
  if (verify({json.dumps(SECRET)}, headers, Buffer.from(body)) !== right) process.exit(1);
console.log("checked");
"""
    )
    done = subprocess.run(
        [node, "-e", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, "checked\n"), done.stderr
