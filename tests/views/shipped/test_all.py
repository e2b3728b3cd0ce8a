"""The views that ship: each answers, on both clocks, with the workflows that ship."""

from __future__ import annotations

import re

import pytest

from app.cases import listed
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
from tests.views.asking import SHIPPED, measured, opened, relations, rows
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


GROUND = {"withheld": "FOI s.43"}


@pytest.fixture(scope="module")
def all_withheld(tmp_path_factory):
    """A case in each state of each workflow that ships, of which nobody may know anything."""
    folder = tmp_path_factory.mktemp("withheld")
    log = opened_log("sqlite", folder)
    history = History(log)
    fields = {}
    for file in shipped():
        body = load_definition(file.read_bytes(), file.name).body
        history.write(history.definition(**body))
        for state in body["states"]:
            key = f"{body['workflow']}-{state}"
            fields[key] = {*body["data"]}
            data = dict.fromkeys(body["data"], GROUND)
            history.write(history.observed(key, data, state=state, workflow=body["workflow"]))
    runner = Runner(log, folder / "views.db")
    runner.catch_up()
    tables = open_for_reading(folder / "views.db")
    yield tables, fields
    tables.close()
    runner.close()
    log.close()


# Their columns are of steps and events, whatever fields of the case are called.
OF_STEPS = ("audit", "plan-changes", "waiting")
OF_OTHERS = {"gates": {"title"}}
"""Columns that are of another case."""


@pytest.mark.parametrize("name", [name for name in VIEWS if name not in OF_STEPS])
def test_no_view_shows_what_is_withheld_as_if_it_were_missing(all_withheld, name):
    tables, fields = all_withheld
    for row in opened(tables, name):
        own = fields.get(row.get("key", ""), set()) & row.keys() - OF_OTHERS.get(name, set())
        assert {column: row[column] for column in own if row[column] is None} == {}


def test_what_another_view_names_a_field_is_withheld_by_its_name_there(all_withheld):
    tables, _ = all_withheld
    checks = [row for row in opened(tables, "gates") if row["gate"] == "health check"]
    assert checks
    assert all(
        (row["dca"], row["actions"], row["late"]) == (GROUND, GROUND, None) for row in checks
    )
    rows = [row for row in opened(tables, "alignment") if row["project"]]
    assert rows
    assert all((row["project_title"], row["objective"]) == (GROUND, GROUND) for row in rows)


def test_a_metric_tells_groups_that_are_withheld_from_those_that_are_missing(all_withheld):
    tables, _ = all_withheld
    (figure,) = measured(tables, "changes-by-cause")
    assert figure.group == (GROUND,)


def test_a_title_that_is_withheld_is_so_among_all_cases(all_withheld):
    tables, _ = all_withheld
    sql = "SELECT title, title_withheld FROM cases WHERE key = 'decision-draft'"
    assert rows(tables, sql) == [{"title": GROUND}]
    found, _ = listed(tables, state="draft", limit=1_000)
    assert {row["key"]: row["title"] for row in found}["decision-draft"] == GROUND
