"""Conditions: what they may say, what they answer, and that nothing they say can do harm."""

import contextlib
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.conditions import compile_condition
from engine.definition import Definition
from engine.errors import BadInput
from tests.processor import processor_seconds

# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "data.amount <= 100000",
        "data.amount == 450.5",
        "data.share == 3 && data.share < 3.5",
        "data.due > now",
        'data.due == timestamp("2026-03-01T00:00:00Z")',
        'data.due - now > duration("600h")',
        'data.category == "funding"',
        'data.category in ["funding", "scope"]',
        "data.sponsor == actor.id",
        'data.objective == "OBJ-0001"',
        'objective.key == "OBJ-0001" && objective.state == "active"',
        'objective.state == "active" && objective.data.due > now',
        "objective.data.target == 5 && objective.data.budget >= 10",
        'objective.data.note == "2026-13-45"',
        "data.tags.all(t, t in objective.data.allowed)",
        'data.tags.exists(t, t.startsWith("ra"))',
        "data.scores.exists_one(s, s > 2)",
        "data.milestones.all(m, m >= data.due)",
        "size(data.tags) == 2 && data.tags.size() == 2",
        'data.paper.name == "Paper"',
        'data["share"] == 3',
        'state == "draft" && key.startsWith("DEC-")',
        'actor.id == "ann" && "sponsor" in actor.roles',
        '"business-case" in evidence',
        '"title" in withheld && !("amount" in withheld)',
        "now.getFullYear() == 2026 && now.getMonth() == 1 && now.getHours() == 12",
        "!has(data.weight) && has(data.share) && !has(data.title)",
        "has(objective.data.due) && !has(objective.data.owner) && !has(data.paper.uri)",
        "has(data.weight) ? data.weight > 2 : true",
        "data.weight > 2 || data.share == 3",
        "// the least there is to say\ntrue",
    ],
)
def test_what_is_so_holds(source, definition, environment):
    assert compile_condition(source, definition).evaluate(environment) == (True, "")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("data.amount <= 100", "not so: data.amount <= 100 (amount is GBP 450.50)"),
        (
            'objective.state == "closed" && data.share > 1',
            "data.share > 1 (objective.state is active, share is 3)",
        ),
        ("has(data.weight)", "not so: has(data.weight) (weight is missing)"),
        ("now < now", "not so: now < now"),
        ("data.weight > 1", "cannot tell whether data.weight > 1: weight is missing"),
        (
            'data.title == "x"',
            '"x": title is withheld (Freedom of Information Act, s. 43)',
        ),
        (
            "data.minutes.uri == data.paper.uri",
            "cannot tell whether data.minutes.uri == data.paper.uri: minutes is missing",
        ),
        (
            'data.paper.uri == "x"',
            'cannot tell whether data.paper.uri == "x": paper.uri is missing',
        ),
        (
            "objective.data.start > now",
            "cannot tell whether objective.data.start > now: objective.data.start is missing",
        ),
        (
            'objective.data.owner == "x"',
            '"x": objective.data.owner is withheld (personal data)',
        ),
        ('parent.state == "draft"', "parent is missing"),
        ("has(parent.data.due)", "parent is missing"),
        ("objective.data.target > objective.data.due", "different types meet"),
        ("data.tags[7] == data.category", "a list is too short"),
        ("7 / (size(data.tags) - 2) > 1", "it divides by zero"),
        ("9223372036854775807 + size(data.tags) > 1", "a number or time grows too large"),
    ],
)
def test_what_does_not_hold_says_why(source, reason, definition, environment):
    held, said = compile_condition(source, definition).evaluate(environment)
    assert held is False
    assert reason in said


def test_a_reference_to_no_case_is_told_by_its_key(definition, environment):
    lost = environment._replace(data={"objective": "OBJ-0099"}, cases={"objective": None})
    held, said = compile_condition('objective.state == "active"', definition).evaluate(lost)
    assert not held
    assert said.endswith("there is no case OBJ-0099")


def test_missing_and_zero_differ(definition, environment):
    condition = compile_condition("data.weight == 0", definition)
    assert not condition.evaluate(environment)[0]
    assert condition.evaluate(environment._replace(data={"weight": 0}))[0]


