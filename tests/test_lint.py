"""Definitions that cannot work are refused, at the lines that their comments name.

The files in ``tests/definitions`` say ``# problem: words | other words`` in every line that holds
one: all of these, and no others, must be found.
"""

import re
from pathlib import Path

import pytest

import workflows
from engine.definition import Definition
from engine.errors import BadInput
from engine.lint.rules import RULES, lint
from engine.loading import load_definition, load_definitions
from engine.yaml_source import read_yaml

SAMPLES = sorted((Path(__file__).parent / "definitions").glob("*.yaml"))
UNREADABLE = ("grammar", "left-empty")
"""Of what these hold no definition can be made, whatever it says."""


def expected_problems(text: str) -> list[tuple[int, str]]:
    """The lines that hold a problem, and the words that must tell it."""
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.search(r"# problem:(.*)", line):
            problems += [(number, words.strip()) for words in match[1].split(" | ")]
    return problems


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_cannot_work_is_refused_where_it_stands(path):
    expected = expected_problems(path.read_text())
    with pytest.raises(BadInput) as refused:
        load_definition(path.read_bytes(), path.name)
    found = refused.value.problems
    for line, words in expected:
        here = [str(p) for p in found if p.where.startswith(f"{path.name}:{line}:")]
        assert any(words in problem for problem in here), f"line {line}: {words!r}\n{found}"
    assert len(found) == len(expected), "\n".join(map(str, found))
    assert all(problem.mend for problem in found if "at character" not in problem.what)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_has_been_seen_to_refuse(rule):
    samples = [path for path in SAMPLES if path.stem not in UNREADABLE]
    definitions = [Definition.model_validate(read_yaml(p.read_bytes(), "").value) for p in samples]
    assert any(list(rule(definition)) for definition in definitions)


def test_the_shipped_definitions_can_work_alone_and_together():
    texts = {str(path): path.read_bytes() for path in workflows.shipped()}
    loaded = load_definitions(texts)
    names = {definition.workflow for definition in loaded.values()}
    assert names >= {"objective", "decision", "major-project"}
    assert not any(lint(definition) for definition in loaded.values())


BEGUN = """
workflow: request
version: 1
title: Request
key: REQ
roles: {{requester: , clerk: }}
states: {{open: {{initial: true}}, done: {{final: true}}}}
start: {{by: [requester, service]}}
transitions: [{{trigger: sort, from: open, to: done, by: clerk, not_by: {not_by}}}]
"""


def test_what_a_service_can_begin_keeps_whoever_asked_out_only_if_it_says_so_of_services_too():
    load_definition(BEGUN.format(not_by="[requester, service]"), "request.yaml")
    with pytest.raises(BadInput, match="reached without anybody acting as requester"):
        load_definition(BEGUN.format(not_by="requester"), "request.yaml")


TASK = """
workflow: task
version: 1
title: Task
key: T
data:
  plan: {type: ref, to: plan}
states: {open: {initial: true}, done: {final: true}}
transitions:
  - {trigger: finish, from: open, to: done, when: 'plan.state == "running" && plan.data.end > now'}
"""
PLAN = """
workflow: plan
version: 1
title: Plan
key: P
data:
  end: {type: date}
states: {running: {initial: true, final: true}}
"""


def test_definitions_may_refer_to_each_other_and_to_what_is_published():
    plan = load_definition(PLAN, "plan.yaml")
    assert set(load_definitions({"task.yaml": TASK, "plan.yaml": PLAN})) == {
        "task.yaml",
        "plan.yaml",
    }
    assert set(load_definitions({"task.yaml": TASK}, published=[plan])) == {"task.yaml"}


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (
            {"task.yaml": TASK},
            (
                "task.yaml:7:25: there is no workflow 'plan' (there is none yet; if it is new, "
                "too, publish both at once: pmo publish task.yaml plan.yaml)"
            ),
        ),
        (
            {"plans.yaml": TASK.replace("workflow: task", "workflow: plans")},
            "plans.yaml:7:25: there is no workflow 'plan' (there is none yet; if it is new, too,",
        ),
        (
            {"task.yaml": TASK, "plan.yaml": PLAN.replace("running", "going")},
            "task.yaml:10:51: at character 12: the two are never the same",
        ),
        (
            {"task.yaml": TASK, "plan.yaml": PLAN.replace("end", "until")},
            "task.yaml:10:51: at character 38: plan.data has no 'end' (there are: until)",
        ),
        (
            {"a.yaml": PLAN, "b.yaml": PLAN},
            "b.yaml:2:11: plan is defined in a.yaml already (keep one of the two, or rename it)",
        ),
    ],
)
def test_what_definitions_say_of_each_other_must_be_so(texts, problem):
    with pytest.raises(BadInput) as refused:
        load_definitions(texts)
    [found] = map(str, refused.value.problems)
    assert found.startswith(problem)


