"""What is wrong with definitions, and files beside them, on the command line: ``pmo check``."""

from __future__ import annotations

import pytest

from tests.cli.conftest import WORKFLOWS, edit
from workflows import BESIDE


def test_the_shipped_workflows_hold(nowhere):
    answer = nowhere.done("check")
    assert "decision" in answer.out
    assert answer.err == ""


def test_scenarios_beside_a_definition_are_played(nowhere):
    told = nowhere.done("check", str(WORKFLOWS)).out
    assert "objective 1: 3 states, 2 transitions, 2 of 2 scenarios hold" in told
    assert "  no scenario takes proposed -close-> closed" in told
    assert "proposed -activate-> active" not in told
    assert "decision 1: 4 states, 3 transitions, no scenarios" in told


def test_what_ships_beside_definitions_is_checked_too(nowhere):
    report = nowhere.done("check", *map(str, BESIDE), "--json").json()
    kinds = {file["kind"] for file in report["files"]}
    assert kinds == {"mapping", "view", "metrics", "chapter"}
    shipped = [file for folder in BESIDE for file in folder.glob("*.yaml")]
    assert sorted(file["file"] for file in report["files"]) == sorted(map(str, shipped))


BROKEN = {
    "imports/list.yaml": """mapping: list
workflow: objectiv
identify: title
colour: red
events: {joined: {name: Joined, state: proposed}, left: {name: Left, state: closed}}
reports: {Spring: {file: spring.csv, layout: list, as_of: 2025-03-31}}
layouts: {list: {columns: {title: Title}}}
""",
    "imports/lost.yaml": """mapping: lost
workflow: objective
identify: title
events:
  joined: {name: Joined, state: proposed}
  left: {name: Left, state: gone}
  rejoined: {name: Back, state: proposed}
  otherwise: Told
reports: {Spring: {file: spring.csv, layout: liste, as_of: 2025-03-31}}
layouts: {list: {columns: {titel: Title, title: Titel}}}
""",
    "views/late.yaml": """id: L1
title: Late
about: What is late?
colour: red
sql: SELECT 1
""",
    "views/lost.yaml": """id: L2
title: Lost
about: What is lost?
sql: |
  SELECT o.key
  FROM objectve AS o
""",
    "year/one.yaml": """chapter: One
scenes:
  - scene: It begins
    on: soon
    steps:
      - {start: objective, as: sue}
  - scene: It goes on
    on: 2026-01-05
    steps:
      - {start: objective, colour: red}
      - {do: activate, sign: for}
""",
    "early/year/one.yaml": """chapter: One
scenes:
  - scene: It begins
    on: 2026-01-05
    steps:
      - {start: objectve, as: sue}
      - {do: activate, case: <other>}
""",
    "settings.yaml": """source: /pmo
kafak: {}
""",
    "lonely.scenarios.yaml": "scenarios: []\n",
}
WRONG_BESIDE = [
    "early/year/one.yaml:7:9: on 2026-01-05 nothing is called 'other'",
    "early/year/one.yaml:6:9: there is no workflow 'objectve' (did you mean 'objective'?)",
    "imports/list.yaml:4:1: there is no key 'colour' here",
    "imports/list.yaml:5:1: the key 'rejoined' is missing (add 'rejoined')",
    "imports/list.yaml:5:1: the key 'otherwise' is missing (add 'otherwise')",
    "imports/lost.yaml:9:46: there is no layout 'liste' (did you mean 'list'?)",
    "imports/lost.yaml:10:28: objective has no field 'titel' (did you mean 'title'?)",
    "imports/lost.yaml:6:29: objective has no state 'gone'",
    "lonely.scenarios.yaml: holds scenarios, and no definition (name lonely.yaml, beside it",
    "settings.yaml:2:1: there is no key 'kafak' here (did you mean 'kafka'?)",
    "views/late.yaml:4:1: there is no key 'colour' here",
    "views/lost.yaml:6:8: there is no relation 'objectve' (did you mean 'objective'?)",
    "year/one.yaml:4:9: on: 'soon' is not a date",
    "year/one.yaml:10:28: there is no key 'colour' here",
    "year/one.yaml:11:9: needs exactly one of start, do",
]


def test_all_that_is_wrong_with_files_of_other_kinds_is_told_at_once(nowhere, folder):
    for name, text in BROKEN.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    answer = nowhere("check", str(folder))
    assert answer.code == 1
    problems = answer.err.splitlines()
    assert len(problems) == len(WRONG_BESIDE), answer.err
    for problem, wanted in zip(problems, WRONG_BESIDE, strict=True):
        assert problem.startswith(f"error: {folder}/{wanted}")
    assert f"{folder}/project.yaml: project 1: " in answer.out


def test_a_file_that_lacks_the_key_of_its_kind_is_known_by_its_folder(nowhere, folder):
    file = folder / "imports" / "list.yaml"
    file.parent.mkdir()
    file.write_text("maping: list\n", encoding="utf-8")
    answer = nowhere("check", str(folder))
    assert (
        f"error: {file}:1:1: there is no key 'maping' here (did you mean 'mapping'?)" in answer.err
    )


