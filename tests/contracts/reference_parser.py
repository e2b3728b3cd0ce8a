"""AsyncAPI's own parser, from npm: installed once by its lock file, then asked about documents."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "asyncapi"
FILES = ("package.json", "package-lock.json", ".npmrc")


class ReferenceParser:
    def __init__(self, modules: Path) -> None:
        self._modules = modules

    def ask(self, document: Any) -> dict[str, Any]:
        """``diagnostics`` (severity 0: error, 1: warning, 2: advice), and the document if it is
        one, as the parser understood it."""
        answer = subprocess.run(
            ["node", str(HERE / "validate.mjs")],
            input=json.dumps(document),
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
            env={**os.environ, "NODE_MODULES": str(self._modules)},
        )
        assert answer.returncode == 0, answer.stderr
        told: dict[str, Any] = json.loads(answer.stdout)
        return told


def install(cache: Path) -> ReferenceParser:
    """The parser, from ``cache`` where the lock file has not changed. Without node or npm, or
    where npm cannot install, CI fails and everybody else skips."""
    if missing := [tool for tool in ("node", "npm") if shutil.which(tool) is None]:
        _missing(f"{' and '.join(missing)} not found: install nodejs and npm to check AsyncAPI")
    folder = cache / sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    done = folder / "done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copy(HERE / name, folder / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        answer = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=500, check=False
        )
        if answer.returncode:
            _missing(f"npm ci failed, so AsyncAPI cannot be checked: {answer.stderr[-500:]}")
        done.touch()
    return ReferenceParser(folder)


def _missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
