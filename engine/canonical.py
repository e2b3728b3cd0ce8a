"""Canonical JSON (RFC 8785): the same value is the same bytes, so anyone can recompute a hash."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import rfc8785

_LARGEST = 2**53 - 1


def encode(value: Any) -> bytes:
    """The canonical bytes of plain JSON data.

    orjson sorts keys by code point and writes shortest floats, which differs from RFC 8785 only
    for exponents, integers beyond 2**53 and keys outside ASCII; values that hold any of these take
    the reference implementation (tests compare both on random data).
    Raises ``ValueError`` for what JSON cannot say: NaN, infinities, integers beyond 2**53.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if _plain(value) else rfc8785.dumps(value)


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(encode(value)).hexdigest()


def decode(data: bytes) -> Any:
    """The value of JSON bytes. Raises ``ValueError`` when they are not JSON."""
    return orjson.loads(data)


def _plain(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -_LARGEST <= value <= _LARGEST
    if kind is dict:
        return all([k.isascii() and _plain(v) for k, v in value.items()])
    return kind in (list, tuple) and all([_plain(item) for item in value])
