"""Events as they really come about: every shipped scenario is played, and its log kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.definition import Definition
from engine.loading import load_definitions
from engine.scenarios.scenario import load_scenarios
from engine.scenarios.stage import Published, run
from engine.store.log import Log
from engine.store.memory import MemoryLog
from engine.upcasts import Body
from workflows import shipped

Shipped = dict[str, Definition]


@pytest.fixture(scope="session")
def definitions() -> Shipped:
    """The shipped definitions by name."""
    texts = {str(path): path.read_text(encoding="utf-8") for path in shipped()}
    return {one.workflow: one for one in load_definitions(texts).values()}


@pytest.fixture(scope="session")
def played(definitions: Shipped) -> list[Body]:
    """Every event that outsiders get of every log that a scenario leaves behind."""
    logs: list[Log] = []

    def new_log() -> Log:
        logs.append(MemoryLog())
        return logs[-1]

    published = Published([(one, "") for one in definitions.values()])
    for path in shipped():
        file = path.with_suffix(".scenarios.yaml")
        played = run(*load_scenarios(file.read_bytes(), file.name), published, new_log)
        assert [result.failure for result in played if result.failure] == []
    first, *others = logs
    after = len(definitions)  # each begins with the same definitions
    return [*bodies(first, 0), *(body for log in others for body in bodies(log, after))]


def bodies(log: Log, after: int) -> Iterator[Body]:
    for _, body in log.bodies(after, log.head()):
        if not body["stream"].startswith("claim/"):
            yield body
