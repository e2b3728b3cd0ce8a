"""Objects made by the thousand that nobody changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def fixed(cls: type[T]) -> type[T]:
    """A dataclass with slots, frozen as far as mypy can see.

    Nothing guards it at run time: a dataclass that is frozen there too takes three to five times as
    long to make, and a named tuple up to twice as long, and three times as long to read.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
