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
from psycopg.pq import PGconn, Ping, TransactionStatus
from psycopg.rows import Row, tuple_row

CONNECT_SECONDS = 10
"""For each host of the address."""

ANSWER_SECONDS = 30.0
"""Longer than what the server itself waits for a lock, which is told in better words."""

NOTICE_SECONDS = 2
"""After which the server notices that who waits for its answer is gone."""

_DEFAULTS = {
    "connect_timeout": str(CONNECT_SECONDS),
    # A machine that vanished without a word, while we wait for it: half a minute, not two hours.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    # And while it has not even taken what we sent; in milliseconds.
    "tcp_user_timeout": "30000",
}

# Every promotion begins a new timeline. Of a standby it does not matter: it takes no writes.
_TIMELINE = """
SELECT CASE WHEN pg_is_in_recovery() THEN 0
       ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END
"""
_LOOK_SECONDS = 2
"""To see whether another host of the address takes writes, too, once in a process; and whether one
that let nobody in is starting."""

_newest: dict[tuple[tuple[str, str], ...], int] = {}
"""The highest timeline that this process has seen among these hosts."""

_T = TypeVar("_T")
_C = TypeVar("_C", bound="PatientConnection[Any]")


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
    places = [
        f"{host}:{port}" if port else host  # without one it is libpq's usual
        for host, port in _hosts(parts)
    ]
    return f"postgresql://{user}{','.join(places)}/{parts.get('dbname', '')}"


def _hosts(parts: dict[str, Any]) -> list[tuple[str, str]]:
    """With their ports, as far as they are said."""
    hosts = str(parts.get("host") or parts.get("hostaddr") or "").split(",")
    ports = str(parts.get("port", "")).split(",")
    return [*zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=True)]


def connect(kind: type[_C], address: str, name: str, **how: Any) -> _C:
    """A connection in autocommit mode. Raises ``psycopg.Error``, also for a server that was
    replaced: another one of the address has been promoted since, and both take writes; and of a
    server that starts or stops always ``CannotConnectNow``, in whichever language it says so."""
    chosen = parameters(address, name)
    try:
        connection = kind.connect(chosen, autocommit=True, **how)
    except psycopg.OperationalError as error:
        if error.sqlstate or not _may_have_started(chosen, error):
            raise
        connection = kind.connect(chosen, autocommit=True, **how)
    try:
        _let_it_notice(connection)
        _refuse_the_replaced(connection, conninfo.conninfo_to_dict(address))
    except BaseException:
        connection.close()
        raise
    return connection


def _let_it_notice(connection: PatientConnection[Any]) -> None:
    """If we are killed in the middle of a long statement, the server ends it, and what it has
    locked is free, not only when it has an answer for nobody."""
    try:
        connection.execute(f"SET client_connection_check_interval = '{NOTICE_SECONDS}s'")
    except errors.InvalidParameterValue:
        return  # it runs where nobody tells it (PostgreSQL 15, 20.3.2)


def _may_have_started(chosen: str, error: psycopg.OperationalError) -> bool:
    """Whether a server that did not let us in is worth asking once more: it may have been starting
    then, and have started since. Raises ``CannotConnectNow`` where it is starting now.

    Of a connection that was refused psycopg has only the server's words, in the server's language.
    libpq looks at their code, and tells what it means by ``ping``, while which no thread of ours
    goes on: so only one host is asked, and only if it has answered, and has not asked who we are.
    """
    parts = conninfo.conninfo_to_dict(chosen)
    ended = error.pgconn
    asked = ended is None or ended.needs_password or ended.used_password
    if asked or isinstance(error, errors.ConnectionTimeout) or len(_hosts(parts)) > 1:
        return False
    there = PGconn.ping(conninfo.make_conninfo(chosen, connect_timeout=_LOOK_SECONDS).encode())
    if there == Ping.REJECT:
        raise errors.CannotConnectNow(str(error)) from error
    return there == Ping.OK


def _refuse_the_replaced(connection: PatientConnection[Any], parts: dict[str, Any]) -> None:
    hosts = tuple(_hosts(parts))
    if len(hosts) == 1 or not (timeline := _timeline(connection)):
        return
    if hosts not in _newest:
        _newest[hosts] = max((_timeline_at(*host, parts) for host in hosts), default=0)
    newest = _newest[hosts] = max(timeline, _newest[hosts])
    if timeline < newest:
        info = connection.info
        raise psycopg.OperationalError(
            f"the server at {info.host}:{info.port} takes writes, but was replaced: it is on"
            f" timeline {timeline}, and another one on {newest}. Stop it, and make it a standby"
        )


def _timeline_at(host: str, port: str, parts: dict[str, Any]) -> int:
    """0, too, of one that cannot be asked."""
    at = {"host": host, "hostaddr": None, "port": port or None, "target_session_attrs": "any"}
    told = conninfo.make_conninfo("", **(parts | at | {"connect_timeout": _LOOK_SECONDS}))
    try:
        with PatientConnection.connect(told, autocommit=True) as connection:
            return _timeline(connection)
    except psycopg.OperationalError:
        return 0


def _timeline(connection: PatientConnection[Any]) -> int:
    try:
        (found,) = connection.cursor(row_factory=tuple_row).execute(_TIMELINE).fetchone() or (0,)
    except (errors.FeatureNotSupported, errors.InsufficientPrivilege):
        return 0  # a service in the cloud that does not tell
    return int(found)


class PatientConnection(psycopg.Connection[Row]):
    """Gives up a server that does not answer within ``patience`` seconds (``None``: never)."""

    patience: float | None = ANSWER_SECONDS

    def wait(
        self,
        gen: Generator[Any, Any, _T],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> _T:
        """Raises ``psycopg.OperationalError``; then the connection is closed. So it is when the
        wait is cut off in a statement, by Ctrl-C say: whoever tidies up then meets a connection
        that is gone, not one that refuses whatever it is asked."""
        impatient = timeout is None and self.patience is not None
        try:
            return super().wait(gen, interval, self.patience if impatient else timeout)
        except errors._WaitTimeout:
            if not impatient:
                raise
            self.close()
            raise psycopg.OperationalError(
                f"the server has not answered for {self.patience:g} seconds"
            ) from None
        except psycopg.Error:
            raise
        except BaseException:
            if self.info.transaction_status == TransactionStatus.ACTIVE:
                self.close()
            raise

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """For statements that take as long as the log is large."""
        self.patience = None
        try:
            yield
        finally:
            del self.patience
