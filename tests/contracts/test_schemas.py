"""The schema of an event says what such events are, and nothing that they are not."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from app.contracts.examples import example
from app.contracts.forms import forms, observed
from app.contracts.schema import event_schema
from engine.definition import Definition
from engine.errors import BadInput
from engine.events import from_body
from engine.loading import load_definition
from engine.upcasts import Body
from engine.values import read
from tests.contracts.conftest import Shipped

pytestmark = pytest.mark.timeout(1_200)  # the first test that asks for it plays every scenario


class Validators:
    """One validator for every kind of event, made when it is first asked for."""

    def __init__(self, definitions: Shipped) -> None:
        self._definitions = definitions
        self._made: dict[tuple[str, str], Draft202012Validator] = {}

    def __getitem__(self, of: tuple[str, str]) -> Draft202012Validator:
        if of not in self._made:
            schema = event_schema(self._definitions[of[0]], of[1])
            self._made[of] = Draft202012Validator(schema, format_checker=FormatChecker())
        return self._made[of]

    def of(self, body: Body) -> Draft202012Validator:
        return self[body["definition"]["name"], body["name"]]


@pytest.fixture(scope="session")
def validators(definitions: Shipped) -> Validators:
    return Validators(definitions)


def test_every_event_of_every_shipped_scenario_fits_its_schema(
    played: list[Body], validators: Validators
) -> None:
    assert len(played) > 10_000
    wrong = [
        (body, why.message) for body in played for why in validators.of(body).iter_errors(body)
    ]
    assert wrong == []


def test_the_scenarios_show_every_event_that_a_contract_names(
    played: list[Body], definitions: Shipped
) -> None:
    seen = {(body["definition"]["name"], body["name"]) for body in played}
    steps = {
        (workflow, name)
        for workflow, one in definitions.items()
        for name, ways in forms(one).items()
        if any(way.at for way in ways)
    }
    assert steps - seen == set()


def test_each_step_records_only_fields_that_its_own_form_names(
    played: list[Body], definitions: Shipped
) -> None:
    for body in played:
        if "trigger" not in body or "data" not in body:
            continue
        ways = forms(definitions[body["definition"]["name"]])[body["name"]]
        mine = [
            way for way in ways if way.trigger == body["trigger"] and body["state"] in way.states
        ]
        assert any(set(body["data"]) <= set(way.carries or ()) for way in mine), body


def spoiled(body: Body) -> list[tuple[str, Body]]:
    """The event with one thing wrong with it, in every way that fits its kind."""

    def changed(**to: Any) -> Body:
        return copy.deepcopy(body) | to

    found = [
        ("another name", changed(name="SomethingElse")),
        ("another workflow", changed(definition=body["definition"] | {"name": "elsewhere"})),
        ("another version of the rules", changed(definition=body["definition"] | {"version": 99})),
        ("no type", {name: value for name, value in body.items() if name != "type"}),
        ("an unknown type", changed(type="pmo.case.vanished.v1")),
        ("no key", {name: value for name, value in body.items() if name != "stream"}),
        ("a version in words", changed(version="one")),
        ("a local time", changed(recorded_at="2026-03-31 09:30")),
        ("an actor without a name", changed(actor={"kind": "human"})),
    ]
    if "data" in body:
        found.append(("a stranger in data", changed(data=body["data"] | {"no_such_field": 1})))
        found += [
            (f"{name}: wrong kind", changed(data=body["data"] | {name: {"wrong": "kind"}}))
            for name in body["data"]
        ]
    if "trigger" in body and "data" in body:
        found.append(("a trigger that is none", changed(trigger="no-such-trigger")))
        found.append(("a state that is none", changed(state="no-such-state")))
    return found


def test_an_event_with_something_wrong_does_not_fit(
    played: list[Body], validators: Validators
) -> None:
    one_of_each: dict[tuple[str, str, str], Body] = {}
    for body in played:
        one_of_each.setdefault((body["definition"]["name"], body["name"], body["type"]), body)
    kinds: dict[str, int] = defaultdict(int)
    for body in one_of_each.values():
        for what, wrong in spoiled(body):
            assert not validators.of(body).is_valid(wrong), (what, wrong)
            kinds[what.partition(": ")[2] or what] += 1
    assert min(kinds.values()) > 10


def test_every_schema_is_a_schema_and_fits_its_own_example(
    definitions: Shipped, validators: Validators
) -> None:
    for workflow, one in definitions.items():
        Draft202012Validator.check_schema(event_schema(one, one.emits(one.start)))
        for name in [*forms(one), "SomethingThatWasSeen"]:
            made = example(one, name)
            validators[workflow, name].validate(made)
            from_body(made)  # and the engine itself can read it


EVERY_TYPE = """
workflow: thing
version: 4
title: Thing
key: THING
data:
  a_text: {type: text, required: true, longest: 5}
  a_number: {type: number, least: 0, most: 10, unit: points}
  money: {type: money, currency: EUR}
  spent: {type: money, currency: EUR, least: 0, most: 90000}
  day: {type: date}
  colour: {type: choice, of: [red, green]}
  other: {type: ref, to: thing}
  who: {type: person}
  people: {type: list, of: person, unique: true}
  paper: {type: document}
