"""A short storm on every store that ships; ``make chaos`` has longer ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.checker import Row
from tests.chaos.stores import ASKER, STORES, SQLiteStore
from tests.chaos.storm import run

SEED = 2026


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORES)
def test_nothing_is_lost_and_nothing_done_twice_however_often_everybody_is_killed(
    kind: str, tmp_path: Path
) -> None:
    storm, rows, wrong = run(kind, SEED, 6.0, tmp_path)
    assert not wrong, "\n".join([f"seed {SEED}", *wrong])
    assert len(rows) > 100
    assert sum(storm.blown.values()) >= 3
    asked = [row for row in rows if row.body["command_id"].startswith(f"{ASKER}:")]
    assert bool(asked) == (kind == "kafka")


@pytest.mark.slow
def test_what_does_not_come_about_in_the_end_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(SQLiteStore):
        def has_settled(self, rows: list[Row]) -> bool:
            raise TimeoutError("somebody never comes to the end")

    @contextmanager
    def stuck(folder: Path) -> Iterator[SQLiteStore]:
        yield Stuck(folder)

    monkeypatch.setitem(STORES, "sqlite", stuck)
    _, rows, wrong = run("sqlite", SEED, 1.0, tmp_path)
    assert wrong[0] == "somebody never comes to the end"
    assert len(rows) > 50
