"""What is published: it counts at once, once, and not for cases that run on an older version."""

from __future__ import annotations

import pytest

from engine import canonical, ids
from engine.clock import HandClock
from engine.commands import (
    PublishDefinition,
)
from engine.errors import BadInput, LogNewer, Refused
from engine.events import DefinitionPublished, DefinitionRef
from engine.service import Service
from engine.store.log import Append, Log
from tests.deciding.asking import in_review, pull, start
from tests.deciding.conftest import DECISION, OPERATOR, SAM, publish


def test_a_case_stays_on_the_definition_it_started_with(service: Service) -> None:
    old = in_review(service, amount="90000")
    publish(service, DECISION.replace("version: 1", "version: 2").replace("100000", "50000"))
    new = in_review(service, amount="90000")
    assert pull(service, old, "approve", SAM).state == "approved"
    with pytest.raises(Refused):
        pull(service, new, "approve", SAM)
    assert service.case(new).definition.version == 2


def test_publishing_twice_changes_nothing_and_a_version_cannot_be_taken_again(
    service: Service,
) -> None:
    head = service.log.head()
    publish(service, DECISION + "# a comment does not change the meaning\n")
    assert service.log.head() == head
    with pytest.raises(BadInput, match="version 1 is already published with other content"):
        publish(service, DECISION.replace("100000", "7"))
    retyped = DECISION.replace("rationale: {type: text}", "rationale: {type: number}")
    with pytest.raises(BadInput, match="/data/rationale: was text"):
        publish(service, retyped.replace("version: 1", "version: 2"))


def test_a_field_that_comes_back_has_the_type_it_had(service: Service) -> None:
    with_note = DECISION.replace(
        "  rationale: {type: text}\n", "  rationale: {type: text}\n  note: {type: number}\n"
    )
    publish(service, with_note.replace("version: 1", "version: 2"))
    publish(service, DECISION.replace("version: 1", "version: 3"))
    other = with_note.replace("note: {type: number}", "note: {type: text}")
    head = service.log.head()
    with pytest.raises(BadInput, match="/data/note: was number in version 2 and cannot become tex"):
        publish(service, other.replace("version: 1", "version: 4"))
    assert service.log.head() == head
    publish(service, with_note.replace("version: 1", "version: 4"))


def test_a_definition_that_is_not_one_is_refused(service: Service) -> None:
    unfit = {
        "workflow": "X",
        "version": "1",
        "title": "T",
        "key": "X",
        "states": {"a": {"fnal": 1}},
    }
    with pytest.raises(BadInput) as error:
        service.handle(PublishDefinition(command_id="p", actor=OPERATOR, body=unfit, text=""))
    assert [(problem.where, problem.what) for problem in error.value.problems] == [
        ("/workflow", "'X' cannot stand here"),
        ("/version", "the text '1' where a whole number is needed"),
        ("/states/a/fnal", "there is no key 'fnal' here"),
    ]
    assert error.value.problems[2].mend == "did you mean 'final'?"
    stuck = {
        "workflow": "stuck",
        "version": 1,
        "title": "Nothing leads out",
        "key": "S",
        "states": {"open": {"initial": True}, "island": {}},
    }
    with pytest.raises(BadInput, match="island"):
        service.handle(PublishDefinition(command_id="s", actor=OPERATOR, body=stuck, text=""))


def test_a_definition_that_another_process_published_counts_at_once(
    log: Log, service: Service
) -> None:
    start(service)
    other = Service(log, HandClock("2026-03-01T10:00:00.000000Z"))
    newer = DECISION.replace("version: 1", "version: 2")
    publish(other, newer.replace("data:", "data:\n  extra: {type: text}", 1))
    assert service.case(start(service, extra="known")).data["extra"] == "known"


def publish_newer(log: Log, service: Service, changed: dict[str, object]) -> None:
    """The decision workflow, as a newer version of this program publishes it."""
    before = service.catalog.newest("decision")
    body = before.workflow.definition.body | {"version": 2} | changed
    (*_, last) = log.stream("definition/decision")
    said = last.event.__dict__ | {
        "body": body,
        "definition": DefinitionRef(name="decision", version=2, hash=canonical.digest(body)),
        "event_id": ids.new_id(),
        "version": last.event.version + 1,
    }
    said.pop("type", None)
    event = DefinitionPublished(**said)
    log.append([Append((event,), {event.stream: last.event.version}, "newer", bytes(32))])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"hurried": True}, "hurried"),
        ({"data": {"title": {"type": "sound"}}}, "data.title.type"),
    ],
    ids=["a word", "a type of field"],
)
def test_what_only_a_newer_version_can_read_is_told_and_keeps_nobody_from_the_rest(
    service: Service, log: Log, clock: HandClock, changed: dict[str, object], told: str
) -> None:
    running = in_review(service)
    publish_newer(log, service, changed)
    older = Service(log, clock)
    assert pull(older, running, "reject", SAM, data={"rationale": "No."}).state == "rejected"
    with pytest.raises(LogNewer, match=rf"^decision version 2 has {told}, which this version"):
        start(older, "decision", title="Another")
