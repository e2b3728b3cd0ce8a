"""`pmo show` of a case with 50 events in a log of 1,000,000, as a whole process, start to exit.
The limit beside it: a Python process that opens the same ledger and selects the same 50 rows.

    .venv/bin/python -m bench.showing
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.ledgers import fill
from bench.report import Row, write
from projections.runner import Runner

EVENTS = 1_000_000
RUNS = 15


def seconds(*command: str) -> float:
    """Median of a few runs, after one that warms the file cache."""
    # As for everybody who has started it before: compiled modules are kept.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        home = Path(name)
        fill_home(home)
        pmo = str(Path(sys.executable).with_name("pmo"))
        case = f"PRJ-{EVENTS // 100:06}"
        bare = (
            "import sqlite3; "
            f"c = sqlite3.connect({str(home / 'ledger.db')!r}); "
            f"print(c.execute('SELECT * FROM events WHERE originator_id = ?', "
            f"['{case}']).fetchall())"
        )
        limit = seconds(sys.executable, "-c", bare)
        rows = []
        for what, command in (
            ("pmo show", (pmo, "show", case, "--home", name)),
            ("pmo show --as-of", (pmo, "show", case, "--as-of", "1990-01-01", "--home", name)),
            ("pmo history", (pmo, "history", case, "--home", name)),
        ):
            ours = seconds(*command)
            rows.append(
                Row(what, f"{ours * 1e3:.0f} ms", f"{limit * 1e3:.0f} ms", f"{ours / limit:.1f}")
            )
    write(f"Looking at one case among {EVENTS:,} events", __doc__ or "", "bare rows", rows)


def fill_home(home: Path) -> None:
    print(f"filling a ledger with {EVENTS:,} events", file=sys.stderr)
    log = fill(home / "ledger.db", EVENTS)
    runner = Runner(log, home / "views.db")
    runner.catch_up(
        progress=lambda at, of: print(f"\rviews {at:,}/{of:,}", end="", file=sys.stderr)
    )
    print(file=sys.stderr)
    runner.close()
    log.close()


if __name__ == "__main__":
    main()
