"""The published files, where they are there, and a log to import into."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.importing.mapping import Mapping
from app.importing.reports import ImportResult, import_reports
from engine.clock import HandClock
from engine.commands import PublishDefinition, Requester
from engine.definition import Definition
from engine.events import AnyEvent
from engine.service import Service
from engine.store.memory import MemoryLog
from tests.importing.facts_table import FACTS, WORKFLOWS, load_major_project, load_mapping
from tests.importing.small import load_initiative, load_initiatives

SHARED = Path(os.environ.get("PMO_SHARED") or WORKFLOWS.parents[1] / "shared")


ABSENT = f"the published files are not in {SHARED}; PMO_SHARED says where they are"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where the published files are absent, leave out what needs them: one line says so."""
    if not is_there() and not os.environ.get("CI"):
        for item in items:
            if Path(__file__).parent in item.path.parents and "shared" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason=ABSENT))


def is_there() -> bool:
    return (SHARED / "data" / "gmpp").is_dir()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published files and of figures computed from them by somebody else."""
    if not is_there():
        pytest.fail(ABSENT)
    return SHARED


@pytest.fixture(scope="session")
def raw(shared: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (shared / "data" / "gmpp").glob("*.csv")}


@pytest.fixture(scope="session")
def figures(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "facts" / "gmpp.json").read_text())


@pytest.fixture(scope="session")
def facts() -> dict[str, bytes]:
    return {FACTS.name: FACTS.read_bytes()}


@pytest.fixture(scope="session")
def major_project() -> Definition:
    return load_major_project()


@pytest.fixture(scope="session")
def gmpp(major_project: Definition) -> Mapping:
    return load_mapping("gmpp.yaml", major_project)


@pytest.fixture(scope="session")
def gmpp_facts(major_project: Definition) -> Mapping:
    return load_mapping("gmpp-facts.yaml", major_project)


class Ledger:
    """A log with one published workflow, and imports into it."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.log = MemoryLog()
        self.service = Service(self.log, HandClock("2026-01-01T09:00:00.000000Z"))
        self.service.handle(
            PublishDefinition(
                command_id="publish",
                actor=Requester(id="operator"),
                body=definition.body,
                text="",
            )
        )

    def take(self, mapping: Mapping, files: dict[str, bytes], **options: Any) -> ImportResult:
        submit = self.service.handle_many
        return import_reports(mapping, self.definition, files, self.log, submit, **options)

    def events(self) -> list[AnyEvent]:
        """All but the publishing of the workflow."""
        return [recorded.event for recorded in self.log.read(1, 1_000_000)]

    def said(self) -> list[tuple[Any, ...]]:
        """What was recorded, without what is another's: ids, instants, who, and the line."""
        return [
            (e.stream, e.version, e.name, e.occurred_at, e.state, e.data, e.origin.name)
            for e in self.events()
        ]


@pytest.fixture
def new_ledger() -> Callable[[Definition], Ledger]:
    return Ledger


@pytest.fixture(scope="session")
def imported(raw: dict[str, bytes], gmpp: Mapping, major_project: Definition) -> Ledger:
    """All published files, imported."""
    ledger = Ledger(major_project)
    ledger.take(gmpp, raw)
    return ledger


@pytest.fixture
def ledger() -> Ledger:
    """To import small reports into."""
    return Ledger(load_initiative())


@pytest.fixture(scope="session")
def initiatives() -> Mapping:
    return load_initiatives()
