"""The rows written last, kept in memory up to a bound: most events follow one of the same case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._rows: dict[str, T] = {}

    def get(self, key: str) -> T | None:
        return self._rows.get(key)

    def update(self, rows: Mapping[str, T]) -> None:
        """Remember these as the latest; what was not touched for longest goes."""
        kept = self._rows
        for key, row in rows.items():
            kept.pop(key, None)
            kept[key] = row
        for key in list(kept)[: max(0, len(kept) - self._bound)]:
            del kept[key]

    def clear(self) -> None:
        self._rows.clear()