def test_what_keeps_all_scenarios_from_beginning_is_told_once(nowhere, folder):
    file = folder / "objective.scenarios.yaml"
    text = file.read_text(encoding="utf-8")
    begins = "background: [{start: objective, as: eve:visitor, data: {title: A}}]\n"
    file.write_text(begins + text, encoding="utf-8")
    told = nowhere("check", str(folder / "objective.yaml")).out
    assert told.count("objective cannot start") == 1
    assert "(so 2 scenarios do not begin)" in told
    assert "no scenario takes" not in told


def test_a_scenario_that_fails_is_named_with_its_place(nowhere, folder):
    edit(folder / "objective.scenarios.yaml", "state: active", "state: closed")
    answer = nowhere("check", str(folder))
    assert answer.code == 1
    assert f"{folder}/objective.scenarios.yaml:2:" in answer.out
    assert "state is 'active', should be 'closed'" in answer.out


def test_every_problem_has_its_line_and_column_and_a_way_to_mend_it(nowhere, folder):
    edit(folder / "decision.yaml", "to: in_review", "to: in_reveiw")
    edit(folder / "objective.yaml", "trigger: close", "triger: close")
    answer = nowhere("check", str(folder))
    assert answer.code == 1
    problems = answer.err.splitlines()
    assert any(f"error: {folder}/decision.yaml:23:" in problem for problem in problems)
    assert any(
        f"error: {folder}/objective.yaml:16:" in p and "did you mean 'trigger'?" in p
        for p in problems
    )


def test_what_checking_found_comes_as_json(nowhere, folder):
    report = nowhere.done("check", str(folder), "--json").json()
    assert report["ok"] is True
    assert [d["workflow"] for d in report["definitions"]] == ["decision", "objective", "project"]
    edit(folder / "decision.yaml", "to: in_review", "to: in_reveiw")
    assert nowhere("check", str(folder), "--json").json()["problems"]


def test_the_schema_is_printed_for_editors(nowhere):
    schema = nowhere.done("check", "--schema").json()
    assert schema["$schema"].endswith("2020-12/schema")


def test_of_very_many_problems_the_first_are_told_and_how_many_more_there_are(pmo, tmp_path):
    file = tmp_path / "far.yaml"
    states = "".join(f"  island{number}: {{final: true}}\n" for number in range(1_500))
    file.write_text(
        "workflow: far\nversion: 1\ntitle: Far\nkey: FAR\nstates:\n"
        f"  here: {{initial: true, final: true}}\n{states}"
    )
    for words in (["check", str(file)], ["publish", str(file)]):
        *told, rest = pmo(*words).err.splitlines()
        assert len(told) == 20
        assert told[0].startswith(f"error: {file}:7:3: nothing leads to island0 from here")
        assert rest == "and 1,480 more"
    problems = pmo("check", str(file), "--json").json()["problems"]
    assert len(problems) == 1_500


def test_a_reference_to_a_workflow_that_exists_nowhere_is_told(pmo, folder):
    file = folder / "decision.yaml"
    edit(file, "to: objective", "to: objectiv")
    for words, code in ((["check", str(folder)], 1), (["publish", str(file)], 2)):
        answer = pmo(*words)
        assert answer.code == code
        told = f"error: {file}:11:30: there is no workflow 'objectiv' (did you mean 'objective'?)"
        assert answer.err.splitlines() == [told]
    assert pmo.done("status", "--json").json()["head"] == 3


def test_a_condition_that_speaks_of_what_the_other_workflow_has_not_is_told(pmo, folder):
    file = folder / "decision.yaml"
    edit(file, 'objective.state == "active"', 'objective.state == "activ"')
    answer = pmo("check", str(file))
    assert answer.code == 1
    assert answer.err.startswith(f"error: {file}:35:16: ")


def test_without_a_home_what_is_referred_to_may_be_shipped(nowhere, folder):
    nowhere.done("check", str(folder / "decision.yaml"))


def test_a_folder_without_definitions_is_told(nowhere, tmp_path):
    answer = nowhere("check", str(tmp_path))
    assert answer.code == 1
    assert "there are no definitions here" in answer.err


HOSTILE = {
    "binary": b"\x7fELF\x02\x01\x01\x00\x00\x00",
    "not UTF-8": "title: Zürich".encode("latin-1"),
    "empty": b"",
    "a list": b"- a\n- b\n",
    "an alias bomb": b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "tabs": b"workflow:\n\tname: x\n",
    "too long": b"# " + b"x" * 2_000_000,
    "too deep": b"a: " + b"[" * 5_000,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_that_is_no_definition_is_told_with_its_name(pmo, tmp_path, content):
    file = tmp_path / "hostile.yaml"
    file.write_bytes(content)
    for words, code in ((["check", str(file)], 1), (["publish", str(file)], 2)):
        answer = pmo(*words)
        assert answer.code == code
        assert answer.err.startswith(f"error: {file}")


def test_scenarios_that_are_named_as_a_definition_are_told(pmo, folder):
    answer = pmo("check", str(folder / "decision.scenarios.yaml"))
    assert answer.code == 1
    assert "holds scenarios, and no definition (name decision.yaml" in answer.err


def test_a_file_that_is_not_there_is_told(pmo, tmp_path):
    for words, code in ((["check", str(tmp_path / "no")], 1), (["publish", "/no"], 2)):
        answer = pmo(*words)
        assert answer.code == code
        assert "cannot be read: No such file or directory" in answer.err