PROGRAMME = """
workflow: programme
version: 1
title: Programme
key: G
states: {open: {initial: true}, done: {final: true}}
transitions:
  - trigger: finish
    from: open
    to: done
    children: {workflow: project, in: [closed, stoped], where: {size: huge, colour: red}}
    should: {children: {workflow: prject, least: 1}}
"""
PROJECT = """
workflow: project
version: 1
title: Project
key: P
data:
  programme: {type: ref, to: programme}
  size: {type: choice, of: [small, large]}
states: {running: {initial: true}, closed: {final: true}, stopped: {final: true}}
transitions:
  - {trigger: close, from: running, to: closed}
  - {trigger: stop, from: running, to: stopped}
"""


def test_what_is_asked_of_children_must_be_so_of_their_workflow():
    with pytest.raises(BadInput) as refused:
        load_definitions({"programme.yaml": PROGRAMME, "project.yaml": PROJECT})
    first, *others = map(str, refused.value.problems)
    assert first == (
        "programme.yaml:11:26: no case of project can name a case of programme as its parent"
        " (give project a field {type: ref, to: programme, parent: true})"
    )
    assert others == [
        "programme.yaml:11:48: project has no state 'stoped' (did you mean 'stopped'?)",
        "programme.yaml:11:71: size of project is never 'huge' (there is small, large)",
        "programme.yaml:11:85: project has no field 'colour' (there is programme, size)",
        "programme.yaml:12:35: there is no workflow 'prject' (did you mean 'project'?)",
    ]


def test_children_may_be_asked_for_what_their_workflow_has():
    project = PROJECT.replace("to: programme}", "to: programme, parent: true}")
    programme = PROGRAMME.replace("prject", "project").replace("stoped", "stopped")
    programme = programme.replace("huge, colour: red", "large")
    assert load_definitions({"programme.yaml": programme, "project.yaml": project})


SIGNED = """
workflow: purchase
version: 1
title: Purchase
key: B
roles: {requester: , finance: , buyer: }
data:
  seller: {type: person}
  unit: {type: text}
  board: {type: text}
only_one: {per: unit, in: ordered}
states: {asked: {initial: true}, agreed: , ordered: {final: true}, held: {final: true}}
start: {by: requester}
transitions:
  - {trigger: agree, from: asked, to: agreed, by: buyer, agreed_by: finance}
  - {trigger: order, from: agreed, to: ordered, by: buyer, not_by: finance}
  - {trigger: order, from: agreed, to: held, by: buyer, not_by: finance}
  - {trigger: buy, from: asked, to: ordered, by: buyer, agreed_by: finance, not_by: finance}
  - {trigger: rush, from: asked, to: held, by: {authority: {category: rush, unit: data.unit}}}
  - {trigger: rush, from: asked, to: ordered, by: {authority: {category: haste, unit: data.unit}}}
  - {trigger: end, from: asked, to: held, by: buyer, not_by: seller, quorum: data.board}
  - {trigger: end, from: asked, to: held, by: buyer, not_by: seller}
"""


def test_who_has_signed_has_acted_and_whom_a_case_is_about_is_kept_out():
    """Two steps by one trigger that ask for different votes, authority or claims are both taken."""
    assert load_definition(SIGNED, "purchase.yaml").workflow == "purchase"


def test_the_problems_of_all_files_are_told_at_once():
    with pytest.raises(BadInput) as refused:
        load_definitions({"a.yaml": "a: [", "b.yaml": "b: 1", "task.yaml": TASK})
    assert {problem.where.split(":")[0] for problem in refused.value.problems} == {
        "a.yaml",
        "b.yaml",
    }


LETTER = """
workflow: letter
version: 1
title: Letter
key: L
roles: {clerk: }
data:
  file: {type: ref, to: file, parent: true}
  kind: {type: text}
  place: {type: text}
  colour: {type: text}
  title: {type: text}
states: {open: {initial: true}, shut: {final: true}}
transitions:
  - {trigger: shut, from: open, to: shut}
  - trigger: correct-record
    from: [open, shut]
    by: clerk
    corrects: [title, kind, place, colour]
"""
FILE = """
workflow: file
version: 1
title: File
key: F
data:
  letter: {type: ref, to: letter}
  kind: {type: text}
states: {open: {initial: true}, shut: {final: true}}
transitions:
  - trigger: shut
    from: open
    to: shut
    children: {workflow: letter, where: {kind: data.kind}, in: [shut]}
    when: has(letter.data.place)
reactions:
  - {on: FileShut, do: {trigger: shut, each: letter, where: {colour: data.kind}}}
"""


def test_what_another_workflow_goes_by_is_not_corrected():
    with pytest.raises(BadInput) as refused:
        load_definitions({"letter.yaml": LETTER, "file.yaml": FILE})
    told = [str(problem) for problem in refused.value.problems]
    assert told == [
        f"letter.yaml:19:{at}: {name} is no clerical matter: file goes by it"
        " (leave it out; it is changed by a step of its own)"
        for name, at in (("kind", 23), ("place", 29), ("colour", 36))
    ]


