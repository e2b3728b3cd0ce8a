"""A reaction begins one case for everybody who is meant, as the registers had it then."""

from __future__ import annotations

import pytest

from consumers.reactions import Reactions
from consumers.work import Work
from engine import ids
from engine.commands import Fact, Observe, PullTrigger, Requester
from engine.errors import Contended
from engine.events import Source
from tests.consumers.conftest import PAT, House

OFFICE = """
workflow: office
version: 1
title: Office
key: APPT-{role}.{unit}.{person}
register: appointment
in_force: [held]
data:
  role: {type: text, required: true}
  unit: {type: text, required: true}
  person: {type: person, required: true}
  from: {type: date}
  until: {type: date}
states: {held: {initial: true}, left: {}}
transitions:
  - {trigger: leave, from: held, to: left}
  - {trigger: return, from: left, to: held}
"""

PANEL = """
workflow: panel
version: 1
title: Panel
key: BODY-{name}
register: body
in_force: [sits]
data:
  name: {type: text, required: true}
  members: {type: list, of: person}
states: {sits: {initial: true}, gone: {final: true}}
transitions: [{trigger: dissolve, from: sits, to: gone}]
"""

NOTICE = """
workflow: notice
version: 1
title: Notice
key: N
data:
  roles: {type: list, of: text}
  units: {type: list, of: text}
  panels: {type: list, of: text}
  people: {type: list, of: person}
states: {draft: {initial: true}, out: {final: true}}
transitions: [{trigger: send, from: draft, to: out, emits: NoticeSent}]
reactions:
  - on: NoticeSent
    do:
      start: receipt
      for: {roles: data.roles, units: data.units, bodies: data.panels, persons: data.people}
      with: {notice: key, person: item}
"""

ROUND = """
workflow: round
version: 1
title: Round
key: RND
data: {people: {type: list, of: person}}
states: {out: {initial: true}, complete: {final: true}}
transitions: [{trigger: complete, from: out, to: complete, by: service}]
reactions:
  - on: RoundStarted
    do: {start: receipt, for: {persons: data.people}, with: {round: key, person: item}}
  - {on: RoundStarted, do: {trigger: complete, of: case}}
"""

RECEIPT = """
workflow: receipt
version: 1
title: Receipt
key: R
data:
  notice: {type: ref, to: notice, parent: true}
  round: {type: ref, to: round, parent: true}
  person: {type: person, required: true}
states: {open: {initial: true}, given: {final: true}}
transitions: [{trigger: give, from: open, to: given, by: {person: person}}]
"""


@pytest.fixture
def post(bare: House) -> House:
    bare.publish(OFFICE, PANEL, NOTICE, RECEIPT)
    bare.runner.switch_on()
    return bare


def hold(post: House, role: str, unit: str, person: str, **dates: object) -> str:
    return post.start("office", role=role, unit=unit, person=person, **dates).stream


def send(post: House, **whom: object) -> str:
    notice = post.start("notice", **whom).stream
    post.do(notice, "send")
    return notice


def asked(post: House) -> list[str]:
    """Who has a receipt to give, in the order in which they were asked."""
    post.runner.catch_up()
    keys = sorted(key for key in post.log.streams("R-"))
    return [str(post.service.case(key).data["person"]) for key in keys]


def test_everybody_who_is_meant_is_asked_once_and_in_order(post):
    hold(post, "lead", "rail", "lea")
    hold(post, "lead", "bus", "bea")
    hold(post, "clerk", "rail", "cy")
    hold(post, "clerk", "port", "pia")
    post.start("panel", name="board", members=["lea", "max"])
    send(post, roles=["lead in rail"], units=["port"], panels=["board"], people=["LEA", "zoe"])
    assert asked(post) == ["lea", "max", "pia", "zoe"]
    assert post.store.incidents() == []


@pytest.mark.parametrize(
    ("whom", "found"),
    [
        ({"roles": ["lead"]}, ["bea", "lea"]),
        ({"roles": ["lead in rail", "lead in bus"]}, ["bea", "lea"]),
        ({"units": ["rail"]}, ["cy", "lea"]),
        ({"roles": ["lead"], "people": []}, ["bea", "lea"]),
        ({}, []),
    ],
)
def test_a_role_counts_anywhere_or_in_a_unit_and_a_unit_for_any_role(post, whom, found):
    hold(post, "lead", "rail", "lea")
    hold(post, "lead", "bus", "bea")
    hold(post, "clerk", "rail", "cy")
    hold(post, "leader", "rail", "no")
    post.do("APPT-leader.rail.no", "leave")
    send(post, **whom)
    assert asked(post) == found


def test_two_offices_whose_keys_read_alike_are_told_apart(post):
    hold(post, "lead", "rail", "x.lea")
    hold(post, "lead", "rail.x", "bea")
    send(post, roles=["lead in rail"])
    assert asked(post) == ["x.lea"]


