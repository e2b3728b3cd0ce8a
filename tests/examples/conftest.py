"""A real home whose events the examples of docs/examples read, and what they should make of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.home import Home
from consumers import cloud_events
from engine import ids
from engine.commands import AttachEvidence, PullTrigger, StartCase
from engine.events import Evidence
from engine.service import Receipt
from tests.cli.conftest import ROOT
from tests.http.conftest import ACTOR, make_home
from tests.programs import program

__all__ = ["program"]

EXAMPLES = ROOT / "docs" / "examples"
NODE = "install Node.js 18 or newer (Debian: nodejs)"
PAPER = Evidence(kind="memo", sha256="0" * 64, as_of="2026-01-01")


class Told:
    """The log, and what a subscriber must have made of it."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @property
    def folder(self) -> str:
        return str(self.home.path)

    def settings(self, **sections: Any) -> None:
        """JSON is YAML, too."""
        Path(self.folder, "settings.yaml").write_text(json.dumps({"source": "/test"} | sections))

    def write(self, cases: int) -> None:
        """Four events for each case, and those of all cases mixed."""
        handle = self.home.service.handle_many
        started = handle(
            StartCase(command_id=ids.new_id(), actor=ACTOR, workflow="note", data={"text": "x"})
            for _ in range(cases)
        )
        keys = [answer.stream for answer in started if isinstance(answer, Receipt)]
        assert len(keys) == cases
        for _ in range(2):
            handle(
                AttachEvidence(command_id=ids.new_id(), actor=ACTOR, case=key, evidence=PAPER)
                for key in keys
            )
        handle(
            PullTrigger(
                command_id=ids.new_id(), actor=ACTOR, case=key, trigger="send", data={"number": 7}
            )
            for key in keys
        )

    def public(self) -> list[tuple[int, dict[str, Any]]]:
        """Position and body of every event that outsiders get, in the order of the log."""
        bodies = self.home.log.bodies(0, self.home.log.head())
        return [(at, body) for at, body in bodies if cloud_events.is_public(body)]

    def entries(self) -> list[tuple[str, int, str]]:
        """Id, position and case, as the examples for Node.js keep them."""
        return [(body["event_id"], at, body["stream"]) for at, body in self.public()]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with make_home(tmp_path) as home:
        yield Told(home)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Every whole line of it."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def as_entry(kept: dict[str, Any]) -> tuple[str, int, str]:
    return kept["id"], kept["position"], kept["name"]
