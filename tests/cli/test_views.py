"""Views and metrics on the command line."""

from __future__ import annotations

import csv
import io
import shutil

import pytest

from app.cli.tables import print_csv
from projections.view_definitions import load_view
from tests.cli.conftest import Pmo

VIEW = """id: L1
title: Costs
about: What does every project cost?
parameters:
  rating: {about: Only those rated so}
columns:
  cost: {title: whole cost}
sql: |
  SELECT p.key, p.name, p.cost, p."end", p.withheld
  FROM project AS p
  WHERE :rating IS NULL OR p.rating = :rating
  ORDER BY p.key
"""
METRIC = """metrics:
  - id: projects
    version: 3
    title: Projects
    about: How many there are, by rating.
    unit: projects
    view: L1
    sql: |
      SELECT coalesce(p.rating, 'none') AS rating, count(*) AS value
      FROM project AS p GROUP BY p.rating ORDER BY 1
"""


@pytest.fixture(scope="module")
def looked_at(made_home, tmp_path_factory):
    """Three projects, of which one costs nothing, one keeps its cost back, and one has none."""
    pmo = Pmo(tmp_path_factory.mktemp("views") / "home")
    shutil.copytree(made_home, pmo.home)

    def observe(key, on, *words):
        source = ["--source", "report", "--occurred-at", on, "--workflow", "project"]
        pmo.done("observe", key, "Reported", *words, *source)

    observe("PRJ-0001", "2020-03-31", "name=Bridge", "rating=Red", "cost=1.5m", "end=2022-01-01")
    observe("PRJ-0002", "2020-03-31", "name=Tunnel", "rating=Green", "cost=0")
    observe("PRJ-0003", "2021-03-31", "name=Station", "--withhold", "cost=FOI 43")
    folder = pmo.home / "views"
    folder.mkdir()
    (folder / "costs.yaml").write_text(VIEW, encoding="utf-8")
    (folder / "metrics.yaml").write_text(METRIC, encoding="utf-8")
    return pmo


def test_the_views_that_ship_are_listed_with_those_of_the_home(looked_at):
    rows = looked_at.done("view").out.splitlines()
    assert rows[0].split() == ["id", "name", "title"]
    names = [row.split()[1] for row in rows[1:]]
    assert names[0] == "support"
    assert names.index("costs") < names.index("decisions") < names.index("waiting")
    assert names.index("waiting") < names.index("alignment")
    assert any(row.endswith("Reward ledger (restricted)") for row in rows)
    listed = looked_at.done("view", "--json").json()
    assert {"V1", "V19", "L1"} <= {view["id"] for view in listed}


def test_missing_withheld_and_zero_look_different(looked_at):
    told = looked_at.done("view", "costs").out.splitlines()
    assert told == [
        "L1  Costs",
        "What does every project cost?",
        "",
        "key       name              whole cost  end",
        "PRJ-0001  Bridge         GBP 1,500,000  2022-01-01",
        "PRJ-0002  Tunnel                 GBP 0  \N{EN DASH}",
        "PRJ-0003  Station  withheld (FOI 43)  \N{EN DASH}",
    ] or told[4].split() == ["PRJ-0001", "Bridge", "GBP", "1,500,000", "2022-01-01"]
    assert "GBP 0" in told[5]
    assert "withheld (FOI 43)" in told[6]


def test_json_keeps_all_three_apart(looked_at):
    answer = looked_at.done("view", "L1", "--json").json()
    assert [row["cost"] for row in answer["rows"]] == [1500000, 0, {"withheld": "FOI 43"}]
    assert [row["end"] for row in answer["rows"]] == ["2022-01-01", None, None]
    assert answer["columns"][2] == {"name": "cost", "title": "whole cost", "unit": "GBP"}


def test_csv_can_be_read_again(looked_at):
    text = looked_at.done("view", "costs", "--csv").out
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["cost"] for row in rows] == ["1500000", "0", "withheld (FOI 43)"]
    assert [row["end"] for row in rows] == ["2022-01-01", "", ""]


