"""What we are measured against: the same five steps on stock ``eventsourcing``, with SQLite."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

STEPS = ("submit", "review", "approve", "close")
STOCK_CHECKPOINT_PAGES = 1_000
"""Of 4 KiB: SQLite's own default, which the stock recorder leaves as it is."""


class Decision(Aggregate):
    """As its documentation writes aggregates: guards in Python, no roles register, no CEL."""

    @event("Started")
    def __init__(self, title: str, actor: str) -> None:
        self.title = title
        self.actor = actor
        self.state = "draft"
        self.amount = 0

    def step(self, name: str, roles: tuple[str, ...], amount: int) -> None:
        if "manager" not in roles or amount > 100_000:
            raise PermissionError(name)
        self.stepped(name, amount)

    @event("Stepped")
    def stepped(self, state: str, amount: int) -> None:
        self.state = state
        self.amount = amount


class StockDecisions(Application[UUID]):
    def start(self) -> UUID:
        decision = Decision(title="Replace the signalling", actor="pat")
        self.save(decision)
        return decision.id

    def step(self, decision_id: UUID, name: str) -> None:
        decision: Decision = self.repository.get(decision_id)
        decision.step(name, ("manager",), 90_000)
        self.save(decision)


def stock_case(application: StockDecisions) -> None:
    """One decision through its five transitions, each durable before the next."""
    decision_id = application.start()
    for name in STEPS:
        application.step(decision_id, name)


def stock_application(folder: Path, slower_by: float = 0.0) -> StockDecisions:
    """Stock recorder and settings but one: ``synchronous=FULL``, which SQLite has by default.

    ``slower_by``: seconds that every commit is made to take longer.
    """
    application = StockDecisions(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(folder / "stock.db"),
            "SQLITE_LOCK_TIMEOUT": "60",
        }
    )
    if slower_by:
        from eventsourcing.sqlite import SQLiteConnection

        class SlowConnection(SQLiteConnection):
            def commit(self) -> None:
                time.sleep(slower_by)
                super().commit()

        pool = application.factory.datastore.pool  # type: ignore[attr-defined]
        create = pool._create_connection

        def slow_connection() -> SQLiteConnection:
            connection = create()
            connection.__class__ = SlowConnection
            return connection  # type: ignore[no-any-return]

        pool._create_connection = slow_connection
    return application


def grow_journal(path: Path, pages: int) -> None:
    """Make the journal of an open database as long as it gets before SQLite begins it anew: what is
    written here and taken back leaves the room. Else the first to run would pay for that."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE room (content)")
        connection.execute("INSERT INTO room VALUES (zeroblob(?))", (pages * 4096,))
        connection.execute("ROLLBACK")
    with Path(f"{path}-wal").open("rb") as journal:
        os.fsync(journal.fileno())
