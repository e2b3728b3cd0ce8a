"""The views that ship: each answers, on both clocks, with the workflows that ship."""

from __future__ import annotations

import re

import pytest

from engine.errors import NotFound
from engine.loading import load_definition
from projections.answers import ask, figures
from projections.opening import open_for_reading
from projections.relations import Relations
from projections.runner import Runner
from projections.store import Tables
from projections.view_definitions import (
    Question,
    load_metrics,
    load_view,
)
from tests.views.asking import SHIPPED, opened, relations
from tests.views.conftest import History
from tests.views.conftest import opened as opened_log
from tests.views.shipped.conftest import APRIL, MARCH, text_of
from workflows import shipped

RENEWED = {"decision": 4, "objective": 2}
"""Workflows whose first versions had fewer fields than the views show."""

VIEWS = sorted(file.stem for file in SHIPPED.glob("*.yaml") if file.stem != "metrics")


def test_every_view_of_the_domain_ships():
    found = {load_view((SHIPPED / f"{name}.yaml").read_bytes(), name, name).id for name in VIEWS}
    assert {f"V{number}" for number in range(1, 20)} <= found


def test_only_what_is_about_persons_is_restricted():
    views = [load_view((SHIPPED / f"{name}.yaml").read_bytes(), name, name) for name in VIEWS]
    assert {view.id for view in views if view.restricted} == {"V15", "V16", "V16c"}


def questions() -> list[Question]:
    views = [load_view((SHIPPED / f"{name}.yaml").read_bytes(), name, name) for name in VIEWS]
    return [*views, *load_metrics((SHIPPED / "metrics.yaml").read_bytes(), "metrics.yaml")]


@pytest.mark.parametrize("moments", [{}, {"as_of": MARCH, "known_at": APRIL}], ids=["now", "then"])
def test_every_view_and_metric_answers_where_nothing_has_happened(told, moments):
    major = load_definition(text_of("major-project"), "major-project")
    told._history.write(told._history.definition(**major.body))
    tables = told.views
    at = relations(tables, **moments)
    for question in questions():
        assert _answer(tables, at, question) is not None


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_every_view_and_metric_fits_the_workflows_that_ship(question, fitted):
    """Those whose workflows are not all there yet cannot be judged."""
    tables, at = fitted
    if at.missing(question.select):
        pytest.skip(f"not shipped: {', '.join(at.missing(question.select))}")
    assert _answer(tables, at, question) is not None


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    log = opened_log("sqlite", folder)
    history = History(log)
    for file in shipped():
        body = load_definition(file.read_bytes(), file.name).body
        if body["version"] >= RENEWED.get(body["workflow"], 1):
            history.write(history.definition(**body))
    runner = Runner(log, folder / "views.db")
    runner.catch_up()
    tables = open_for_reading(folder / "views.db")
    yield tables, relations(tables)
    tables.close()
    runner.close()
    log.close()


def test_every_metric_belongs_to_a_view_that_ships():
    metrics = load_metrics((SHIPPED / "metrics.yaml").read_bytes(), "metrics.yaml")
    views = {load_view((SHIPPED / f"{name}.yaml").read_bytes(), name, name).id for name in VIEWS}
    assert {metric.view for metric in metrics} <= views


def test_no_shipped_view_uses_what_only_one_database_knows():
    for question in questions():
        assert not re.search(
            r"(?i)julianday|strftime|json_|ifnull|\|\||printf|glob\b", question.select.text
        )


def _answer(tables: Tables, at: Relations, question: Question):
    if hasattr(question, "version"):
        return figures(tables, at, question)
    return ask(tables, at, question, dict.fromkeys(question.parameters), 10)


def test_a_definition_that_is_not_published_is_named_by_the_view(tmp_path):
    log = opened_log("sqlite", tmp_path)
    runner = Runner(log, tmp_path / "views.db")
    runner.catch_up()
    tables = open_for_reading(tmp_path / "views.db")
    with pytest.raises(NotFound, match="V9 needs the workflow raid, which is not published"):
        opened(tables, "raid")
    tables.close()
    runner.close()
    log.close()
