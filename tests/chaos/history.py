"""What the programs in a storm leave behind: one JSON object a line, each written in one piece.

A program that is killed leaves at most half a line at the end, which is not counted.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class History:
    """Appends to a file; a half line that a killed predecessor left is cut off first."""

    def __init__(self, path: Path) -> None:
        whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
        if path.exists():
            os.truncate(path, len(whole) + 1 if whole else 0)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, **said: Any) -> None:
        """With the machine's monotonic clock, which all its processes share."""
        line = json.dumps({"at": time.monotonic_ns(), **said}, separators=(",", ":")) + "\n"
        os.write(self._file, line.encode())


def read(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        yield json.loads(line)
