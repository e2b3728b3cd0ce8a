"""Parents and children, one at a time, papers that change, warnings and overrides."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.clock import HandClock
from engine.commands import Fact
from engine.errors import PmoError, Refused
from engine.events import CaseLinked, ClaimChanged
from engine.service import Receipt, Service
from engine.store.log import Log
from tests.deciding.conftest import publish
from tests.governance.conftest import Office, paper, refused, taken

PLAN = """
workflow: plan
version: 1
title: Plan
key: PLAN
roles: {lead: }
only_one: {per: unit, in: [running, reviewed]}
data: {unit: {type: text, required: true}}
states: {drafted: {initial: true}, running: , reviewed: , retired: {final: true}}
start: {by: lead}
transitions:
  - trigger: run
    from: drafted
    to: running
    by: lead
    children:
      - {workflow: factor, where: {kind: internal}, least: 1}
      - {workflow: factor, in: [assessed]}
  - {trigger: review, from: running, to: reviewed, by: lead}
  - {trigger: retire, from: [running, reviewed], to: retired, by: lead}
  - {trigger: move, from: [drafted, running], by: lead, needs: unit}
"""
FACTOR = """
workflow: factor
version: 1
title: Factor
key: FACT
data:
  plan: {type: ref, to: plan, parent: true}
  kind: {type: choice, of: [internal, external]}
states: {noted: {initial: true}, assessed: {final: true}}
transitions:
  - trigger: assess
    from: noted
    to: assessed
    accepts: plan
    should: {when: [{check: plan.state == "drafted", otherwise: the plan runs already}]}
"""
LEAD = "lena:lead"


@pytest.fixture
def planning(office: Office) -> Office:
    publish(office.service, PLAN)
    publish(office.service, FACTOR)
    return office


def runnable(office: Office, unit: str) -> str:
    plan = office.start("plan", LEAD, unit=unit)
    office.do(office.start("factor", plan=plan, kind="internal"), "assess")
    return plan


def test_a_parent_hears_of_its_children_and_guards_count_them(planning: Office) -> None:
    plan = planning.start("plan", LEAD, unit="transport")
    assert "at least 1 internal factor; there are 0" in refused(planning, plan, "run", LEAD)
    outer = planning.start("factor", plan=plan, kind="external")
    inner = planning.start("factor", plan=plan, kind="internal")
    event = planning.service.log.stream(plan)[-1].event
    assert isinstance(event, CaseLinked)
    assert (event.child, event.workflow, event.version) == (inner, "factor", 3)
    planning.do(inner, "assess")
    assert f"every factor must be in assessed: {outer} is noted" in refused(
        planning, plan, "run", LEAD
    )
    planning.do(outer, "assess")
    planning.do(plan, "run", LEAD)
    reads = taken(planning, plan).reads
    assert (reads[inner], reads[outer]) == (2, 2)


def test_a_child_that_finds_its_parent_later_is_linked_then_and_once(planning: Office) -> None:
    plan = planning.start("plan", LEAD, unit="transport")
    child = planning.start("factor", kind="internal")
    planning.do(child, "assess", data={"plan": plan})
    assert planning.service.case(plan).children == (("factor", child),)


def test_what_is_only_observed_counts_among_the_children_of_the_parent_it_names(
    planning: Office,
) -> None:
    plan = planning.start("plan", LEAD, unit="transport")
    other = planning.start("plan", LEAD, unit="health")
    planning.do(planning.start("factor", plan=plan, kind="internal"), "assess")
    said = [{"plan": other}, {"plan": plan}, {"plan": plan, "kind": "external"}]
    facts = [Fact(name="Observed", data=data) for data in said]
    planning.observe_all("factor", "FACT-0900", *facts)
    assert planning.service.case(other).children == (("factor", "FACT-0900"),)
    assert planning.service.case(plan).children[1:] == (("factor", "FACT-0900"),)
    linked = planning.service.log.stream(plan)[-1].event
    assert isinstance(linked, CaseLinked)
    assert (linked.child, linked.actor.id) == ("FACT-0900", "importer")
    assert "every factor must be in assessed: FACT-0900 is noted" in refused(
        planning, plan, "run", LEAD
    )
    planning.observe_all("factor", "FACT-0900", *facts)
    assert planning.service.log.stream(plan)[-1].event == linked, "and it is told of once"


def test_a_case_is_no_child_of_itself_and_no_parent_that_is_not_there_hears_of_it(
    planning: Office,
) -> None:
    for named in ("FACT-0901", "PLAN-0900"):
        planning.observe("factor", "FACT-0901", "noted", plan=named)
    assert planning.service.case("FACT-0901").children == ()
    assert planning.service.log.stream("PLAN-0900") == []


def test_there_is_one_running_plan_for_a_unit(planning: Office) -> None:
    first, second = runnable(planning, "transport"), runnable(planning, "transport")
    elsewhere = runnable(planning, "road & rail")
    planning.do(first, "run", LEAD)
    planning.do(elsewhere, "run", LEAD)
    assert f"{first} is running or reviewed for the same unit" in refused(
        planning, second, "run", LEAD
    )
    planning.do(first, "review", LEAD)
    refused(planning, second, "run", LEAD)
    planning.do(first, "retire", LEAD)
    planning.do(second, "run", LEAD)
    (claim,) = [
        r.event
        for r in planning.service.log.stream("claim/plan/0/transport")
        if r.event.version == 3
    ]
    assert isinstance(claim, ClaimChanged)
    assert claim.holder == second


def test_a_claim_moves_with_what_it_is_for_and_nobody_moves_onto_anothers(
    planning: Office,
) -> None:
    first, second = runnable(planning, "transport"), runnable(planning, "health")
    planning.do(first, "run", LEAD)
    planning.do(second, "move", LEAD, data={"unit": "transport"})  # a draft claims nothing
    planning.do(second, "move", LEAD, data={"unit": "health"})
    planning.do(second, "run", LEAD)
    told = f"{first} is running or reviewed for the same unit"
    assert told in refused(planning, second, "move", LEAD, data={"unit": "transport"})
    planning.do(first, "move", LEAD, data={"unit": "energy"})
    planning.do(second, "move", LEAD, data={"unit": "transport"})


SKILL = """
workflow: skill
version: 1
title: Skill
key: SKILL
only_one: {per: [person, topic], in: [held]}
data: {person: {type: person, required: true}, topic: {type: text, required: true}}
states: {noted: {initial: true}, held: , gone: {final: true}}
transitions:
  - {trigger: hold, from: noted, to: held}
  - {trigger: keep, from: held, to: held}
  - {trigger: move, from: [noted, held], needs: topic}
  - {trigger: drop, from: held, to: gone}
