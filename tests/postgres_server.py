"""PostgreSQL servers: one that runs somewhere, one of our own that can be killed, and one that
follows it. ``tests.postgres`` says which one the tests run on.

A server that is started here keeps its data under the temporary folder, listens on loopback with a
password (``PGPASSWORD``), and ends when this process does, however that ends.
"""

from __future__ import annotations

import atexit
import functools
import getpass
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import conninfo

from tests.patience import PATIENCE, wait_until
from tests.ports import free_port

# Keeps the server for as long as somebody holds the other end of its standard input.
_KEEPER = '"$@" </dev/null & trap "" INT TERM; read -r _; kill -INT $!; wait $!'


class Server:
    """A server where databases can be made."""

    def __init__(self, address: str) -> None:
        self._address = address

    @functools.cached_property
    def version(self) -> str:
        with self.connect() as connection:
            return str(connection.execute("SHOW server_version").fetchone()[0])

    def connect(self, **options: str) -> psycopg.Connection:
        return psycopg.connect(self._address, autocommit=True, **options)

    def address(self, database: str, user: str = "") -> str:
        """``postgresql://USER@HOST:PORT/DATABASE``; the password is in the environment."""
        at = conninfo.conninfo_to_dict(self._address)
        host = quote(str(at.get("host", "localhost")), safe="")  # may be the folder of a socket
        user = user or str(at.get("user") or getpass.getuser())
        return f"postgresql://{user}@{host}:{at.get('port', 5432)}/{database}"

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"pmo_test_{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.address(name)

    def drop_database(self, address: str) -> None:
        name = conninfo.conninfo_to_dict(address)["dbname"]
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class OwnServer(Server):
    """A server of our own, which can be killed and started again.

    ``settings`` are PostgreSQL's, kept over every start. ``small``: bytes of a file system of its
    own for its tables, or with ``small_wal`` for its journal, to be filled; only root can have one.
    ``trust``: addresses beside loopback from which it may be asked, with the same password.
    """

    def __init__(
        self,
        programs: Path,
        *,
        fsync: bool = False,
        settings: Mapping[str, object] | None = None,
        small: int = 0,
        small_wal: int = 0,
        trust: str = "",
        port: int = 0,
    ) -> None:
        self._user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        self._folder = _scratch(self._user)
        self._mounted: list[Path] = []
        self._keeper: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)
        self._programs = _within_reach(programs, self._user)
        self.port = port or free_port()
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on" if fsync else "off",  # off: outlives a killed server all the same
            "wal_retrieve_retry_interval": "200ms",  # a standby looks again for who it follows
            **(settings or {}),
            "port": self.port,
        }
        self.tables = self._place("tables", small)
        self.wal = self._place("wal", small_wal)
        self._data = self.tables / "data"
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        self._make()
        if trust:
            with (self._data / "pg_hba.conf").open("a") as file:
                file.write(f"host all all {trust} scram-sha-256\n")
        self.start()

    def _place(self, name: str, size: int) -> Path:
        """A folder for the server's user; with a size, a file system of its own."""
        folder = self._folder / name
        folder.mkdir()
        if size:
            command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
            subprocess.run(command, check=True, **QUIET)
            self._mounted.append(folder)
        if self._user:
            shutil.chown(folder, self._user)
        return folder

    def _make(self) -> None:
        """As ``initdb`` leaves it, which is run once and copied from then on."""
        made = _made_by_initdb(self._programs, self._user)
        shutil.copytree(made, self._data, symlinks=True)
        shutil.move(self._data / "pg_wal", self.wal / "pg_wal")
        (self._data / "pg_wal").symlink_to(self.wal / "pg_wal")
        if self._user:
            for place in (self.tables, self.wal):
                for path in (place, *place.rglob("*")):
                    shutil.chown(path, self._user)

    def start(self) -> None:
        settings = self._settings
        with (self._folder / "log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [
                    *("sh", "-c", _KEEPER, "keeper", self._programs / "postgres", "-D", self._data),
                    *(word for name in settings for word in ("-c", f"{name}={settings[name]}")),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._folder,
                start_new_session=True,  # Ctrl-C is for the tests, not for the server
            )
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > give_up:
                    raise RuntimeError(self.told) from None
                time.sleep(0.02)

    def runs(self) -> bool:
        """Whether there is a process that accepts connections, or will."""
        with suppress(OSError, IndexError):  # no file of its process
            return _lives(self.pid)
        return False

    def start_again(self) -> None:
        """After it has ended by itself."""
        self._wait_for_end()
        self.start()

    @property
    def told(self) -> str:
        """What it has written into its log."""
        return (self._folder / "log").read_text()

    def standby(self, port: int = 0) -> Standby:
        """A server that follows this one, and can take its place."""
        return Standby(self._programs, self.port, dict(self._settings), port)

    def set(self, **settings: object) -> None:
        """Change what can be changed while it runs."""
        with self.connect() as connection:
            for name, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")
        self._until_all_know(settings)

    def _until_all_know(self, settings: dict[str, object]) -> None:
        """A new session has the new values once the postmaster has told its processes.

        The checkpointer keeps ``synchronous_standby_names`` for all. It reads settings before each
        checkpoint that it is asked for, but may have been about to begin one: hence two.
        """
        wanted = {name: str(value) for name, value in settings.items()}
        wait_until(lambda: self._shown(wanted) == wanted)
        with self.connect() as connection:
            connection.execute("CHECKPOINT")
            connection.execute("CHECKPOINT")

    def _shown(self, names: Iterable[str]) -> dict[str, str]:
        with self.connect() as connection:
            return {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in names}

    @property
    def pid(self) -> int:
        """The process that all the others are children of."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """``kill -9``, and wait until all of its processes are gone and the port is free: they hear
        of it when they next wait for something, and answer until then."""
        others = _children(self.pid)
        os.kill(self.pid, signal.SIGKILL)
        self._wait_for_end()
        wait_until(lambda: not any(_lives(pid) for pid in others))

    def pause(self) -> None:
        """It hangs, and its network with it for all that anybody can tell."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def lose(self) -> None:
        """As when its machine is lost: all of its processes end at one moment. (Of a ``kill``, the
        others hear a moment before they end, and commits that waited for a standby are seen.)"""
        self._signal(signal.SIGSTOP)
        self._signal(signal.SIGKILL)
        self._wait_for_end()

    def stop(self) -> None:
        """As an operator stops it: connections are cut, what is committed is on disk."""
        os.kill(self.pid, signal.SIGINT)
        self._wait_for_end()

    def _signal(self, how: signal.Signals) -> None:
        for pid in (self.pid, *_children(self.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, how)

    def _wait_for_end(self) -> None:
        assert self._keeper
        assert self._keeper.stdin
        self._keeper.stdin.close()
        self._keeper.wait(PATIENCE)
        self._keeper = None

    def remove(self) -> None:
        if self._keeper:
            self._wait_for_end()
        while self._mounted:
            subprocess.run(["umount", "--lazy", self._mounted.pop()], check=False, **QUIET)
        shutil.rmtree(self._folder, ignore_errors=True)


def _scratch(user: str | None) -> Path:
    """A folder for all servers of this process."""
    folder = Path(tempfile.mkdtemp(prefix="pmo-postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if user:
        shutil.chown(folder, user)
    return folder


@functools.cache
def _within_reach(programs: Path, user: str | None) -> Path:
    """The programs where the server's user may run them: copied rather than opening folders."""
    if not user:
        return programs
    folder = _scratch(user)
    try:
        _run(folder, user, programs / "postgres", "-V")
        return programs
    except (PermissionError, RuntimeError):
        # The libraries of a wheel lie beside its package and are found by a relative path.
        package = programs.parents[1]
        for one in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(one, folder / "wheel" / one.name)
        return folder / "wheel" / programs.relative_to(package.parent)


@functools.cache
def _made_by_initdb(programs: Path, user: str | None) -> Path:
    folder = _scratch(user)
    password = folder / "password"
    password.write_text(os.environ["PGPASSWORD"])
    if user:
        shutil.chown(password, user)
    _run(
        *(folder, user, programs / "initdb", "--pgdata", folder / "data"),
        *("--username", "postgres", "--pwfile", password),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        *("--wal-segsize", "1"),  # megabyte: less to copy, and a small disk is soon full
    )
    return folder / "data"


def _run(folder: Path, user: str | None, *command: str | Path) -> None:
    done = subprocess.run(command, user=user, cwd=folder, check=False, **QUIET)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())


class Standby(OwnServer):
    """A server that follows another by streaming replication, under the name ``standby``."""

    def __init__(
        self, programs: Path, follows: int, settings: dict[str, object], port: int = 0
    ) -> None:
        self._follows = follows
        super().__init__(programs, settings=settings, port=port)

    def _make(self) -> None:
        whom = f"postgresql://postgres@127.0.0.1:{self._follows}/?application_name=standby"
        _run(
            *(self._folder, self._user, self._programs / "pg_basebackup"),
            *("--dbname", whom, "--pgdata", self._data, "--write-recovery-conf"),
            *("--checkpoint", "fast", "--wal-method", "stream", "--no-sync"),
        )

    def promote(self) -> None:
        """It takes writes from now on."""
        with self.connect() as connection:
            assert connection.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)


QUIET = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def _lives(pid: int) -> bool:
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, **QUIET).stdout
    return bool(told) and not told.startswith(b"Z")


def _children(pid: int) -> list[int]:
    told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], check=False, **QUIET).stdout
    return [int(child) for child in told.split()]
