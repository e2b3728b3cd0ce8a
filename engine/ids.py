"""Identifiers: UUIDv7 for events (RFC 9562, 5.7), UUIDv5 for what must be the same again (5.5)."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid

COMMAND_NAMESPACE = uuid.UUID("7d9f4c4e-5a51-5c39-9a7b-0f6a3b1f2c11")

_lock = threading.Lock()
_last = [0]
_random = random.Random()
os.register_at_fork(after_in_child=_random.seed)  # else parent and child would go on alike


def new_id() -> str:
    """A UUIDv7 as text, ascending within this process even when the clock steps back.

    48 bits of Unix milliseconds and a 12-bit counter (RFC 9562, 6.2, method 1), then 62 random
    bits. Time order keeps index inserts local: random ids cost a third of the write rate.
    """
    with _lock:
        tick = _last[0] = max((time.time_ns() // 1_000_000) << 12, _last[0] + 1)
    tail = _random.getrandbits(64) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    number = tick >> 12 << 80 | (0x7000 | tick & 0xFFF) << 64 | tail
    text = number.to_bytes(16, "big").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived_id(*parts: str) -> str:
    """The same id for the same parts, on any machine: retries and imports find their own tracks."""
    return str(uuid.uuid5(COMMAND_NAMESPACE, "\x1f".join(parts)))
