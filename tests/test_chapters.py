"""How a chapter of a year is read and played, and what is told of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.definitions import load_definitions, publish
from app.home import Home
from app.year.chapters import Year, read_year
from app.year.look import differences
from app.year.play import Player
from engine.clock import HandClock
from engine.definition import Definition
from engine.errors import BadInput
from tests.years import OPERATOR, make_home, prepare
from workflows import HERE

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
