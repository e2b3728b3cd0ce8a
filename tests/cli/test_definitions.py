"""Workflows on the command line: check, publish, workflows, diagram."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from workflows import BESIDE

WORKFLOWS = Path(__file__).parent / "workflows"


@pytest.fixture
def folder(tmp_path):
    """A folder of definitions that a test can change."""
    copy = tmp_path / "definitions"
    shutil.copytree(WORKFLOWS, copy)
    return copy


def edit(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


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


LETTER = """
workflow: letter
version: 1
title: Letter
key: L
roles: {clerk: }
data: {title: {type: text}}
states: {open: {initial: true}, shut: {final: true}}
transitions: [{trigger: shut, from: open, to: shut}]
"""
FILE = """
workflow: file
version: 1
title: File
key: F
data: {letter: {type: ref, to: letter}}
states: {open: {initial: true}, shut: {final: true}}
transitions: [{trigger: shut, from: open, to: shut, when: has(letter.data.title)}]
"""


def test_what_a_case_of_an_older_version_goes_by_is_not_corrected_until_it_has_ended(pmo, tmp_path):
    letter, file = tmp_path / "letter.yaml", tmp_path / "file.yaml"
    letter.write_text(LETTER, encoding="utf-8")
    file.write_text(FILE, encoding="utf-8")
    pmo.done("publish", str(letter), str(file), "--as", "olaf")
    pmo.done("start", "letter", "title=Hello", "--as", "ann")
    pmo.done("start", "file", "letter=L-0001", "--as", "ann")
    edit(file, "version: 1", "version: 2")
    edit(file, ", when: has(letter.data.title)", "")
    pmo.done("publish", str(file), "--as", "olaf")
    mend = "{trigger: mend, from: [open, shut], by: clerk, corrects: title}"
    edit(letter, "version: 1", "version: 2")
    edit(letter, "to: shut}]", f"to: shut}}, {mend}]")
    told = "title is no clerical matter: file 1, by which cases still go on, goes by it"
    for verb in (["check"], ["publish", "--as", "olaf"]):
        assert told in pmo(*verb, str(letter)).err
    pmo.done("do", "F-0001", "shut", "--as", "ann")
    pmo.done("publish", str(letter), "--as", "olaf")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mapping: m\nworkflow: decision\n", "a mapping of reports and no definition"),
        ("id: X1\ntitle: X\nsql: SELECT 1\n", "a view and no definition"),
        ("background: []\nscenarios: []\n", "scenarios and no definition"),
        ("chapter: One\nscenes: []\n", "a chapter of a year and no definition"),
    ],
)
def test_a_file_of_another_kind_is_not_published_but_told_as_what_it_is(pmo, folder, text, told):
    (folder / "other.yaml").write_text(text, encoding="utf-8")
    answer = pmo("publish", str(folder))
    assert answer.code == 2
    (line,) = answer.err.splitlines()
    assert f"{folder}/other.yaml:1:1: this is {told}" in line


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


def test_what_is_referred_to_may_be_published_and_need_not_be_checked_again(pmo, folder):
    edit(folder / "decision.yaml", "version: 1", "version: 2")
    pmo.done("check", str(folder / "decision.yaml"))
    pmo.done("publish", str(folder / "decision.yaml"))


def test_a_calendar_that_is_not_there_yet_is_told_when_it_is_published(pmo, folder):
    edit(folder / "objective.yaml", "version: 1", "version: 2\ncalendar: uk")
    answer = pmo.done("publish", str(folder / "objective.yaml"))
    assert "objective version 2 is published" in answer.out
    assert "hint: there is no calendar CAL-uk yet; no case can start before there is" in answer.err


def test_without_a_home_what_is_referred_to_may_be_shipped(nowhere, folder):
    nowhere.done("check", str(folder / "decision.yaml"))


def test_a_folder_without_definitions_is_told(nowhere, tmp_path):
    answer = nowhere("check", str(tmp_path))
    assert answer.code == 1
    assert "there are no definitions here" in answer.err


def test_publishing_the_same_again_changes_nothing(pmo):
    answer = pmo.done("publish", str(WORKFLOWS / "decision.yaml"))
    assert "decision version 1 was published already" in answer.out
    assert pmo.done("status", "--json").json()["head"] == 3


def test_a_changed_definition_needs_a_new_version(pmo, folder):
    edit(folder / "decision.yaml", "title: Governance decision", "title: Decision")
    answer = pmo("publish", str(folder / "decision.yaml"))
    assert answer.code == 2
    assert "give the changed definition version 2" in answer.err
    edit(folder / "decision.yaml", "version: 1", "version: 2")
    published = pmo.done("publish", str(folder / "decision.yaml"), "--json").json()
    assert [(p["version"], p["position"], p["new"]) for p in published] == [(2, 4, True)]


def test_running_cases_stay_with_the_definition_they_began_with(pmo, folder):
    pmo.done("start", "decision", "title=Old")
    edit(folder / "decision.yaml", "version: 1", "version: 2")
    edit(folder / "decision.yaml", "trigger: withdraw", "trigger: retract")
    pmo.done("publish", str(folder / "decision.yaml"))
    pmo.done("start", "decision", "title=New")
    assert "can withdraw" in pmo.done("do", "DEC-0001").out
    assert "can withdraw" in pmo.done("show", "DEC-0001").out
    assert "can retract" in pmo.done("show", "DEC-0002").out


def test_nothing_is_published_when_one_of_several_cannot_be(pmo, folder):
    (folder / "bad.yaml").write_text("workflow: bad", encoding="utf-8")
    edit(folder / "project.yaml", "version: 1", "version: 2")
    answer = pmo("publish", str(folder))
    assert answer.code == 2
    assert f"{folder}/bad.yaml" in answer.err
    assert pmo.done("status", "--json").json()["head"] == 3


def test_nothing_is_published_when_one_of_several_cannot_follow_the_one_before(pmo, folder):
    edit(folder / "objective.yaml", "version: 1", "version: 2")
    edit(folder / "decision.yaml", "title: Governance", "title: Other governance")
    answer = pmo("publish", str(folder / "objective.yaml"), str(folder / "decision.yaml"))
    assert answer.code == 2
    assert "decision.yaml:2:10: decision version 1 is already published" in answer.err
    assert pmo.done("status", "--json").json()["head"] == 3


def test_a_field_that_was_dropped_comes_back_with_its_type_or_not_at_all(pmo, folder, tmp_path):
    file = folder / "project.yaml"
    text = file.read_text(encoding="utf-8")

    def version(number, fields=""):
        changed = text.replace("version: 1", f"version: {number}").replace(
            "data:\n", f"data:\n{fields}"
        )
        file.write_text(changed, encoding="utf-8")
        return str(file)

    pmo.done("publish", version(2, "  rank: {type: number}\n"))
    pmo.done("publish", version(3))
    where = f"{version(4, '  rank: {type: text}' + chr(10))}:6:"
    told = (
        "was number in version 2 and cannot become text (registers and subscribers rely on it: add"
    )
    for verb in (["publish"], ["check"], ["contract", "diff"]):
        answer = pmo(*verb, str(file))
        assert answer.code in (1, 2)
        assert told in answer.err, verb
        assert where in answer.err, verb
    alone = tmp_path / "alone"
    against = pmo("check", str(file), "--against", str(pmo.home), "--home", str(alone))
    assert told in against.err
    assert pmo.done("status", "--json").json()["parked"] == []
    pmo.done("publish", version(4, "  rank: {type: number}\n"))


def test_published_definitions_are_listed_with_who_published_them(pmo):
    rows = pmo.done("workflows", "--json").json()
    assert [(row["name"], row["published_by"]) for row in rows] == [
        ("decision", "operator"),
        ("objective", "operator"),
        ("project", "operator"),
    ]
    assert pmo.done("workflows").out.startswith("workflow")


def test_a_workflow_and_a_case_are_drawn(decision, tmp_path):
    file = tmp_path / "case.svg"
    decision.done("diagram", "DEC-0001", "-o", str(file))
    assert ET.parse(file).getroot().tag.endswith("svg")
    assert decision.done("diagram", "decision").out.lstrip().startswith("<")
    mermaid = decision.done("diagram", "DEC-0001", "--format", "mermaid").out
    assert mermaid.startswith("stateDiagram-v2")
    assert "current" in mermaid


@pytest.mark.parametrize("words", [["decison"], ["DEC-1"], ["decision", "-o", "/nowhere/a.svg"]])
def test_what_cannot_be_drawn_is_told(decision, words):
    answer = decision("diagram", *words)
    assert answer.code == 2
    assert answer.err.startswith("error: ")


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


def test_publishing_warns_of_what_breaks_those_who_read_the_events(pmo, folder):
    edit(folder / "decision.yaml", "version: 1", "version: 2")
    edit(folder / "decision.yaml", "emits: DecisionWithdrawn", "emits: DecisionRetracted")
    answer = pmo.done("publish", str(folder / "decision.yaml"))
    assert "decision version 2 is published" in answer.out
    assert "warning: " in answer.err
    assert "DecisionWithdrawn: is no longer recorded" in answer.err


def test_a_file_that_is_not_there_is_told(pmo, tmp_path):
    for words, code in ((["check", str(tmp_path / "no")], 1), (["publish", "/no"], 2)):
        answer = pmo(*words)
        assert answer.code == code
        assert "cannot be read: No such file or directory" in answer.err


def test_json_errors_name_every_problem(pmo, tmp_path):
    answer = pmo("publish", str(tmp_path / "no.yaml"), "--json")
    (problem,) = json.loads(answer.err)["problems"]
    assert problem["where"] == str(tmp_path / "no.yaml")


TWO_WAYS = """
workflow: tender
version: 1
title: Tender
key: TEN
roles: {requester: }
data: {amount: {type: number}, reason: {type: text}}
states: {open: {initial: true}, awarded: {final: true}}
start: {by: requester}
transitions:
  - {trigger: award, from: open, to: awarded, by: requester, needs: amount, when: data.amount < 5}
  - {trigger: award, from: open, to: awarded, by: requester, needs: [amount, reason]}
