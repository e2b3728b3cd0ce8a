"""Deciding on PostgreSQL, fsync on: the commands of ``bench.deciding`` from 32 callers at a time,
durable before they are acknowledged. Beside it the same five steps on stock ``eventsourcing`` with
PostgreSQL, and written by hand: a row, and an audit row, in one transaction a command. Then on
DBOS: a durable workflow a case, which waits for a signal for each step and checks it in Python; its
callers send all signals in a row and wait for the end of the case alone, while ours hear of every
command whether it was allowed. What it does and we do not: arbitrary Python goes on after a crash
where it was. Last, two engine processes on one database, with 32 callers each, beside one alone.

    make bench ARGS=deciding_postgres

``PMO_TEST_POSTGRES`` names the server, as for the tests.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench import dbos_peer
from bench.deciding import DEFINITION, MANAGER, run_case, task_rate, thread_rate, tune
from bench.peers import STEPS, StockDecisions, stock_case
from bench.report import Row, write
from engine.commands import PublishDefinition
from engine.loading import load_definition
from engine.service import Service
from engine.store.opening import open_log
from tests.postgres import CHOSEN, HOW_TO_GET_IT, programs
from tests.postgres_server import OwnServer, Server

CALLERS = 32
ROUNDS = 3


def open_service(address: str) -> Service:
    service = Service(open_log(address))
    body = load_definition(DEFINITION, "bench").body
    service.handle(
        PublishDefinition(command_id="publish", actor=MANAGER, body=body, text=DEFINITION)
    )
    return service


def stock_application(address: str) -> StockDecisions:
    """Stock recorder and settings, but for as many connections as there are callers."""
    at = conninfo_to_dict(address)
    return StockDecisions(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": str(at["dbname"]),
            "POSTGRES_HOST": str(at["host"]),
            "POSTGRES_PORT": str(at["port"]),
            "POSTGRES_USER": str(at["user"]),
            "POSTGRES_PASSWORD": os.environ.get("PGPASSWORD", ""),
            "POSTGRES_POOL_SIZE": str(CALLERS),
        }
    )


class ByHand:
    """What one would write without any library: the row, and what was done to it, together."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._own = threading.local()
        self._opened: list[psycopg.Connection] = []
        with psycopg.connect(address) as connection:
            connection.execute(
                "CREATE TABLE decisions (id uuid PRIMARY KEY, title text, state text, amount int)"
            )
            connection.execute(
                "CREATE TABLE audit (number bigserial PRIMARY KEY, at timestamptz DEFAULT now(),"
                " decision uuid, actor text, what text, data jsonb)"
            )

    def case(self, _: int) -> None:
        decision = uuid4()
        self._step(decision, "start")
        for name in STEPS:
            self._step(decision, name)

    def close(self) -> None:
        for connection in self._opened:
            connection.close()

    def _step(self, decision: UUID, name: str) -> None:
        connection = self._connection()
        with connection.transaction():
            if name == "start":
                connection.execute(
                    "INSERT INTO decisions VALUES (%s, %s, 'draft', 90000)",
                    (decision, "Replace the signalling"),
                )
            else:
                row = connection.execute(
                    "SELECT state, amount FROM decisions WHERE id = %s FOR UPDATE", (decision,)
                ).fetchone()
                if not row or row[1] > 100_000:
                    raise PermissionError(name)
                connection.execute(
                    "UPDATE decisions SET state = %s WHERE id = %s", (name, decision)
                )
            connection.execute(
                "INSERT INTO audit (decision, actor, what, data) VALUES (%s, %s, %s, %s)",
                (decision, "pat", name, json.dumps({"amount": 90_000})),
            )

    def _connection(self) -> psycopg.Connection:
        if not hasattr(self._own, "connection"):
            self._own.connection = psycopg.connect(self._address, autocommit=True)
            self._opened.append(self._own.connection)
        connection: psycopg.Connection = self._own.connection
        return connection


def compare(server: Server, with_dbos: bool) -> tuple[float, float, float, float, float]:
    """One round on fresh databases, all ways in turn: tasks, threads, stock, by hand, DBOS (0:
    it is not there)."""
    with closing(open_service(server.new_database()).log) as log:
        service = Service(log)
        tasks = task_rate(service, CALLERS)
        threads = thread_rate(lambda number: run_case(service, number), CALLERS)
    with closing(stock_application(server.new_database())) as stock:
        theirs = thread_rate(lambda _: stock_case(stock), CALLERS)
    with closing(ByHand(server.new_database())) as by_hand:
        rows = thread_rate(by_hand.case, CALLERS)
    signals = dbos_rate(server.new_database()) if with_dbos else 0.0
    return tasks, threads, theirs, rows, signals


def dbos_rate(address: str) -> float:
    with dbos_peer.durable_decisions(address, CALLERS) as decisions:
        return thread_rate(decisions.case, CALLERS)


def engines(server: Server, processes: int) -> float:
    """Transitions a second of that many engine processes, on one database, all together."""
    address = server.new_database()
    open_service(address).log.close()
    command = [sys.executable, "-m", "bench.deciding_postgres", address]
    running = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for number in range(processes)
    ]
    for one in running:
        assert one.stdout
        one.stdout.readline()  # it is ready
    for one in running:
        assert one.stdin
        one.stdin.write(b"go\n")
        one.stdin.flush()
    return sum(float(one.communicate()[0]) for one in running)


def engine(address: str, number: int) -> None:
    """One of ``engines``: says that it is ready, waits for a line, and says its rate."""
    tune()
    with closing(open_log(address)) as log:
        print("ready", flush=True)
        sys.stdin.readline()
        print(task_rate(Service(log), CALLERS, number))


def main() -> None:
    tune()
    server = Server(CHOSEN) if "://" in CHOSEN else OwnServer(_programs(), fsync=True)
    with_dbos = dbos_peer.is_there()
    rounds = [
        (*compare(server, with_dbos), engines(server, 1), engines(server, 2)) for _ in range(ROUNDS)
    ]
    tasks, threads, stock, by_hand, signals, one, two = map(
        statistics.median, zip(*rounds, strict=True)
    )
    rows = [
        Row(f"{what}, beside {peer}", f"{ours:,.0f}/s", f"{theirs:,.0f}/s", f"{ours / theirs:.1f}")
        for what, ours, peer, theirs in (
            ("tasks on a loop", tasks, "stock eventsourcing", stock),
            ("threads", threads, "stock eventsourcing", stock),
            ("tasks on a loop", tasks, "rows by hand", by_hand),
            ("threads", threads, "rows by hand", by_hand),
            ("tasks on a loop", tasks, "DBOS with signals", signals),
            ("threads", threads, "DBOS with signals", signals),
            ("two processes", two, "one", one),
        )
        if theirs
    ]
    title = f"Deciding, PostgreSQL {server.version.split()[0]}"
    write(title, __doc__ or "", "peer", rows)


def _programs() -> Path:
    found = programs()
    if not found:
        raise SystemExit(HOW_TO_GET_IT)
    return found


if __name__ == "__main__":
    if len(sys.argv) == 3:
        engine(sys.argv[1], int(sys.argv[2]))
    else:
        main()
