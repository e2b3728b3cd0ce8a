"""A network that can be cut, between a program here and a server.

A cut network says nothing: what is sent goes nowhere, nothing comes back, and no connection is
closed. Two forms: ``Wire`` stands between client and server and stops to pass anything on, which
works everywhere; ``Cable`` is a network of the kernel's (a network namespace with a pair of virtual
interfaces) on which nothing arrives any more, where this user may make one.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.patience import PATIENCE

MAKE_IT = (
    "no network can be made here, to be cut: it takes root, on a Linux that allows it, and `ip`"
    " (Debian: apt-get install iproute2)"
)
_NOBODY = "02:00:00:00:00:01"


class Wire:
    """A port here that leads to another one, until it is cut; and again when it is mended."""

    def __init__(self, behind: int, port: int = 0, host: str = "127.0.0.1") -> None:
        self._behind = (host, behind)
        self._whole = threading.Event()
        self._whole.set()
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = int(self._server.getsockname()[1])
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        """What was on its way when it was cut is passed on, as the network would send it again."""
        self._whole.set()

    def close(self) -> None:
        hang_up(self._server)  # else who waits in accept() keeps the port
        self._server.close()
        self._whole.set()
        for end in self._ends:
            hang_up(end)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._whole.wait()
        with client, socket.socket() as server:
            try:
                server.connect(self._behind)
            except OSError:
                return
            self._ends += [client, server]
            self._join(client, server)

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on, both ways, until they are done."""
        back = threading.Thread(target=self._pass_on, args=[server, client], daemon=True)
        back.start()
        self._pass_on(client, server)
        back.join()

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while True:
                select.select([here], [], [])
                self._whole.wait()
                if not (said := here.recv(65536)):
                    break
                self._whole.wait()
                there.sendall(said)
        with suppress(OSError):
            there.shutdown(socket.SHUT_WR)


class Starting(Wire):
    """What a PostgreSQL says while it starts or recovers, until it is ``ready``; then the wire.
    Its words are in its own language (``lc_messages``), its code in none."""

    def __init__(self, behind: int, host: str, words: str) -> None:
        self._words = words.encode()
        self.ready = threading.Event()
        self.asked = 0
        super().__init__(behind, host=host)

    def _serve(self, client: socket.socket) -> None:
        if self.ready.is_set():
            super()._serve(client)
            return
        self.asked += 1
        with client, suppress(OSError):
            while client.recv(65536)[4:8] in _ASKS_FOR_ENCRYPTION:
                client.sendall(b"N")
            said = b"SFATAL\0VFATAL\0C57P03\0M" + self._words + b"\0\0"
            client.sendall(b"E" + (len(said) + 4).to_bytes(4, "big") + said)


_ASKS_FOR_ENCRYPTION = ((80877103).to_bytes(4, "big"), (80877104).to_bytes(4, "big"))
"""By TLS, by GSSAPI: PostgreSQL 18, 54.7, message formats."""


def hang_up(end: socket.socket) -> None:
    with suppress(OSError):  # the other end was quicker
        end.shutdown(socket.SHUT_RDWR)


class Cable:
    """A namespace with an address of its own; programs are run inside by ``run``, and see the
    world only through the cable, at ``outside``."""

    def __init__(self) -> None:
        name = secrets.token_hex(3)
        self._space, self._here, self._there = f"pmo-{name}", f"pmo{name}a", f"pmo{name}b"
        third = secrets.randbelow(254) + 1
        self.outside, self.inside = f"10.213.{third}.1", f"10.213.{third}.2"
        try:
            _ip("netns", "add", self._space)
            _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there)
            _ip("link", "set", self._there, "netns", self._space)
            _ip("addr", "add", f"{self.outside}/30", "dev", self._here)
            self._ip_inside("addr", "add", f"{self.inside}/30", "dev", self._there)
            _ip("link", "set", self._here, "up")
            self._ip_inside("link", "set", self._there, "up")
            self._ip_inside("link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def run(self, *words: str) -> list[str]:
        """The words of a command, to be run inside."""
        return ["ip", "netns", "exec", self._space, *words]

    def cut(self) -> None:
        """Each end sends to a machine that is not there. An interface that were taken down would
        be a word: whoever connects would hear at once that there is no way."""
        lost = ("lladdr", _NOBODY, "nud", "permanent")
        _ip("neigh", "replace", self.inside, "dev", self._here, *lost)
        self._ip_inside("neigh", "replace", self.outside, "dev", self._there, *lost)

    def mend(self) -> None:
        _ip("neigh", "del", self.inside, "dev", self._here)
        self._ip_inside("neigh", "del", self.outside, "dev", self._there)

    def close(self) -> None:
        for made in (("link", "del", self._here), ("netns", "del", self._space)):
            with suppress(OSError, subprocess.CalledProcessError):
                _ip(*made)

    def _ip_inside(self, *words: str) -> None:
        _ip("-n", self._space, *words)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=PATIENCE)


@contextmanager
def cable() -> Iterator[Cable]:
    """Where this user may make no network the test is skipped, but in CI."""
    try:
        made = Cable()
    except (OSError, subprocess.CalledProcessError):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MAKE_IT)
    try:
        yield made
    finally:
        made.close()
