"""Cases told of day by day, for the views that ship to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.store.log import Log
from projections.opening import open_for_reading
from projections.runner import Runner
from projections.store import Place, Tables
from tests.views.conftest import History
from tests.views.library import bodies
from workflows import shipped

JAN, MARCH, APRIL, JUNE = "2026-01-31", "2026-03-31", "2026-04-30", "2026-06-15"


def gbp(amount):
    return {"amount": str(amount), "currency": "GBP"}


class Told:
    """Facts about cases of the library, each with the day on which it was so and recorded."""

    def __init__(self, log: Log, place: Path | Place) -> None:
        self._log = log
        self._history = History(self._log)
        self._place = place
        self._runner = Runner(self._log, place)
        self._open: list[Tables] = []
        for body in bodies():
            self._history.write(self._history.definition(**body))

    def fact(self, key, workflow, on, state=None, name="Reported", known=None, actor="pat", **data):
        """``name_`` is the field called name."""
        if (called := data.pop("name_", None)) is not None:
            data["name"] = called
        self._history.write(
            self._history.observed(
                key,
                data,
                state=state,
                name=name,
                at=on,
                recorded_at=f"{known or on}T09:00:00.000000Z",
                workflow=workflow,
                actor=actor,
            )
        )

    def linked(self, parent, child, workflow, on):
        self._history.write(self._history.linked(parent, child, workflow, at=on))

    def paper(self, key):
        self._history.write(self._history.attached(key))

    @property
    def views(self):
        self._runner.catch_up()
        self._open.append(open_for_reading(self._place))
        return self._open[-1]

    def close(self):
        for tables in self._open:
            tables.close()
        self._runner.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def store(request):
    return request.param


@pytest.fixture
def told(log, place):
    told = Told(log, place)
    yield told
    told.close()


def column(found, name):
    return [row[name] for row in found]


def text_of(workflow):
    (file,) = [file for file in shipped() if file.stem == workflow]
    return file.read_bytes()


def decided(told):
    told.fact(
        "DEC-1",
        "decision",
        JAN,
        "draft",
        title="Desk",
        amount=gbp(0),
        unit="pmo",
        options=["a", "b"],
    )
    told.fact("DEC-1", "decision", "2026-02-01", "submitted", name="DecisionRequested")
    told.fact(
        "DEC-1", "decision", "2026-02-11", "approved", name="DecisionTaken", actor="ada",
        rationale="needed", effective_on="2026-02-01", known=APRIL,
    )  # fmt: skip
    told.fact("DEC-2", "decision", APRIL, "ready", title="Hall", amount={"withheld": "tender"})
    told.fact("DEC-3", "decision", APRIL, "in_review", title="Yard")