"""


@pytest.mark.parametrize(("given", "tip"), [([], "data.amount"), (["reason=large"], "reason")])
def test_of_two_ways_by_one_trigger_the_diagram_of_a_case_marks_the_one_it_took(
    pmo, tmp_path, given, tip
):
    file = tmp_path / "tender.yaml"
    file.write_text(TWO_WAYS, encoding="utf-8")
    pmo.done("publish", str(file))
    pmo.done("start", "tender", "amount=4")
    pmo.done("do", "TEN-0001", "award", *given)
    picture = pmo.done("diagram", "TEN-0001").out
    (taken,) = re.findall('<g class="label taken">.*?<title>(.*?)</title>', picture, re.DOTALL)
    assert tip in taken


def test_a_diagram_that_cannot_be_written_leaves_what_was_there(pmo, tmp_path, monkeypatch):
    picture = tmp_path / "decision.svg"
    picture.write_text("the one before", encoding="utf-8")

    def fill_the_disk(file, text, **_):
        file.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", fill_the_disk)
        answer = pmo("diagram", "decision", "-o", str(picture))
    assert answer.code == 2
    assert "cannot be written: No space left on device" in answer.err
    assert [file.name for file in tmp_path.glob("*decision.svg*")] == ["decision.svg"]
    assert picture.read_text(encoding="utf-8") == "the one before"


def test_a_diagram_goes_where_a_link_points(pmo, tmp_path):
    (tmp_path / "link.svg").symlink_to(tmp_path / "real.svg")
    (tmp_path / "real.svg").write_text("", encoding="utf-8")
    pmo.done("diagram", "decision", "-o", str(tmp_path / "link.svg"))
    assert (tmp_path / "link.svg").is_symlink()
    assert "<svg" in (tmp_path / "real.svg").read_text(encoding="utf-8")
