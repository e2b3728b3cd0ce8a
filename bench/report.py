"""Results as a table on the screen and as a section of docs/performance.md."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
HEAD = """# Performance

Every figure stands beside a peer or a limit that was measured in the same run, on the same machine;
compare the ratios, not the absolute figures. `make bench` repeats all of it and rewrites this page.
"""


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    ours: str
    peer: str
    ratio: str


def write(title: str, about: str, peer: str, rows: Sequence[Row]) -> None:
    """Print the section and put it in the page, in place of an earlier one of the same title."""
    today = datetime.now(UTC).date().isoformat()
    section = "\n".join(
        [
            f"## {title}",
            "",
            about.strip(),
            "",
            f"Measured {today}, Python {platform.python_version()}, {_cores()} cores.",
            "",
            f"| | here | {peer} | ratio |",
            "|---|---|---|---|",
            *(f"| {row.what} | {row.ours} | {row.peer} | {row.ratio} |" for row in rows),
            "",
        ]
    )
    print(section)
    page = PAGE.read_text() if PAGE.exists() else HEAD
    found = re.search(rf"^## {re.escape(title)}$.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    if found:
        page = page[: found.start()] + section + "\n" + page[found.end() :]
    else:
        page = page.rstrip() + "\n\n" + section
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page.rstrip() + "\n")


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))
