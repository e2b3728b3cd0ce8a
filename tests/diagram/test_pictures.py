"""Pictures of workflows: what they show, that they are safe to show, and how large they may be."""

import re
from pathlib import Path

import pytest

from app.definitions import load_definitions
from app.diagram import MOST_ARROWS, Move, mermaid, svg
from app.drawing import clean
from engine.errors import BadInput
from tests.diagram.pictures import HOSTILE, definition, groups, hostile, parsed, words
from tests.processor import processor_seconds
from workflows import shipped


def big(states, arrows_each=1):
    return definition(
        states={f"s{n}": {"initial": n == 0} for n in range(states)},
        transitions=[
            {"trigger": f"go-{n}-{m}", "from": f"s{n}", "to": f"s{(n + 1 + m) % states}"}
            for n in range(states)
            for m in range(arrows_each)
        ],
    )


def test_every_state_and_every_transition_is_shown_once():
    root = parsed(svg(definition()))
    shown = [words(state)[0] for state in groups(root, "state")]
    assert shown == ["Draft", "In review", "Withdrawn", "Approved"]
    text = words(root)
    for trigger in ("start", "submit", "approve", "escalate", "withdraw"):
        assert text.count(trigger) == 1


def test_a_final_state_has_a_second_ring_and_the_start_is_a_dot():
    root = parsed(svg(definition()))
    assert [len(list(state.iter("rect"))) for state in groups(root, "state")] == [1, 1, 2, 2]
    assert len(groups(root, "start")) == 1


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


def test_the_same_input_gives_the_same_bytes():
    assert svg(definition(), "draft") == svg(definition(), "draft")


def test_the_pictures_in_the_docs_are_those_of_the_shipped_workflows():
    pictures = Path(__file__).parents[2] / "docs" / "diagrams"
    drawn = {
        f"{each.definition.workflow}.svg": svg(each.definition)
        for each in load_definitions(shipped())
    }
    assert {path.name: path.read_text(encoding="utf-8") for path in pictures.iterdir()} == drawn


def test_five_hundred_states_take_seconds():
    drawn = []
    assert processor_seconds(lambda: drawn.append(svg(big(500)))) < 10
    assert len(groups(parsed(drawn[0]), "state")) == 500


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
