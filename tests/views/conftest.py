"""Small histories in a log, and the views built from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from engine import canonical, ids
from engine.events import (
    Actor,
    AnyEvent,
    CaseLinked,
    CaseMigrated,
    CaseObserved,
    CaseSigned,
    CaseStarted,
    CaseTransitioned,
    ConflictDeclared,
    Conformance,
    DefinitionPublished,
    DefinitionRef,
    Due,
    Escalated,
    Evidence,
    EvidenceAttached,
    Source,
)
from engine.store.log import Append, Appended, Log
from engine.store.memory import MemoryLog
from engine.store.postgres import PostgresLog
from engine.store.sqlite import SQLiteLog
from projections.opening import open_for_reading
from projections.postgres import PostgresPlace
from projections.runner import Runner
from projections.store import Place, Tables

NINE = "2026-01-01T09:00:00.000000Z"

FIELDS: dict[str, dict[str, Any]] = {
    "title": {"type": "text"},
    "cost": {"type": "money", "currency": "GBP"},
    "order": {"type": "number"},
    "tags": {"type": "list", "of": ["text"]},
}


def opened(store: str, folder: Path, database: str = "") -> Log:
    """A log on the store that the views are on; ``database`` where that is PostgreSQL."""
    if store == "postgres":
        return PostgresLog(database)
    return SQLiteLog(folder / "ledger.db") if store == "sqlite" else MemoryLog()


class History:
    """Writes events into a log, versions counted."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._versions: dict[str, int] = {}
        self._definitions: dict[str, DefinitionRef] = {}
        self._recorded_at = ""

    def write(self, *events: AnyEvent) -> None:
        """One command for each event, all in one group. What is told of an earlier day than what is
        in the log is recorded when that was: the log takes nothing that was decided long before."""
        appends = []
        for event in events:
            self._recorded_at = max(self._recorded_at, event.recorded_at)
            event = replace(event, recorded_at=self._recorded_at)
            command_id = ids.new_id()
            expected = {event.stream: event.version - 1}
            fingerprint = sha256(command_id.encode()).digest()
            appends.append(Append((event,), expected, command_id, fingerprint))
        assert all(isinstance(answer, Appended) for answer in self.log.append(appends))

    def definition(self, version: int = 1, **changes: Any) -> AnyEvent:
        body = {"workflow": "plan", "version": version, "title": "Plan", "data": FIELDS} | changes
        return DefinitionPublished(
            **self._envelope(f"definition/{body['workflow']}", "DefinitionPublished", NINE, NINE),
            definition=DefinitionRef(
                name=body["workflow"], version=version, hash=canonical.digest(body)
            ),
            body=body,
            text="",
        )

    def observed(
        self,
        key: str,
        data: dict[str, Any] | None = None,
        *,
        name: str = "Reported",
        state: str | None = "open",
        at: str = NINE,
        recorded_at: str = NINE,
        workflow: str = "plan",
        actor: str = "pat",
        broken: tuple[str, ...] = (),
    ) -> AnyEvent:
        return CaseObserved(
            **self._envelope(key, name, at, recorded_at, actor),
            definition=self._definitions.get(key)
            or DefinitionRef(name=workflow, version=1, hash="0" * 64),
            state=state,
            data=data or {},
            conformance=Conformance(verdict="violates" if broken else "conforms", rules=broken),
            origin=Source(name="report"),
        )

    def started(
        self,
        key: str,
        state: str,
        at: str = NINE,
        deadlines: tuple[Due, ...] | None = None,
        definition_version: int = 1,
    ) -> AnyEvent:
        return CaseStarted(
            **self._envelope(key, "Started", at, NINE),
            definition=DefinitionRef(name="plan", version=definition_version, hash="0" * 64),
            state=state,
            data={},
            deadlines=deadlines,
        )

    def transitioned(
        self,
        key: str,
        trigger: str,
        before: str,
        after: str,
        at: str = NINE,
        recorded_at: str = NINE,
    ) -> AnyEvent:
        return CaseTransitioned(
            **self._envelope(key, "Moved", at, recorded_at),
            definition=DefinitionRef(name="plan", version=1, hash="0" * 64),
            trigger=trigger,
            source=before,
            state=after,
            data={},
            reason="because",
            role="owner",
        )

    def escalated(self, key: str, state: str, said: Escalated, at: str = NINE) -> AnyEvent:
        return CaseTransitioned(
            **self._envelope(key, "GoneUp", at, NINE),
            definition=DefinitionRef(name="plan", version=1, hash="0" * 64),
            trigger="escalate",
            source=state,
            state=state,
            stays=True,
            data={},
            escalated=said,
        )

    def migrated(
        self,
        key: str,
        to: int,
        before: str,
        after: str,
        at: str = NINE,
        recorded_at: str = NINE,
        deadlines: tuple[Due, ...] | None = None,
        entered: int = 1,
    ) -> AnyEvent:
        first = DefinitionRef(name="plan", version=1, hash="0" * 64)
        former = self._definitions.get(key, first)
        self._definitions[key] = DefinitionRef(name="plan", version=to, hash=f"{to - 1:064}")
        return CaseMigrated(
            **self._envelope(key, "CaseMigrated", at, recorded_at),
            definition=self._definitions[key],
            former=former,
            source=before,
            state=after,
            entered=entered,
            deadlines=deadlines,
        )

    def signed(
        self, key: str, of: str, answer: Any, actor: str, at: str = NINE, recorded_at: str = NINE
    ) -> AnyEvent:
        return CaseSigned(
            **self._envelope(key, "Signed", at, recorded_at, actor),
            definition=DefinitionRef(name="plan", version=1, hash="0" * 64),
            of=of,
            answer=answer,
        )

    def recused(self, key: str, actor: str) -> AnyEvent:
        return ConflictDeclared(
            **self._envelope(key, "ConflictDeclared", NINE, NINE, actor),
            definition=DefinitionRef(name="plan", version=1, hash="0" * 64),
        )

    def linked(self, key: str, child: str, workflow: str, at: str = NINE) -> AnyEvent:
        return CaseLinked(
            **self._envelope(key, "CaseLinked", at, NINE),
            definition=DefinitionRef(name="plan", version=1, hash="0" * 64),
            child=child,
            workflow=workflow,
        )

    def attached(self, key: str) -> AnyEvent:
        return EvidenceAttached(
            **self._envelope(key, "EvidenceAttached", NINE, NINE),
            definition=DefinitionRef(name="plan", version=1, hash="0" * 64),
            evidence=Evidence(kind="paper", sha256="0" * 64, as_of="2026-01-01"),
        )

    def _envelope(
        self, stream: str, name: str, at: str, recorded_at: str, actor: str = "pat"
    ) -> dict[str, Any]:
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        return {
            "event_id": f"{stream}/{version}",
            "stream": stream,
            "version": version,
            "name": name,
            "recorded_at": recorded_at,
            "occurred_at": at,
            "actor": Actor(id=actor),
            "command_id": "c",
            "correlation_id": "c",
        }


def contents(tables: Tables) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in an order of their own."""
    return {
        name: sorted(tables.run(f'SELECT * FROM "{name}"'), key=repr) for name in tables.names()
    }


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    """Where log and views are: views of a log in memory, too, are in a file."""
    return str(request.param)


@pytest.fixture
def log(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Log]:
    database = request.getfixturevalue("database") if store == "postgres" else ""
    log = opened(store, tmp_path, database)
    yield log
    log.close()


@pytest.fixture
def history(log: Log) -> History:
    return History(log)


@pytest.fixture
def place(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> Path | Place:
    """Where the views are kept."""
    if store == "postgres":
        return PostgresPlace(request.getfixturevalue("database"))
    return tmp_path / "views.db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file to keep views in."""
    return tmp_path / "views.db"


@pytest.fixture
def runner(log: Log, place: Path | Place) -> Iterator[Runner]:
    runner = Runner(log, place)
    yield runner
    runner.close()


@pytest.fixture
def look(place: Path | Place) -> Iterator[Callable[[], Tables]]:
    """Opens the views as a reader does."""
    opened: list[Tables] = []

    def look() -> Tables:
        opened.append(open_for_reading(place))
        return opened[-1]

    yield look
    for tables in opened:
        tables.close()
