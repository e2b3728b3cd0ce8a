"""What a step takes, told to whoever is about to type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Pmo

LEASE = """workflow: lease
version: 1
title: Lease
key: LSE
roles:
  clerk: {about: Keeps the leases.}
data:
  title: {type: text, required: true, longest: 80}
  rent: {type: money, currency: GBP, least: 0}
  share: {type: number, unit: "%", least: 0, most: 100}
  floors: {type: number, least: 1}
  kind: {type: choice, of: [office, depot]}
  from: {type: date}
  keeper: {type: person}
  rooms: {type: list, of: text}
  plan: {type: document}
  note: {type: text}
  ended: {type: text}
states:
  held: {initial: true}
  over: {final: true}
start: {by: clerk, emits: LeaseBegun}
transitions:
  - {trigger: end, from: held, to: over, by: clerk, needs: ended, accepts: note, emits: LeaseEnded}
  - trigger: correct
    from: [held, over]
    by: clerk
    corrects: [title, rent, share, floors, kind, from, keeper, rooms, plan, note]
    emits: LeaseCorrected
"""


@pytest.fixture
def lease(nowhere, tmp_path):
    file = tmp_path / "lease.yaml"
    file.write_text(LEASE, encoding="utf-8")
    (tmp_path / "plan.txt").write_text("a plan", encoding="utf-8")
    nowhere.done("init", "--bare", actor="olaf")
    nowhere.done("publish", str(file), actor="olaf")
    said = ["title=Harbour offce", "rent=120k", "share=62.5", "floors=3", "kind=office"]
    said += ["from=2026-01-01", "keeper=ann", "rooms=east, west", f"plan=@{tmp_path / 'plan.txt'}"]
    nowhere.done("start", "lease", *said, actor="carl:clerk")
    return nowhere


def test_a_correction_is_offered_with_each_field_its_type_and_what_stands_there(lease: Pmo):
    told = lease.done("do", "LSE-0001").out.splitlines()
    begin = next(place for place, line in enumerate(told) if "can correct" in line)
    corrects = "title, rent, share, floors, kind, from, keeper, rooms, plan"
    assert told[begin].startswith(f"  can correct -> held  (clerk; corrects {corrects};")
    assert [" ".join(line.split()) for line in told[begin + 1 :]][:-2] == [
        "[title=] text, up to 80 characters; now Harbour offce",
        "[rent=] GBP, like 1.25m, at least 0; now GBP 120,000",
        "[share=] number, in %, 0 to 100; now 62.5 %",
        "[floors=] number, at least 1; now 3",
        "[kind=] one of: office, depot; now office",
        "[from=] date, like 2026-12-31; now 2026-01-01",
        "[keeper=] a person's name; now ann",
        "[rooms=] list of text: one, another; now east, west",
    ]
    assert "[plan=]    document: @FILE; now plan.txt (sha256" in told[-2]
    assert told[-1].split() == ["--reason", "text:", "why"]


def test_what_is_missing_is_not_offered_for_correction_and_is_for_other_steps(lease: Pmo):
    (end, correct) = lease.done("do", "LSE-0001", "--json").json()
    assert "note" not in correct["corrects"]
    assert correct["takes"] == correct["corrects"]
    assert (end["needs"], end["takes"], end["corrects"]) == (["ended"], ["note"], [])


def test_who_says_who_they_are_is_told_the_fields_of_what_they_may_do_alone(lease: Pmo):
    assert "[rent=]" in lease.done("do", "LSE-0001", "--as", "carl:clerk").out
    assert "[rent=]" not in lease.done("do", "LSE-0001", "--as", "vic:visitor").out


def test_a_step_that_lacks_nothing_but_data_is_refused_with_how_that_is_written(lease: Pmo):
    answer = lease("do", "LSE-0001", "correct", actor="carl:clerk")
    assert answer.code == 1
    told = answer.err.splitlines()
    assert told[0] == "hint: [title=]   text, up to 80 characters; now Harbour offce"
    assert "say what it is: title or" in told[-1]
    other = lease("do", "LSE-0001", "end", actor="carl:clerk").err.splitlines()
    assert [" ".join(line.split()) for line in other[:2]] == ["hint: ended= text", "[note=] text"]


def test_who_may_not_take_a_step_is_told_that_and_no_fields(lease: Pmo):
    answer = lease("do", "LSE-0001", "end", actor="vic:visitor")
    assert answer.err.startswith("refused: ")
    assert "hint" not in answer.err


TALK = """workflow: talk
version: 1
title: Talk
key: TALK
roles: {clerk: {}, chair: {}}
data:
  title: {type: text, required: true}
  room: {type: text}
  seats: {type: number, about: How many people can sit in it.}
  held: {type: date}
  note: {type: text}
  delays: {type: number}