def test_a_view_takes_parameters_and_moments(looked_at):
    def keys(*words):
        return [
            row["key"] for row in looked_at.done("view", "costs", "--json", *words).json()["rows"]
        ]

    assert keys("rating=Red") == ["PRJ-0001"]
    assert keys("--as-of", "2020-12-31") == ["PRJ-0001", "PRJ-0002"]
    assert keys("--known-at", "2019-12-31") == []


def test_a_view_in_which_nothing_is_says_what_was_asked_for_and_what_was_probably_meant(looked_at):
    told = looked_at.done("view", "costs", "rating=Purple").out.splitlines()
    assert told[3:] == ["nothing found with rating=Purple"]
    told = looked_at.done("view", "costs", "--known-at", "2019-12-31").out.splitlines()
    assert told[2:] == ["as known at 2019-12-31", "", "nothing found"]
    shown = VIEW.replace("p.name, p.cost", "p.name, p.rating, p.cost")
    folder = looked_at.home.parent / "shown"
    folder.mkdir(exist_ok=True)
    (folder / "rated.yaml").write_text(shown.replace("id: L1", "id: L2"), encoding="utf-8")
    told = looked_at.done("view", "rated", "rating=Gren", "--views", str(folder)).out.splitlines()
    assert told[-1] == "nothing found with rating=Gren (did you mean rating=Green?)"
    assert looked_at.done("view", "costs", "rating=Purple", "--json").json()["rows"] == []
    assert looked_at.done("view", "costs", "rating=Purple", "--csv").out.splitlines() == [
        "key,name,cost,end"
    ]


def test_a_choice_that_no_row_can_have_is_an_error_of_views_of_one_s_own_too(looked_at):
    folder = looked_at.home.parent / "chosen"
    folder.mkdir(exist_ok=True)
    file = folder / "rated.yaml"
    file.write_text(VIEW.replace("rating: {", "rating: {of: project.rating, "), encoding="utf-8")
    looked_at.done("view", "rated", "rating=Red", "--views", str(folder))
    answer = looked_at("view", "rated", "rating=Ambre", "--views", str(folder))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "error: rating: 'Ambre' is not a choice (did you mean 'Amber'?)\n"
    file.write_text(VIEW.replace("rating: {", "rating: {of: project.ratng, "), encoding="utf-8")
    answer = looked_at("check", str(folder))
    assert answer.code == 1
    assert "parameter rating: project.ratng is no choice and no state" in answer.err


def test_what_a_view_does_not_take_is_told(looked_at):
    answer = looked_at("view", "costs", "ratng=Red")
    assert (answer.code, "did you mean 'rating'?" in answer.err) == (2, True)
    answer = looked_at("view", "costs", "Red")
    assert (answer.code, "PARAMETER=VALUE" in answer.err) == (2, True)
    answer = looked_at("view", "costs", "rating=Red", "rating=Green")
    assert (answer.code, "rating: is given twice" in answer.err) == (2, True)
    for word in ("rating!=Red", "rating>=Red", "rating~Red", "rating==Red"):
        answer = looked_at("view", "costs", word)
        assert (answer.code, "(write rating=Red)" in answer.err) == (2, True)
    answer = looked_at("view", "cost")
    assert (answer.code, "did you mean 'costs'?" in answer.err) == (2, True)


def test_more_rows_than_asked_for_are_told(looked_at):
    answer = looked_at.done("view", "costs", "--limit", "2")
    assert "PRJ-0003" not in answer.out
    assert answer.err == "these are the first 2 rows; --limit shows more\n"


def test_a_view_whose_workflow_is_not_published_says_which(looked_at):
    answer = looked_at("view", "V9")
    assert answer.code == 2
    assert "V9 needs the workflow raid, which is not published" in answer.err


