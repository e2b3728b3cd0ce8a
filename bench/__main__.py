"""Runs every benchmark; ``python -m bench deciding`` runs one."""

from __future__ import annotations

import sys
from importlib import import_module

ALL = (
    "deciding",
    "deciding_postgres",
    "feeding",
    "governing",
    "listing",
    "observing",
    "projecting",
    "reacting",
    "relaying",
    "scheduling",
    "serving",
    "showing",
)


def main() -> None:
    for name in sys.argv[1:] or ALL:
        import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
