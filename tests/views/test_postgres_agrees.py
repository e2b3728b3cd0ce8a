"""Every view that ships says the same on PostgreSQL as in a file, row by row and in one order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from engine.errors import BadInput, StoreFailed
from engine.loading import load_definition
from engine.store.memory import MemoryLog
from projections.answers import ask, figures
from projections.opening import open_for_reading
from projections.postgres import PostgresPlace
from projections.register_pages import Where, page
from projections.runner import Runner
from projections.shipped import PROJECTIONS
from projections.store import Tables
from projections.verify import verify
from projections.view_definitions import Question, load_metrics, load_view
from tests.postgres import server
from tests.views.asking import SHIPPED, relations
from tests.views.conftest import History
from workflows import shipped

SEED = 20_261_125
CASES = 12
FACTS = 900
WORDS = ["", "Zebra", "apple", "Äpfel", "a b", "a-b", "50%_done", "'; --", "ÉCOLE", "école", "東京"]
NOTED = ["DecisionTaken", "DecisionRejected", "BaselineIssued", "ObjectiveBaselined", "Reported",
         "RoutineCompleted", "PlanVersionApproved", "PlanningCycleOpened"]  # fmt: skip
Both = tuple[Tables, Tables]


class Chance:
    """Facts about cases of every workflow that ships, the same ones each time."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        self.log = MemoryLog()
        self._history = History(self.log)
        self._begun: set[str] = set()
        self._bodies = []
        for file in shipped():
            body = load_definition(file.read_bytes(), file.name).body
            self._bodies.append(body)
            self._history.write(self._history.definition(**body))

    def write(self) -> None:
        for number in range(FACTS):
            body = self._random.choice(self._bodies)
            key = self._key(body["workflow"])
            state = self._random.choice([None, *body["states"]])
            if key not in self._begun:
                self._begun.add(key)
                state = state or next(iter(body["states"]))
            fact = self._history.observed(
                key,
                self._data(body["data"]),
                state=state,
                name=self._random.choice(NOTED),
                at=self._day(),
                recorded_at=f"2026-{1 + number * 6 // FACTS:02}-05T09:00:00.000000Z",
                workflow=body["workflow"],
                actor=self._random.choice(["ann", "bob", "Zoe"]),
                broken=self._random.choice([(), (), ("not_by",), ("evidence",)]),
            )
            self._history.write(fact)
            if number % 7 == 0:
                other = self._random.choice(self._bodies)["workflow"]
                self._history.write(
                    self._history.linked(key, self._key(other), other, at=self._day()),
                    self._history.signed(key, "board", "for", "ann", at=self._day()),
                )

    def _key(self, workflow: str) -> str:
        return f"{workflow.upper()}-{self._random.randrange(CASES)}"

    def _day(self) -> str:
        day = f"2026-{self._random.randint(1, 6):02}-{self._random.randint(1, 28):02}"
        return self._random.choice([day, f"{day}T{self._random.randrange(24):02}:30:00.000001Z"])

    def _data(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self._value(field)
            for name, field in fields.items()
            if self._random.random() < 0.6
        }

    def _value(self, field: dict[str, Any]) -> Any:
        match self._random.randrange(10), field["type"]:
            case 0, _:
                return None
            case 1, _:
                return {"withheld": self._random.choice(["s. 43", 'a "ground": %_'])}
            case _, "number":
                return self._random.choice([0, 1, -2.5, 7, 100, 1 / 3])
            case _, "money":
                amount = self._random.choice(["0", "450.3", "-7", "1250000.55"])
                return {"amount": amount, "currency": field.get("currency", "GBP")}
            case _, "date":
                return self._day()[:10]
            case _, "choice":
                return self._random.choice(field["of"])
            case _, "ref":
                return self._key(self._random.choice([field["to"]] * 9 + ["plan"]))
            case _, "list":
                return [self._random.choice(WORDS) for _ in range(self._random.randrange(3))]
            case _, "document":
                return {"name": "paper", "sha256": "0" * 64}
        return self._random.choice(WORDS)


@pytest.fixture(scope="module")
def chance() -> Chance:
    chance = Chance()
    chance.write()
    return chance