def test_a_restricted_view_is_shown_to_its_readers_only(looked_at):
    answer = looked_at("view", "rewards", actor="pat:requester")
    assert answer.code == 1
    assert "V15 Reward ledger is restricted: it needs --as NAME:remuneration-body" in answer.err
    allowed = looked_at("view", "rewards", actor="rae:remuneration-body")
    assert "needs the workflow performance-review" in allowed.err


def test_one_mistake_does_not_take_all_views_away(looked_at, tmp_path):
    (tmp_path / "wrong.yaml").write_text(VIEW.replace("SELECT", "DROP"), encoding="utf-8")
    (tmp_path / "right.yaml").write_text(VIEW.replace("p.cost", "p.costs"), encoding="utf-8")
    with_them = ["--views", str(tmp_path)]
    listed = looked_at("view", *with_them)
    assert listed.code == 1
    assert "wrong.yaml:9:3: is not a SELECT" in listed.err
    assert "V1 " in listed.out
    assert looked_at.done("view", "costs", *with_them).out
    broken = looked_at("view", "wrong", *with_them)
    assert (broken.code, "wrong.yaml:9:3" in broken.err) == (2, True)
    unknown = looked_at("view", "right", *with_them)
    assert "right.yaml:9:27: L1: there is no column: p.costs (did you mean cost?)" in unknown.err


def test_a_folder_of_views_has_to_be_one(looked_at, tmp_path):
    answer = looked_at("view", "--views", str(tmp_path / "none"))
    assert (answer.code, "is not a folder" in answer.err) == (2, True)


def test_a_view_of_the_home_takes_the_place_of_one_that_ships(pmo):
    (pmo.home / "views").mkdir()
    (pmo.home / "views" / "decisions.yaml").write_text(VIEW, encoding="utf-8")
    assert pmo.done("view", "decisions").out.startswith("L1  Costs")


def test_a_metric_is_told_with_its_version_and_groups(looked_at):
    rows = looked_at.done("metrics", "projects").out.splitlines()
    assert [row.split() for row in rows[1:4]] == [
        ["projects", "3", "Green", "1", "projects"],
        ["projects", "3", "Red", "1", "projects"],
        ["projects", "3", "none", "1", "projects"],
    ]
    assert rows[-1] == "Projects: How many there are, by rating."
    (metric,) = looked_at.done("metrics", "L1", "--json").json()
    assert (metric["version"], metric["figures"][0]) == (3, {"group": ["Green"], "value": 1})


def test_of_all_metrics_those_that_lack_a_workflow_say_so(looked_at):
    measured = {one["id"]: one for one in looked_at.done("metrics", "--json").json()}
    assert measured["reuse"]["figures"] == [{"group": [], "value": 0}]
    assert measured["waivers-open"]["figures"] == []
    assert "needs the workflow waiver" in measured["waivers-open"]["lacking"]
    assert "restricted" in measured["rewards-on-restated-figures"]["lacking"]


def test_a_metric_that_is_not_there_is_told(looked_at):
    answer = looked_at("metrics", "project")
    assert (answer.code, "did you mean 'projects'?" in answer.err) == (2, True)


def test_a_view_asked_for_by_name_does_not_read_the_files_of_others(looked_at, monkeypatch):
    read = []

    def spy(text, file, name):
        read.append(name)
        return load_view(text, file, name)

    monkeypatch.setattr("app.views.load_view", spy)
    looked_at.done("view", "costs")
    assert read == ["costs"]
    looked_at("view", "V1")
    assert len(read) > 2


def test_csv_hands_no_formula_to_a_spreadsheet(capsys):
    texts = ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "a=1", "'quoted'"]
    print_csv(["title", "amount"], [[text, -1.5] for text in texts] + [[None, 0]])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))[1:]
    told = ["'=1+1", "'+1", "'-1", "'@sum", "' x", "'\\rx", "a=1", "'quoted'", ""]
    assert [row[0] for row in rows] == told
    assert [row[1] for row in rows] == ["-1.5"] * len(texts) + ["0"]
