"""The AsyncAPI document: valid to the reference parser, and true of what is published."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from jsonschema import Draft7Validator, FormatChecker

from app.contracts.asyncapi import Document, document
from app.contracts.forms import forms
from app.contracts.messages import as_headers
from app.contracts.schema import event_schema
from consumers.cloud_events import attributes
from consumers.kafka_settings import Door, Intake, KafkaSettings, Topics
from engine.case import Case, fold
from engine.commands import ASKABLE
from engine.definition import Definition
from engine.events import CaseStarted, from_body
from engine.upcasts import Body
from tests.contracts.conftest import Shipped
from tests.npm import HERE, Npm

FEW = ("decision", "objective", "authority")

pytestmark = pytest.mark.timeout(1_200)


@pytest.fixture(scope="module")
def few(definitions: Shipped) -> list[Definition]:
    return [definitions[name] for name in FEW]


@pytest.fixture(scope="module")
def small(few: list[Definition]) -> Document:
    return document(few, seen={"decision": ["DecisionReported"]})


def errors(told: dict[str, Any]) -> list[Any]:
    return [one for one in told["diagnostics"] if one["severity"] < 2]


def test_the_whole_library_is_a_valid_document(definitions: Shipped, npm: Npm) -> None:
    told = npm.parse(document(definitions.values()))
    assert errors(told) == []
    assert told["document"]["version"] == "3.0.0"
    assert told["document"]["channels"] == [
        ["events", "pmo.events"],
        ["states", "pmo.state.{workflow}"],
        ["replies", "pmo.replies"],
        ["commands", "pmo.commands"],
    ]
    assert told["document"]["operations"] == [
        ["publishEvents", "send"],
        ["publishStates", "send"],
        ["takeCommands", "receive"],
    ]
    wanted = {
        f"pmo.{workflow}.{name}" for workflow, one in definitions.items() for name in forms(one)
    }
    assert wanted <= set(told["document"]["messages"])


def test_the_parser_finds_what_is_wrong(small: Document, npm: Npm) -> None:
    assert errors(npm.parse(small)) == []
    for spoil in (
        lambda wrong: wrong["channels"]["events"].update(messages={"x": {"$ref": "#/nowhere"}}),
        lambda wrong: wrong["operations"]["publishEvents"].update(action="shout"),
        lambda wrong: wrong["components"]["schemas"]["Actor"].update(type="person"),
    ):
        wrong = copy.deepcopy(small)
        spoil(wrong)
        assert errors(npm.parse(wrong)) != []


def resolver(whole: Document, schema: Any) -> Draft7Validator:
    """A validator in AsyncAPI's dialect of a schema that refers to the document's components."""
    own = {"components": whole["components"]}
    return Draft7Validator({"allOf": [schema], **own}, format_checker=FormatChecker())


def test_every_message_has_an_example_that_fits_headers_and_payload(small: Document) -> None:
    for key, message in small["components"]["messages"].items():
        assert message["examples"], key
        for made in message["examples"]:
            resolver(small, message["payload"]).validate(made["payload"])
            resolver(small, message.get("headers", {})).validate(made.get("headers", {}))
            if "ce_type" in made.get("headers", {}):
                assert made["headers"]["ce_type"] == message["name"], key


def test_a_message_is_told_from_its_neighbours_by_headers_and_payload(small: Document) -> None:
    taken = small["components"]["messages"]["decision.5.DecisionTaken"]
    closed = small["components"]["messages"]["decision.5.DecisionClosed"]
    assert not resolver(small, taken["payload"]).is_valid(closed["examples"][0]["payload"])
    assert not resolver(small, taken["headers"]).is_valid(closed["examples"][0]["headers"])


def test_played_events_fit_the_document_as_they_fit_their_own_schemas(
    played: list[Body], small: Document
) -> None:
    checked = 0
    validators: dict[str, tuple[Draft7Validator, Draft7Validator]] = {}
    for position, body in enumerate(played, 1):
        key = f"{body['definition']['name']}.{body['definition']['version']}.{body['name']}"
        message = small["components"]["messages"].get(key)
        if message is None or checked > 3_000:
            continue
        if key not in validators:
            validators[key] = (
                resolver(small, message["payload"]),
                resolver(small, message["headers"]),
            )
        payload, headers = validators[key]
        payload.validate(body)
        headers.validate(as_headers(attributes(position, body)))
        checked += 1
    assert checked > 1_000


def test_the_dataschema_of_an_event_is_the_id_of_its_schema(
    played: list[Body], definitions: Shipped
) -> None:
    one_of_each = {(body["definition"]["name"], body["name"]): body for body in played}
    for (workflow, name), body in one_of_each.items():
        told = attributes(1, body)["dataschema"]
        assert told == event_schema(definitions[workflow], name)["$id"]


def test_facts_that_were_seen_are_messages_too(small: Document) -> None:
    message = small["components"]["messages"]["decision.5.DecisionReported"]
    assert message["examples"][0]["payload"]["type"] == "pmo.case.observed.v2"


def test_a_break_is_told_to_subscribers(few: list[Definition]) -> None:
    body = few[0].body | {"version": 3, "breaks": {"DecisionTaken": "It has no date any more."}}
    told = document([Definition.from_body(body)])["components"]["messages"]
    broken = told["decision.3.DecisionTaken"]["description"]
    assert broken == "Broken by version 3: It has no date any more."
    assert "description" not in told["decision.3.DecisionClosed"]


def test_topics_are_called_as_the_settings_say(few: list[Definition]) -> None:
    doors = {"asked.planning": Door(actors={}, commands=("observe",)), "asked": Door(actors={})}
    settings = KafkaSettings(
        bootstrap=["broker:9092"],
        topics=Topics(events="ledger.{workflow}", states=None),
        intake=Intake(topics=doors, replies="answered"),
    )
    made = document(few, settings)
    addresses = {name: channel["address"] for name, channel in made["channels"].items()}
    assert addresses == {
        "events": "ledger.{workflow}",
        "replies": "answered",
        "commands1": "asked.planning",
        "commands2": "asked",
    }
    assert made["channels"]["events"]["parameters"]["workflow"]["enum"] == [*FEW]
    assert [*made["channels"]["commands1"]["messages"]] == ["command.observe"]
    assert len(made["channels"]["commands2"]["messages"]) == 5  # facts only where that is written
    assert "commands" not in document(few, KafkaSettings(bootstrap=["broker:9092"]))["channels"]


def test_an_example_of_a_command_is_one_that_the_engine_takes(small: Document) -> None:
    for kind, model in ASKABLE.items():
        (made,) = small["components"]["messages"][f"command.{kind}"]["examples"]
        said = {name: value for name, value in made["payload"].items() if name != "kind"}
        assert model.model_validate(said).command_id


def test_what_a_case_is_fits_what_its_topic_is_said_to_hold(
    played: list[Body], small: Document
) -> None:
    schema = resolver(small, small["components"]["messages"]["decision.5"]["payload"])
    events = [from_body(body) for body in played if body["definition"]["name"] == "decision"]
    cases: dict[str, Case | None] = {}
    for event in events:
        if isinstance(event, CaseStarted):
            cases.pop(event.stream, None)  # another scenario, in another log
        if "/" in event.stream or (event.version > 1 and event.stream not in cases):
            continue
        case = cases[event.stream] = fold([event], cases.get(event.stream))
        assert case is not None
        schema.validate(
            {
                "key": case.key,
                "workflow": case.definition.name,
                "definition": case.definition.version,
                "state": case.state,
                "data": dict(case.data),
                "version": case.version,
                "position": 1,
                "recorded_at": event.recorded_at,
            }
        )
    assert len(cases) > 3


def test_the_lock_file_names_no_registry() -> None:
    lock = (HERE / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 100
