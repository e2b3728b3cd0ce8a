"""What keeps the views of a service from being kept is told, and told once."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace

import pytest

from app.http import views
from engine.errors import StoreFailed


def test_what_fails_again_at_once_is_told_once(monkeypatch, caplog):
    monkeypatch.setattr(views, "_AFTER_FAILURE", 0)
    reasons = ["read-only", "read-only", "read-only", "gone", "gone"]

    class Runner:
        def follow(self, stop: threading.Event) -> None:
            if len(reasons) == 1:
                stop.set()
            raise StoreFailed(reasons.pop(0))

    served = views.ServedViews(SimpleNamespace(runner=Runner()), None)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, views.LOG.name):
        served._keep()
    assert [record.getMessage() for record in caplog.records] == [
        "views-not-kept: read-only",
        "views-not-kept: gone",
    ]


@pytest.mark.parametrize(("seconds", "told"), [(0.0, 1), (1e6, 2)])
def test_after_a_while_of_work_the_same_failure_is_a_new_one(monkeypatch, caplog, seconds, told):
    monkeypatch.setattr(views, "_AFTER_FAILURE", 0)
    now = [0.0]
    monkeypatch.setattr(views, "monotonic", lambda: now[0])
    left = [1, 2]

    class Runner:
        def follow(self, stop: threading.Event) -> None:
            now[0] += seconds
            left.pop()
            if not left:
                stop.set()
            raise StoreFailed("read-only")

    served = views.ServedViews(SimpleNamespace(runner=Runner()), None)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, views.LOG.name):
        served._keep()
    assert len(caplog.records) == told
