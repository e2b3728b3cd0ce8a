"""Pictures of workflows: what they show, that they are safe to show, and how long they take."""

import re
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree as ET

import pytest

from app.definitions import load_definitions
from app.diagram import MOST_ARROWS, Move, mermaid, svg
from app.drawing import clean
from engine import canonical
from engine.definition import Definition
from engine.errors import BadInput
from engine.loading import load_definition
from workflows import shipped

HOSTILE = (
    '"]; evil [label=x] <script>alert(1)</script> \\N \\" -->\n%%{init: {}}%% \x00\x0b ; : & \' {'
)


def definition(**changes):
    body = {
        "workflow": "decision",
        "version": 3,
        "title": "Governance decision",
        "key": "DEC",
        "roles": {"requester": {}, "approver": {"title": "Investment board"}},
        "data": {"owner": {"type": "person"}},
        "states": {
            "draft": {"initial": True},
            "in_review": {
                "about": "The board reads.",
                "deadline": {
                    "within": "10 working days",
                    "remind": ["50%", "80%"],
                    "then": "escalate",
                },
            },
            "approved": {"final": True},
            "withdrawn": {"final": True},
        },
        "start": {"by": "requester"},
        "transitions": [
            {"trigger": "submit", "from": "draft", "to": "in_review", "by": "requester"},
            {
                "trigger": "approve",
                "from": "in_review",
                "to": "approved",
                "by": ["approver", {"person": "owner"}],
                "when": "data.amount < 5 && data.title != ''",
            },
            {"trigger": "escalate", "from": "in_review", "to": "in_review"},
            {"trigger": "withdraw", "from": ["draft", "in_review"], "to": "withdrawn"},
        ],
    }
    return Definition.from_body({**body, **changes})


def parsed(text):
    # What each element says, and its classes, without the namespace that every tag carries.
    root = ET.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.partition("}")[2]
    return root


def groups(root, *classes):
    return [g for g in root.iter("g") if set(classes) <= set(g.get("class", "").split())]


def words(element):
    return [text.text for text in element.iter("text")]


def tips(element):
    return [title.text for title in element.iter("title")]


def big(states, arrows_each=1):
    return definition(
        states={f"s{n}": {"initial": n == 0} for n in range(states)},
        transitions=[
            {"trigger": f"go-{n}-{m}", "from": f"s{n}", "to": f"s{(n + 1 + m) % states}"}
            for n in range(states)
            for m in range(arrows_each)
        ],
    )


# --- what it shows --------------------------------------------------------------------------------


def test_every_state_and_every_transition_is_shown_once():
    root = parsed(svg(definition()))
    shown = [words(state)[0] for state in groups(root, "state")]
    assert shown == ["Draft", "In review", "Withdrawn", "Approved"]
    text = words(root)
    for trigger in ("start", "submit", "approve", "escalate", "withdraw"):
        assert text.count(trigger) == 1


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


def test_a_final_state_has_a_second_ring_and_the_start_is_a_dot():
    root = parsed(svg(definition()))
    assert [len(list(state.iter("rect"))) for state in groups(root, "state")] == [1, 1, 2, 2]
    assert len(groups(root, "start")) == 1


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


def test_the_picture_is_told_in_words_too():
    root = parsed(svg(definition(), "in_review", [Move("draft", "in_review", "submit")]))
    assert root.get("role") == "img"
    assert (root.find("title").text, root.get("aria-label")) == ("Governance decision",) * 2
    told = root.find("desc").text
    assert "approve: from In review to Approved (Investment board or the owner)." in told
    assert "The path so far: Draft, In review. Current state: In review." in told


def test_a_given_title_replaces_that_of_the_workflow():
    assert words(parsed(svg(definition(), title="DEC-0042")))[0] == "DEC-0042"


def test_nothing_is_drawn_outside_the_picture():
    root = parsed(svg(definition(), "in_review"))
    _, _, width, height = map(float, root.get("viewBox").split())
    body = next(g for g in root.iter("g") if "transform" in g.attrib)
    left, top = map(float, re.findall(r"[\d.]+", body.get("transform")))
    for box in body.iter("rect"):
        x, y, wide, high = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        assert x + left >= 0
        assert y + top >= 0
        assert x + left + wide <= width
        assert y + top + high <= height


# --- that it is safe to show ----------------------------------------------------------------------


def hostile():
    body = definition().body
    return Definition.from_body(
        {
            **body,
            "title": HOSTILE,
            "roles": {"requester": {"title": HOSTILE}, "approver": {}},
            "states": {
                **body["states"],
                "draft": {"initial": True, "title": HOSTILE, "about": HOSTILE},
            },
            "transitions": [
                {**step, "about": HOSTILE, "when": HOSTILE} for step in body["transitions"]
            ],
        }
    )


def test_hostile_words_stay_words():
    text = svg(hostile(), "draft", title=HOSTILE)
    root = parsed(text)
    allowed = {"svg", "title", "desc", "style", "rect", "text", "g", "path", "polygon", "circle"}
    assert {element.tag for element in root.iter()} <= allowed
    plain = parsed(svg(definition()))
    assert len(groups(root, "state")) == len(groups(plain, "state"))
    assert len(groups(root, "arrow")) == len(groups(plain, "arrow"))
    assert "<script>alert(1)</script>" in root.find("title").text


def test_a_picture_needs_nothing_from_outside_and_runs_nothing():
    text = svg(hostile(), "draft")
    root = parsed(text)
    names = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or "href" in name}
    style = root.find("style").text
    assert "url(" not in style
    assert "@import" not in style


