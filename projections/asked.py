"""Indexes that a reader has asked for, made in a process of their own: the reader has its answer,
and nobody waits for this one. Whatever ends it leaves the views as they were, and the next reader
asks again.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen
from threading import Thread

from engine.errors import StoreFailed


def make_apart(views: Path, indexes: list[str]) -> None:
    """Start the process; the statements hold nothing that nobody may see."""
    # What this process can import, that one can.
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = Popen(
        [sys.executable, "-m", "projections.asked", str(views), *indexes],
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
        env=env,
        start_new_session=True,  # the reader's terminal may close
    )
    # Nobody else takes note of its end, where the reader lives on.
    Thread(target=process.wait, daemon=True).start()


def main() -> None:
    from projections.sqlite import make_indexes

    views, *indexes = sys.argv[1:]
    os.nice(10)
    # Another reader may have asked for the same, or nothing may be written here.
    with suppress(StoreFailed):
        make_indexes(Path(views), indexes)


if __name__ == "__main__":
    main()
