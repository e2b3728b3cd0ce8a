"""What Maven fetches once, by its pom, and keeps: jars."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

IN_CI = os.environ.get("CI") == "true"


def fetch_jars(pom: Path, how: str) -> Path:
    """The jars of a pom. Where Maven cannot fetch them CI fails, and everybody else skips."""
    jars = find_jars(pom)
    if jars is None:
        pytest.skip(f"the jars of {pom.parent.name}/{pom.name} are missing: {how}")
    return jars


def find_jars(pom: Path) -> Path | None:
    """``None`` where Maven cannot fetch them, or is not there."""
    kept = kept_jars(pom)
    if kept.is_dir():
        return kept
    if not shutil.which("mvn"):
        return pytest.fail("mvn not found: install maven") if IN_CI else None
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as name:
        done = subprocess.run(
            [
                *("mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"),
                *("-DincludeScope=runtime", f"-DoutputDirectory={name}/jars"),
            ],
            capture_output=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            if IN_CI:
                pytest.fail(f"Maven: {done.stdout.decode(errors='replace')[-2000:]}")
            return None
        if not kept.is_dir():  # another run may have been quicker
            Path(name, "jars").rename(kept)
    return kept


def kept_jars(pom: Path) -> Path:
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    which = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    return cache_folder / "pmo-tests" / f"kafka-{which}"
