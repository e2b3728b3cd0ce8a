"""Reactions are checked together with the definitions of what they ask, and for going round."""

from __future__ import annotations

import pytest

from engine.errors import BadInput
from engine.loading import load_definitions

PREMISE = """
workflow: premise
version: 1
title: Premise
key: PRE
data:
  title: {type: text}
  cost: {type: money, currency: GBP}
  share: {type: number}
  plan: {type: ref, to: plan}
states: {held: {initial: true}, broken: {final: true}}
start: {emits: PremiseHeld}
transitions:
  - {trigger: confirm, from: held, to: held, emits: PremiseConfirmed}
  - {trigger: break, from: held, to: broken, emits: PremiseBroken}
reactions:
"""

PLAN = """
workflow: plan
version: 1
title: Plan
key: PLAN
roles: {planner: }
data:
  name: {type: text, required: true}
  due: {type: date}
  budget: {type: money, currency: GBP}
  kind: {type: choice, of: [annual, rolling]}
  premise: {type: ref, to: premise, parent: true}
states: {draft: {initial: true}, review: , closed: {final: true}}
start: {emits: PlanDrafted}
transitions:
  - {trigger: review, from: [draft, review], to: review,
     accepts: [kind, budget, due], emits: PlanReviewed}
  - {trigger: sign, from: review, to: review, by: planner, emits: PlanSigned}
  - {trigger: close, from: review, to: closed}
reactions:
"""


def problems(premise: str, plan: str = "") -> list[str]:
    texts = {"premise.yaml": PREMISE + premise, "plan.yaml": PLAN + plan}
    texts = {file: text.removesuffix("reactions:\n") for file, text in texts.items()}
    try:
        load_definitions(texts)
    except BadInput as error:
        return [str(problem) for problem in error.problems]
    return []


SOUND = """
  - on: PremiseBroken
    do: {trigger: review, of: data.plan, with: {kind: annual, budget: data.cost}}
  - {on: PremiseConfirmed, do: {trigger: review, each: plan}}
  - {on: PremiseHeld, do: {start: plan, with: {name: key, premise: key, budget: data.share}}}
"""


def test_reactions_that_can_work_are_taken():
    assert problems(SOUND) == []


@pytest.mark.parametrize(
    ("act", "told"),
    [
        ("{trigger: revue, of: data.plan}", "plan has no trigger 'revue' (did you mean 'review'?)"),
        ("{trigger: sign, each: plan}", "sign of plan is not open to a service"),
        ("{trigger: review, each: plans}", "there is no workflow 'plans' (did you mean 'plan'?)"),
        ("{start: planned}", "there is no workflow 'planned'"),
        ("{trigger: confirm, each: premise}", "no premise can be a child of a premise"),
        ("{start: plan, with: {due: data.share, name: x}}", "data.share is a number"),
        ("{start: plan, with: {budget: key, name: x}}", "key is text (budget holds a money)"),
        ("{start: plan, with: {due: data.cost, name: x}}", "data.cost is of type money"),
        ("{start: plan, with: {due: plan.data.budget, name: x}}", "budget is of type money"),
        ("{start: plan, with: {budget: plan.data.due, name: x}}", "plan.data.due is of type date"),
        (
            "{trigger: review, each: plan, where: {due: plan.data.budget}}",
            "plan.data.budget is of type money (due holds a date)",
        ),
        ("{start: plan, with: {kind: weekly, name: x}}", "'weekly' is not a choice"),
        ("{start: plan, with: {nam: key, name: x}}", "plan has no field 'nam'"),
        ("{start: plan}", "a start of plan needs name (add `name: ...` to `with`)"),
        (
            "{trigger: review, of: data.plan, with: {name: key}}",
            "review of plan does not take name",
        ),
    ],
)
def test_what_the_asked_workflow_cannot_do_is_told(act, told):
    (problem,) = problems(f"  - {{on: PremiseBroken, do: {act}}}\n")
    assert told in problem
    assert problem.startswith("premise.yaml:17:")


@pytest.mark.parametrize(
    ("act", "told"),
    [
        ("{start: plan, with: {name: plan.data.nme}}", "plan has no field 'nme'"),
        (
            "{start: plan, with: {name: plna.data.name}}",
            "there is no field 'plna' that names another case (did you mean 'plan'?)",
        ),
        (
            "{start: plan, with: {name: event.nam}}",
            "event.nam is nothing of an event (did you mean 'event.name'?)",
        ),
        ("{start: plan, with: {name: before.title}}", "PremiseBroken does not tell what 'title'"),
        (
            "{trigger: review, each: plan, where: {knd: annual}}",
            "plan has no field 'knd' (did you mean 'kind'?)",
        ),
        (
            "{trigger: review, each: plan, where: {kind: data.titl}}",
            "there is no field 'titl' (did you mean 'title'?)",
        ),
        ("{trigger: review, of: data.plan, where: {kind: annual}}", "it goes with `each`"),
    ],
)
def test_where_values_come_from_and_which_children_are_meant_must_be_there(act, told):
    (problem,) = problems(f"  - {{on: PremiseBroken, do: {act}}}\n")
    assert told in problem
    assert problem.startswith("premise.yaml:17:")


