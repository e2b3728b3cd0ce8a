"""Mermaid text, and what it shares with the pictures."""

import re

import pytest

from app.diagram import mermaid, svg
from engine import canonical
from engine.definition import Definition
from engine.errors import BadInput
from tests.diagram.pictures import definition, hostile


def test_mermaid_lines_keep_their_shape_with_hostile_words():
    for line in mermaid(hostile(), "draft").splitlines()[1:]:
        without_entities = re.sub(r"#\d+;", "", line)
        assert re.fullmatch(
            r'    (state "[^"<>%;:{}\\]*" as \w+|(\[\*\]|\w+) --> (\[\*\]|\w+)( : [^"<>%;:{}\\]*)?'
            r"|classDef current [\w:#,]+|class \w+ current)",
            without_entities,
        )


def test_mermaid_shows_start_end_triggers_and_the_current_state():
    assert mermaid(definition(), "in_review") == (
        "stateDiagram-v2\n"
        '    state "Draft" as draft_1\n'
        '    state "In review" as in_review_2\n'
        '    state "Withdrawn" as withdrawn_3\n'
        '    state "Approved" as approved_4\n'
        "    [*] --> draft_1\n"
        "    draft_1 --> in_review_2 : submit (requester)\n"
        "    in_review_2 --> approved_4 : approve (Investment board or the owner)\n"
        "    in_review_2 --> in_review_2 : escalate (anybody)\n"
        "    draft_1 --> withdrawn_3 : withdraw (anybody)\n"
        "    in_review_2 --> withdrawn_3 : withdraw (anybody)\n"
        "    withdrawn_3 --> [*]\n"
        "    approved_4 --> [*]\n"
        "    classDef current fill:#1d5fbf,stroke:#1d5fbf,color:#ffffff\n"
        "    class in_review_2 current\n"
    )


def test_mermaid_keeps_states_apart_whose_names_differ_by_a_dash():
    names = definition(
        states={"a-b": {"initial": True}, "a_b": {}, "end": {"final": True}}, transitions=[]
    )
    ids = re.findall(r" as (\S+)", mermaid(names))
    assert len(set(ids)) == 3
    assert "end" not in ids


@pytest.mark.parametrize("draw", [svg, mermaid])
def test_a_state_that_is_not_there_is_bad_input(draw):
    with pytest.raises(BadInput, match="no state 'gone'"):
        draw(definition(), "gone")


@pytest.mark.parametrize("draw", [svg, mermaid])
def test_a_definition_looks_the_same_as_what_was_published_of_it(draw):
    written = definition()
    published = Definition.from_body(canonical.decode(canonical.encode(written.body)))
    assert list(published.states) == list(written.states)
    assert draw(published, "draft") == draw(written, "draft")
