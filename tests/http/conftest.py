"""A real service on a real home, reached over real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.home import Home
from app.http.server import Server
from app.http.settings import ServeSettings
from engine import ids
from engine.commands import PublishDefinition, Requester, StartCase
from engine.loading import load_definition
from engine.service import Receipt
from tests.patience import PATIENCE

NOTE = """
workflow: note
version: 1
title: Note
key: NOTE
roles: {writer: , reader: }
data:
  text:   {type: text, required: true}
  number: {type: number}
  amount: {type: money, currency: GBP}
states:
  draft: {initial: true}
  sent:  {final: true}
start: {by: [writer], emits: NoteWritten}
transitions:
  - {trigger: send, from: draft, to: sent, by: [writer], needs: [number], emits: NoteSent}
"""
MEMO = NOTE.replace("note", "memo").replace("NOTE", "MEMO").replace("Note", "Memo")

WRITER = {"id": "wanda", "roles": ["writer"]}
ACTOR = Requester(id="wanda", roles=("writer",))


class Running:
    """A service in a thread of its own, on a home that a test can write to behind its back."""

    def __init__(self, home: Home, settings: ServeSettings) -> None:
        self.home = home
        self.server = Server(home, settings, "/test", self._announced)
        self._up = threading.Event()
        self.address = ""
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        assert self._up.wait(PATIENCE)
        self.client = httpx.Client(base_url=self.address, timeout=PATIENCE, trust_env=False)

    def _announced(self, address: str) -> None:
        self.address = address
        self._up.set()

    def command(self, key: str | None = None, **said: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key or ids.new_id()}
        return self.client.post("/v1/commands", json={"actor": WRITER, **said}, headers=headers)

    def write(self, workflow: str = "note", **data: Any) -> dict[str, Any]:
        answer = self.command(kind="start-case", workflow=workflow, data={"text": "x", **data})
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt

    def write_directly(self, workflow: str = "note", count: int = 1) -> list[Receipt]:
        """Past the service, as another process would."""
        answers = self.home.service.handle_many(
            StartCase(command_id=ids.new_id(), actor=ACTOR, workflow=workflow, data={"text": "x"})
            for _ in range(count)
        )
        return [answer for answer in answers if isinstance(answer, Receipt)]

    def connect(self) -> socket.socket:
        where = urlsplit(self.address)
        return socket.create_connection((where.hostname, where.port), timeout=PATIENCE)

    def stop(self) -> None:
        """Raises where it does not go."""
        self.client.close()
        self.server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the service did not stop"


def make_home(folder: Path) -> Home:
    home = Home.create(folder / "home")
    for text in (NOTE, MEMO):
        home.service.handle(
            PublishDefinition(
                command_id=ids.derived_id("publish", text),
                actor=Requester(id="operator"),
                body=load_definition(text, "test.yaml").body,
                text=text,
            )
        )
    return home


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """Who waits for views that are behind gives up for a fault only.

    What a test itself replaces has to be itself again before its service is to stop, so that
    ``monkeypatch`` must not begin here.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.http.views.PATIENCE", PATIENCE)
        yield


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with make_home(tmp_path) as home:
        yield home


@pytest.fixture
def serve(home: Home) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(**settings: Any) -> Running:
        """Each with the home opened for itself, as a process of its own would."""
        own = Home.open(home.place.folder)
        running.append(Running(own, ServeSettings(port=0, **settings)))
        return running[-1]

    yield start
    for one in running:
        one.stop()
        one.home.close()


@pytest.fixture
def service(serve: Callable[..., Running]) -> Running:
    return serve()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for a whole file, for what leaves nothing behind."""
    with make_home(tmp_path_factory.mktemp("shared")) as home:
        running = Running(home, ServeSettings(port=0))
        yield running
        running.stop()


def read_stream(
    service: Running, count: int, headers: dict[str, str] | None = None, **asked: Any
) -> list[tuple[int, str]]:
    """The first so many positions of an event stream, with their data ("" where there is none)."""
    found = read_ids(service, count, headers, **asked)
    return [(int(told.split(":")[0]), data) for told, data in found]


def read_ids(
    service: Running, count: int, headers: dict[str, str] | None = None, **asked: Any
) -> list[tuple[str, str]]:
    """As ``read_stream``, with the ids as a browser keeps them."""
    found: list[tuple[str, str]] = []
    told = {"Accept": "text/event-stream", **(headers or {})}
    with service.client.stream("GET", "/v1/events", params=asked, headers=told) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        at, data = None, ""
        for line in answer.iter_lines():
            if line.startswith("id: "):
                at = line[4:]
            elif line.startswith("data: "):
                data = line[6:]
            elif not line and at is not None:
                found.append((at, data))
                at, data = None, ""
                if len(found) == count:
                    return found
    return found
