"""Scenarios let time pass, ``pmo check`` tells which deadlines none of them does, ``pmo work``."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app.cli import main
from app.definitions import load_definitions, publish
from app.home import Home
from engine.clock import HandClock
from engine.commands import StartCase
from engine.deadlines import SCHEDULER
from engine.loading import load_definition
from engine.scenarios.coverage import unfired
from engine.scenarios.scenario import load_scenarios
from engine.scenarios.stage import Published, run
from tests.time.conftest import CALENDAR, REVIEW, TASK

BACKGROUND = """
background:
  - {start: calendar, data: {name: standard, holidays: [2026-03-03]}}
"""
LAPSES = """
  - scenario: Nobody answers
    today: 2026-03-02
    given:
      - {start: review}
      - {wait: 2026-03-20}
    when: {wait: 2026-03-24}
    then: {state: lapsed, emits: ReviewLapsed}
"""
IN_TIME = """
  - scenario: Answered on the last day
    today: 2026-03-02
    given:
      - {start: review}
      - {wait: 2026-03-16}
    when: {do: answer, at: 2026-03-17, data: {answer: Yes.}}
    then: {state: answered}
"""
REMINDED = """
  - scenario: Halfway there
    today: 2026-03-02
    given: [{start: review}]
    when: {wait: 2026-03-10}
    then: {state: waiting, emits: DeadlineReminded}
"""
REFUSED = """
  - scenario: It is due, and may not be
    today: 2026-03-02
    given: [{start: task, data: {due: 2026-03-04}}]
    when: {wait: 2026-03-05}
    then: {refused: plan is missing}
"""


def play(*scenarios):
    definitions = [(load_definition(text, "x.yaml"), text) for text in (CALENDAR, REVIEW, TASK)]
    text = BACKGROUND + "scenarios:" + "".join(scenarios)
    file, source = load_scenarios(text, "x.scenarios.yaml")
    return definitions[1][0], list(run(file, source, Published(definitions)))


@pytest.mark.parametrize("scenario", [LAPSES, IN_TIME, REMINDED, REFUSED])
def test_while_a_scenario_waits_everything_that_falls_due_is_done(scenario):
    _, (result,) = play(scenario)
    assert result.failure == ""


def test_a_scenario_that_expects_something_else_of_time_fails():
    _, (early, refused) = play(
        LAPSES.replace("2026-03-24", "2026-03-23"),
        REFUSED.replace("{refused: plan is missing}", "{}"),
    )
    assert "state is 'waiting', should be 'lapsed'" in early.failure
    assert "plan is missing" in refused.failure
    assert early.failure.endswith("; nothing fell due by 2026-03-23")
    assert "nothing fell due" not in refused.failure


def test_that_nothing_fell_due_is_told_and_where_nothing_ever_will():
    observed = LAPSES.replace(
        "{start: review}",
        "{observe: ReviewBegun, workflow: review, case: REV-0001, state: waiting}",
    ).replace("      - {wait: 2026-03-20}\n", "")
    lapsed = LAPSES.replace("Nobody", "Somebody").replace("lapsed", "answered")
    _, (never, not_yet, late) = play(observed, REMINDED.replace("03-10", "03-03"), lapsed)
    assert never.failure.endswith(
        "; nothing fell due by 2026-03-24"
        " (no deadline runs on REV-0001: what is only observed has none)"
    )
    assert not_yet.failure.endswith("; nothing fell due by 2026-03-03")
    assert "nothing fell due" not in late.failure


def test_deadlines_that_no_scenario_lets_fall_due_are_told():
    review, results = play(IN_TIME)
    assert unfired(review, results) == [
        "waiting: escalate at 100% of 10 working days",
        "waiting: lapse at 150% of 10 working days",
    ]
    review, results = play(IN_TIME, LAPSES)
    assert unfired(review, results) == []


SORTED = """
workflow: sorted
version: 1
title: Sorted
key: SRT
data: {kind: {type: choice, of: [plain, urgent], required: true}}
states:
  open:
    initial: true
    deadline: {per: data.kind, within: {plain: 10 days, urgent: 2 days}, then: lapse}
  lapsed: {final: true}
transitions:
  - {trigger: lapse, from: open, to: lapsed, by: timer}
"""
LEFT_OPEN = """
  - scenario: What is {kind} lapses
    today: 2026-03-02
    given: [{{start: sorted, data: {{kind: {kind}}}}}]
    when: {{wait: 2026-03-20}}
    then: {{state: lapsed}}
