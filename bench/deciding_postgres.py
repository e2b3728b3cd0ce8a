"""Deciding on PostgreSQL, commits durable (fsync on): the commands of ``bench.deciding``, from 32
callers, beside stock ``eventsourcing`` and beside a row and an audit row written by hand, in one
transaction a command.

    .venv/bin/python -m bench.deciding_postgres

``PMO_TEST_POSTGRES`` names the server, as for the tests.
"""

from __future__ import annotations

import json
import threading
from uuid import UUID, uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.deciding import (
    DEFINITION,
    MANAGER,
)
from bench.peers import STEPS, StockDecisions
from engine.commands import PublishDefinition
from engine.loading import load_definition
from engine.service import Service
from engine.store.opening import open_log

CALLERS = 32


def open_service(address: str) -> Service:
    service = Service(open_log(address))
    body = load_definition(DEFINITION, "bench").body
    service.handle(
        PublishDefinition(command_id="publish", actor=MANAGER, body=body, text=DEFINITION)
    )
    return service


def stock_application(address: str, password: str) -> StockDecisions:
    """Stock recorder and settings, but for as many connections as there are callers."""
    at = conninfo_to_dict(address)
    return StockDecisions(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": str(at["dbname"]),
            "POSTGRES_HOST": str(at["host"]),
            "POSTGRES_PORT": str(at["port"]),
            "POSTGRES_USER": str(at["user"]),
            "POSTGRES_PASSWORD": password,
            "POSTGRES_POOL_SIZE": str(CALLERS),
        }
    )


class ByHand:
    """What one would write without any library: the row, and what was done to it, together."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._own = threading.local()
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
        return self._own.connection  # type: ignore[no-any-return]