"""


@pytest.fixture
def skills(office: Office) -> Office:
    publish(office.service, SKILL)
    return office


def test_dots_in_values_make_no_two_claims_one(skills: Office) -> None:
    first = skills.start("skill", person="ann.b", topic="c")
    other = skills.start("skill", person="ann", topic="b.c")
    same = skills.start("skill", person="ann.b", topic="c")
    for case in (first, other):
        skills.do(case, "hold")
    assert f"{first} is held for the same person and topic" in refused(
        skills, same, "hold", "clerk"
    )
    skills.do(first, "drop")
    skills.do(same, "hold")


@pytest.fixture
def held_before(skills: Office, monkeypatch: pytest.MonkeyPatch) -> str:
    """A case with a claim that was taken when dots were not told apart."""
    case = skills.start("skill", person="ann.b", topic="c")
    with monkeypatch.context() as before:
        before.setattr("engine.claims._tells_apart", lambda _: True)
        skills.do(case, "hold")
    (event,) = [r.event for r in skills.service.log.stream("claim/skill/0/ann.b.c")]
    assert isinstance(event, ClaimChanged)
    assert event.holder == case
    return case


@pytest.mark.parametrize("leave", ["drop", "move"])
def test_a_claim_from_before_dots_were_told_apart_stands_until_it_is_released(
    skills: Office, held_before: str, leave: str
) -> None:
    same = skills.start("skill", person="ann.b", topic="c")
    told = f"{held_before} is held for the same person and topic"
    assert told in refused(skills, same, "hold", "clerk")
    skills.do(held_before, "keep")
    assert told in refused(skills, same, "hold", "clerk")
    skills.do(held_before, leave, data={"topic": "d"} if leave == "move" else {})
    skills.do(same, "hold")
    third = skills.start("skill", person="ann.b", topic="c")
    assert f"{same} is held" in refused(skills, third, "hold", "clerk")


def test_a_claim_from_before_dots_were_told_apart_is_in_nobody_elses_way(
    skills: Office, held_before: str
) -> None:
    other = skills.start("skill", person="ann", topic="b.c")
    skills.do(other, "hold")
    skills.do(other, "drop")
    same = skills.start("skill", person="ann.b", topic="c")
    assert f"{held_before} is held" in refused(skills, same, "hold", "clerk")


def test_a_claim_can_be_shared_by_workflows(office: Office) -> None:
    for name in ("first", "second"):
        publish(
            office.service,
            f"""
