"""A slip is mended by a step that can do nothing else; and numbers that count, count by one."""

from __future__ import annotations

from typing import Any

import pytest

from engine.case import fold
from engine.clock import HandClock
from engine.commands import Fact, Observe, Requester, StartCase
from engine.errors import Refused
from engine.events import CaseObserved, CaseTransitioned, Evidence, Source
from engine.loading import load_definitions
from engine.rehearsal import rehearse
from engine.service import Service
from engine.store.log import Log
from tests.deciding.asking import taken
from tests.deciding.conftest import publish
from tests.governance.conftest import APPOINTMENT

LETTERHEAD = Evidence(kind="letterhead", sha256="0" * 64, as_of="2026-03-01")

LETTER = """
workflow: letter
version: 1
title: Letter
key: LTR
roles: {writer: , clerk: {appointed_in: office}}
data:
  title: {type: text, required: true}
  sender: {type: text}
  note: {type: text}
  limit: {type: number}
  edition: {type: number}
states:
  draft: {initial: true, deadline: {within: 10 days, then: remind}}
  sent: {deadline: {within: 10 days, then: remind}}
  filed: {final: true}
start: {by: writer, accepts: [title, sender, note, limit]}
transitions:
  - {trigger: send, from: [draft, sent], to: sent, by: writer, accepts: sender, counts: edition,
     when: '!has(data.edition) || data.edition < 4', emits: LetterSent, tells: edition}
  - {trigger: remind, from: [draft, sent], by: timer}
  - {trigger: file, from: sent, to: filed, by: writer, accepts: note,
     when: data.limit > 0}
  - trigger: correct-record
    from: [draft, sent, filed]
    by: clerk
    corrects: [title, sender, note]
    emits: RecordCorrected
"""

WRITER = Requester(id="wim", roles=("writer",))
CLERK = Requester(id="cleo")


@pytest.fixture
def office(log: Log, clock: HandClock) -> Service:
    service = Service(log, clock)
    publish(service, APPOINTMENT)
    publish(service, LETTER)
    return service


@pytest.fixture
def letter(office: Service, clock: HandClock) -> str:
    """A letter with a slip in its title, and a clerk who was appointed only a month later."""
    data = {"title": "Fre doors", "note": "read once", "limit": 3}
    start = StartCase(command_id="start", actor=WRITER, workflow="letter", data=data)
    key = office.handle(start).stream
    clock.advance(days=31)
    said = {"role": "clerk", "unit": "office", "person": "cleo", "from": "2026-04-01"}
    office.handle(StartCase(command_id="clerk", actor=WRITER, workflow="appointment", data=said))
    return key


def take(
    office: Service, letter: str, trigger: str, actor: Requester = WRITER, **said: Any
) -> CaseTransitioned:
    return taken(office, letter, trigger, actor, **said)


def correct(office: Service, letter: str, **said: Any) -> CaseTransitioned:
    return take(office, letter, "correct-record", CLERK, **{"reason": "a slip"} | said)


def refused(office: Service, letter: str, **said: Any) -> list[str]:
    with pytest.raises(Refused) as refusal:
        correct(office, letter, **said)
    return [verdict.reason for verdict in refusal.value.verdicts if not verdict.held]


def test_a_correction_says_what_was_and_what_is_by_whom_and_why(
    office: Service, letter: str
) -> None:
    event = correct(office, letter, data={"title": "Fire doors"})
    assert event.name == "RecordCorrected"
    assert (event.before, event.data) == ({"title": "Fre doors"}, {"title": "Fire doors"})
    assert (event.actor.id, event.role, event.reason) == ("cleo", "clerk", "a slip")
    assert office.case(letter).data["title"] == "Fire doors"


def test_what_is_right_holds_from_when_the_slip_did_and_is_known_from_now(
    office: Service, letter: str
) -> None:
    take(office, letter, "send")
    event = correct(office, letter, data={"title": "Fire doors"})
    assert event.occurred_at == "2026-03-01T09:00:00.000000Z"
    assert event.recorded_at > "2026-04-01"
    history = [recorded.event for recorded in office.log.stream(letter)]
    so_in_march = fold(one for one in history if one.occurred_at < "2026-04-01")
    known_in_march = fold(one for one in history if one.recorded_at < "2026-04-01")
    assert so_in_march is not None
    assert known_in_march is not None
    assert so_in_march.data["title"] == "Fire doors"
    assert so_in_march.state == "draft"  # and not the state in which the correction was made
    assert known_in_march.data["title"] == "Fre doors"


def test_who_corrects_must_be_appointed_today_and_not_when_the_slip_was_made(
    office: Service, letter: str
) -> None:
    assert correct(office, letter, data={"title": "Fire doors"}).role == "clerk"
    other = Requester(id="wim", roles=("clerk",))
    with pytest.raises(Refused, match="wim is not appointed clerk in office"):
        take(office, letter, "correct-record", other, data={"title": "F"}, reason="a slip")


