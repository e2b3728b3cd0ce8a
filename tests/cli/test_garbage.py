"""What runs for long has Python look for garbage seldom; a command that ends soon does not care."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

PROGRAM = """
import gc, sys
import app.following, app.http.server
from app.cli import main

app.following.Followers.wait = lambda self, seconds: True
app.http.server.Server.run = lambda self: None
try:
    main()
finally:
    print(gc.get_threshold()[0], gc.get_freeze_count() > 0, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "seldom"), [(["work"], True), (["serve"], True), (["work", "--once"], False)]
)
def test_long_running_commands_look_for_garbage_seldom(
    tmp_path: Path, words: list[str], seldom: bool
) -> None:
    home = ["--home", str(tmp_path / "home")]
    for command in (["init"], words):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *command, *home],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    threshold, frozen = done.stderr.split()[-2:]
    assert (int(threshold) > 10_000, frozen == "True") == (seldom, seldom)