workflow: {name}
version: 1
title: One
key: {name.upper()}
only_one: {{per: unit, in: running, name: one-of-both}}
data: {{unit: {{type: text, required: true}}}}
states: {{running: {{initial: true}}, over: {{final: true}}}}
transitions: [{{trigger: end, from: running, to: over}}]
""",
        )
    held = office.start("first", unit="transport")
    with pytest.raises(Refused, match=f"{held} is running for the same unit"):
        office.start("second", unit="transport")
    office.do(held, "end")
    office.start("second", unit="transport")


def test_a_warning_may_look_at_another_case(planning: Office) -> None:
    plan = runnable(planning, "transport")
    planning.do(plan, "run", LEAD)
    late = planning.start("factor", plan=plan, kind="internal")
    planning.do(late, "assess")
    event = taken(planning, late)
    (warning,) = [verdict for verdict in event.verdicts if verdict.weight == "should"]
    told = 'the plan runs already (not so: plan.state == "drafted" (plan.state is running))'
    assert warning.reason == told


def test_of_many_that_race_for_one_claim_one_has_it(
    planning: Office, log: Log, clock: HandClock
) -> None:
    plans = [runnable(planning, "transport") for _ in range(8)]
    services = [Service(log, clock) for _ in plans]
    commands = [planning.command(plan, "run", LEAD) for plan in plans]

    def run(number: int) -> Receipt | PmoError:
        return services[number].handle_many([commands[number]])[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(run, range(8)))
    assert sum(isinstance(answer, Receipt) for answer in answers) == 1
    assert all(isinstance(answer, (Receipt, Refused)) for answer in answers)


def test_a_receipt_speaks_of_the_case_and_not_of_what_it_brought_about(planning: Office) -> None:
    plan = planning.start("plan", LEAD, unit="transport")
    command = planning.command(plan, "run", LEAD)
    planning.do(planning.start("factor", plan=plan, kind="internal"), "assess")
    receipt = planning.service.handle(command)
    assert (receipt.stream, receipt.state) == (plan, "running")
    assert receipt.names == ("PlanRunning",)
    assert Service(planning.service.log).handle(command) == receipt


def test_papers_that_change_after_the_review_send_it_back_to_be_looked_at(office: Office) -> None:
    office.appoint("director", "dora")
    office.authorise(1, "director")
    case = office.ready()
    newer = paper("business-case", mark="b")
    assert "must be looked at again" in refused(office, case, "approve", "dora", evidence=(newer,))
    office.do(case, "approve", "dora")


def approved(office: Office, amount: str) -> str:
    office.appoint("director", "dora")
    office.appoint("sponsor", "dora")
    office.appoint("sponsor", "stella")
    office.authorise(1, "director")
    case = office.ready(amount)
    office.do(case, "approve", "dora")
    return case


def test_what_only_should_be_so_warns_and_is_recorded(office: Office) -> None:
    case = approved(office, "1000000")
    receipt = office.do(case, "finish", "stella", evidence=(paper("report"),))
    event = taken(office, case)
    (warning,) = [v for v in event.verdicts if not v.held]
    assert (warning.weight, receipt.state) == ("should", "done")
    assert warning.reason.startswith("it is a lot")


def test_an_override_is_for_whom_the_definition_names_with_a_reason_and_is_recorded(
    office: Office,
) -> None:
    case = approved(office, "5")
    assert "needs a report as evidence" in refused(office, case, "finish", "stella")
    assert "give a reason" in refused(office, case, "finish", "stella", override=True)
    assert "eve is not appointed sponsor" in refused(
        office, case, "finish", "eve", override=True, reason="urgent"
    )
    office.do(case, "finish", "stella", override=True, reason="the report is in print")
    event = taken(office, case)
    (gone,) = [v for v in event.verdicts if not v.held]
    assert (gone.rule, gone.weight) == ("evidence report", "overridden")
    assert event.reason == "the report is in print"


def test_an_override_reaches_no_further_than_it_says(office: Office) -> None:
    case = approved(office, "5")
    assert "does not take" in refused(
        office, case, "finish", "stella", data={"unit": "x"}, override=True, reason="urgent"
    )
    other = office.ready()
    assert "nothing about approve may be overridden here" in refused(
        office, other, "approve", "dora", override=True, reason="urgent"
    )


def test_a_child_that_has_moved_to_another_parent_is_none_of_the_first(planning: Office) -> None:
    first, second = (planning.start("plan", LEAD, unit=unit) for unit in ("transport", "health"))
    for plan in (first, second):
        planning.do(planning.start("factor", plan=plan, kind="internal"), "assess")
    moved = planning.start("factor", plan=first, kind="internal")
    assert f"{moved} is noted" in refused(planning, first, "run", LEAD)
    planning.observe_all("factor", moved, Fact(name="Moved", data={"plan": second}))
    assert f"{moved} is noted" in refused(planning, second, "run", LEAD)
    planning.do(first, "run", LEAD)


def test_no_ground_on_which_something_is_withheld_makes_it_another(planning: Office) -> None:
    plan = runnable(planning, "transport")
    kept_back = {"unit": {"withheld": "Not for everybody."}}
    planning.do(plan, "move", LEAD, data={"unit": "health"})
    told = refused(planning, plan, "move", LEAD, data=kept_back)
    assert "unit is withheld" in told
    planning.observe("plan", plan, "drafted", **kept_back)
    assert "needs unit" in refused(planning, plan, "run", LEAD)


def test_a_parent_that_is_withheld_hears_of_nothing_and_stands_in_nobodys_way(
    planning: Office,
) -> None:
    kept_back = {"withheld": "Not for everybody."}
    child = planning.start("factor", plan=kept_back, kind="internal")
    planning.observe("factor", child, "noted", plan=kept_back)
    planning.do(child, "assess", data={"plan": kept_back})
    assert planning.service.case(child).state == "assessed"