"""


def test_each_choice_that_has_a_period_of_its_own_is_shown_by_a_scenario():
    sorting = load_definition(SORTED, "sorted.yaml")

    def left(*kinds):
        text = "scenarios:" + "".join(LEFT_OPEN.format(kind=kind) for kind in kinds)
        file, source = load_scenarios(text, "sorted.scenarios.yaml")
        results = list(run(file, source, Published([(sorting, SORTED)])))
        assert not any(result.failure for result in results)
        return unfired(sorting, results)

    assert left("plain") == ["open: anything of 2 days, where kind is urgent"]
    assert left("urgent") == ["open: anything of 10 days, where kind is plain"]
    assert left("plain", "urgent") == []


PAPER = """
workflow: paper
version: 1
title: Paper
key: PAP
states:
  waiting:
    initial: true
    deadline: {within: 4 days, then: escalate, later: [{at: 200%, then: lapse}]}
  agreed: {final: true}
  lapsed: {final: true}
roles: {finance: }
transitions:
  - {trigger: agree, from: waiting, to: agreed, agreed_by: finance}
  - {trigger: change, from: waiting, to: waiting}
  - {trigger: escalate, from: waiting, to: waiting, by: timer}
  - {trigger: lapse, from: waiting, to: lapsed, by: timer}
"""


def test_a_timer_that_leads_back_clears_no_votes_and_a_person_who_does_clears_them():
    text = """
scenarios:
  - scenario: Finance agreed before it was escalated, and need not agree again
    given: [{start: paper}, {sign: for, of: finance, as: "fay:finance"}, {wait: 2026-01-20}]
    when: {do: agree}
    then: {state: agreed}
  - scenario: Finance agreed to something else
    given: [{start: paper}, {sign: for, of: finance, as: "fay:finance"}, {do: change}]
    when: {do: agree}
    then: {refused: finance has not agreed yet}
"""
    file, source = load_scenarios(text, "paper.scenarios.yaml")
    escalated, changed = run(
        file, source, Published([(load_definition(PAPER, "paper.yaml"), PAPER)])
    )
    assert (escalated.failure, changed.failure) == ("", "")
    assert escalated.fired


def pmo(*words, home):
    # No checking of stderr: warnings are no failure.
    result = CliRunner().invoke(main, [*words, "--home", str(home)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def home(tmp_path):
    """Something long overdue, and something overdue that the rules refuse."""
    for name, text in (("calendar", CALENDAR), ("review", REVIEW), ("task", TASK)):
        (tmp_path / f"{name}.yaml").write_text(text)
    path = tmp_path / "home"
    pmo("init", "--bare", home=path)
    files = [tmp_path / f"{name}.yaml" for name in ("calendar", "review", "task")]
    with Home.open(path, HandClock("2026-03-02T09:00:00.000000Z")) as opened:
        for loaded in load_definitions(files):
            publish(opened.service, loaded, SCHEDULER, None)
        for number, (workflow, data) in enumerate(
            [("calendar", {"name": "standard"}), ("review", {}), ("task", {"due": "2026-03-04"})]
        ):
            opened.service.handle(
                StartCase(
                    command_id=f"start-{number}", actor=SCHEDULER, workflow=workflow, data=data
                )
            )
    return path


def test_pmo_work_does_what_is_due_and_tells_what_is_refused(home):
    assert "REV-0001" in pmo("deadlines", home=home)
    said = json.loads(pmo("work", "--once", "--json", home=home))
    assert (said["fired"], said["reminded"]) == (2, 3)
    assert "plan is missing" in said["refused"][0]["reason"]
    again = pmo("work", "--once", home=home)
    assert "0 triggers pulled, 0 reminders recorded" in again
    assert "TSK-0001: chase was due 2026-03-04 23:59:59 and is refused" in again
    status = pmo("status", home=home)
    assert "1 open, 1 due and refused" in status
    assert "plan is missing" in status
    everything = json.loads(pmo("deadlines", "REV-0001", "--all", "--json", home=home))
    assert [row["outcome"] for row in everything["deadlines"]] == [
        "reminded", "reminded", "fired", "fired",
    ]  # fmt: skip
    assert "every view" in pmo("status", home=home)
    pmo("verify", home=home)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["GB", "-s", "ENG", "--years", "2026"], 0, "2026-12-28"),
        (["de", "--years", "2026-2027"], 0, "2027-05-01"),
        (["XX", "--years", "2026"], 2, "no holidays are known of 'XX'"),
        (["GB", "-s", "ZZ", "--years", "2026"], 2, "GB has no part 'ZZ'"),
        (["GB", "--years", "soon"], 2, "are no years"),
        (["GB", "--years", "0001-9999"], 2, "are no years"),
    ],
)
def test_pmo_holidays_lists_what_a_calendar_needs(words, code, told):
    result = CliRunner().invoke(main, ["holidays", *words])
    assert (result.exit_code, told in result.output) == (code, True), result.output


def test_holidays_can_be_put_into_a_calendar_as_they_come():
    result = CliRunner().invoke(main, ["holidays", "GB", "-s", "ENG", "--years", "2026", "--json"])
    found = json.loads(result.output)
    assert list(found) == ["holidays"]
    assert "2026-04-03" in found["holidays"]
