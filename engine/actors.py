"""Who acts by itself: the one place that tells machines from people."""

from __future__ import annotations

from collections.abc import Collection

MACHINES = ("timer", "service")
"""Roles that no definition declares and no person has: a timer's, and another program's. Nothing
waits for these."""


def is_for_machines(by: Collection[object]) -> bool:
    """Whether nobody but machines is named: what a step says of who may take it."""
    return bool(by) and all(who in MACHINES for who in by)
