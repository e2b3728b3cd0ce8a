"""The keys of new cases: made of their data, numbered densely, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import values
from engine.definition import Definition
from engine.errors import BadInput
from engine.store.log import Log

NUMBER = "{number}"
Series = tuple[str, ...]
"""What stands around the number in the keys that are counted together."""


class Keys:
    """Hands out keys. Only the append makes one ours: it expects that the key has no events yet."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._numbers: dict[Series, int] = {}
        self._found: dict[Series, int] = {}  # numbers that the log has: none goes away again
        self._proposed: Series = ()

    def propose(self, definition: Definition, data: Mapping[str, Any]) -> str:
        """Raises ``BadInput`` when the data that makes the key cannot."""
        given = {name: _as_kept(definition, name, data) for name in definition.key_parts}
        filled = {name: "" if value is None else value for name, value in given.items()}
        # Split before it is filled in: a value that reads "{number}" is not the counter.
        series = tuple(part.format(**filled) for part in definition.key_pattern.split(NUMBER))
        key = _numbered(series, 1)
        if not values.CASE_KEY.fullmatch(key):
            raise BadInput.one(
                f"/data/{definition.key_parts[0]}",
                f"{key!r} cannot be the key of a case",
                f"it is made as {definition.key}, of at most 80 letters, digits, '.', '_' and '-'",
            )
        self._proposed = series
        if definition.key_fields:
            return key
        number = self._numbers.get(series)
        if number is None:
            number = self._numbers[series] = self._last_number(series)
        return _numbered(series, number + 1)

    def take(self, definition: Definition) -> None:
        """The key last proposed is about to be written: the next will be another."""
        if not definition.key_fields:
            self._numbers[self._proposed] += 1

    def forget(self) -> None:
        """Look at the log again: a key was taken by somebody else, or not written after all."""
        self._numbers.clear()

    def _last_number(self, series: Series) -> int:
        """Numbers are dense, so doubling and halving finds the last in a few look-ups: from where
        it was found before, as each is a round trip to a server."""

        def taken(number: int) -> bool:
            return self._log.version(_numbered(series, number)) > 0

        low = self._found.get(series, 0)
        high = low + 1
        while taken(high):
            low, high = high, high + 2 * (high - low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if taken(middle) else (low, middle)
        self._found[series] = low
        return low


def _as_kept(definition: Definition, name: str, data: Mapping[str, Any]) -> Any:
    """A number is one however it is written: as `1.0`, `1,000` and `01` there would be others."""
    field, value = definition.data[name], data.get(name)
    return values.read(field, value, f"/data/{name}") if field.type == "number" else value


def _numbered(series: Series, number: int) -> str:
    return f"{number:04}".join(series)