def test_a_number_calculates_the_same_whether_it_is_whole_or_not(definition, environment):
    condition = compile_condition("data.share + 1.0 > 3", definition)
    assert condition.evaluate(environment._replace(data={"share": 3}))[0]
    assert condition.evaluate(environment._replace(data={"share": 3.5}))[0]


def test_a_long_reason_is_cut(definition, environment):
    long = environment._replace(data={"about": "x" * 100_000})
    source = " || ".join(['data.about == "y"'] * 30)
    held, said = compile_condition(source, definition).evaluate(long)
    assert not held
    assert len(said) < 300


def test_the_references_are_those_whose_case_is_read(definition):
    def read(source):
        return compile_condition(source, definition).references

    assert read('objective.state == "active"') == {"objective"}
    assert read("has(objective.data.due)") == {"objective"}
    assert read("data.tags.exists(t, t in objective.data.allowed)") == {"objective"}
    assert read('data.objective == "OBJ-0001"') == set()
    assert read("parent.data.due < objective.data.due") == {"objective", "parent"}


def test_a_condition_can_be_asked_from_any_thread(definition, environment):
    condition = compile_condition("data.amount <= 100000", definition)
    answers = []
    threads = [
        threading.Thread(
            target=lambda: answers.extend(condition.evaluate(environment) for _ in range(200))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(True, "")] * 800


# --- refused when the definition loads ----------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("data.amont > 1", "at character 6: data has no 'amont' (did you mean amount?"),
        ("objective.data == 1", "at character 1: objective.data has many fields"),
        ("objective.due > now", "at character 11: objective has no 'due' (there are: key, state"),
        ("nwo > data.due", "at character 1: no variable 'nwo' (did you mean now?"),
        ("data[key] == 1", "at character 1: data has many fields (name one, as in data.x)"),
        ("data == data", "at character 1: data has many fields"),
        ('"amount" in data', "data has many fields"),
        ("has(data)", "data has many fields"),
        ("has(key)", "has() asks for a field (write has(data.x))"),
        ('data.amount > "x"', "at character 13: a number compared with text"),
        ('data.due > "2026-03-31"', 'write timestamp("2026-03-31T00:00:00Z") for a day'),
        ("data.tags > data.tags", "a list has no order (compare with == or !=)"),
        ("data.share + 1 > 2", "write 1.0 instead of 1"),
        ("data.share + size(data.tags) > 2", "double(size(data.x))"),
        ("objective.data.target + 1 > 2", "write 1.0 instead of 1"),
        ('data.category + "x" == "y"', "+ between text and text (compare the parts"),
        ("objective.data.a + objective.data.b > 1.0", "write double(...) around them"),
        ('data.category == "fundng"', "never the same (on the left: 'funding', 'scope'"),
        ('state == "daft"', "never the same"),
        ('"titel" in withheld', "never the same"),
        ("data.share", "it gives a number, not true or false (compare it with something)"),
        ("1 + 1", "it gives a whole number, not true or false"),
        ("objective.data.flag", "not true or false"),
        ("data.share && true", "at character 1: a number where true or false is needed"),
        ("true && data.share", "at character 9: a number where true or false is needed"),
        ("!data.share", "a number where true or false is needed"),
        ("data.share ? true : false", "a number where true or false is needed"),
        ('true ? 1 : "x"', "a whole number beside text (make them of one type)"),
        ('data.share in [1, "a"]', "a whole number beside text"),
        ("1 < 2 < 3", "true or false compared with a whole number"),
        ("data.tags[data.share] == key", "write int(...) around a field's number"),
        ("data.paper.size == 1", "data.paper has no 'size' (there are: name, sha256, uri)"),
        ("data.share.x == 1", "a number has no field 'x'"),
        ("data.tags.all(t, t > 1)", "text compared with a whole number"),
        ("data.tags.all(t, 1)", "a whole number where true or false is needed"),
        ("data.tags.all(data, true)", "'data' cannot be a name here"),
        ("data.tags.all(_0, true)", "'_0' cannot be a name here"),
        ("data.share.all(t, true)", "a number where a list is needed"),
        ("data.tags.exists(t, data.tags.exists(u, u == t))", "exists within another macro"),
        ("data.tags.map(t, t) == data.tags", "no function 'map' (use all, exists or exists_one)"),
        ('data.category.matches("x")', "no function 'matches' (use startsWith"),
        ("data.category.startWith(key)", "no function 'startWith' (did you mean startsWith?"),
        ("sum(data.scores) > 1.0", "no function 'sum'"),
        ("size(data.category) > 3", "a text field can have `longest`"),
        ("size(objective.data.allowed) > 3", "size of what may be text"),
        ('now - data.due > duration("90d")', '"90d" is no duration (write "36h"'),
        ('data.due > timestamp("2026-02-30T00:00:00Z")', "is no timestamp (write timestamp("),
        ("data.due > timestamp(data.category)", "is no timestamp"),
        ("data.share == null", "write has(data.x) to ask whether there is a value"),
        ("data.share = 3", "at character 12: '=' cannot stand here (write == to compare)"),
        ("data.share == 3 and true", "at character 17: 'and' where the end should be (write &&"),
        ("true & true", "write && for and"),
        ("not true", "write ! for not"),
        ("{1: 2} == {1: 2}", "'{' cannot stand here"),
        ("1u == 1u", "cannot stand here"),
        ("data.share > 100k", "'100k' cannot stand here (write a number in full, like 100000"),
        ("data.share > 1.5m", "'1.5m' cannot stand here (write a number in full"),
        ("data.share > 1_000", "'1_000' cannot stand here (write a number in full"),
        ("data.share > £100", "'£100' cannot stand here (write a number in full"),
        ("data.share > 1,000", "',' where the end should be (write a number in full"),
        ('r"a" == b"a"', "cannot stand here"),
        ('"abc == key', "a text ends on its line, with the quote it began with"),
        (r'"\q" == key', "a text ends on its line"),
        (r'"\ud800" == key', "invalid string literal"),
        ("99999999999999999999 > 1", "invalid int literal"),
        ("", "at character 1: it ends too early"),
        ("  ", "it ends too early"),
        ("1 +", "at character 4: it ends too early"),
        ("(true", "at character 6: it ends where ')' should be"),
        ("true)", "')' where the end should be"),
        ("true\n&& data.x", "at line 2, character 9: data has no 'x'"),
    ],
)
def test_what_cannot_work_is_refused_with_a_place_and_a_mend(source, problem, definition):
    with pytest.raises(BadInput) as refused:
        compile_condition(source, definition, "decision.yaml:7:11")
    assert problem in str(refused.value)
    assert all(each.where == "decision.yaml:7:11" for each in refused.value.problems)


