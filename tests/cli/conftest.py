"""The command line as a test types it: in this process, or as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import main
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = Path(__file__).parent / "workflows"


@dataclass(frozen=True)
class Answer:
    """What came of a command: its exit code and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Pmo:
    """``pmo("do", "DEC-0001", "submit")`` in a home of its own."""

    def __init__(self, home: Any) -> None:
        self.home = home  # a folder, or the address of a database

    def __call__(self, *words: str, actor: str | None = None) -> Answer:
        """Run it and return whatever comes of it."""
        env = {"PMO_HOME": str(self.home), "PMO_AS": actor or "pat:requester"}
        result = CliRunner(env=env).invoke(main, list(words))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def done(self, *words: str, actor: str | None = None) -> Answer:
        """Run what has to succeed."""
        answer = self(*words, actor=actor)
        assert answer.code == 0, answer.err
        return answer

    def start(self, *words: str, **given: Any) -> subprocess.Popen[str]:
        """Run it as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", "from app.cli import main; main()", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=process_environment(self.home),
            **given,
        )

    def run(self, *words: str) -> Answer:
        """Run it as a process of its own, to its end."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return Answer(process.returncode, out, err)


def process_environment(home: Path | str) -> dict[str, str]:
    """With bytecode kept, whatever the shell says: a start should cost what it costs users."""
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "pmo-tests-bytecode"),
        "PYTHONPATH": python_path,
        "PYTHONIOENCODING": "utf-8",
        "PMO_HOME": str(home),
        "PMO_AS": "pat:requester",
    }


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the workflows beside this file, to be copied."""
    pmo = Pmo(tmp_path_factory.mktemp("made") / "home")
    pmo.done("init", "--bare", actor="operator")
    files = [str(WORKFLOWS / f"{name}.yaml") for name in ("objective", "decision", "project")]
    pmo.done("publish", *files, actor="operator")
    return pmo.home


@pytest.fixture
def nowhere(tmp_path: Path) -> Pmo:
    """Where no home is yet."""
    return Pmo(tmp_path / "home")


@pytest.fixture
def pmo(made_home: Path, tmp_path: Path) -> Pmo:
    """A home with three workflows, published at positions 1 to 3."""
    home = tmp_path / "home"
    shutil.copytree(made_home, home)
    return Pmo(home)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of definitions that a test can change."""
    copy = tmp_path / "definitions"
    shutil.copytree(WORKFLOWS, copy)
    return copy


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="session")
def made_decision(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pmo = Pmo(tmp_path_factory.mktemp("decision") / "home")
    shutil.copytree(made_home, pmo.home)
    sponsor = "sue:sponsor"
    pmo.done("start", "objective", "title=Satisfaction", "due=2099-12-31", actor=sponsor)
    pmo.done("do", "OBJ-0001", "activate", actor=sponsor)
    pmo.done("start", "decision", "title=Extend the pilot", "amount=1.25m", "objective=OBJ-0001")
    return pmo.home


@pytest.fixture
def decision(made_decision: Path, tmp_path: Path) -> Pmo:
    """A home with one active objective, OBJ-0001, and one draft, DEC-0001, that serves it."""
    home = tmp_path / "home"
    shutil.copytree(made_decision, home)
    return Pmo(home)


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    file = tmp_path / "paper.txt"
    file.write_text("why we should", encoding="utf-8")
    return file


@pytest.fixture
def submit(decision: Pmo, paper: Path) -> Callable[..., Answer]:
    def submit(*more: str) -> Answer:
        return decision(
            "do", "DEC-0001", "submit", "category=funding", "-e", f"business-case={paper}", *more
        )

    return submit


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pmo, Answer]:
    """The demo's home, made once and only looked at, and what making it printed."""
    pmo = Pmo(tmp_path_factory.mktemp("demo") / "home")
    return pmo, pmo.done("demo", "--home", str(pmo.home))
