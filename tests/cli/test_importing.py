"""``pmo import``: trying it first, and who imported what."""

from __future__ import annotations

import pytest

MAPPING = """\
mapping: projects
workflow: project
identify: name
events:
  joined: {name: ProjectJoined, state: in_portfolio}
  left: {name: ProjectLeft, state: left_portfolio}
  rejoined: {name: ProjectRejoined, state: in_portfolio}
  otherwise: FiguresReported
reports:
  "2021": {file: 2021.csv, layout: plain, as_of: 2021-03-31}
  "2022": {file: 2022.csv, layout: plain, as_of: 2022-03-31}
layouts:
  plain: {columns: {name: Project, cost: Cost}}
"""
REPORTS = {
    "2021.csv": "Project,Cost\nBridge,1\nTunnel,dear\n,4\n",
    "2022.csv": "Project,Cost\nBridge,2\nHarbour,3\n",
}
EVENTS = {"ProjectJoined": 3, "ProjectLeft": 1, "FiguresReported": 1}
BEGUN = {"PRJ-0001": "Bridge", "PRJ-0002": "Tunnel", "PRJ-0003": "Harbour"}


@pytest.fixture
def mapping(tmp_path):
    (tmp_path / "projects.yaml").write_text(MAPPING, encoding="utf-8")
    for name, text in REPORTS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / "projects.yaml")


def test_a_dry_run_says_what_would_be_recorded_and_changes_nothing(pmo, mapping):
    before = {file.name: file.read_bytes() for file in pmo.home.glob("*.db")}
    answer = pmo.done("import", mapping, "--dry-run")
    assert answer.out.splitlines() == [
        "would be recorded  events",
        "ProjectJoined           3",
        "FiguresReported         1",
        "ProjectLeft             1",
        "",
        "would begin  called",
        "PRJ-0001     Bridge",
        "PRJ-0002     Tunnel",
        "PRJ-0003     Harbour",
    ]
    assert "2021.csv:3:2: 'dear' is not money" in answer.err
    assert "2021.csv:4:1: row 4 has no name (it is left out" in answer.err
    assert {file.name: file.read_bytes() for file in pmo.home.glob("*.db")} == before


def test_what_a_dry_run_foretells_is_what_the_import_does(pmo, mapping):
    foretold = pmo.done("import", mapping, "--dry-run", "--json").json()
    assert (foretold["recorded"], foretold["events"], foretold["begun"]) == (False, EVENTS, BEGUN)
    done = pmo.done("import", mapping, "--json").json()
    assert done == foretold | {"recorded": True}
    again = pmo.done("import", mapping, "--dry-run")
    assert again.out == "nothing new: all of it is recorded already\n"


def test_a_dry_run_refuses_what_the_import_would_refuse(pmo, mapping, tmp_path):
    answer = pmo("import", mapping, "--dry-run", "--strict")
    assert answer.code == 2
    assert "'dear' is not money" in answer.err
    (tmp_path / "2022.csv").write_text("Project,Price\nBridge,2\n", encoding="utf-8")
    answer = pmo("import", mapping, "--dry-run")
    assert answer.code == 2
    assert "2022.csv:1: no heading fits 'Cost'" in answer.err


def test_every_event_says_who_imported_it(pmo, mapping):
    pmo.done("import", mapping, "--as", "ana:pmo-analyst")
    entries = pmo.done("history", "PRJ-0001", "--json").json()
    assert {(one["actor"], one["actor_kind"], one["on_behalf_of"]) for one in entries} == {
        ("projects", "import", "ana")
    }
    assert "projects for ana (import)" in pmo.done("history", "PRJ-0001").out


def test_somebody_else_may_import_what_was_corrected(pmo, mapping, tmp_path):
    pmo.done("import", mapping, "--as", "ana")
    (tmp_path / "2022.csv").write_text("Project,Cost\nBridge,2\nHarbour,4\n", encoding="utf-8")
    assert pmo.done("import", mapping, "--json", "--as", "ben").json()["events"] == {
        "FiguresReported": 1
    }
    last = pmo.done("history", "PRJ-0003", "--json").json()[-1]
    assert (last["actor"], last["on_behalf_of"]) == ("projects", "ben")