def test_all_problems_are_told_at_once(definition):
    with pytest.raises(BadInput) as refused:
        compile_condition("data.amont > 1 && data.due == 3 || nwo < now", definition)
    assert [problem.what.split(":")[0] for problem in refused.value.problems] == [
        "at character 6",
        "at character 28",
        "at character 36",
    ]


def test_one_mistake_is_told_once(definition):
    with pytest.raises(BadInput) as refused:
        compile_condition("(data.amont + 1 > 3) == (data.amont.x.all(y, y.z == 1))", definition)
    assert len(refused.value.problems) == 2


# --- harmless -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "||".join(["true"] * 50_000),
        "+".join(["1"] * 50_000) + " > 0",
        "(" * 21 + "true" + ")" * 21,
        "(" * 1_000 + "true" + ")" * 1_000,
        "[" * 900 + "]" * 900 + " == []",
        "!" * 1_900 + "true",
        "true?" * 300 + "true" + ":true" * 300,
        "true ? true : " * 100 + "true",
        "has(" * 400 + "data.share" + ")" * 400,
        "data" + ".share" * 300 + " == 1",
        "data.tags" + "[0]" * 300 + ' == "a"',
        "data.share in [" + ",".join(["1.0"] * 400) + "]",
        "data.scores.all(a, " * 50 + "true" + ")" * 50,
        "&&".join(["data.scores.all(x, x + 1.0 > x * 2.0 - 3.0)"] * 20),
        "data.tags.exists(t, data.about.contains(t))",
        "data.tags.exists(t, data.tags == data.tags && data.tags == data.tags)",
        "true\x00",
        '"\x00" == key',
        "\ud800 == key",
        '"\ud800" == key',
        "\u202etrue",
        "дата.share == 1",
        "true\u00a0",
        "x" * 10_000_000,
        "/" * 10_000_000,
        '"' + "\\" * 1_999,
    ],
    ids=lambda source: source[:12].encode("unicode_escape").decode(),
)
def test_what_would_crash_or_stall_is_refused_at_once(source, definition):
    def refused():
        with pytest.raises(BadInput):
            compile_condition(source, definition)

    assert processor_seconds(refused) < 0.5  # 4 ms, measured; a hang takes minutes