def test_an_entry_that_could_be_meant_is_read_once_and_no_other_is(post, monkeypatch):
    for role, unit in (("lead", "rail"), ("lead", "port"), ("clerk", "port"), ("clerk", "bus")):
        hold(post, role, unit, f"{role}.{unit}")
    send(post, roles=["lead in port"], units=["port"])
    read: list[str] = []
    stream = post.log.stream

    def counted(key, *said):
        read.append(key)
        return stream(key, *said)

    monkeypatch.setattr(post.log, "stream", counted)
    assert asked(post) == ["clerk.port", "lead.port"]
    entries = sorted(key for key in read if key.startswith("APPT-"))
    assert entries == ["APPT-clerk.port.clerk.port", "APPT-lead.port.lead.port"]


def test_whoever_has_left_or_comes_later_is_not_meant_however_late_it_is_asked(post):
    hold(post, "lead", "rail", "lea")
    left = hold(post, "lead", "rail", "left")
    away = hold(post, "lead", "rail", "away")
    hold(post, "lead", "rail", "until", until="2026-02-28")
    hold(post, "lead", "rail", "from", **{"from": "2026-03-02"})
    post.do(left, "leave")
    send(post, roles=["lead in rail"])
    # Nothing has reacted yet: what is recorded from now on changes nothing of who was meant.
    hold(post, "lead", "rail", "later")
    post.do(left, "return")
    post.do(away, "leave")
    assert asked(post) == ["away", "lea"]


def test_sent_as_of_an_earlier_day_it_is_for_whoever_held_the_office_then_and_still_does(post):
    hold(post, "lead", "rail", "lea", **{"from": "2026-01-01"})
    hold(post, "lead", "rail", "new", **{"from": "2026-02-20"})
    notice = post.start("notice", roles=["lead"]).stream
    post.clock.at = "2026-03-03T09:00:00.000000Z"
    post.service.handle(
        PullTrigger(
            command_id=ids.new_id(),
            actor=PAT,
            case=notice,
            trigger="send",
            occurred_at="2026-03-02",
        )
    )
    hold(post, "lead", "rail", "known-later", **{"from": "2026-01-01"})
    assert asked(post) == ["lea", "new"]


def test_what_stands_after_it_asks_when_everybody_has_been_asked(post, monkeypatch):
    post.publish(ROUND)
    notice = post.start("round", people=["lea", "max"]).stream
    handle_many = post.service.handle_many

    def contended(commands):
        """Others write what one receipt is judged by, so that it has to be asked for again."""
        others = [one for one in commands if one.data.get("person") != "max"]
        if len(others) < len(commands):
            monkeypatch.setattr(post.service, "handle_many", handle_many)
        return [*handle_many(others), *([Contended("")] if len(others) < len(commands) else [])]

    monkeypatch.setattr(post.service, "handle_many", contended)
    post.runner.catch_up()
    assert post.names(notice) == ["RoundStarted", "CaseLinked", "CaseLinked", "RoundComplete"]
    assert post.store.incidents() == []


def test_an_office_that_nobody_holds_and_a_body_that_is_not_there_are_incidents(post):
    hold(post, "lead", "rail", "lea")
    gone = post.start("panel", name="old", members=["max"]).stream
    post.do(gone, "dissolve")
    send(post, roles=["lead in rail", "lead in port"], units=["sea"], panels=["board", "old"])
    assert asked(post) == ["lea"]
    office, unit, body, old = post.reasons()
    assert office == "nobody is appointed lead in port"
    assert unit == "nobody is appointed to anything in sea"
    assert body.startswith("there is no body BODY-board (start one: ")
    assert old == "BODY-old is gone"


def test_whom_an_entry_or_the_message_keeps_back_is_an_incident_and_no_silence(post):
    hold(post, "lead", "rail", "lea")
    hold(post, "lead", "rail", "shy", until={"withheld": "privacy"})
    send(post, roles=["lead"], people={"withheld": "s. 43"})
    assert asked(post) == ["lea"]
    until, people = post.reasons()
    assert "until of APPT-lead.rail.shy is withheld" in until
    assert people == "people, which says who is meant, is withheld"


def test_the_same_event_again_asks_nobody_twice_whoever_has_come_meanwhile(post):
    hold(post, "lead", "rail", "lea")
    hold(post, "lead", "bus", "bea")
    send(post, roles=["lead"])
    assert asked(post) == ["bea", "lea"]
    hold(post, "lead", "bus", "ada")
    everything = [Work(*row) for row in post.log.bodies(0, post.log.head())]
    assert Reactions(post.log, post.service).consume(everything) == []
    assert asked(post) == ["bea", "lea"]


def test_a_fact_that_it_was_sent_asks_as_well_and_a_report_of_long_ago_does_not(post):
    hold(post, "lead", "rail", "lea")
    for key, kind in (("OLD-1", "import"), ("OLD-2", "service")):
        post.service.handle(
            Observe(
                command_id=ids.new_id(),
                actor=Requester(id="reports", kind=kind),
                workflow="notice",
                case=key,
                facts=(Fact(name="NoticeSent", state="out", data={"roles": ["lead"]}),),
                origin=Source(name="report"),
            )
        )
    assert asked(post) == ["lea"]
    assert post.service.case("R-0001").data["notice"] == "OLD-2"