def test_what_is_told_of_before_and_of_another_case_can_be_brought_along():
    told = PREMISE.replace("emits: PremiseBroken}", "emits: PremiseBroken, tells: title}")
    act = "{trigger: review, each: plan, where: {name: before.title}, with: {due: plan.data.due}}"
    reaction = f"  - {{on: PremiseBroken, do: {act}}}\n"
    load_definitions({"premise.yaml": told + reaction, "plan.yaml": PLAN + "  []\n"})


def test_what_the_asked_step_wants_anew_the_reaction_brings_along():
    asked = PLAN.replace("emits: PlanReviewed", "anew: [kind, reason], emits: PlanReviewed")
    assert asked != PLAN
    act = "{{trigger: review, of: data.plan, with: {{{}}}}}"
    lacking = f"  - {{on: PremiseBroken, do: {act.format('budget: data.cost')}}}\n"
    with pytest.raises(BadInput) as refused:
        load_definitions({"premise.yaml": PREMISE + lacking, "plan.yaml": asked + "  []\n"})
    (problem,) = map(str, refused.value.problems)
    assert "review of plan needs kind (add `kind: ...` to `with`)" in problem
    sound = f"  - {{on: PremiseBroken, do: {act.format('kind: annual')}}}\n"
    load_definitions({"premise.yaml": PREMISE + sound, "plan.yaml": asked + "  []\n"})


MEANT = PREMISE.replace("data:\n", "data:\n  roles: {type: list, of: text}\n", 1).replace(
    "data:\n", "data:\n  people: {type: list, of: person}\n", 1
)


@pytest.mark.parametrize(
    ("whom", "item", "told"),
    [
        ("{roles: data.roles, persons: data.people}", "person", ""),
        ("data.people", "person", ""),
        ("{roles: data.people}", "person", "data.people is no list of text"),
        ("{persons: data.roles}", "person", "data.roles is no list of person"),
        ("{bodies: data.title}", "person", "data.title is no list of text"),
        ("{units: data.unit}", "person", "data.unit is no list of text"),
        ("{}", "person", "it means nobody"),
        ("{roles: data.roles}", "kind", "item is a person here (kind holds a choice)"),
        ("{offices: data.roles}", "person", "there is no key 'offices' here"),
    ],
)
def test_whom_a_reaction_means_is_said_by_lists(whom, item, told):
    plan = PLAN.replace("  due:", "  person: {type: person}\n  due:")
    do = f"{{start: plan, for: {whom}, with: {{name: key, {item}: item}}}}"
    texts = {
        "premise.yaml": f"{MEANT}  - {{on: PremiseHeld, do: {do}}}\n",
        "plan.yaml": plan.removesuffix("reactions:\n"),
    }
    if not told:
        load_definitions(texts)
        return
    with pytest.raises(BadInput) as refused:
        load_definitions(texts)
    assert told in " ".join(map(str, refused.value.problems))


def test_everybody_is_meant_only_where_a_case_starts():
    act = "{trigger: confirm, of: case, for: {roles: data.roles}}"
    texts = {
        "premise.yaml": f"{MEANT}  - {{on: PremiseHeld, do: {act}}}\n",
        "plan.yaml": PLAN.removesuffix("reactions:\n"),
    }
    with pytest.raises(BadInput) as refused:
        load_definitions(texts)
    assert "`for` goes with `start`" in str(refused.value.problems[0])


def test_a_condition_knows_the_states_of_the_case_it_refers_to():
    do = "do: {trigger: review, of: data.plan}"
    (problem,) = problems(f"  - {{on: PremiseBroken, where: plan.state == 'reviewed', {do}}}\n")
    assert "reviewed" in problem


CIRCLE = (
    "  - {on: PremiseConfirmed, do: {trigger: review, each: plan}}\n",
    "  - {on: PlanReviewed, do: {trigger: confirm, of: data.premise}}\n",
)


def test_a_circle_without_a_condition_is_refused_and_both_ends_are_told():
    premise, plan = sorted(problems(*CIRCLE), reverse=True)
    assert premise.startswith("premise.yaml:17:")
    assert plan.startswith("plan.yaml:21:")
    circle = "premise PremiseConfirmed -> plan PlanReviewed -> premise PremiseConfirmed"
    assert circle in premise
    assert "give one of these reactions a `where` that ends it" in premise


def test_a_condition_anywhere_in_a_circle_may_end_it():
    ended = CIRCLE[0].replace(", do:", ", where: state != 'broken', do:")
    assert problems(ended, CIRCLE[1]) == []


def test_a_case_that_starts_the_next_one_of_its_kind_goes_round():
    (problem,) = problems("", "  - {on: PlanDrafted, do: {start: plan, with: {name: key}}}\n")
    assert "plan PlanDrafted -> plan PlanDrafted" in problem


def test_a_new_child_that_makes_another_child_goes_round():
    (problem,) = problems(
        "  - {on: CaseLinked, do: {start: plan, with: {name: key, premise: key}}}\n"
    )
    assert "premise CaseLinked -> premise CaseLinked" in problem
