"""A network that can be cut, between a program here and a server.

A cut network says nothing: what is sent goes nowhere, nothing comes back, and no connection is
closed. Two forms: ``Wire`` stands between client and server and stops to pass anything on, which
works everywhere; ``Cable`` is a network of the kernel's (a network namespace with a pair of virtual
interfaces) that is taken down, where this user may make one.
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
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # else who waits in accept() keeps the port
        self._server.close()
        self._whole.set()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

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


class Cable:
    """A namespace with an address of its own; programs are run inside by ``run``, and see the
    world only through the cable, at ``outside``."""

    def __init__(self) -> None:
        name = secrets.token_hex(3)
        self._space, self._here, self._there = f"pmo-{name}", f"pmo{name}a", f"pmo{name}b"
        third = secrets.randbelow(254) + 1
        self.outside, self.inside = f"10.213.{third}.1", f"10.213.{third}.2"
        _ip("netns", "add", self._space)
        _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there)
        _ip("link", "set", self._there, "netns", self._space)
        _ip("addr", "add", f"{self.outside}/30", "dev", self._here)
        _ip("-n", self._space, "addr", "add", f"{self.inside}/30", "dev", self._there)
        _ip("link", "set", self._here, "up")
        _ip("-n", self._space, "link", "set", self._there, "up")
        _ip("-n", self._space, "link", "set", "lo", "up")

    def run(self, *words: str) -> list[str]:
        """The words of a command, to be run inside."""
        return ["ip", "netns", "exec", self._space, *words]

    def cut(self) -> None:
        _ip("link", "set", self._here, "down")

    def mend(self) -> None:
        _ip("link", "set", self._here, "up")

    def close(self) -> None:
        with suppress(subprocess.CalledProcessError):
            _ip("link", "del", self._here)
        with suppress(subprocess.CalledProcessError):
            _ip("netns", "del", self._space)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


@contextmanager
def cable() -> Iterator[Cable | None]:
    """``None`` where this user may make no network."""
    if os.geteuid() != 0:
        yield None
        return
    try:
        made = Cable()
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield made
    finally:
        made.close()
