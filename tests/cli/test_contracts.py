"""``pmo contract``, and what ``pmo check`` says of changes that break subscribers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.cli.conftest import WORKFLOWS, Pmo

DECISION = (WORKFLOWS / "decision.yaml").read_text(encoding="utf-8")


def changed(folder: Path, *edits: tuple[str, str]) -> str:
    """The decision that is published, in its next version."""
    text = DECISION.replace("version: 1", "version: 2")
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    file = folder / "decision.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.fixture
def renamed(tmp_path: Path) -> str:
    return changed(tmp_path, ("DecisionTaken", "DecisionMade"))


def test_the_events_of_what_is_published_are_listed(pmo: Pmo) -> None:
    rows = pmo.done("contract", "list", "decision", "--json").json()
    (taken,) = [row for row in rows if row["event"] == "DecisionTaken"]
    assert taken["by"] == ["approve"]
    assert "rationale" in taken["carries"]
    assert "DecisionTaken" in pmo.done("contract", "list").out


def test_a_fact_that_was_observed_is_listed_too(pmo: Pmo) -> None:
    pmo.done(
        "observe",
        "DEC-9",
        "DecisionReported",
        "--workflow",
        "decision",
        "--source",
        "x",
        "title=Seen",
    )
    rows = pmo.done("contract", "list", "decision", "--json").json()
    (seen,) = [row for row in rows if row["event"] == "DecisionReported"]
    assert seen["by"] == ["observed"]
    schema = pmo.done("contract", "schema", "decision", "DecisionReported").json()
    events = [json.loads(line) for line in pmo.done("log", "--json").out.splitlines()]
    Draft202012Validator(schema).validate(events[-1])


def test_the_schema_of_an_event_fits_what_the_log_prints(pmo: Pmo) -> None:
    pmo.done("start", "objective", "title=Clients", "--as", "sam:sponsor")
    (*_, event) = [json.loads(line) for line in pmo.done("log", "--json").out.splitlines()]
    schema = pmo.done("contract", "schema", "objective", event["name"]).json()
    assert schema["$id"] == f"urn:pmo:objective:1:{event['name']}"
    Draft202012Validator(schema).validate(event)
    event["data"]["title"] = 7
    assert not Draft202012Validator(schema).is_valid(event)


def test_names_that_are_not_there_are_told_with_the_nearest(pmo: Pmo) -> None:
    for words, told in (
        (["schema", "decison", "DecisionTaken"], "did you mean 'decision'?"),
        (["schema", "decision", "DecisionTakn"], "did you mean 'DecisionTaken'?"),
        (["schema", "decision", "DecisionTaken", "--version", "7"], "there is 1"),
        (["list", "decison"], "did you mean 'decision'?"),
    ):
        answer = pmo("contract", *words)
        assert answer.code == 2
        assert told in answer.err


def test_the_asyncapi_document_has_every_version_or_the_newest(pmo: Pmo, renamed: str) -> None:
    pmo.done("publish", renamed, actor="operator")
    whole = pmo.done("contract", "asyncapi").json()["components"]["messages"]
    assert {"decision.1.DecisionTaken", "decision.2.DecisionMade"} <= whole.keys()
    file = pmo.home.parent / "contract.json"
    assert "is written" in pmo.done("contract", "asyncapi", "--newest", "-o", str(file)).err
    newest = json.loads(file.read_text(encoding="utf-8"))["components"]["messages"]
    assert "decision.1.DecisionTaken" not in newest
    assert "decision.2.DecisionMade" in newest


def test_a_file_that_cannot_be_written_is_told(pmo: Pmo) -> None:
    answer = pmo("contract", "asyncapi", "-o", "/no/such/folder/contract.json")
    assert answer.code == 2
    assert "cannot be written" in answer.err


def test_a_diff_names_what_breaks_and_fails(pmo: Pmo, renamed: str) -> None:
    answer = pmo("contract", "diff", renamed)
    assert answer.code == 1
    assert (
        "breaks  DecisionTaken: is no longer recorded; approve records DecisionMade" in answer.out
    )
    assert "adds    DecisionMade: is a new event" in answer.out
    assert "decision.yaml:" in answer.err
    told = pmo("contract", "diff", str(WORKFLOWS / "decision.yaml"), renamed, "--json").json()
    assert [one["breaking"] for one in told["compared"][0]["changes"]] == [True, False]


def test_a_diff_of_what_is_the_same_says_so(pmo: Pmo) -> None:
    assert pmo.done("contract", "diff", str(WORKFLOWS)).out == "nothing has changed\n"
    assert (
        pmo.done("contract", "diff", str(pmo.home), str(WORKFLOWS)).out == "nothing has changed\n"
    )


def test_a_folder_that_holds_some_of_what_is_published_takes_nothing_away(
    pmo: Pmo, tmp_path: Path
) -> None:
    file = tmp_path / "decision.yaml"
    file.write_text(DECISION, encoding="utf-8")
    assert pmo.done("contract", "diff", str(tmp_path)).out == "nothing has changed\n"
    told = pmo.done("contract", "diff", str(WORKFLOWS), str(tmp_path)).out
    assert "objective: not there any more" in told
    assert "nothing has changed" not in told


def test_a_workflow_that_nobody_has_read_yet_is_new(pmo: Pmo, tmp_path: Path) -> None:
    file = tmp_path / "verdict.yaml"
    file.write_text(DECISION.replace("workflow: decision", "workflow: verdict"), encoding="utf-8")
    told = pmo.done("contract", "diff", str(file)).out
    assert told == "verdict: a new workflow, which breaks nobody\n"
    assert pmo.done("contract", "diff", str(file), "--json").json()["new"] == ["verdict"]


def test_a_diff_of_what_is_not_there_is_told(nowhere: Pmo, renamed: str, tmp_path: Path) -> None:
    assert "there is no ledger" in nowhere("contract", "diff", renamed).err
    assert "cannot be read" in nowhere("contract", "diff", "nothing.yaml", renamed).err
    (tmp_path / "empty").mkdir()
    answer = nowhere("contract", "diff", str(tmp_path / "empty"), renamed)
    assert "there are no definitions here" in answer.err


def test_a_check_fails_on_a_break_and_passes_once_it_is_owned(pmo: Pmo, tmp_path: Path) -> None:
    edits = ("DecisionTaken", "DecisionMade")
    answer = pmo("check", changed(tmp_path, edits))
    assert answer.code == 1
    assert "DecisionTaken: is no longer recorded" in answer.err
    assert "this breaks subscribers" in answer.err
    owned = ("version: 2", "version: 2\nbreaks: {DecisionTaken: Two words for one thing.}")
    answer = pmo.done("check", changed(tmp_path, edits, owned))
    assert "decision breaks DecisionTaken" in answer.out
    assert "(Two words for one thing.)" in answer.out
    pmo.done("publish", str(tmp_path / "decision.yaml"), actor="operator")
    assert "breaks" not in pmo.done("check", str(tmp_path / "decision.yaml")).out


def test_a_check_without_a_home_compares_with_files_from_before(
    nowhere: Pmo, renamed: str, tmp_path: Path
) -> None:
    old = tmp_path / "released"
    old.mkdir()
    (old / "decision.yaml").write_text(DECISION, encoding="utf-8")
    alone = [renamed, str(WORKFLOWS / "objective.yaml")]
    assert nowhere("check", *alone).code == 0
    answer = nowhere("check", *alone, "--against", str(old), "--json")
    assert answer.code == 1
    (broken,) = answer.json()["breaks"]
    assert (broken["workflow"], broken["subject"]) == ("decision", "DecisionTaken")


def test_the_shipped_workflows_are_not_compared_with_what_a_home_made_of_them(
    pmo: Pmo, renamed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.shipped", lambda: [Path(renamed)])
    monkeypatch.setattr("workflows.BESIDE", ())
    assert pmo("check").code == 0
    assert pmo("check", "--against", str(WORKFLOWS)).code == 1