states: {open: {initial: true}, done: {final: true}}
transitions:
  - {trigger: finish, from: open, to: done, needs: day, accepts: [money], emits: ThingDone}
  - {trigger: recolour, from: open, accepts: colour, emits: ThingPainted}
  - {trigger: weigh, from: open, anew: [a_number, reason], accepts: day, emits: ThingWeighed}
"""


@pytest.fixture(scope="module")
def thing() -> Definition:
    return load_definition(EVERY_TYPE, "thing.yaml")


def fits(thing: Definition, name: str, **data: Any) -> bool:
    body = example(thing, name)
    schema = Draft202012Validator(event_schema(thing, name), format_checker=FormatChecker())
    return schema.is_valid(body | {"data": data})


VALUES = {
    "a_number": ([0, 2.5, 10], [-1, 11, "2", True]),
    "money": (
        [{"amount": "1.50", "currency": "EUR"}, {"amount": "-3", "currency": "EUR"}],
        [{"amount": 1.5, "currency": "EUR"}, {"amount": "1", "currency": "GBP"}, "1 EUR"],
    ),
    "spent": (
        [{"amount": "0", "currency": "EUR"}, {"amount": "1.50", "currency": "EUR"}],
        [{"amount": "-3", "currency": "EUR"}],
    ),
    "day": (["2026-12-31"], ["31.12.2026", "2026-02-30", 20261231]),
    "colour": (["red"], ["blue", ["red"]]),
    "other": (["THING-0001"], ["", "a/b", 7]),
    "who": (["Ada Lovelace"], ["a:b", ""]),
    "people": ([[], ["ada", "bob"]], [["ada", "ada"], "ada", [1]]),
    "paper": (
        [{"name": "a.pdf", "sha256": "0" * 64}, {"sha256": "f" * 64, "uri": "file:a"}],
        [{"name": "a.pdf"}, {"sha256": "0" * 63}, {"sha256": "0" * 64, "size": 1}],
    ),
}


@pytest.mark.parametrize("field", VALUES)
def test_values_of_every_type_and_their_opposites(thing: Definition, field: str) -> None:
    right, wrong = VALUES[field]
    for value in (*right, None, {"withheld": "law"}):
        assert fits(thing, "ThingStarted", a_text="here", **{field: value}), value
    for value in (*wrong, {"withheld": 1}):
        assert not fits(thing, "ThingStarted", a_text="here", **{field: value}), value


def test_a_field_that_a_step_needs_is_neither_cleared_nor_withheld(thing: Definition) -> None:
    assert fits(thing, "ThingDone", day="2026-12-31")
    assert fits(thing, "ThingDone")  # the case had it before
    assert fits(thing, "ThingDone", money=None)
    assert not fits(thing, "ThingDone", day=None)
    assert not fits(thing, "ThingDone", day={"withheld": "law"})
    assert not fits(thing, "ThingStarted")
    assert not fits(thing, "ThingStarted", a_text=None)


def test_a_field_that_a_step_wants_anew_is_in_every_event_of_it(thing: Definition) -> None:
    assert fits(thing, "ThingWeighed", a_number=2)
    assert fits(thing, "ThingWeighed", a_number=2, day="2026-12-31")
    assert not fits(thing, "ThingWeighed")
    assert not fits(thing, "ThingWeighed", a_number=None)
    assert not fits(thing, "ThingWeighed", a_number={"withheld": "law"})
    passed = EVERY_TYPE.replace("accepts: day,", "override: {by: boss, of: anew},")
    passed = passed.replace("version: 4", "version: 4\nroles: {boss: }")
    assert fits(load_definition(passed, "thing.yaml"), "ThingWeighed"), "somebody may go past it"


def test_a_step_carries_what_it_takes_and_nothing_else(thing: Definition) -> None:
    assert fits(thing, "ThingPainted", colour="red")
    assert not fits(thing, "ThingPainted", money={"amount": "1", "currency": "EUR"})


def test_a_fact_may_have_any_name_and_any_field_of_the_workflow(thing: Definition) -> None:
    assert fits(thing, "SeenSomewhere", colour="red", money=None)
    assert not fits(thing, "SeenSomewhere", stranger=1)
    body = example(thing, "SeenSomewhere") | {"name": "ThingDone", "data": {"colour": "red"}}
    assert Draft202012Validator(event_schema(thing, "ThingDone")).is_valid(body)
    assert list(observed(thing).carries or ()) == list(thing.data)


def test_what_a_later_engine_adds_to_the_envelope_still_fits(thing: Definition) -> None:
    schema = Draft202012Validator(event_schema(thing, "ThingDone"))
    assert schema.is_valid(example(thing, "ThingDone") | {"something_new": 1})


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
def test_text_fits_exactly_when_the_engine_takes_it(thing: Definition, text: str) -> None:
    try:
        read(thing.data["a_text"], text, "")
    except BadInput:
        assert len(text) > 5 or "\x00" in text
        assert "\x00" in text or not fits(thing, "ThingStarted", a_text=text)
    else:
        assert fits(thing, "ThingStarted", a_text=text)
