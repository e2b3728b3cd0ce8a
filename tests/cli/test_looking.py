"""Looking at cases: show, list, history, on both clocks."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.cli.conftest import Pmo


@pytest.fixture(scope="module")
def projects(made_home, tmp_path_factory):
    """Three projects; the second has left, and one thing of the first was learned late.

    One home for all tests of this file: they look, and change nothing.
    """
    pmo = Pmo(tmp_path_factory.mktemp("projects") / "home")
    shutil.copytree(made_home, pmo.home)

    def observe(key, name, on, *words):
        source = ["--source", f"Report {on[:4]}", "--occurred-at", on, "--workflow", "project"]
        pmo.done("observe", key, name, *words, *source)

    first = ["name=Bridge", "rating=Red", "cost=1.5m", "end=2022-01-01", "risks=rain, wind"]
    observe("PRJ-0001", "ProjectJoined", "2020-03-31", *first)
    observe("PRJ-0002", "ProjectJoined", "2020-03-31", "name=Tunnel", "rating=Green", "cost=0")
    observe("PRJ-0003", "ProjectJoined", "2020-03-31", "name=Station", "--withhold", "cost=FOI 43")
    observe("PRJ-0001", "BaselineIssued", "2021-03-31", "end=2024-06-30")
    observe("PRJ-0002", "ProjectLeft", "2021-03-31", "--state", "left_portfolio")
    observe("PRJ-0001", "RatingChanged", "2020-09-30", "rating=Amber", "end=2023-01-01")
    return pmo


def test_a_case_is_shown_with_its_data_people_and_next_steps(decision):
    told = decision.done("show", "DEC-0001").out
    assert told.startswith("DEC-0001  draft  Extend the pilot\n")
    assert "  amount     GBP 1,250,000\n" in told
    assert "  rationale  \N{EN DASH}\n" in told
    assert "  requester  pat\n" in told
    assert "  can withdraw -> withdrawn" in told


def test_missing_withheld_and_zero_look_different(projects):
    rows = projects.done("list", "project", "--columns", "key,cost,end").out.splitlines()
    assert rows == [
        "key                    cost  end",
        "PRJ-0001      GBP 1,500,000  2024-06-30",
        "PRJ-0002              GBP 0  \N{EN DASH}",
        "PRJ-0003  withheld (FOI 43)  \N{EN DASH}",
    ]


def test_a_case_is_shown_as_it_was(projects):
    def end(*moments):
        return projects.done("show", "PRJ-0001", "--json", *moments).json()["data"].get("end")

    assert end() == "2024-06-30"
    assert end("--as-of", "2020-12-31") == "2023-01-01"
    assert end("--as-of", "2020-06-30") == "2022-01-01"


def test_a_case_is_shown_as_it_was_known(projects):
    history = projects.done("history", "PRJ-0001", "--json").json()
    before_the_late_one = history[1]["recorded_at"]
    known = projects.done("show", "PRJ-0001", "--known-at", before_the_late_one, "--json").json()
    assert known["data"]["rating"] == "Red"
    assert known["next"] == []
    assert projects.done("show", "PRJ-0001", "--json").json()["data"]["rating"] == "Amber"


def test_before_a_case_began_there_was_nothing_of_it(projects):
    answer = projects("show", "PRJ-0001", "--as-of", "2019-12-31")
    assert answer.code == 2
    assert "it begins on 2020-03-31" in answer.err
    assert projects("history", "PRJ-0001", "--known-at", "2019-12-31").code == 2


def test_the_trail_says_what_changed_from_what_to_what(projects):
    trail = projects.done("history", "PRJ-0001", "--json").json()
    assert [entry["name"] for entry in trail] == [
        "ProjectJoined",
        "BaselineIssued",
        "RatingChanged",
    ]
    (moved,) = trail[1]["changes"]
    assert moved == {"field": "end", "before": "2022-01-01", "after": "2024-06-30", "late": False}


def test_numbers_and_money_are_told_in_their_units_and_to_programs_as_they_are(pmo):
    about = ["--source", "Report", "--workflow", "project"]
    for progress in ("40", "55.5"):
        fields = ["name=Bridge", f"progress={progress}", "cost=0"]
        pmo.done("observe", "PRJ-0001", "ProjectSeen", *fields, *about)
    told = pmo.done("history", "PRJ-0001").out
    assert "    progress: \N{EN DASH} → 40 %\n" in told
    assert "    progress: 40 % → 55.5 %\n" in told
    assert "    cost: \N{EN DASH} → GBP 0\n" in told
    names, row = pmo.done("list", "project", "--columns", "progress,cost,version").out.splitlines()
    assert (names.split(), row.split()) == (
        ["progress", "cost", "version"],
        ["55.5", "%", "GBP", "0", "2"],
    )
    listed = pmo.done("list", "project", "--json").json()["cases"][0]["data"]
    changes = pmo.done("history", "PRJ-0001", "--json").json()[1]["changes"]
    (changed,) = (change for change in changes if change["field"] == "progress")
    assert (listed["progress"], changed["before"], changed["after"]) == (55.5, 40, 55.5)


def test_the_trail_says_what_came_too_late_to_count(projects):
    rating, end = projects.done("history", "PRJ-0001", "--json").json()[2]["changes"]
    if rating["field"] == "end":
        rating, end = end, rating
    assert end == {"field": "end", "before": "2022-01-01", "after": "2023-01-01", "late": True}
    assert rating["late"] is False
    assert "(late: what was so after it stays)" in projects.done("history", "PRJ-0001").out


def test_the_trail_says_who_in_which_role_why_and_what_the_rules_say(decision):
    decision.done("observe", "DEC-0001", "Found", "--state", "approved", "--source", "minutes")
    told = decision.done("history", "DEC-0001").out
    assert "pat as requester" in told
    assert "  violates: from: nothing leads from draft to approved" in told


def test_refused_attempts_are_in_the_trail(decision):
    decision("do", "DEC-0001", "submit", actor="vic:visitor")
    told = decision.done("history", "DEC-0001").out
    assert "CommandRefused" in told
    assert "    refused: needs a business-case as evidence" in told


@pytest.mark.parametrize(
    ("conditions", "keys"),
    [
        (["rating=Amber"], ["PRJ-0001"]),
        (["cost>=1m"], ["PRJ-0001"]),
        (["cost < 1,000,000"], ["PRJ-0002"]),
        (["cost is withheld"], ["PRJ-0003"]),
        (["end is missing"], ["PRJ-0002", "PRJ-0003"]),
        (["end is present"], ["PRJ-0001"]),
        (["name~tun"], ["PRJ-0002"]),
        (["rating!=Green"], ["PRJ-0001"]),
        (["end>2024-01-01", "rating=Amber"], ["PRJ-0001"]),
        (["state=left_portfolio"], ["PRJ-0002"]),
        (["name=O'Brien; DROP TABLE cases"], []),
    ],
)
def test_cases_are_listed_by_what_they_hold(projects, conditions, keys):
    words = [word for condition in conditions for word in ("--where", condition)]
    found = projects.done("list", "project", *words, "--json").json()
    assert [row["key"] for row in found["cases"]] == keys
    assert found["total"] == len(keys)


def test_cases_are_listed_by_state_in_an_order_and_up_to_a_limit(projects):
    def keys(*words):
        found = projects.done("list", "project", "--json", *words).json()
        return [row["key"] for row in found["cases"]]

    assert keys("--state", "in_portfolio") == ["PRJ-0001", "PRJ-0003"]
    assert keys("--sort", "name") == ["PRJ-0001", "PRJ-0003", "PRJ-0002"]
    assert keys("--sort", "-cost") == ["PRJ-0001", "PRJ-0002", "PRJ-0003"]
    assert keys("--sort", "-key", "--limit", "1") == ["PRJ-0003"]
    first = projects.done("list", "project", "--limit", "1").err
    assert first == "1 of 3 cases; --limit shows more, --after PRJ-0001 the rest\n"


def test_the_next_page_is_what_comes_after_the_last_case_of_the_one_before(projects):
    def listed(*words):
        answer = projects.done("list", "project", "--sort", "-cost", "--limit", "2", *words)
        return re.findall("PRJ-[0-9]+", answer.out), answer.err

    first, rest = listed()
    assert first == ["PRJ-0001", "PRJ-0002"]
    assert rest == "2 of 3 cases; --limit shows more, --after PRJ-0002 the rest\n"
    assert listed("--after", "PRJ-0002") == (["PRJ-0003"], "")
    refused = projects("list", "project", "--after", "PRJ-0009")
    assert refused.code == 2
    assert "there is no case 'PRJ-0009'" in refused.err


def test_more_cases_than_are_counted_are_said_to_be_more(projects, monkeypatch):
    for module in ("projections.register_pages", "app.cli.listing"):
        monkeypatch.setattr(f"{module}.COUNTED", 1)

    def listed(limit):
        answer = projects.done("list", "project", "--limit", limit)
        as_data = projects.done("list", "project", "--limit", limit, "--json").json()
        return answer.err, as_data["total"]

    how = "; --limit shows more, --after PRJ-000{} the rest\n"
    assert listed("1") == (f"1 of more than 1 cases{how.format(1)}", None)
    assert listed("2") == (f"2 of more than 2 cases{how.format(2)}", None)
    assert listed("3") == ("", 3)


def test_a_register_is_listed_as_it_was(projects):
    found = projects.done("list", "project", "--as-of", "2020-12-31", "--json").json()
    assert {row["key"]: row["state"] for row in found["cases"]}["PRJ-0002"] == "in_portfolio"


def test_all_cases_are_listed_those_changed_last_first(decision):
    decision.done("start", "decision", "title=Newest")
    found = decision.done("list", "--json").json()
    assert [row["key"] for row in found["cases"]] == ["DEC-0002", "DEC-0001", "OBJ-0001"]
    assert decision.done("list", "--state", "active", "--json").json()["total"] == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "PRJ-1"], "did you mean PRJ-0001?"),
        (["history", "PRJ-1"], "did you mean PRJ-0001?"),
        (["list", "projet"], "did you mean 'project'?"),
        (["list", "project", "--where", "nothing"], "'nothing' is no condition"),
        (["list", "project", "--where", "colour=red"], "no column 'colour'"),
        (["list", "project", "--where", "rating=Reddish"], "choose one of: Green, Amber, Red"),
        (["list", "project", "--where", "cost>lots"], "is not an amount of money"),
        (["list", "project", "--columns", "colour"], "no column 'colour'"),
        (["list", "project", "--sort", "colour"], "no column 'colour'"),
        (["list", "project", "--state", "lost"], "there is in_portfolio, left_portfolio"),
        (["list", "project", "--sort", "-rateing"], "(did you mean 'rating'?)"),
        (["list", "project", "--where", "rateing=Red"], "did you mean 'rating'?"),
        (["list", "project", "--columns", "key,rateing"], "did you mean 'rating'?"),
        (["list", "project", "--state", "in_portfoli"], "--state: no state 'in_portfoli' (did you"),
        (["list", "--state", "in_portfoli"], "(did you mean 'in_portfolio'?)"),
        (["list", "PRJ-0001"], "is published (it is a case: pmo show PRJ-0001)"),
        (["list", "project", "--wehre", "rating=Red"], "'--where'"),
        (["view", "decisons"], "there is no view 'decisons' (did you mean 'decisions'?)"),
        (["view", "decisions", "unti=x"], "decisions has no parameter 'unti' (did you mean 'unit'"),
        (["view", "decisions", "--know-at", "2026-01-01"], "'--known-at'"),
        (["list", "project", "--limit", "0"], "--limit"),
        (["list", "project", "--limit", str(10**30)], "--limit"),
        (["list", "--where", "rating=Red"], "name a workflow"),
        (["deadlines", "PRJ-1"], "there is no case 'PRJ-1' (did you mean PRJ-0001?)"),
        (["deadlines", "--workflow", "projet"], "did you mean 'project'?"),
        (["diagram", "projet"], "there is no workflow or case 'projet' (did you mean project?)"),
        (["diagram", "other.yaml"], "'other.yaml' (publish the file first, and name its workflow"),
        (["show", "PRJ-0001", "--as-of", "2020-02-31"], "is not a date or time"),
    ],
)
def test_what_cannot_be_looked_up_is_told(projects, words, told):
    answer = projects(*words)
    assert answer.code == 2
    assert told in answer.err


def test_what_would_steer_a_terminal_is_not_printed(pmo):
    pmo.done("start", "decision", "title=\x1b[2Jgone\nnext line")
    for words in (["show", "DEC-0001"], ["list"], ["list", "decision"], ["history", "DEC-0001"]):
        told = pmo.done(*words).out
        assert "\x1b" not in told
        assert "gone next line" in told


def test_history_says_what_a_refused_attempt_asked_for_and_what_each_step_looked_at(decision):
    assert decision("do", "DEC-0001", "submit", actor="vic:visitor").code == 1
    drafted, refused = decision.done("history", "DEC-0001", "--json").json()
    assert drafted["reads"] == {"OBJ-0001": 2}
    assert (refused["trigger"], refused["reads"]) == ("submit", {"OBJ-0001": 2})
    told = decision.done("history", "DEC-0001").out
    assert told.count("    read: OBJ-0001 version 2\n") == 2
    assert "    asked for: submit\n" in told
    assert "  version 2  recorded " in told
