"""From text to a definition, or to everything that is wrong with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import workflows
from engine.definition import Definition
from engine.errors import BadInput
from engine.loading import load_definition
from engine.machine import Workflow
from tests.processor import lines_run

SHIPPED = workflows.shipped()

WITH_THREE_ERRORS = """\
workflow: decision
version: 1
title: Decision
key: DEC
states:
  draft: {initial: true}
  approved: {final: yes}
transitions:
  - trigger: approve
    from: draft
    too: approved
    when:
      - check: "true"
        otherwse: no
"""


def problems(text):
    with pytest.raises(BadInput) as refused:
        load_definition(text, "decision.yaml")
    return list(map(str, refused.value.problems))


def test_three_errors_are_told_at_once_each_at_its_line_and_column_with_its_mend():
    first, *others = problems(WITH_THREE_ERRORS)
    assert first == (
        "decision.yaml:7:21: the text 'yes' where true or false is needed "
        "(write true or false, without quotes)"
    )
    assert others == [
        "decision.yaml:11:5: there is no key 'too' here (did you mean 'to'?)",
        "decision.yaml:14:9: there is no key 'otherwse' here (did you mean 'otherwise'?)",
    ]


def test_what_cannot_work_is_told_in_the_order_of_the_file():
    text = (
        next(path for path in SHIPPED if path.stem == "objective")
        .read_text()
        .replace("by: sponsor", "by: sposnor")
        .replace("to: missed", "to: mist")
    )
    lines = [int(problem.split(":")[1]) for problem in problems(text)]
    assert len(lines) > 4
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- a\n- b\n", "just text", "7", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_definition_at_all_is_refused_with_its_place(text):
    [problem] = problems(text)
    assert problem.startswith("decision.yaml:1:")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_definition_survives_being_published_and_read_again(path):
    definition = load_definition(path.read_bytes(), path.name)
    again = Definition.from_body(definition.body)
    assert again == definition
    assert again.hash == definition.hash


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_comments_and_layout_do_not_change_what_a_definition_is(path):
    text = path.read_text()
    bare = "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))
    windows = text.replace("\n", "\r\n")
    hashes = {load_definition(form, path.name).hash for form in (text, bare, windows)}
    assert len(hashes) == 1


def test_what_may_be_written_short_means_the_same_as_written_out():
    short = """
workflow: short
version: 1
title: Short
key: S
roles: {clerk: }
data:
  share: {type: number, least: 0.5, most: 82}
  names: {type: list, of: text}
states:
  open:
    initial: true
    deadline: {within: 5 days, remind: 50%, then: close, later: {at: 150%, then: close}}
  closed: {final: true}
transitions:
  - trigger: close
    from: open
    to: closed
    by: [clerk, timer]
    needs: share
    accepts: names
    evidence: report
    when: data.share > 0.6
"""
    long = """
workflow: short
version: 1
title: Short
key: S
roles:
  clerk: {}
data:
  share: {type: number, least: 0.50, most: 82.0}
  names: {type: list, of: [text]}
states:
  open:
    initial: true
    deadline:
      - {within: 5 days, remind: [50%], then: close, later: [{at: 150%, then: close}]}
  closed:
    final: true
transitions:
  - trigger: close
    from: [open]
    to: closed
    by: [clerk, timer]
    needs: [share]
    accepts: [names]
    evidence:
      - kind: report
    when:
      - check: data.share > 0.6
"""
    assert load_definition(short, "short.yaml").hash == load_definition(long, "long.yaml").hash


def large_definition(states):
    lines = ["workflow: large", "version: 1", "title: Large", "key: L", "roles: {clerk: , boss: }"]
    lines += ["data: {amount: {type: number}}", "states:", "  s0: {initial: true}"]
    lines += [f"  s{i}:\n    title: Number {i}" for i in range(1, states)]
    lines += ["  end: {final: true}", "start: {by: clerk}", "transitions:"]
    for i in range(states):
        onward = f"s{i + 1}" if i + 1 < states else "end"
        lines += [
            f"  - trigger: go\n    from: s{i}\n    to: {onward}\n    by: boss",
            "    not_by: clerk",
        ]
        lines += [f"    when: data.amount > {i}"]
    return "\n".join(lines)


def test_many_states_load():
    assert len(load_definition(large_definition(500), "large.yaml").states) == 501


def test_twice_the_states_take_twice_the_work_in_every_function():
    """500 states took 1.4 seconds of a processor when one rule of the linter looked at all pairs of
    transitions, and take a third of it. Work is counted, so that no machine is too slow for it."""

    def work(states):
        text = large_definition(states)
        return lines_run(lambda: Workflow(load_definition(text, "large.yaml")))

    work(10)  # whatever is made once
    few, more, most = work(20), work(40), work(80)
    assert most.total() > 500_000
    for function, lines in most.items():
        growth, before = lines - more[function], more[function] - few[function]
        assert growth <= 2.1 * before + 100, function


WORDS = "trigger from to by when evidence open closed data type money 5 true no 0.5 { [ ] } ' , -"
words = st.sampled_from([*WORDS.split(), ": ", "- ", "\n", "\n  ", "data.amount > 1"])


@given(st.integers(0, 2000), st.integers(0, 60), st.lists(words, max_size=4).map("".join))
def test_a_damaged_definition_loads_or_is_refused_with_places(at, length, instead):
    text = SHIPPED[1].read_text()
    text = text[:at] + instead + text[at + length :]
    try:
        definition = load_definition(text, "decision.yaml")
    except BadInput as error:
        told = error.problems
    else:
        told = ()
        assert definition.initial in definition.states
    assert all(problem.where.startswith("decision.yaml:") for problem in told)


def test_more_fields_than_a_register_can_hold_are_refused():
    fields = "".join(f"  field_{number}: {{type: text}}\n" for number in range(501))
    text = (
        "workflow: wide\nversion: 1\ntitle: Wide\nkey: W\n"
        f"data:\n{fields}states: {{open: {{initial: true, final: true}}}}\n"
    )
    with pytest.raises(BadInput) as error:
        load_definition(text, "wide.yaml")
    (problem,) = error.value.problems
    assert problem.where.startswith("wide.yaml:5:")
    assert "500" in problem.what
