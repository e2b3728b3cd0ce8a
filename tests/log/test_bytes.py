"""What is stored: canonical bytes, read back as the same event, in every form there ever was."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as some

from engine import events, upcasts
from engine.events import (
    Actor,
    Authority,
    CaseMigrated,
    CaseObserved,
    CaseStarted,
    CaseTransitioned,
    CommandRefused,
    Conformance,
    DefinitionPublished,
    DefinitionRef,
    Evidence,
    EvidenceAttached,
    Source,
    Verdict,
)
from engine.store.chain import GENESIS, link
from engine.store.log import Append
from tests.log.conftest import event

SAMPLE = Path(__file__).parent / "samples" / "observed-v1.json"

TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=12)
OPTIONAL = some.none() | TEXT
WHOLE = some.integers(-(2**53) + 1, 2**53 - 1)
# Beyond 2**53 a float is written as a whole number that JSON readers take for an inexact integer.
FLOAT = some.floats(-(2.0**53) + 1, 2.0**53 - 1)
LEAF = some.none() | some.booleans() | WHOLE | TEXT | FLOAT
JSON = some.recursive(
    LEAF,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
DATA = some.dictionaries(TEXT, JSON, max_size=4)
DEFINITION = some.builds(DefinitionRef, name=TEXT, version=WHOLE, hash=TEXT)
VERDICTS = some.lists(
    some.builds(Verdict, rule=TEXT, held=some.none() | some.booleans(), reason=TEXT), max_size=2
).map(tuple)
EVIDENCE = some.builds(Evidence, kind=TEXT, sha256=TEXT, as_of=TEXT, name=TEXT, uri=OPTIONAL)
ENVELOPE = {
    "event_id": TEXT,
    "stream": TEXT,
    "version": WHOLE,
    "name": TEXT,
    "recorded_at": TEXT,
    "occurred_at": TEXT,
    "actor": some.builds(Actor, id=TEXT),
    "role": OPTIONAL,
    "on_behalf_of": OPTIONAL,
    "authority": some.none() | some.builds(Authority, rule=TEXT, version=WHOLE),
    "definition": DEFINITION,
    "reads": some.dictionaries(some.from_regex(r"[A-Za-z0-9_.\-/]{1,9}", fullmatch=True), WHOLE),
    "command_id": TEXT,
    "correlation_id": TEXT,
    "reason": OPTIONAL,
}
CASE = {**ENVELOPE, "data": DATA, "evidence": some.lists(EVIDENCE, max_size=2).map(tuple)}
EVENTS = some.one_of(
    some.builds(CaseStarted, **CASE, state=TEXT, verdicts=VERDICTS),
    some.builds(
        CaseTransitioned,
        **CASE,
        before=some.none() | DATA,
        trigger=TEXT,
        source=TEXT,
        state=TEXT,
        verdicts=VERDICTS,
    ),
    some.builds(
        CaseObserved,
        **ENVELOPE,
        state=OPTIONAL,
        data=DATA,
        conformance=some.builds(Conformance, verdict=some.just("conforms")),
        origin=some.builds(Source, name=TEXT, record=TEXT),
    ),
    some.builds(
        CaseMigrated, **ENVELOPE, former=DEFINITION, source=TEXT, state=TEXT, entered=WHOLE
    ),
    some.builds(EvidenceAttached, **ENVELOPE, evidence=EVIDENCE),
    some.builds(CommandRefused, **ENVELOPE, trigger=TEXT, verdicts=VERDICTS),
    some.builds(DefinitionPublished, **ENVELOPE, body=DATA, text=TEXT),
)


@given(EVENTS)
def test_an_event_survives_its_bytes_and_gives_the_same_bytes_again(event):
    data = events.to_bytes(event)
    again = events.from_bytes(data)
    assert again == event
    assert events.to_bytes(again) == data


@given(EVENTS)
def test_the_bytes_are_those_of_the_reference_implementation_of_rfc_8785(event):
    data = events.to_bytes(event)
    assert data == rfc8785.dumps(json.loads(data))


def test_an_observation_of_the_first_form_reads_as_one_of_today():
    old = json.loads(SAMPLE.read_bytes())
    read = events.from_bytes(SAMPLE.read_bytes())
    assert isinstance(read, CaseObserved)
    assert read.type == "pmo.case.observed.v2"
    ground = {"withheld": "Freedom of Information Act, s. 43"}
    assert read.data == old["data"] | {"end_date": ground, "benefits": ground}
    assert (read.event_id, read.occurred_at) == (old["event_id"], old["occurred_at"])


def test_lifting_changes_nothing_that_it_was_given():
    old = json.loads(SAMPLE.read_bytes())
    upcasts.lift(old)
    assert old == json.loads(SAMPLE.read_bytes())


def test_an_old_form_in_the_ledger_is_lifted_and_its_bytes_stay(ledger, path):
    """Written by a version of the program that knew only the first form."""
    state = rfc8785.dumps(json.loads(SAMPLE.read_bytes()))
    with closing(sqlite3.connect(path)) as other, other:
        values = (1, "GMPP-0007", 1, "pmo.case.observed.v1", state, link(GENESIS, state))
        other.execute("INSERT INTO events VALUES (?,?,?,?,?,?)", values)
        other.execute("INSERT INTO command_markers VALUES (?,1,1,?)", ("m", b"f" * 32))
    expected = events.from_bytes(SAMPLE.read_bytes())
    assert ledger.read(0, 1)[0].event == ledger.stream("GMPP-0007")[0].event == expected
    assert ledger.bodies(0, 1)[0][1]["type"] == "pmo.case.observed.v2"
    assert ledger.check() == 1
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT state FROM events").fetchone() == (state,)


@pytest.mark.parametrize("size", [10_000_000])
def test_ten_megabytes_in_a_field_come_back(log, size):
    text = os.urandom(size // 2).hex()
    log.append([Append((event("A", 1, text=text),), {"A": 0}, "m", b"f" * 32)])
    assert log.stream("A")[0].event.data["text"] == text
    assert log.check() == 1


def test_a_nul_byte_in_text_comes_back(log):
    log.append([Append((event("A", 1, text="a\x00b"),), {"A": 0}, "m", b"f" * 32)])
    assert log.stream("A")[0].event.data["text"] == "a\x00b"
