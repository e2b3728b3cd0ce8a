"""How a PostgreSQL server is reached, and how long anybody waits for it: log, views and memories.

Nothing here waits for ever. A server that is gone refuses at once; one that cannot be reached is
given up after ``CONNECT_SECONDS`` for each host; one that stops to answer on a connection that
stands is given up after ``ANSWER_SECONDS``, whatever the network says. What an address says itself
goes before what is chosen here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo, errors
from psycopg.rows import Row

CONNECT_SECONDS = 10
"""For each host of the address."""

ANSWER_SECONDS = 30.0
"""Longer than what the server itself waits for a lock, which is told in better words."""

_DEFAULTS = {
    "connect_timeout": str(CONNECT_SECONDS),
    # A machine that vanished without a word, while we wait for it: half a minute, not two hours.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    # And while it has not even taken what we sent; in milliseconds.
    "tcp_user_timeout": "30000",
}

_T = TypeVar("_T")


def parameters(address: str, name: str) -> str:
    """What libpq is told; ``name`` is how the server lists us. Raises ``psycopg.OperationalError``.

    Of several hosts the one is meant that takes writes: a primary and its standbys, say.
    """
    said = conninfo.conninfo_to_dict(address)
    for host in str(said.get("host") or "").split(","):
        _require_name(host)
    chosen = _DEFAULTS | {"application_name": name}
    if "," in str(said.get("host") or said.get("hostaddr") or ""):
        chosen["target_session_attrs"] = "read-write"
    return conninfo.make_conninfo("", **(chosen | said))


def _require_name(host: str) -> None:
    """Where hosts are looked up nobody expects what cannot be encoded; sockets are paths."""
    try:
        host.encode("idna" if host[:1] not in ("/", "@") else "utf-8")
    except UnicodeError:
        raise psycopg.OperationalError(f"no host can be called {host[:80]!r}") from None


def plain_address(address: str) -> str:
    """The address as it may be shown: without a password."""
    parts: dict[str, Any] = conninfo.conninfo_to_dict(address)
    user = f"{parts['user']}@" if "user" in parts else ""
    hosts = str(parts.get("host", "")).split(",")
    ports = str(parts["port"]).split(",") if "port" in parts else []
    if len(ports) == 1:
        ports *= len(hosts)
    places = [
        f"{host}:{port}" if port else host  # without one it is libpq's usual
        for host, port in zip(hosts, ports or [""] * len(hosts), strict=True)
    ]
    return f"postgresql://{user}{','.join(places)}/{parts.get('dbname', '')}"


class PatientConnection(psycopg.Connection[Row]):
    """Gives up a server that does not answer within ``patience`` seconds (``None``: never)."""

    patience: float | None = ANSWER_SECONDS

    def wait(
        self,
        gen: Generator[Any, Any, _T],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> _T:
        """Raises ``psycopg.OperationalError``; then the connection is closed."""
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        except errors._WaitTimeout:
            self.close()
            raise psycopg.OperationalError(
                f"the server has not answered for {self.patience:g} seconds"
            ) from None

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """For statements that take as long as the log is large."""
        self.patience = None
        try:
            yield
        finally:
            del self.patience
