"""Views and metrics are files: what is wrong with one is told with line and column."""

import re
from pathlib import Path

import pytest

from engine.errors import BadInput
from projections.choices import bodies_of, choices, faults
from projections.functions import AGGREGATES, SCALARS
from projections.relations import FIXED as RELATIONS
from projections.view_definitions import in_force, load_metrics, load_view, read_parameters

FUNCTIONS = {**SCALARS, **AGGREGATES}
GUIDE = (Path(__file__).parents[2] / "docs" / "views.md").read_text(encoding="utf-8")

VIEW = """id: R1
title: Projects
about: Which are there?
parameters:
  unit: {about: Only this one's}
  since: {type: date, default: 2026-01-01}
  most: {type: number, default: 5}
sql: |
  SELECT key
  FROM project
  WHERE unit = :unit AND since > :since AND version < :most
"""

METRICS = """metrics:
  - {id: age, version: 1, title: Age, about: How old., sql: SELECT 1}
  - {id: age, version: 2, title: Age, about: How old., since: 2026-04-01, sql: SELECT 2}
"""


def problems(text, load=lambda text: load_view(text, "r.yaml", "r")):
    with pytest.raises(BadInput) as caught:
        load(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_view_is_read():
    view = load_view(VIEW, "r.yaml", "projects")
    assert (view.id, view.name, view.title) == ("R1", "projects", "Projects")
    assert view.where(view.select.relations[0].offset) == "r.yaml:10:8"


def test_a_wrong_key_is_told_with_its_place():
    assert problems(VIEW.replace("title:", "titel:")) == [
        "r.yaml:2:1: there is no key 'titel' here (did you mean 'title'?)"
    ]


def test_what_is_no_select_is_told_at_its_line():
    text = VIEW.replace("FROM project\n", "FROM project; DROP TABLE x\n")
    assert problems(text)[0].startswith("r.yaml:10:15: there is a second statement")


def test_a_parameter_that_is_not_declared_is_told_at_its_place():
    assert problems(VIEW.replace("= :unit", "= :unti")) == [
        "r.yaml:11:16: there is no parameter :unti (did you mean 'unit'?)"
    ]


def test_sql_that_is_not_written_in_lines_is_told_where_it_begins():
    text = 'id: R1\ntitle: T\nabout: t\nsql: "SELECT :gone"\n'
    assert problems(text)[0].startswith("r.yaml:4:6: there is no parameter :gone")


def test_a_restricted_view_says_who_may_read_it():
    assert (
        "r.yaml:4:13: it is restricted to nobody"
        in problems(VIEW.replace("parameters:", "restricted: true\nparameters:"))[0]
    )
    assert "open to all" in problems(VIEW.replace("parameters:", "readers: [a]\nparameters:"))[0]


def test_parameters_are_read_as_their_type_says():
    view = load_view(VIEW, "r.yaml", "r")
    assert read_parameters(view, {"unit": "pmo", "most": "7"}) == {
        "unit": "pmo",
        "since": "2026-01-01",
        "most": 7,
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"unti": "x"}, "unti: r has no parameter 'unti' (did you mean 'unit'?)"),
        ({"since": "soon"}, "since: 'soon' is not a date (write it as 2026-12-31)"),
        ({"most": "many"}, "most: 'many' is not a number (write it like 3 or 2.5)"),
    ],
)
def test_a_parameter_that_is_none_is_told(words, told):
    view = load_view(VIEW, "r.yaml", "r")
    assert problems(words, lambda words: read_parameters(view, words)) == [told]


def test_a_parameter_that_is_needed_is_asked_for():
    view = load_view(VIEW.replace("{about: Only", "{required: true, about: Only"), "r.yaml", "r")
    assert "unit: is needed" in problems({}, lambda words: read_parameters(view, words))[0]


def test_of_a_metric_the_version_that_counted_on_a_day_is_used():
    metrics = load_metrics(METRICS, "m.yaml")
    assert [metric.version for metric in in_force(metrics, "2026-03-31")] == [1]
    assert [metric.version for metric in in_force(metrics, "2026-04-01")] == [2]


def test_one_version_of_a_metric_is_defined_once():
    (problem,) = problems(
        METRICS.replace("version: 2", "version: 1"), lambda t: load_metrics(t, "m")
    )
    assert problem == "m:3:10: age version 1 is defined twice (raise the version)"


def test_every_wrong_metric_is_told():
    text = METRICS.replace("SELECT 1", "DROP 1").replace("SELECT 2", "DROP 2")
    assert len(problems(text, lambda text: load_metrics(text, "m.yaml"))) == 2


def test_the_examples_of_the_guide_are_what_they_say():
    view, metrics = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert load_view(view, "late-tasks.yaml", "late-tasks").title == "Late tasks"
    assert [metric.id for metric in load_metrics(metrics, "metrics.yaml")] == ["tasks-late"]


@pytest.mark.parametrize("relation", sorted(RELATIONS))
def test_the_guide_names_every_relation_with_its_columns(relation):
    (row,) = re.findall(rf"^\| `{relation}` \| (.*) \|$", GUIDE, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) >= set(RELATIONS[relation])


@pytest.mark.parametrize("name", [*FUNCTIONS])
def test_the_guide_names_every_function(name):
    assert f"`{name}(" in GUIDE or name == "ground_of"


OF_COLUMN = VIEW.replace("unit: {about", "unit: {of: [project.state, all], about")
BODIES = bodies_of(
    [
        {"workflow": "project", "states": {"begun": {}, "over": {}}, "data": {}},
        {
            "workflow": "project",
            "states": {"begun": {}, "done": {}},
            "data": {"kind": {"type": "choice", "of": ["road", "rail"]}, "name": {"type": "text"}},
        },
    ]
)


def test_a_parameter_that_is_one_of_some_words_is_no_other():
    view = load_view(OF_COLUMN, "r.yaml", "r")

    def read(words):
        return read_parameters(view, words, lambda of: choices(of, BODIES))

    assert [read({"unit": word})["unit"] for word in ("over", "done", "all")] == [
        "over",
        "done",
        "all",
    ]
    assert problems({"unit": "doen"}, read) == [
        "unit: 'doen' is not a choice (did you mean 'done'?)"
    ]
    assert problems({"unit": "x"}, read) == [
        "unit: 'x' is not a choice (there is begun, over, done, all)"
    ]
    assert read({})["unit"] is None


def test_where_a_workflow_is_not_published_any_word_will_do():
    assert choices(["task.state"], BODIES) is None
    assert choices(["project.kind", "none"], BODIES) == ["road", "rail", "none"]


def test_a_column_that_says_no_words_is_told():
    assert [*faults(["project.kind", "projct.kind", "project.knd", "project.name"], BODIES)] == [
        ("there is no workflow 'projct'", "did you mean 'project'?"),
        ("project.knd is no choice and no state", "did you mean 'kind'?"),
        ("project.name is no choice and no state", "there is state, kind"),
    ]


@pytest.mark.parametrize("word", ["2026-02-30", "01.02.2026", "2026-2-1"])
def test_a_day_that_is_none_is_told(word):
    view = load_view(VIEW, "r.yaml", "r")
    (told,) = problems({"since": word}, lambda words: read_parameters(view, words))
    assert told == f"since: {word!r} is not a date (write it as 2026-12-31)"


@pytest.mark.parametrize("word", ["nan", "inf", "3 days", ""])
def test_a_number_that_is_none_is_told(word):
    view = load_view(VIEW, "r.yaml", "r")
    (told,) = problems({"most": word}, lambda words: read_parameters(view, words))
    assert told == f"most: {word!r} is not a number (write it like 3 or 2.5)"
