"""The year of one PMO: played through real commands, and what must be there when it is over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home import Home
from app.verification import verify_home
from app.views import measure, moments, open_view, read_catalogue
from app.year.chapters import Year, read_year
from app.year.look import differences
from app.year.picture import draw_year
from app.year.play import Player
from engine.case import fold
from engine.clock import HandClock
from engine.definition import Definition, Role
from engine.events import AnyEvent, CaseStarted, CaseTransitioned, CommandRefused
from engine.loading import load_definition
from engine.rehearsal import Came, rehearse
from engine.store.log import Log
from projections.relations import Asker
from tests.years import make_home, prepare
from workflows import HERE, shipped

FOLDER = HERE / "year"

ENDS_ON = "2022-12-31"

DEFINITIONS = [load_definition(file.read_bytes(), str(file)) for file in shipped()]

READERS = ("records-auditor", "pmo-lead")

MOST_SECONDS = 25
"""Of processor time, for playing the year: several times what it takes, so that only a change in
kind is told."""


@pytest.fixture(scope="module")
def year() -> Year:
    return read_year(FOLDER)


class Played:
    def __init__(self, home: Home, player: Player, seconds: float) -> None:
        self.home = home
        self.player = player
        self.seconds = seconds
        self.events = [r.event for r in home.log.read(0, home.log.head())]
        self.names = Counter(event.name for event in self.events)

    def of(self, name: str) -> list[AnyEvent]:
        return [r.event for r in self.home.log.stream(self.player.key(name))]


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, year: Year
) -> Iterator[Played]:
    clock = HandClock("2022-01-01T00:00:00.000000Z")
    home = make_home("sqlite", tmp_path_factory.mktemp("year"), clock)
    prepare(home)
    player = Player(home, clock)
    begin = time.process_time()
    player.play(year)
    yield Played(home, player, time.process_time() - begin)
    home.close()


def test_everything_comes_of_the_year_that_its_chapters_say(played: Played) -> None:
    assert len(played.events) > 1_000
    assert played.seconds < MOST_SECONDS


@pytest.mark.parametrize("store", ["memory", "postgres"])
def test_on_every_store_the_same_year_comes_about(
    store: str, played: Played, year: Year, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    clock = HandClock("2022-01-01T00:00:00.000000Z")
    if store == "postgres":
        opened = Home.create(str(request.getfixturevalue("database")), clock)
    else:
        opened = make_home("memory", tmp_path, clock)
    with opened as home:
        prepare(home)
        Player(home, clock).play(year)
        log = home.log
        again = [recorded.event for recorded in log.read(0, log.head())]
        judged = rehearsed(log)
    told = [(e.stream, e.name, e.recorded_at, e.occurred_at, e.actor.id) for e in again]
    assert told == [
        (e.stream, e.name, e.recorded_at, e.occurred_at, e.actor.id) for e in played.events
    ]
    assert judged == rehearsed(played.home.log)


def rehearsed(
    log: Log, definitions: list[Definition] = DEFINITIONS
) -> dict[int, tuple[str, Came, Came]]:
    """Every step of the year, asked for again: position to finding, what came of it, and would."""
    return {
        judged.position: (judged.finding, judged.then, judged.now)
        for definition in definitions
        for judged in rehearse(log, definition)
    }


def test_every_step_of_the_year_would_be_decided_again_as_it_was(played: Played) -> None:
    judged = rehearsed(played.home.log)
    asked = (CaseStarted, CaseTransitioned, CommandRefused)
    steps = [n for n, event in enumerate(played.events, 1) if isinstance(event, asked)]
    assert sorted(judged) == steps
    assert len(steps) > 800
    for position, (finding, then, now) in judged.items():
        assert finding == "as it was", (position, then, now)
        if not isinstance(played.events[position - 1], CommandRefused):
            assert now == then, position


def test_a_change_that_concerns_nobody_changes_no_answer(played: Played) -> None:
    """Refusals are looked at more closely where the rules are others."""
    changed = [
        definition.model_copy(update={"roles": {**definition.roles, "bystander": Role()}})
        for definition in DEFINITIONS
    ]
    judged = rehearsed(played.home.log, changed)
    refusals = [n for n, e in enumerate(played.events, 1) if isinstance(e, CommandRefused)]
    assert len(refusals) > 20
    assert {finding for finding, _, _ in judged.values()} == {"as it was"}


def test_the_views_show_what_the_chapters_say_of_them(played: Played, year: Year) -> None:
    assert len(year.afterwards) >= 20
    assert [str(problem) for problem in differences(played.home, year)] == []


def test_the_record_of_the_year_is_whole_and_its_views_say_what_it_says(played: Played) -> None:
    played.home.catch_up()
    assert verify_home(played.home).sound
    assert played.home.consumers.incidents() == []


BY_IMPORT = {"major-project"}
"""Its cases come from reports; the demo has them (tests/cli/test_demo.py)."""


def test_every_workflow_is_used(played: Played) -> None:
    used = {event.definition.name for event in played.events if "/" not in event.stream}
    shipped_names = {definition.workflow for definition in DEFINITIONS}
    assert len(shipped_names) == 41
    assert shipped_names - used == BY_IMPORT


ELSEWHEN = {"delegations": "2022-08-15"}
"""Views that are empty at the end of the year, and a day on which they are not."""

REPORTED = {"portfolio-reported", "baselines-reported", "records"}
"""Views of the portfolio as it was reported, which the demo has."""


def test_every_view_has_something_to_show(played: Played) -> None:
    catalogue = read_catalogue(played.home)
    empty = set()
    for view in catalogue.views.values():
        at = moments(ELSEWHEN.get(view.name, ENDS_ON), None)
        if not open_view(played.home, view, {}, at, Asker(None, READERS)).rows:
            empty.add(view.name)
    assert empty == REPORTED


OF_OBSERVATIONS = {"late-facts"}
"""A metric of what was observed: nothing is, in this year."""


def test_every_metric_has_a_figure(played: Played) -> None:
    metrics = read_catalogue(played.home).metrics_at(ENDS_ON)
    measured = measure(played.home, metrics, moments(ENDS_ON, None), READERS)
    missing = {
        one.metric.name
        for one in measured
        if not any(figure.value is not None for figure in one.figures)
    }
    assert missing == OF_OBSERVATIONS


@pytest.mark.parametrize(
    "name",
    [
        *("PmoCharterApproved", "PmoSetupClosed", "SetupStepLate", "RoutineMissed"),
        *("PlanningOverdue", "PlanRevised", "PlanReviewOverdue", "PremiseInvalidated"),
        *("PlanVersionApproved", "TargetRevised", "BaselineIssued", "FactorFiled"),
        *("DecisionEscalated", "DecisionLapsed", "DecisionDeferred", "DecisionReopened"),
        *("DecisionSuperseded", "DecisionRejected", "ConditionOverdue", "ConflictDeclared"),
        *("DelegationExpired", "AuthoritySuspended", "ExceptionDecided", "EmergencyInvoked"),
        *("ChangeLapsed", "GateDecided", "PeriodFrozen", "ReportPublished", "FigureRestated"),
        *("RewardRecalculated", "WaiverExpired", "StandardRevised", "LessonPromoted"),
        *("AcknowledgementOverdue", "AcknowledgementEscalated", "DeadlineReminded"),
        *("BenefitRealised", "BenefitShortfall", "ObjectiveAchieved", "ObjectiveMissed"),
        *("MaturityAssessed", "DevelopmentCompleted", "PortfolioRebalanced", "CalendarAmended"),
    ],
)
def test_it_happens_in_the_year(played: Played, name: str) -> None:
    assert played.names[name] > 0


def test_refused_attempts_are_in_the_record_with_their_reasons(played: Played) -> None:
    refused = [event for event in played.events if isinstance(event, CommandRefused)]
    assert len(refused) >= 20
    assert all(any(not verdict.held for verdict in event.verdicts) for event in refused)


def taken(events: list[AnyEvent], name: str) -> CaseTransitioned:
    return next(e for e in events if e.name == name and isinstance(e, CaseTransitioned))


def test_a_decision_says_by_which_votes_and_authority_it_was_taken(played: Played) -> None:
    decision = taken(played.of("programme-money"), "DecisionTaken")
    assert decision.authority is not None
    assert decision.authority.rule == "AUTH-funding.transport-example.3"
    assert decision.basis is not None
    (vote,) = decision.basis.votes
    assert vote.recused == ("director.works",)
    assert "director.works" not in vote.votes


@pytest.mark.parametrize(
    ("name", "event", "category", "unit", "body"),
    [
        ("late-tickets", "ExceptionDecided", "exception", "transport-example", "transport-board"),
        ("gate-stations", "GateDecided", "gate", "transport-example", "transport-board"),
        ("gate-tickets", "GateDecided", "gate", "transport-example", "transport-board"),
        ("ranking", "PortfolioPrioritised", "prioritisation", "any", "portfolio-board"),
    ],
)
def test_which_board_decides_is_in_the_authority_register_and_not_chosen_by_who_asks(
    played: Played, name: str, event: str, category: str, unit: str, body: str
) -> None:
    decided = taken(played.of(name), event)
    assert decided.authority is not None
    assert decided.authority.rule == f"AUTH-{category}.{unit}.1"
    assert decided.role == body
    assert decided.basis is not None
    assert {vote.body for vote in decided.basis.votes} == {body}


def test_a_delegation_stands_with_the_decision_that_used_it(played: Played) -> None:
    decision = taken(played.of("shelters"), "DecisionTaken")
    assert decision.actor.id == "deputy.transport"
    assert decision.on_behalf_of == played.player.key("delegation")


def test_whose_reward_it_is_has_no_vote_that_counts(played: Played) -> None:
    decided = taken(played.of("reward-sponsor"), "RewardDecided")
    assert decided.basis is not None
    (vote,) = decided.basis.votes
    assert "sponsor.transport" not in vote.votes


def test_the_first_target_of_the_first_objective_stays_in_the_record(played: Played) -> None:
    case = fold(played.of("satisfaction"))
    assert case is not None
    assert case.state == "achieved"
    assert (case.data["original_target"], case.data["target"], case.data["actual"]) == (90, 88, 89)


def test_what_fell_due_was_so_when_it_was_due_however_late_the_scheduler_looked(
    played: Played,
) -> None:
    timed = [event for event in played.events if event.actor.kind == "timer"]
    assert len(timed) > 200
    assert all(event.occurred_at <= event.recorded_at for event in timed)
    assert all(event.occurred_at[:10] == event.recorded_at[:10] for event in timed)


def test_the_picture_shows_every_plan_objective_and_project(played: Played) -> None:
    drawn = draw_year(played.home, ENDS_ON)
    for words in (
        "Transport, example, 2022 to 2024",
        "Increase client satisfaction",
        "Night buses",
    ):
        assert words in drawn
    assert "Refused attempts:" in drawn


def test_the_picture_counts_what_the_view_of_the_months_counts(played: Played) -> None:
    view = read_catalogue(played.home).views["months"]
    months = open_view(played.home, view, {}, moments(ENDS_ON, None), Asker(None, READERS))
    names = [column.name for column in months.columns]
    drawn = draw_year(played.home, ENDS_ON)
    for lane, name in {
        "Decisions": "decided",
        "Refused attempts": "refused",
        "Late": "late",
        "Escalated": "escalated",
        "Promises moved": "baselines",
        "Packs": "packs",
    }.items():
        total = sum(row[names.index(name)] for row in months.rows)
        assert f"{lane}: {total}<" in drawn, name
