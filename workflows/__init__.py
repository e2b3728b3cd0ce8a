"""The PMO, as data: the definitions that ship, and where they are."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
FOLDERS = ("registers", "governance", "planning", "delivery", "reporting", "people", "setup")
BESIDE = (HERE / "imports", HERE / "views", HERE / "year")
"""The folders of what ships beside definitions: mappings, views and metrics, the demo's year."""


def shipped() -> tuple[Path, ...]:
    """The files of the shipped definitions, folder by folder."""
    return tuple(
        file
        for folder in (HERE, *(HERE / name for name in FOLDERS))
        for file in sorted(folder.glob("*.yaml"))
        if not file.name.endswith(".scenarios.yaml")
    )