@pytest.fixture(scope="module")
def both(chance: Chance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    address = server().new_database()
    places = tmp_path_factory.mktemp("both") / "views.db", PostgresPlace(address)
    tables = []
    for place in places:
        runner = Runner(chance.log, place)
        runner.catch_up(to=400)
        runner.catch_up()
        assert runner.status().parked == 0
        runner.close()
        tables.append(open_for_reading(place))
    yield tables[0], tables[1]
    for each in tables:
        each.close()
    server().drop_database(address)


def questions() -> list[Question]:
    files = [file for file in SHIPPED.glob("*.yaml") if file.stem != "metrics"]
    views = [load_view(file.read_bytes(), file.name, file.stem) for file in sorted(files)]
    return [*views, *load_metrics((SHIPPED / "metrics.yaml").read_bytes(), "metrics.yaml")]


MOMENTS: list[dict[str, str]] = [{}, {"as_of": "2026-03-15"}, {"known_at": "2026-04-05"},
           {"as_of": "2026-02-28", "known_at": "2026-05-31"}]  # fmt: skip


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_every_view_and_metric_that_ships_says_the_same(question, both):
    for moments in MOMENTS:
        for most in (1_000, 3):
            here, there = (_answer(tables, question, moments, most) for tables in both)
            assert there == here, moments


def test_views_are_planned_without_nested_loops_and_nothing_else_is(both):
    """Where few rows were expected and many came, V2 took a minute instead of a second."""
    tables = both[1]
    asked = "SELECT setting FROM pg_settings WHERE name = 'enable_nestloop'"
    with tables.snapshot():
        assert tables.select(asked, {}, 1)[1] == [("off",)]
        assert tables.run(asked) == [("on",)]


def test_the_facts_are_enough_for_most_of_them_to_say_something(both):
    told = [question.name for question in questions() if _answer(both[0], question, {}, 5)]
    assert len(told) > 0.8 * len(questions())


def test_verification_compares_postgresql_with_a_file_that_is_built_for_it(chance, both, tmp_path):
    address = server().new_database()
    place = PostgresPlace(address)
    runner = Runner(chance.log, place, PROJECTIONS)
    runner.rebuild()
    report = verify(chance.log, place)
    assert report.sound, report.differences
    assert report.rows > FACTS
    runner.close()
    server().drop_database(address)


@pytest.mark.parametrize("moments", MOMENTS, ids=str)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", ["_key", "title", "amount", "state"])
def test_pages_are_sorted_and_filtered_alike(both, moments, descending, sort):
    for where in (
        [],
        [Where("title", "contains", "É")],
        [Where("title", "contains", "eCOL")],
        [Where("amount", ">", 1)],
        [Where("amount", "withheld")],
        [Where("title", "missing")],
        [Where("_state", "!=", "draft")],
    ):
        asked = {"where": where, "sort": sort, "descending": descending, "limit": 4} | moments
        here, there = (page(tables, "decision", **asked) for tables in both)
        assert there == here, where


def _answer(tables: Tables, question: Question, moments: dict[str, str], most: int) -> Any:
    at = relations(tables, **moments)
    if hasattr(question, "version"):
        return [(one.group, _rounded(one.value)) for one in figures(tables, at, question)]
    answer = ask(tables, at, question, dict.fromkeys(question.parameters), most)
    return [tuple(map(_rounded, row)) for row in answer.rows] and (
        answer.columns,
        answer.more,
        [tuple(map(_rounded, row)) for row in answer.rows],
    )


def _rounded(value: Any) -> Any:
    """Sums of fractions depend, in their last digit, on the order in which they are added."""
    return float(f"{value:.14g}") if isinstance(value, float) else value


def test_what_stands_beside_the_sets_is_brought_up_to_date_and_a_newer_one_is_left_alone(database):
    PostgresPlace(database).open_for_writing().close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP FUNCTION pmo_views.list_count")
        connection.execute("UPDATE pmo_views.standing SET form = 0")
        PostgresPlace(database).open_for_writing().close()
        assert connection.execute("SELECT pmo_views.list_count('[1]')").fetchone() == (1,)
        connection.execute("UPDATE pmo_views.standing SET form = 99")
        with pytest.raises(StoreFailed, match="newer version of pmo"):
            PostgresPlace(database).open_for_writing()


@pytest.mark.parametrize("call", ["pg_sleep(1)", "pg_read_file('/etc/passwd')", "version()"])
def test_a_view_calls_no_function_that_only_one_database_has(both, call):
    text = f"id: T1\ntitle: T\nabout: t\nsql: |\n  SELECT {call} AS x FROM cases\n"
    question = load_view(text, "t.yaml", "t")
    with pytest.raises(BadInput, match="no function: "):
        ask(both[1], relations(both[1]), question, {}, 1)
