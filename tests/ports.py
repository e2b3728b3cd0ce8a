"""Ports for servers that are started later, or started again on the port they had."""

from __future__ import annotations

import socket
from random import SystemRandom

_PORTS = range(10_000, 30_000)
"""Below those that systems give to whoever connects (Linux: from 32,768 on). One of theirs may be
taken by any connection while its server is down; and who connects to it again and again is given it
as its own port in the end, and speaks to itself."""


def free_ports(count: int) -> list[int]:
    """On which nobody listens now, each another."""
    held: list[socket.socket] = []
    while len(held) < count:
        try:
            held.append(socket.create_server(("127.0.0.1", SystemRandom().choice(_PORTS))))
        except OSError:
            continue  # somebody's
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def free_port() -> int:
    (port,) = free_ports(1)
    return port
