"""The process that makes the indexes that a reader has asked for: the reader has its answer, and
nobody waits for this one. Whatever ends it leaves the views as they were, and the next reader asks
again.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from engine.errors import StoreFailed
from projections.sqlite import make_indexes


def main() -> None:
    views, *indexes = sys.argv[1:]
    os.nice(10)
    # Others may hold the views for long, or nothing may be written here.
    with suppress(StoreFailed):
        make_indexes(Path(views), indexes)


if __name__ == "__main__":
    main()
