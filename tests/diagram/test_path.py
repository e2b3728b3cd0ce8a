"""The way a case took through its workflow, marked in the picture."""

import pytest

from app.diagram import Move, svg
from engine.errors import BadInput
from engine.loading import load_definition
from tests.diagram.pictures import definition, groups, parsed, words


def test_only_the_current_state_is_marked_and_not_by_colour_alone():
    root = parsed(svg(definition(), "in_review"))
    (current,) = groups(root, "current")
    assert words(current)[:2] == ["CURRENT STATE", "In review"]
    assert words(root).count("CURRENT STATE") == 1


def test_of_two_ways_by_one_trigger_the_one_in_whose_role_it_was_taken_is_marked():
    text = """
workflow: vendor
version: 1
title: Vendor
key: VEN
roles: {lead: , secretary: }
states: {checked: {initial: true}, active: {final: true}}
transitions:
  - {trigger: approve, from: checked, to: active, by: lead, when: key != state}
  - {trigger: approve, from: checked, to: active, by: secretary}
"""
    vendor = load_definition(text, "vendor.yaml")
    root = parsed(svg(vendor, "active", [Move("checked", "active", "approve", "secretary")]))
    assert [words(label)[1] for label in groups(root, "label", "taken")] == ["secretary"]
    root = parsed(svg(vendor, "active", [Move("checked", "active", "approve")]))
    assert len(groups(root, "label", "taken")) == 2


TENDER = """
workflow: tender
version: 1
title: Tender
key: TEN
roles: {clerk: , finance: }
data: {amount: {type: number}, reason: {type: text}}
states: {open: {initial: true}, awarded: {final: true}}
transitions:
  - {trigger: award, from: open, to: awarded, by: clerk, needs: amount, when: data.amount < 5}
  - {trigger: award, from: open, to: awarded, by: clerk, needs: amount, agreed_by: finance}
  - {trigger: award, from: open, to: awarded, by: clerk, needs: [amount, reason], emits: Forced,
     override: {by: finance, of: needs}}
"""


@pytest.mark.parametrize(
    ("told", "marked"),
    [
        ({"TenderAwarded", "takes", "by", "needs", "data.amount < 5"}, [0]),
        ({"TenderAwarded", "takes", "by", "needs", "conflict", "agreed_by finance"}, [1]),
        ({"Forced", "takes", "by", "override", "needs"}, [2]),
        (set(), [0, 1, 2]),
    ],
)
def test_of_two_ways_in_one_role_the_one_is_marked_whose_guards_were_asked(told, marked):
    tender = load_definition(TENDER, "tender.yaml")
    move = Move("open", "awarded", "award", "clerk", frozenset(told))
    labels = groups(parsed(svg(tender, "awarded", [move])), "label")
    ways = [label for label in labels if words(label)[0] == "award"]
    taken = [place for place, label in enumerate(ways) if "taken" in label.get("class").split()]
    assert taken == marked


def test_only_the_path_that_was_taken_is_marked():
    path = [Move("draft", "in_review", "submit"), Move("in_review", "withdrawn", "withdraw")]
    root = parsed(svg(definition(), "withdrawn", path))
    taken = [words(label)[0] for label in groups(root, "label", "taken")]
    assert taken == ["submit", "withdraw"]
    assert [words(state)[0] for state in groups(root, "visited")] == [
        "Draft",
        "In review",
        "CURRENT STATE",
    ]
    lines = groups(root, "arrow", "taken")
    assert len(lines) == 3, "submit; withdraw to where its lines meet, but not from draft; and on"


def test_of_two_ways_between_the_same_states_only_the_one_that_was_used_is_marked():
    both = definition(
        transitions=[
            {"trigger": name, "from": "draft", "to": "approved"} for name in ("approve", "wave-by")
        ]
    )
    root = parsed(svg(both, visited=[Move("draft", "approved", "wave-by")]))
    assert [words(label)[0] for label in groups(root, "label", "taken")] == ["wave-by"]


@pytest.mark.parametrize(("trigger", "label"), [("", "observed"), ("approve", "approve")])
def test_a_move_that_no_transition_allows_is_shown_as_outside_the_rules(trigger, label):
    root = parsed(svg(definition(), visited=[Move("draft", "approved", trigger)]))
    (outside,) = groups(root, "label", "outside")
    assert words(outside) == [label, "outside the rules"]


def test_a_move_from_a_state_that_is_not_there_is_bad_input():
    with pytest.raises(BadInput, match="no state 'gone'"):
        svg(definition(), visited=[Move("gone", "draft")])
