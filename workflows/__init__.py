"""The PMO, as data: the definitions that ship, and where they are."""

from __future__ import annotations

from pathlib import Path


def shipped() -> tuple[Path, ...]:
    """The files of the shipped definitions, in an order in which they can be published."""
    here = Path(__file__).parent
    return tuple(here / f"{name}.yaml" for name in ("objective", "decision", "major-project"))