states: {planned: {initial: true}, set: {}, over: {final: true}}
start:
  by: clerk
  accepts: [title, room]
  when: [{check: "data.title != '-'", otherwise: nobody knows it by that}]
  should: {needs: room}
transitions:
  - trigger: fix
    from: planned
    to: set
    by: clerk
    needs: [room, seats]
    when: [{check: data.seats > 0.0, otherwise: nobody could sit}]
    should: {needs: note}
  - {trigger: seat, from: planned, by: chair, accepts: seats}
  - {trigger: count, from: planned, by: service, accepts: seats}
  - {trigger: delay, from: planned, by: clerk, anew: note, counts: delays}
  - {trigger: hold, from: [planned, set], to: over, by: clerk, needs: held, accepts: note}
"""


@pytest.fixture
def talk(nowhere: Pmo, tmp_path: Path) -> Pmo:
    file = tmp_path / "talk.yaml"
    file.write_text(TALK, encoding="utf-8")
    nowhere.done("init", "--bare", actor="olaf")
    nowhere.done("publish", str(file), actor="olaf")
    return nowhere


def test_a_condition_on_what_is_missing_keeps_nobody_from_being_told_the_fields(talk: Pmo):
    started = talk("start", "talk", actor="carl:clerk")
    assert started.code == 1
    assert started.err.startswith("hint: title=   text\n      [room=]  text\nrefused: ")
    talk.done("start", "talk", "title=Bridges", actor="carl:clerk")
    told = talk("do", "TALK-0001", "fix", actor="carl:clerk").err
    assert "seats=  number: How many people can sit in it." in told
    assert "nobody could sit" in told
    assert "hint: room=" not in talk("do", "TALK-0001", "fix", actor="vic:visitor").err


def test_what_would_only_be_warned_of_is_told_apart_from_why_not(talk: Pmo):
    talk.done("start", "talk", "title=Bridges", actor="carl:clerk")
    answer = talk("do", "TALK-0001", "fix", "room=east", "seats=0", actor="carl:clerk")
    assert answer.code == 1
    assert answer.err.splitlines()[1:] == [
        "  - nobody could sit (not so: data.seats > 0.0 (seats is 0))",
        "  would be warned of: needs more: note is missing",
    ]
    refused = talk("do", "TALK-0001", "fix", "room=east", "seats=0", "--json", actor="carl:clerk")
    against = {v["rule"]: v["weight"] for v in json.loads(refused.err)["verdicts"] if not v["held"]}
    assert against["needs"] == "should"


def test_a_field_that_another_step_takes_is_told_with_that_step(talk: Pmo):
    talk.done("start", "talk", "title=Bridges", actor="carl:clerk")
    words = ("do", "TALK-0001", "hold", "held=2026-01-01", "seats=4", "title=Bridge")
    told = talk(*words, actor="carl:clerk").err
    takes = "does not take seats, title; it takes note, held; seats comes with fix or seat"
    assert f"  - {takes}\n" in told


def test_what_a_step_counts_by_itself_nobody_is_asked_for(talk: Pmo):
    talk.done("start", "talk", "title=Bridges", actor="carl:clerk")
    told = talk("do", "TALK-0001", "delay", actor="carl:clerk").err
    assert told.startswith("hint: note=  text\nrefused: ")
    talk.done("do", "TALK-0001", "delay", "note=Rain", actor="carl:clerk")
    assert talk.done("show", "TALK-0001", "--json").json()["data"]["delays"] == 1


def test_a_start_that_lacks_data_is_refused_with_what_it_takes(lease: Pmo):
    told = lease("start", "lease", actor="carl:clerk").err
    assert told.startswith("hint: title=     text, up to 80 characters\n      [rent=] ")
    assert "needs more: title is missing" in told


def test_hints_are_for_people(lease: Pmo):
    answer = lease("start", "lease", "--json", actor="carl:clerk")
    assert answer.err.startswith("{")
    assert len(answer.err.splitlines()) == 1


def test_a_long_value_is_cut_where_one_knows_it(lease: Pmo):
    lease.done("do", "LSE-0001", "end", f"ended={'never ' * 40}", "note=x", actor="carl:clerk")
    (note,) = [
        line
        for line in lease.done("do", "LSE-0001").out.splitlines()
        if line.strip()[:6] == "[note="
    ]
    assert note.endswith("; now x")
    long = lease.done("start", "lease", f"title={'wide ' * 15}", actor="carl:clerk")
    told = lease.done("do", long.out.split()[0]).out
    assert f"; now {('wide ' * 12)[:59].rstrip()}…" in told