@pytest.mark.parametrize(
    "source",
    [
        "data.tags.all(x, x in data.tags)",
        "&&".join(["(data.about.contains(data.title) || true)"] * 25),
        "data.tags.exists(x, data.about == data.title)",
        "data.tags.exists(x, data.tags != data.tags)",
        "data.milestones.all(m, m in data.milestones)",
        "&&".join(["data.scores.all(x, x + 1.0 > x)"] * 7),
        "&&".join(["data.about == data.title || true"] * 40),
    ],
)
def test_the_dearest_conditions_on_the_largest_data_end_soon(source, definition, environment):
    full = environment._replace(
        data={
            "title": "a" * 99_999 + "b",
            "about": "a" * 100_000,
            "tags": [f"item {number}" for number in range(1_000)],
            "scores": list(range(1_000)),
            "milestones": ["2026-03-01"] * 999 + ["2026-09-01"],
        }
    )
    condition = compile_condition(source, definition)
    said = []
    took = processor_seconds(lambda: said.append(condition.evaluate(full)[1]))
    assert "cannot tell" not in said[0]
    assert took < 0.2  # 12 ms, measured


@pytest.mark.parametrize(
    "data",
    [
        {"share": "three"},
        {"share": []},
        {"share": object()},
        {"share": float("nan")},
        {"amount": "450"},
        {"amount": {}},
        {"due": "soon"},
        {"tags": 3},
        {"tags": [None, {1: 2}]},
        {"category": "\ud800"},
    ],
    ids=lambda data: next(iter(data)),
)
def test_values_that_should_not_be_there_make_it_not_held(data, definition, environment):
    source = (
        "data.share > 1 && data.amount > 1 && data.due > now"
        ' && data.tags.all(t, t == "a") && data.category == "scope"'
    )
    known = {**environment.data, "category": "scope", "tags": ["a"]}
    condition = compile_condition(source, definition)
    assert condition.evaluate(environment._replace(data=known)) == (True, "")
    held, said = condition.evaluate(environment._replace(data={**known, **data}))
    assert held is False
    assert said


def test_a_panic_in_the_library_is_not_held_but_an_interrupt_goes_through(definition, environment):
    class PanicException(BaseException):
        pass

    class Broken:
        def __init__(self, error):
            self.error = error

        def execute(self, variables):
            raise self.error

    condition = compile_condition("true", definition)
    held, said = replace(condition, _program=Broken(PanicException())).evaluate(environment)
    assert not held
    assert "broke down" in said
    with pytest.raises(KeyboardInterrupt):
        replace(condition, _program=Broken(KeyboardInterrupt())).evaluate(environment)


WORDS = """data . . . ( ) [ ] , + - * / % < <= == != in && || ! ? : 1 2.5 'a' "b" true has size int
all exists share tags due objective state now withheld key x data.share data.tags has(data.due)
duration('1h') contains startsWith timestamp null and {"""


@given(st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join) | st.text(max_size=40))
def test_no_text_whatever_does_more_than_be_refused_or_answer(source):
    # Not from fixtures: Hypothesis wants each example to begin anew.
    bare = Definition.model_validate(
        {
            "workflow": "w",
            "version": 1,
            "title": "W",
            "key": "W",
            "states": {"draft": {"initial": True}},
            "data": {
                "share": {"type": "number"},
                "due": {"type": "date"},
                "tags": {"type": "list", "of": ["text"]},
                "objective": {"type": "ref", "to": "objective"},
            },
        }
    )
    with contextlib.suppress(BadInput):
        compile_condition(source, bare)