def test_what_a_published_workflow_corrects_nobody_comes_to_go_by_later():
    letter = LETTER.replace("[title, kind, place, colour]", "[title, place, colour]")
    published = [load_definition(letter, "letter.yaml")]
    with pytest.raises(BadInput) as refused:
        load_definitions({"file.yaml": FILE}, published)
    assert [str(problem) for problem in refused.value.problems] == [
        f"file.yaml:{at}: {name} of letter is corrected as a clerical matter"
        f" (publish with it a letter that does not correct {name})"
        for name, at in (("place", "15:11"), ("colour", "17:70"))
    ]
    mended = letter.replace("[title, place, colour]", "title").replace("version: 1", "version: 2")
    load_definitions({"file.yaml": FILE, "letter.yaml": mended}, published)


def test_what_a_version_goes_by_that_cases_still_go_on_by_is_not_corrected():
    file = load_definition(FILE, "file.yaml")
    other = FILE.split("    children")[0].replace("version: 1", "version: 2")
    newest = load_definition(other, "file.yaml")
    load_definitions({"letter.yaml": LETTER}, [newest])
    with pytest.raises(BadInput) as refused:
        load_definitions({"letter.yaml": LETTER}, [newest], [newest, file])
    told = [str(problem) for problem in refused.value.problems]
    assert told == [
        f"letter.yaml:19:{at}: {name} is no clerical matter: file 1, by which cases still go on,"
        " goes by it (leave it out, or migrate these cases first (pmo migrate))"
        for name, at in (("kind", 23), ("place", 29), ("colour", 36))
    ]


def test_nor_does_anything_come_to_go_by_what_such_a_version_corrects():
    letter = load_definition(LETTER.replace("[title, kind, place, colour]", "place"), "letter.yaml")
    newest = LETTER.replace("[title, kind, place, colour]", "title").replace("n: 1", "n: 2")
    texts = {"file.yaml": FILE, "letter.yaml": newest}
    load_definitions(texts, [letter])
    with pytest.raises(BadInput) as refused:
        load_definitions(texts, [letter], [letter])
    (problem,) = refused.value.problems
    assert str(problem) == (
        "file.yaml:15:11: place of letter 1, by which cases still go on, is corrected as a"
        " clerical matter (migrate these cases first (pmo migrate))"
    )


def test_what_picks_the_children_that_are_asked_is_not_corrected_there():
    text = FILE.replace("{colour: data.kind}", "{title: letter.data.title}")
    letter = LETTER.replace("[title, kind, place, colour]", "title")
    with pytest.raises(BadInput, match="title is no clerical matter: file goes by it"):
        load_definitions({"letter.yaml": letter, "file.yaml": text})
    apart = text.replace("{title: ", "{colour: ")
    with pytest.raises(BadInput, match="title is no clerical matter: file goes by it"):
        load_definitions({"letter.yaml": letter, "file.yaml": apart})


MATTER = """
workflow: matter
version: 1
title: Matter
key: M
roles: {clerk: , judge: {appointed_in: data.court}}
data:
  court: {type: text, required: true}
  kind: {type: choice, of: [a, b], required: true}
  whom: {type: person}
states: {open: {initial: true DEADLINE}, shut: {final: true}}
start: {by: clerk}
transitions:
  - {trigger: chase, from: open, by: [timer, clerk] CHASE}
  - {trigger: shut, from: open, to: shut, by: clerk SHUT}
  - {trigger: correct-record, from: [open, shut], by: clerk, corrects: FIELD}
"""
PER_KIND = "{per: data.kind, within: {a: 1 day, b: 2 days}, then: chase}"
SAME_PLACE = "{workflow: letter, least: 1, where: {place: data.court}}"


@pytest.mark.parametrize(
    ("field", "where", "said", "why"),
    [
        ("kind", "DEADLINE", f"deadline: {PER_KIND}", "a deadline goes by it"),
        ("whom", "CHASE", "escalates: {from: clerk, to: {person: whom}}", "who may decide"),
        ("court", "CHASE", "escalates: {from: clerk, to: judge}", "who may decide"),
        ("court", "SHUT", "quorum: {body: board, veto: judge}", "who may decide"),
        ("court", "SHUT", "when: has(data.whom), override: {by: judge, of: when}", "who may"),
        ("court", "SHUT", f"children: {SAME_PLACE}", "it says which children are meant"),
    ],
    ids=["deadline", "person", "role", "veto", "override", "children"],
)
def test_what_more_than_conditions_go_by_is_not_corrected(field, where, said, why):
    text = MATTER.replace(f" {where}", f", {said}").replace("FIELD", field)
    for other in ("DEADLINE", "CHASE", "SHUT"):
        text = text.replace(f" {other}", "")
    with pytest.raises(BadInput, match=f"{field} is no clerical matter: {why}"):
        load_definition(text, "matter.yaml")


def test_of_children_those_can_be_meant_that_share_a_value_with_the_case():
    wrong = FILE.replace("{kind: data.kind}", "{kind: data.kinds}")
    with pytest.raises(BadInput, match="there is no field 'kinds'"):
        load_definitions({"letter.yaml": LETTER.split("  - trigger: corr")[0], "file.yaml": wrong})