def test_what_xml_cannot_hold_is_replaced():
    assert clean("a\x00b\ud800c\ufffe\x0bd\n e") == "a\ufffdb\ufffdc\ufffd\ufffdd e"


def test_mermaid_lines_keep_their_shape_with_hostile_words():
    for line in mermaid(hostile(), "draft").splitlines()[1:]:
        without_entities = re.sub(r"#\d+;", "", line)
        assert re.fullmatch(
            r'    (state "[^"<>%;:{}\\]*" as \w+|(\[\*\]|\w+) --> (\[\*\]|\w+)( : [^"<>%;:{}\\]*)?'
            r"|classDef current [\w:#,]+|class \w+ current)",
            without_entities,
        )


# --- Mermaid --------------------------------------------------------------------------------------


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


# --- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [svg, mermaid])
def test_a_state_that_is_not_there_is_bad_input(draw):
    with pytest.raises(BadInput, match="no state 'gone'"):
        draw(definition(), "gone")


def test_a_move_from_a_state_that_is_not_there_is_bad_input():
    with pytest.raises(BadInput, match="no state 'gone'"):
        svg(definition(), visited=[Move("gone", "draft")])


def test_the_same_input_gives_the_same_bytes():
    assert svg(definition(), "draft") == svg(definition(), "draft")


def test_the_pictures_in_the_docs_are_those_of_the_shipped_workflows():
    pictures = Path(__file__).parents[1] / "docs" / "diagrams"
    drawn = {
        f"{each.definition.workflow}.svg": svg(each.definition)
        for each in load_definitions(shipped())
    }
    assert {path.name: path.read_text(encoding="utf-8") for path in pictures.iterdir()} == drawn


@pytest.mark.parametrize("draw", [svg, mermaid])
def test_a_definition_looks_the_same_as_what_was_published_of_it(draw):
    written = definition()
    published = Definition.from_body(canonical.decode(canonical.encode(written.body)))
    assert list(published.states) == list(written.states)
    assert draw(published, "draft") == draw(written, "draft")


def test_five_hundred_states_take_seconds():
    began = perf_counter()
    root = parsed(svg(big(500)))
    assert len(groups(root, "state")) == 500
    assert perf_counter() - began < 10


def test_a_picture_that_would_help_nobody_is_refused_with_a_way_out():
    with pytest.raises(BadInput, match=r"1002 arrows.*Mermaid text"):
        svg(big(501, 2))
    assert MOST_ARROWS == 1_000
    assert mermaid(big(501, 2)).count(" --> ") == 1003


def test_a_workflow_of_one_state_is_a_picture_too():
    alone = definition(states={"only": {"initial": True, "final": True}}, transitions=[])
    assert "Only" in words(parsed(svg(alone, "only")))


def test_colours_are_legible_in_both_schemes():
    css = (Path(svg.__globals__["__file__"]).parent / "drawing.css").read_text()
    light, dark = (colours(part) for part in css.split("@media"))
    for scheme in (light, {**light, **dark}):
        paper, box = scheme[".paper"], scheme[".state rect"]
        assert contrast(scheme["text"], paper) > 7
        assert contrast(scheme["text"], scheme[".visited rect"]) > 7
        assert contrast(scheme[".by"], box) > 4.5
        assert contrast(scheme[".by"], scheme[".visited rect"]) > 4.5
        assert contrast(scheme[".current text"], scheme[".current rect"]) > 4.5
        assert contrast(scheme[".taken .trigger"], paper) > 4.5
        assert contrast(scheme[".outside .by"], paper) > 4.5
        assert contrast(scheme[".line"], paper) > 3


def colours(css):
    """What each selector colours with: the fill, or the stroke of what is not filled."""
    found = {}
    for selectors, rules in re.findall(r"([^{}]+)\{([^{}]*#[^{}]*)\}", css):
        for selector in selectors.split(","):
            found[selector.strip().removeprefix(".pmo-diagram ")] = re.search(r"#\w{6}", rules)[0]
    return found


def contrast(one, other):
    """The contrast ratio of WCAG 2.2, from 1 to 21."""

    def light(value):
        parts = [int(value[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


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


def crowded():
    """Six states one after the other, and ways back from all of the later ones."""
    names = [f"s{n}" for n in range(6)]
    onwards = [
        {"trigger": f"go-{n}", "from": names[n], "to": names[n + 1], "by": "requester"}
        for n in range(5)
    ]
    back = [
        {"trigger": f"back-{n}", "from": names[1:], "to": "s0", "by": "approver"} for n in range(5)
    ]
    states = {name: {} for name in names} | {"s0": {"initial": True}}
    return definition(states=states, transitions=[*onwards, *back])


def test_where_lines_would_be_too_many_to_follow_the_sources_have_names():
    root = parsed(svg(crowded()))
    assert len(groups(root, "arrow")) == 1 + 5 + 5
    told = [" ".join(words(label)) for label in groups(root, "label")]
    assert "back-3 Investment board from S1, S2, S3, S4 or S5" in told


def test_in_a_crowded_picture_the_line_that_a_case_took_is_drawn():
    root = parsed(svg(crowded(), current="s0", visited=[Move("s2", "s0", "back-3", "approver")]))
    assert len(groups(root, "arrow", "taken")) == 2, "to the dot, and from it"
    assert len(groups(root, "arrow")) == 1 + 5 + 5 + 1
