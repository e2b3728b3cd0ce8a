"""Canonical JSON (RFC 8785): the same value is the same bytes, so anyone can recompute a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
import rfc8785

_LARGEST = 2**53 - 1


def encode(value: Any) -> bytes:
    """The canonical bytes of plain JSON data.

    Raises ``ValueError`` for what JSON cannot say: NaN, infinities, integers beyond 2**53.
    """
    return (
        orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if is_simple(value)
        else rfc8785.dumps(value)
    )


def encode_simple(value: Any, unfold: Callable[[Any], Any] | None = None) -> bytes:
    """The canonical bytes of a value that ``is_simple``; ``unfold`` makes JSON of other objects."""
    return orjson.dumps(value, default=unfold, option=orjson.OPT_SORT_KEYS)


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(encode(value)).hexdigest()


decode: Callable[[bytes], Any] = orjson.loads
"""The value of JSON bytes. Raises ``ValueError`` when they are not JSON."""


def is_simple(value: Any) -> bool:
    """Whether orjson's sorted output is already canonical, at a tenth of the cost.

    It sorts keys by code point, not by UTF-16 unit, and writes exponents and large integers its own
    way: so no floats, no integers beyond 2**53, no keys outside ASCII (tests compare the two).
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        for key, item in value.items():
            if not key.isascii() or (type(item) is not str and not is_simple(item)):
                return False
        return True
    if kind is list or kind is tuple:
        return all(is_simple(item) for item in value)
    return kind is int and bool(-_LARGEST <= value <= _LARGEST)
