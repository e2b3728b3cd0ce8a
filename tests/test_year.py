"""The year of one PMO: played through real commands, and what must be there when it is over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from app.definitions import load_definitions, publish
from app.home import Home
from app.verification import verify_home
from app.views import measure, moments, open_view, read_catalogue
from app.year.chapters import Year, read_year
from app.year.look import differences
from app.year.picture import draw_year
from app.year.play import Player
from engine.case import fold
from engine.clock import HandClock
from engine.commands import Requester
from engine.definition import Definition, Role
from engine.errors import BadInput
from engine.events import AnyEvent, CaseStarted, CaseTransitioned, CommandRefused
from engine.loading import load_definition
from engine.rehearsal import Came, rehearse
from engine.store.log import Log
from engine.store.memory import MemoryLog
from projections.opening import open_for_reading
from projections.relations import Asker
from projections.store import Tables
from workflows import HERE, shipped

FOLDER = HERE / "year"
ENDS_ON = "2022-12-31"
OPERATOR = Requester(id="operator", kind="service")
DEFINITIONS = [load_definition(file.read_bytes(), str(file)) for file in shipped()]
READERS = ("records-auditor", "pmo-lead")

MOST_SECONDS = 25
"""Of processor time, for playing the year: several times what it takes, so that only a change in
kind is told."""


class InMemory(Home):
    """A home whose log is in memory; its views are where those of others are."""

    @cached_property
    def log(self) -> Log:
        return MemoryLog()

    @cached_property
    def views(self) -> Tables:
        self.catch_up()
        return open_for_reading(self.views_place)

    def catch_up(self, progress: object = None) -> int:
        return self.runner.catch_up()


def make_home(kind: str, folder: Path, clock: HandClock) -> Home:
    if kind == "sqlite":
        return Home.create(folder / "home", clock)
    folder.joinpath("home").mkdir()
    return InMemory(folder / "home", clock)


def prepare(home: Home) -> None:
    for loaded in load_definitions(shipped()):
        publish(home.service, loaded, OPERATOR, None)


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


# --- how a chapter is read ------------------------------------------------------------------------

CHAPTER = """\
chapter: A small one
scenes:
  - scene: Somebody is appointed
    on: 2022-01-04
    steps:
      - start: appointment
        as: registrar.pmo:registrar
        called: sponsor
        data: {role: sponsor, unit: pmo, person: sponsor.pmo, from: 2022-01-04}
        then: {state: active}
"""


def read(folder: Path, text: str) -> Year:
    (folder / "small.yaml").write_text(text, encoding="utf-8")
    return read_year(folder)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(BadInput) as told:
        read(folder, text)
    return [str(problem) for problem in told.value.problems]


def step(text: str) -> str:
    return CHAPTER + f"      - {text}\n"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (CHAPTER.replace("chapter:", "chapterr:"), "small.yaml:1:1", "no key 'chapterr'"),
        (CHAPTER.replace("    on: 2022-01-04\n", ""), "small.yaml:5:9", "nobody knows when"),
        (CHAPTER.replace("called: sponsor", "called: The Sponsor"), "small.yaml:8:17", "cannot"),
        (CHAPTER.replace("start: appointment", "starts: x"), "small.yaml:6:9", "no key 'starts'"),
        (
            step("{do: suspend, at: 2022-01-03, as: a}"),
            "small.yaml:11:9",
            "further than 2022-01-03",
        ),
        (step("{do: suspend, case: <boss>, as: a}"), "small.yaml:11:9", "nothing is called 'boss'"),
        (step("{do: suspend, called: boss, as: a}"), "small.yaml:11:9", "called stands with start"),
        (step("{wait: 2022-01-09, at: 2022-01-05}"), "small.yaml:11:9", "without at"),
        (step("{wait: soon}"), "small.yaml:11:9", "'soon' is not a date"),
        (CHAPTER + CHAPTER[CHAPTER.index("  - scene") :], "small.yaml:14:9", "called so already"),
        ("chapter: None\n", "", "there is no year in it"),
    ],
)
def test_a_mistake_in_a_chapter_is_told_with_its_place(
    tmp_path: Path, text: str, where: str, what: str
) -> None:
    told = problems(tmp_path, text)
    assert any(where in problem and what in problem for problem in told), told


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            CHAPTER.replace("{state: active}", "{state: ended}"),
            "state is 'active', should be 'ended'",
        ),
        (CHAPTER.replace("{state: active}", "{refused: nobody}"), "should have been refused"),
        (
            CHAPTER.replace("person: sponsor.pmo", "person: registrar.pmo"),
            "nobody appoints themselves",
        ),
        (CHAPTER.replace("{state: active}", "{emits: Sung}"), "emits is 'AppointmentMade'"),
    ],
)
def test_what_comes_otherwise_is_told_with_its_place_and_day(
    tmp_path: Path, text: str, what: str
) -> None:
    clock = HandClock("2022-01-01T00:00:00.000000Z")
    with make_home("sqlite", tmp_path, clock) as home:
        publish_some(home)
        with pytest.raises(BadInput) as told:
            Player(home, clock).play(read(tmp_path, text))
    assert "small.yaml:6:9: 2022-01-04, Somebody is appointed: " in str(told.value)
    assert what in str(told.value)


def publish_some(home: Home) -> None:
    (loaded,) = load_definitions([HERE / "registers" / "appointment.yaml"])
    assert isinstance(loaded.definition, Definition)
    publish(home.service, loaded, OPERATOR, None)


ROWS = """\
chapter: Rows
scenes:
  - scene: "<person> is appointed"
    for: [{name: one, person: a.pmo, day: 2022-01-04}, {name: two, person: b.pmo, day: 2022-01-06}]
    steps:
      - start: appointment
        at: <day>
        as: r:registrar
        called: <name>
        data: {role: <name>, unit: pmo, person: <person>, from: <day>}
  - scene: And leaves again
    on: 2022-01-05
    steps:
      - do: suspend
        case: <one>
        as: r:registrar
        data: {cause: "<one.person> is ill."}
        then: {data: {cause: a.pmo is ill.}}
"""


def test_scenes_are_played_for_their_rows_in_the_order_of_their_days(tmp_path: Path) -> None:
    year = read(tmp_path, ROWS)
    assert [(moment.day, moment.title) for moment in year.moments] == [
        ("2022-01-04", "a.pmo is appointed"),
        ("2022-01-05", "And leaves again"),
        ("2022-01-06", "b.pmo is appointed"),
    ]
    clock = HandClock("2022-01-01T00:00:00.000000Z")
    with make_home("sqlite", tmp_path, clock) as home:
        publish_some(home)
        player = Player(home, clock)
        player.play(year)
        assert player.key("two") == "APPT-two.pmo.b.pmo"


def test_a_view_that_shows_something_else_is_told_with_its_place(tmp_path: Path) -> None:
    text = CHAPTER + "afterwards:\n  - view: authority\n    rows: [{level: 1}]\n"
    clock = HandClock("2022-01-01T00:00:00.000000Z")
    with make_home("sqlite", tmp_path, clock) as home:
        prepare(home)
        year = read(tmp_path, text)
        Player(home, clock).play(year)
        (problem,) = differences(home, year)
    assert str(problem).startswith(f"{tmp_path}/small.yaml:12:5: authority shows no row")
