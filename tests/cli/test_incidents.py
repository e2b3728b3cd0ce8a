"""What consumers could not do is told, and an operator can do something about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Pmo
from tests.consumers.conftest import DECISION, PLAN


@pytest.fixture
def troubled(nowhere: Pmo, tmp_path: Path) -> Pmo:
    """A home in which a reaction was refused: its plan has a baseline already."""
    nowhere.done("init", "--bare")
    for name, text in (("plan", PLAN), ("decision", DECISION)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    nowhere.done("publish", str(tmp_path / "plan.yaml"), str(tmp_path / "decision.yaml"))
    nowhere.done("start", "plan")
    nowhere.done("do", "PLAN-0001", "issue-baseline")
    nowhere.done("start", "decision", "title=Later", "category=schedule", "plan=PLAN-0001")
    nowhere.done("do", "DEC-0001", "approve")
    worked = nowhere.done("work", "--once").out
    assert "incidents: 1 (pmo incidents tells why)" in worked
    return nowhere


def test_work_does_what_events_ask_for(troubled):
    troubled.done("start", "plan")
    troubled.done("start", "decision", "title=Sooner", "category=schedule", "plan=PLAN-0002")
    troubled.done("do", "DEC-0002", "approve")
    said = troubled.done("work", "--once", "--json").json()
    assert (said["incidents"], said["reacted"]) == (1, 1)
    assert troubled.done("work", "--once").out.startswith(
        "0 triggers pulled, 0 reminders recorded, 0 reactions\n"
    )
    assert troubled.done("show", "PLAN-0002", "--json").json()["state"] == "baselined"
    assert "reactions" in troubled.done("history", "PLAN-0002").out


def test_a_new_home_reacts_to_everything_in_it(nowhere):
    nowhere.done("init")
    (standing,) = nowhere.done("status", "--json").json()["consumers"]
    assert standing["consumer"] == "reactions"
    assert (standing["lag"], standing["incidents"]) == (0, 0)
    nowhere.done("start", "decision", "title=Later")
    (standing,) = nowhere.done("status", "--json").json()["consumers"]
    assert standing["lag"] == 1


def test_an_incident_is_told_with_its_reason_and_age(troubled):
    told = troubled.done("incidents").out
    assert told.startswith("1  reactions: issue-baseline PLAN-0001\n")
    assert "because of DEC-0001, position 6; " in told
    assert "ago, tried once" in told
    assert "PLAN-0001 is in baselined, which has no issue-baseline" in told
    (incident,) = troubled.done("incidents", "--json").json()
    assert incident["stream"] == "DEC-0001"
    assert "second" in incident["age"]
    assert "pmo incidents" in troubled.done("status").out


def test_what_still_cannot_be_done_stays_and_the_exit_code_says_so(troubled):
    answer = troubled("incidents", "retry", "1")
    assert answer.code == 1
    assert "0 done, 1 could not be done" in answer.out
    (incident,) = troubled.done("incidents", "--json").json()
    assert incident["tries"] == 2


def test_a_dismissed_incident_is_kept_with_who_and_why(troubled):
    assert troubled("incidents", "dismiss", "1").code == 2
    dismissed = troubled.done("incidents", "dismiss", "1", "--reason", "done by hand", actor="op")
    assert "1 dismissed" in dismissed.out
    assert "there are no incidents" in troubled.done("incidents").out
    closed = troubled.done("incidents", "--closed").out
    assert "closed: done by hand, by op, " in closed
    assert troubled("incidents", "retry", "1").code == 2
    assert troubled.done("incidents", "retry", "all").out.startswith("0 done")


@pytest.mark.parametrize(
    "words",
    [("retry",), ("retry", "one"), ("retry", "7"), ("mend", "1"), ("retry", "1", "--closed")],
)
def test_what_is_not_there_or_not_a_number_is_wrong_usage(troubled, words):
    answer = troubled("incidents", *words)
    assert answer.code == 2
    assert answer.err.startswith("error: ")


def test_a_home_without_consumers_has_no_incidents(decision):
    (decision.home / "consumers.db").unlink(missing_ok=True)
    assert "there are no incidents" in decision.done("incidents").out
    assert decision.done("status", "--json").json()["consumers"] == []
    assert not (decision.home / "consumers.db").exists()
