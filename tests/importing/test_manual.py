"""The example in docs/importing.md does what it says."""

import re

import pytest

from app.importing.mapping import read_mapping
from engine.loading import load_definition
from tests.importing.conftest import Ledger
from tests.importing.facts_table import WORKFLOWS

MANUAL = WORKFLOWS.parent / "docs" / "importing.md"


@pytest.fixture
def example():
    blocks = re.findall(r"```\w+ (\S+)\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    return dict(blocks)


def test_the_example_gives_the_events_and_findings_it_shows(example):
    definition = load_definition(example["workflow"], "initiative.yaml")
    mapping = read_mapping(example["mapping"], "initiatives.yaml", lambda _: definition)
    ledger = Ledger(definition)
    files = {name: example[name].encode() for name in ("spring.csv", "autumn.csv")}
    result = ledger.take(mapping, files)
    events = [f"{event.stream} {event.occurred_at} {event.name}" for event in ledger.events()]
    assert events == example["events"].splitlines()
    assert [str(finding) for finding in result.findings] == example["findings"].splitlines()
    assert {event.conformance.verdict for event in ledger.events()} == {"conforms"}
