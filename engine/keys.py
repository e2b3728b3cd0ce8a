"""The keys of new cases: made of their data, or numbered densely within a workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import values
from engine.definition import Definition
from engine.errors import BadInput
from engine.store.log import Log


class Keys:
    """Hands out keys. Only the append makes one ours: it expects that the key has no events yet."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._numbers: dict[str, int] = {}
        self._found: dict[str, int] = {}  # numbers that the log has: none goes away again

    def propose(self, definition: Definition, data: Mapping[str, Any]) -> str:
        """Raises ``BadInput`` when the data that makes the key cannot."""
        if not definition.key_fields:
            number = self._numbers.get(definition.workflow)
            if number is None:
                number = self._numbers[definition.workflow] = self._last_number(definition)
            return _numbered(definition, number + 1)
        given = {name: data.get(name) for name in definition.key_fields}
        key = definition.key_pattern.format(**{k: "" if v is None else v for k, v in given.items()})
        if not values.CASE_KEY.fullmatch(key):
            raise BadInput.one(
                f"/data/{definition.key_fields[0]}",
                f"{key!r} cannot be the key of a case",
                f"it is made as {definition.key}, of letters, digits, '.', '_' and '-'",
            )
        return key

    def take(self, definition: Definition) -> None:
        """The key last proposed is about to be written: the next will be another."""
        if not definition.key_fields:
            self._numbers[definition.workflow] += 1

    def forget(self) -> None:
        """Look at the log again: a key was taken by somebody else, or not written after all."""
        self._numbers.clear()

    def _last_number(self, definition: Definition) -> int:
        """Numbers are dense, so doubling and halving finds the last in a few look-ups: from where
        it was found before, as each is a round trip to a server."""

        def taken(number: int) -> bool:
            return self._log.version(_numbered(definition, number)) > 0

        low = self._found.get(definition.workflow, 0)
        high = low + 1
        while taken(high):
            low, high = high, high + 2 * (high - low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if taken(middle) else (low, middle)
        self._found[definition.workflow] = low
        return low


def _numbered(definition: Definition, number: int) -> str:
    return definition.key_pattern.format(number=f"{number:04}")
