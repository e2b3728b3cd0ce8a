"""Definitions on the command line, put in force and listed: ``pmo publish``, ``pmo workflows``."""

from __future__ import annotations

import json

import pytest

from app.definitions import from_views
from engine.errors import LogNewer
from engine.loading import load_definition
from tests.cli.conftest import WORKFLOWS, edit


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


def test_what_is_referred_to_may_be_published_and_need_not_be_checked_again(pmo, folder):
    edit(folder / "decision.yaml", "version: 1", "version: 2")
    pmo.done("check", str(folder / "decision.yaml"))
    pmo.done("publish", str(folder / "decision.yaml"))


def test_a_calendar_that_is_not_there_yet_is_told_when_it_is_published(pmo, folder):
    edit(folder / "objective.yaml", "version: 1", "version: 2\ncalendar: uk")
    answer = pmo.done("publish", str(folder / "objective.yaml"))
    assert "objective version 2 is published" in answer.out
    assert "hint: there is no calendar CAL-uk yet; no case can start before there is" in answer.err


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


def test_publishing_warns_of_what_breaks_those_who_read_the_events(pmo, folder):
    edit(folder / "decision.yaml", "version: 1", "version: 2")
    edit(folder / "decision.yaml", "emits: DecisionWithdrawn", "emits: DecisionRetracted")
    answer = pmo.done("publish", str(folder / "decision.yaml"))
    assert "decision version 2 is published" in answer.out
    assert "warning: " in answer.err
    assert "DecisionWithdrawn: is no longer recorded" in answer.err


def test_json_errors_name_every_problem(pmo, tmp_path):
    answer = pmo("publish", str(tmp_path / "no.yaml"), "--json")
    (problem,) = json.loads(answer.err)["problems"]
    assert problem["where"] == str(tmp_path / "no.yaml")


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


def test_a_definition_of_a_newer_version_in_the_views_is_no_damage_of_the_views():
    text = (WORKFLOWS / "decision.yaml").read_bytes()
    body = load_definition(text, "decision.yaml").body
    with pytest.raises(LogNewer, match="decision version 1 has hurried, which this version of pmo"):
        from_views(body | {"hurried": True})
