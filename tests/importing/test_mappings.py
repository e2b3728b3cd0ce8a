"""A mapping that cannot work is refused with file, line, column, and how to mend it."""

import pytest

from app.importing.mapping import read_mapping
from engine.errors import BadInput, NotFound
from engine.loading import load_definition
from tests.importing.small import MAPPING, WORKFLOW, load_initiatives


def problems(text):
    with pytest.raises(BadInput) as caught:
        load_initiatives(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_mapping_reads_with_short_forms_spelled_out():
    mapping = load_initiatives()
    assert mapping.uppercase == ["code"]
    assert mapping.layouts["wide"].columns["due"] == ["*due*"]
    assert mapping.layouts["wide"].money.unit == "thousand"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("uppercase:", "uppercases:", "initiatives.yaml:5:1: there is no key 'uppercases' here"),
        ("layout: wide, as_of: 2021", "layout: wid, as_of: 2021", "there is no layout 'wid' (did"),
        ("as_of: 2021-01-31", "as_of: 2021-14-05", "'2021-14-05' is not a date: write it as 2026"),
        ("as_of: 2021-01-31", "as_of: 2021", "initiatives.yaml:17:"),
        ("unit: thousand", "unit: dozen", "'dozen' cannot stand here"),
        ("dd.mm.yy]", "dd.mm]", "'dd.mm' is not a form of date: write it as dd/mm/yyyy"),
        ("status: Status", "state: Status", "initiative has no field 'state' (did you mean 'sta"),
        ("due: DueMoved", "end: DueMoved", "initiative has no field 'end'"),
        ("identify: [code, name]", "identify: [number]", "initiative has no field 'number'"),
        ("state: gone", "state: away", "initiative has no state 'away' (there is running, gone, m"),
        ("otherwise: FiguresReported", "otherwise: figures", "'figures' cannot stand here"),
        ("withheld: Information", "witheld: Information", "there is no key 'witheld' here"),
        ("{state: merged", "{state: one", "initiatives.yaml:4:17: initiative has no state 'one'"),
        ("into: same_as", "into: same", "'same' names no other initiative (did you mean 'same_as"),
        ("into: same_as", "into: name", "'name' names no other initiative"),
        ("identify: [code, name]", "identify: [staff]", "no column identifies a project"),
        (
            "  withheld: Information",
            "  # withheld: Information",
            "no event for a value that is kept",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(old, new, problem):
    text = MAPPING.replace(old, new)
    if problem.startswith("no column"):
        text = text.replace("      staff: Staff\n", "")
    assert text != MAPPING
    found = problems(text)
    assert any(problem in each for each in found), found
    assert all(each.startswith("initiatives.yaml:") for each in found)


def test_where_nothing_is_withheld_no_event_is_asked_for_it():
    text = MAPPING.replace('withheld:\n  "*exempt*": "s.{numbers}"\n', "")
    text = text.replace("  withheld: InformationWithheld\n", "")
    assert "withheld" not in text
    assert load_initiatives(text).events.withheld is None


def test_several_problems_are_reported_at_once():
    text = MAPPING.replace("status: Status", "state: Status").replace("state: gone", "state: away")
    assert len(problems(text)) == 2


def test_a_workflow_that_is_not_published_is_named_where_it_stands():
    def unknown(name):
        raise NotFound.one("/workflow", f"no workflow {name!r} is published", "publish it first")

    with pytest.raises(BadInput) as caught:
        read_mapping(MAPPING, "initiatives.yaml", unknown)
    assert str(caught.value) == (
        "initiatives.yaml:2:11: no workflow 'initiative' is published (publish it first)"
    )


def test_a_workflow_whose_cases_are_not_numbered_is_refused():
    text = WORKFLOW.replace("key: INI", "key: INI-{code}").replace("[name, code,", "[name,")
    text = text.replace("code: {type: text}", "code: {type: text, required: true}")
    definition = load_definition(text, "initiative.yaml")
    with pytest.raises(BadInput, match="the cases of initiative are not numbered"):
        read_mapping(MAPPING, "initiatives.yaml", lambda _: definition)
