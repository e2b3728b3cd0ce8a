"""The newcomer's first screen."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from app import demo as enacting
from app.demo import ENDS_ON, YEAR, by_rating, present
from app.home import Home
from app.views import measure, moments, open_view, read_catalogue
from app.year.chapters import read_year
from engine.clock import HandClock
from projections.relations import Asker
from tests.cli.conftest import ROOT, Pmo

READERS = ("records-auditor", "pmo-lead")


def test_it_shows_the_portfolio_now_and_three_years_before(demo):
    _, answer = demo
    assert "The portfolio now: 184 projects" in answer.out
    assert "as it was known on 2018-07-31, three years before: 133 projects" in answer.out


def test_it_shows_the_whole_trail_of_one_project_and_what_was_believed_of_it(demo):
    pmo, answer = demo
    trail = pmo.done("history", "GMPP-0289").out
    assert "end: 2020-04-30 → 2022-06-30" in trail
    assert "recorded 2017-07-31" in trail
    assert f"(GMPP-0289): all that was reported of it\n{trail}\n" in answer.out


@pytest.mark.parametrize(
    "told",
    [
        "A year of one PMO, 2022, played day by day through real commands",
        "Increase client satisfaction    82  90 → 88   89     117 %  surpassed",
        "investment-board, two thirds: director.clients for, director.finance",
        "recused: director.works",
        "by authority of AUTH-funding.transport-example.3",
        "+ 88 % instead of 90 %, no night buses, the ticket by March.",
        "restated 1 time",
        "What waits on 2022-12-31, the nearest day first",
    ],
)
def test_it_tells_the_year(demo, told):
    _, answer = demo
    assert told in answer.out


def test_the_year_fits_a_terminal_of_eighty_columns(demo):
    _, answer = demo
    told = answer.out.split("A year of one PMO")[1].split("\nVerified")[0]
    assert [line for line in told.splitlines() if len(line) > 80] == []


def test_it_verifies_what_it_shows_and_says_what_to_try(demo):
    _, answer = demo
    assert "the chain of their hashes is whole" in answer.out
    assert "say what the log says" in answer.out


def test_what_it_says_to_try_works(demo, tmp_path, monkeypatch):
    pmo, answer = demo
    monkeypatch.chdir(tmp_path)
    lines = answer.out.split("Try next\n")[1].splitlines()
    commands = [shlex.split(line) for line in lines if line.startswith("  pmo ")]
    assert len(commands) == 12
    for _, *words in commands:
        if words[0] == "demo":
            words += ["--home", str(pmo.home)]
        done = pmo.done(*words)
        assert (done.out + done.err).strip()
    for name in ("decision.svg", "year.svg"):
        assert ET.parse(tmp_path / name).getroot().tag.endswith("svg")


def test_again_it_records_nothing_and_shows_the_same(demo):
    pmo, first = demo
    second = pmo.done("demo", "--home", str(pmo.home))
    assert "nothing new, it was all there" in second.out
    shown = [answer.out.split("The portfolio now")[1] for answer in (first, second)]
    assert shown[0] == shown[1]


def test_it_leaves_a_home_alone_that_was_not_made_for_it(pmo):
    answer = pmo("demo", "--home", str(pmo.home))
    assert answer.code == 2
    assert "is a home of yours, not of a demo" in answer.err
    assert pmo.done("status", "--json").json()["head"] == 3


def test_a_demo_of_an_earlier_version_is_told_and_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(enacting, "_make", make_as_before)
    pmo = Pmo(tmp_path / "home")
    enacting.enact(pmo.home, lambda _done, _of: None)[0].close()
    answer = pmo("demo", "--home", str(pmo.home))
    assert answer.code == 2
    assert "is a demo of an earlier version (remove it: rm -r" in answer.err


def make_as_before(address, _progress):
    with Home.create(address, HandClock(enacting.BEGINS_AT)) as home:
        loaded = enacting.load_definitions(enacting.shipped())
        actor = enacting.Requester(id="demo", kind="service")
        enacting.publish(home.service, loaded[0], actor, None)
        return home.log.head()


def test_whoever_stops_it_half_way_finds_nothing_and_begins_anew(tmp_path, monkeypatch):
    def stop(_player, _year, _progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(enacting.Player, "play", stop)
    monkeypatch.setattr(enacting, "import_portfolio", lambda *_args, **_said: None)
    home = tmp_path / "homes" / "demo"
    with pytest.raises(KeyboardInterrupt):
        enacting.enact(home, lambda _done, _of: None)
    assert list(home.parent.rglob("*")) == [home]


# --- what the year leaves behind on top of the portfolio ----------------------------------------


def test_the_year_ends_when_the_screen_says():
    assert read_year(YEAR).ends_on == ENDS_ON


def test_every_workflow_has_cases(demo):
    pmo, _ = demo
    with Home.open(pmo.home) as home:
        loaded = enacting.load_definitions(enacting.shipped())
        names = {one.definition.workflow for one in loaded}
        bodies = home.log.bodies(0, home.log.head())
    assert names - {b["definition"]["name"] for _, b in bodies if "/" not in b["stream"]} == set()


def test_every_view_and_every_metric_has_something_to_show(demo):
    pmo, _ = demo
    with Home.open(pmo.home) as home:
        catalogue = read_catalogue(home)
        at = moments(ENDS_ON, None)
        empty = {
            view.name
            for view in catalogue.views.values()
            if not open_view(home, view, {}, at, Asker(None, READERS)).rows
        }
        measured = measure(home, catalogue.metrics_at(ENDS_ON), at, READERS)
    # In December nobody acts for anybody (in August somebody does), and nobody has merged records.
    assert empty == {"delegations", "records"}
    missing = [m.metric.name for m in measured if all(f.value is None for f in m.figures)]
    assert missing == []


def test_what_the_plan_says_of_the_real_portfolio_is_so(demo):
    pmo, _ = demo
    text = Path(YEAR / "03-planning.yaml").read_text(encoding="utf-8")
    said = re.search(r"Of the (\d+) major projects in the report of July 2021, (\d+) were", text)
    assert said is not None
    with Home.open(pmo.home) as home:
        projects = present(home.views)
        green = next(share for share in by_rating(projects) if share.name == "Green")
    assert (int(said[1]), int(said[2])) == (len(projects), green.projects)


def test_what_was_decided_in_it_would_be_decided_again(demo):
    pmo, _ = demo
    told = pmo.done("rehearse", str(ROOT / "workflows" / "governance" / "decision.yaml")).out
    assert re.fullmatch(r"(\d+) steps of 18 cases: \1 as they were, 0 otherwise\n", told)
    reported = pmo.done("rehearse", str(ROOT / "workflows" / "major-project.yaml")).out
    assert reported.startswith("0 steps"), "what reports say is recorded, and not decided"