def test_a_correction_moves_neither_state_nor_deadline(office: Service, letter: str) -> None:
    take(office, letter, "send")
    before = office.case(letter)
    correct(office, letter, data={"title": "Fire doors"})
    after = office.case(letter)
    assert (after.state, after.entered) == ("sent", before.entered)
    assert after.deadlines == before.deadlines
    assert after.since[""] == before.since[""]


def test_a_case_that_has_ended_is_corrected_too(office: Service, letter: str) -> None:
    take(office, letter, "send")
    take(office, letter, "file")
    assert correct(office, letter, data={"title": "Fire doors"}).state == "filed"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "say what it is: title or sender or note"),
        ({"data": {"title": "Fire doors"}, "reason": " "}, "a reason is missing"),
        ({"data": {"title": "Fre doors"}}, "title is that already"),
        (
            {"data": {"title": "Fire doors"}, "evidence": (LETTERHEAD,)},
            "a document is attached by itself, not with a correction",
        ),
        ({"data": {"title": None}}, "title can be corrected, and not taken away"),
        ({"data": {"title": "  "}}, "title can be corrected, and not taken away"),
        (
            {"data": {"title": {"withheld": "section 40"}}},
            "title can be corrected, and not taken away",
        ),
        ({"data": {"sender": "Wim"}}, "sender is missing, not wrong"),
        ({"data": {"limit": 4}}, "does not take limit; it takes title, sender, note"),
    ],
)
def test_it_mends_a_slip_and_nothing_else(
    office: Service, letter: str, said: dict[str, Any], told: str
) -> None:
    version = office.case(letter).version
    assert told in refused(office, letter, **said)
    assert office.case(letter).version == version


def test_what_is_withheld_is_not_brought_to_light_as_a_slip(office: Service, letter: str) -> None:
    take(office, letter, "send", data={"sender": {"withheld": "section 40"}})
    assert refused(office, letter, data={"sender": "Wim"}) == ["sender is withheld, not wrong"]


def test_what_was_said_at_different_times_is_corrected_one_after_the_other(
    office: Service, letter: str
) -> None:
    event = take(office, letter, "send", data={"sender": "Wm"})
    both = {"title": "Fire doors", "sender": "Wim"}
    told = "title and sender were not said at one time: correct one after the other"
    assert refused(office, letter, data=both) == [told]
    assert correct(office, letter, data={"sender": "Wim"}).occurred_at == event.occurred_at
    told = refused(office, letter, data={"sender": "Win"}, occurred_at="2026-03-05")[0]
    assert "is before what it would replace was so" in told


def test_a_slip_is_not_left_true_until_a_day_that_somebody_picks(
    office: Service, letter: str
) -> None:
    right = {"title": "Fire doors"}
    told = "it was wrong from 2026-03-01T09:00:00.000000Z on, so it is right from then, too"
    assert told in refused(office, letter, data=right, occurred_at="2026-03-20")
    event = correct(office, letter, data=right, occurred_at="2026-03-01")
    assert event.occurred_at == "2026-03-01T09:00:00.000000Z"


def test_a_reported_value_breaks_no_rule_less_because_it_can_be_corrected(
    office: Service, letter: str
) -> None:
    fact = Fact(name="LetterRead", data={"note": "read twice"})
    take(office, letter, "send")
    observe = Observe(
        command_id="read",
        actor=Requester(id="post", kind="import"),
        workflow="letter",
        case=letter,
        origin=Source(name="the post room"),
        facts=(fact,),
    )
    receipt = office.handle(observe)
    event = office.log.stream(letter, receipt.version - 1)[0].event
    assert isinstance(event, CaseObserved)
    [broken] = event.conformance.rules
    assert broken == "takes: note changes by file alone, and not while it stays in sent"


def test_the_engine_counts_by_itself(office: Service, letter: str) -> None:
    events = [take(office, letter, "send") for _ in range(3)]
    assert [event.data for event in events] == [{"edition": n} for n in (1, 2, 3)]
    assert [event.before for event in events] == [{}, {"edition": 1}, {"edition": 2}]


def test_whoever_says_the_number_must_mean_the_next_one(office: Service, letter: str) -> None:
    take(office, letter, "send", data={"edition": 1})
    for wrong in (1, 3, 0):
        with pytest.raises(Refused, match=f"edition is 2 next, not {wrong}"):
            take(office, letter, "send", data={"edition": wrong})
    with pytest.raises(Refused, match="edition is 2 next, not missing"):
        take(office, letter, "send", data={"edition": None})
    assert take(office, letter, "send", data={"edition": 2}).data == {"edition": 2}


def test_conditions_see_the_number_that_it_becomes(office: Service, letter: str) -> None:
    for _ in range(3):
        take(office, letter, "send")
    with pytest.raises(Refused, match="edition is 4"):
        take(office, letter, "send")


def test_what_was_counted_and_corrected_is_decided_the_same_again(
    office: Service, letter: str, log: Log
) -> None:
    take(office, letter, "send")
    correct(office, letter, data={"title": "Fire doors"})
    take(office, letter, "send")
    [candidate] = load_definitions({"letter.yaml": LETTER.encode()}).values()
    judged = list(rehearse(log, candidate))
    assert [one.finding for one in judged] == ["as it was"] * len(judged)
    assert judged
