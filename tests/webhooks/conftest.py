"""A real receiver on a real socket, and a real ledger whose events are posted to it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Official

from consumers.postgres import PostgresMemories
from consumers.runner import Runner
from consumers.store import Store
from consumers.webhook_settings import Endpoint
from consumers.webhooks import Webhook
from engine import ids
from engine.commands import PublishDefinition, Requester, StartCase
from engine.loading import load_definition
from engine.service import Service
from engine.store.opening import open_log
from tests.http.conftest import ACTOR, MEMO, NOTE

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()
ANOTHER = "whsec_" + base64.b64encode(b"another one of some thirty bytes").decode()


@dataclass
class Got:
    """What came in one request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def position(self) -> int:
        return int(self.event["sequence"])

    def verify(self, secret: str = SECRET) -> Any:
        """By the specification's own library. Raises where it was not signed by the secret."""
        return Official(secret).verify(self.body.decode(), self.headers)


@dataclass
class Receiver:
    """Answers as ``answer`` says: a status, with headers and a text if need be."""

    answer: Callable[[Got], Any] = lambda got: 204
    got: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None

    def start(self, port: int = 0) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                got = Got(self.path, headers, body)
                receiver.got.append(got)
                said = receiver.answer(got)
                if callable(said):
                    said(self)
                    return
                status, headers, text = said if isinstance(said, tuple) else (said, {}, b"")
                if 200 <= status < 300:
                    receiver.taken.append(got)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    @property
    def port(self) -> int:
        assert self.server
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?of=pmo"


class House:
    """A ledger, and webhooks that are run by the one runner of all consumers."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        self.folder = folder
        self.log = open_log(database or str(folder / "ledger.db"))
        self.service = Service(self.log)
        self.store = Store(PostgresMemories(database) if database else folder / "consumers.db")
        self.waits: list[float] = []
        self.told: list[str] = []
        self.webhooks: list[Webhook] = []
        for text in (NOTE, MEMO):
            self.service.handle(
                PublishDefinition(
                    command_id=ids.derived_id(text), actor=Requester(id="operator"),
                    body=load_definition(text, "test.yaml").body, text=text,
                )
            )  # fmt: skip

    def webhook(self, url: str, name: str = "portal", **said: Any) -> Webhook:
        given = {"allow_http": True, "allow_internal": True, "secrets_env": ("HOOK_SECRET",)}
        self.webhooks.append(Webhook(name, Endpoint(url=url, **{**given, **said}), "/test"))
        return self.webhooks[-1]

    def runner(self, webhook: Webhook, store: Store | None = None) -> Runner:
        return Runner(
            self.log, store or self.store, webhook, pause=self.waits.append, chance=lambda: 1.0,
            told=lambda error, seconds: self.told.append(str(error)),
        )  # fmt: skip

    def write(self, count: int = 1, workflow: str = "note") -> list[str]:
        answers = self.service.handle_many(
            StartCase(command_id=ids.new_id(), actor=ACTOR, workflow=workflow, data={"text": "x"})
            for _ in range(count)
        )
        return [answer.stream for answer in answers]

    def attach(self, case: str, count: int = 1) -> None:
        from engine.commands import AttachEvidence
        from engine.events import Evidence

        paper = Evidence(kind="memo", sha256="0" * 64, as_of="2026-01-01")
        for _ in range(count):
            self.service.handle(
                AttachEvidence(command_id=ids.new_id(), actor=ACTOR, case=case, evidence=paper)
            )

    def close(self) -> None:
        for webhook in self.webhooks:
            webhook.close()
        self.store.close()
        self.log.close()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("NEW_SECRET", ANOTHER)
    house = House(tmp_path)
    yield house
    house.close()


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    started: list[Receiver] = []

    def start(answer: Callable[[Got], Any] | None = None) -> Receiver:
        receiver = Receiver(answer) if answer else Receiver()
        receiver.start()
        started.append(receiver)
        return receiver

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def receiver(receive: Callable[..., Receiver]) -> Receiver:
    return receive()
