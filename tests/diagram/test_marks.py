"""What a transition or a state asks for: words, marks and tooltips."""

from app.diagram import svg
from engine.loading import load_definition
from tests.diagram.pictures import definition, groups, parsed, tips, words


def test_who_may_is_told_by_role_title_and_by_the_field_that_names_a_person():
    labels = [words(label) for label in groups(parsed(svg(definition())), "label")]
    assert ["approve", "Investment board or the owner"] in labels
    assert ["withdraw", "anybody"] in labels


def test_a_deadline_stands_in_its_state():
    in_review = groups(parsed(svg(definition())), "state")[1]
    assert "10 working days" in words(in_review)
    assert "Due 10 working days after entering; reminders at 50%, 80%; then escalate" in tips(
        in_review
    )


def test_a_condition_is_a_mark_with_its_source_in_the_tooltip():
    root = parsed(svg(definition()))
    label = next(label for label in groups(root, "label") if words(label)[0] == "approve")
    assert tips(label) == ["Condition: data.amount < 5 && data.title != ''"]
    marked = [path for path in root.iter("path") if path.get("class") == "icon condition"]
    assert len(marked) == 2, "one at the transition, one in the legend"


GOVERNED = """
workflow: matter
version: 1
title: Matter
key: MAT
only_one: {per: unit, in: decided}
roles: {finance: , sponsor: }
data:
  unit: {type: text}
  amount: {type: money, currency: GBP}
  chief: {type: person}
  level: {type: number}
states: {open: {initial: true}, decided: {final: true}}
transitions:
  - trigger: decide
    from: open
    to: decided
    by: {authority: {category: funding, value: data.amount, unit: data.unit, least: data.level}}
    agreed_by: finance
    quorum: {body: board, rule: weighted, veto: finance, casting: true, without: chief}
    evidence: {kind: case, newer_than: 90 days, unchanged: true}
    children:
      - {workflow: condition, in: [met, waived]}
      - {workflow: factor, where: {kind: internal}, least: 1}
    should: {needs: amount}
    override: {by: sponsor, of: [evidence, quorum]}
  - {trigger: note, from: open, anew: [amount, reason], evidence: {kind: letter, anew: true}}
"""


def test_who_decides_and_what_others_have_to_do_first_are_marks_and_a_tooltip():
    root = parsed(svg(load_definition(GOVERNED, "matter.yaml")))
    label = next(label for label in groups(root, "label") if "decide" in words(label))
    marks = [path.get("class") for path in label.iter("path")]
    assert marks == ["icon people", "icon children", "icon pass"]
    (tip,) = tips(label)
    assert tip.splitlines() == [
        "Authority: for funding in the unit, worth the amount, not below the level",
        "Evidence: case, newer than 90 days, unchanged in this state",
        "Agreed by: finance",
        (
            "Vote: board is for it, by weighted majority, veto of finance, without chief,"
            " the chair breaks a tie"
        ),
        "Children: every condition is met or waived",
        "Children: at least 1 factor of kind internal",
        "Only one at a time for each unit",
        "Warns only: Needs: amount",
        "May be overridden by sponsor, with a reason: evidence, quorum",
    ]


def test_what_must_come_with_a_step_stands_in_its_tooltip():
    root = parsed(svg(load_definition(GOVERNED, "matter.yaml")))
    (opened,) = [state for state in groups(root, "state") if "note" in words(state)]
    assert tips(opened)[-1].splitlines() == [
        "Evidence: letter, with this step",
        "Said with this step: amount, reason",
    ]


def test_a_state_that_only_one_case_is_in_says_so():
    root = parsed(svg(load_definition(GOVERNED, "matter.yaml")))
    (decided,) = [state for state in groups(root, "state") if "Decided" in words(state)]
    assert "one for each unit" in words(decided)
    legend = [path.get("class") for path in root.findall("g/path")]
    assert {"icon people", "icon children", "icon pass", "icon lone"} <= {*legend}
