"""A short storm on every store that ships; ``make chaos`` has longer ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.storm import STORES, run

SEED = 2026


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORES)
def test_nothing_is_lost_and_nothing_done_twice_however_often_everybody_is_killed(
    kind: str, tmp_path: Path
) -> None:
    storm, rows, wrong = run(kind, SEED, 6.0, tmp_path)
    assert wrong == [], f"seed {SEED}: {wrong[:5]}"
    assert len(rows) > 100
    assert sum(storm.blown.values()) >= 3
