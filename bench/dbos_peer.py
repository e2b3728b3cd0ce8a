"""The same five steps on DBOS: a durable workflow for each case, which waits for a signal for each
step and checks it in Python, and is there again after a crash.

What it does that we do not: it goes on by itself after a crash, in the middle of a function, and
the workflow is any Python. What it does not do: its callers hear at once only that a signal is
durable, not whether the step was allowed; here they send all four in a row, which suits it best,
and wait for the end of the case alone. There is no history with actors, authority and reasons, no
condition on what others have changed meanwhile, and nothing that readers can follow in order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from bench.peers import STEPS

HOW_TO_GET_IT = "no dbos here, so it is left out: `make bench` installs it (requirements/bench.txt)"
_PATIENCE = 60.0


def is_there() -> bool:
    """Says what to do if it is not."""
    if find_spec("dbos"):
        return True
    print(HOW_TO_GET_IT, file=sys.stderr)
    return False


class DurableDecisions:
    """One at a time: it is a singleton of the process."""

    def __init__(self, dbos: Any) -> None:
        self._dbos = dbos

        @dbos.workflow()
        def decide(title: str, actor: str) -> str:
            state = "draft"
            for name in STEPS:
                signal = dbos.recv("steps", timeout_seconds=_PATIENCE)
                may = "manager" in signal["roles"] and signal["amount"] <= 100_000
                if not title or not actor or signal["step"] != name or not may:
                    raise PermissionError(name)
                state = name
            return state

        self._decide = decide

    def case(self, _: int) -> None:
        handle = self._dbos.start_workflow(self._decide, "Replace the signalling", "pat")
        for name in STEPS:
            said = {"step": name, "actor": "sam", "roles": ["manager"], "amount": 90_000}
            self._dbos.send(handle.workflow_id, said, topic="steps")
        if handle.get_result() != STEPS[-1]:
            raise AssertionError("the case did not come to its end")


@contextmanager
def durable_decisions(address: str, connections: int) -> Iterator[DurableDecisions]:
    """On an empty database of PostgreSQL. (On SQLite it looks for signals once a second.)"""
    from dbos import DBOS, DBOSConfig

    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": address,
        "sys_db_pool_size": connections,
        "log_level": "ERROR",
        "application_version": "bench",
    }
    DBOS(config=config)
    decisions = DurableDecisions(DBOS)
    DBOS.launch()
    try:
        yield decisions
    finally:
        DBOS.destroy(destroy_registry=True)
