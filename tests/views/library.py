"""The workflows that the shipped views speak of, as bare as can be: fields and states, no rules.

What is tested with them is what views make of facts. That the views fit the library that ships is
a test of its own (``test_shipped_views``).
"""

from __future__ import annotations

from typing import Any

_TEXT = """
alignment: project objective plan verdict settlement | asked in_parameters out_of_parameters settled ended*
acknowledgement: communication person due:date | asked overdue given* excused*
appointment: role unit person:person from:date until:date | active suspended ended
authority: category unit level:number limit:money holder held_by holder_unit rule from:date until:date | granted active revoked*
benefit: title project owner measure baseline:number target:number actual:number due:date | in_realisation realised* shortfall*
change-request: title project reason_code | raised approved baseline_issued closed*
communication: subject plan audience:list due:date | drafted sent acknowledged closed*
condition: decision text owner due:date | open discharged*
decision: title category unit amount:money objective plan board options:list rationale conditions:list outcome effective_on:date review_on:date supersedes consulted:list | draft submitted in_review ready approved rejected* closed*
delegation: giver receiver role unit category limit:money from:date until:date | active revoked*
exception: project tolerance forecast cause outcome | reported closed*
gate: project gate scheduled_on:date dca outcome actions:list standard_version | scheduled rated closed*
maturity-assessment: unit model perspective level:number target_level:number next_due:date | assessed review_due
milestone: project title baseline:date forecast:date actual:date | open reached*
objective: title unit plan plan_five parent direction baseline:number baseline_as_of:date target:number due:date owner:person actual:number actual_as_of:date | proposed baselined active at_risk achieved* cancelled*
option: title plan kind | proposed appraised*
performance-review: subject reviewer unit period figures figures_position:number assessment:document grade reward_amount:money formula_version | period_open reward_decided
pmo-setup: unit kind objectives:list sponsor tool stakeholders:list charter_version:number charter_decision | defining_objectives winning_sponsor running
premise: statement plan plan_five owner indicator check_by:date | recorded due invalidated*
project: title unit programme objective rating sponsor lead baseline_end:date forecast_end:date baseline_cost:money forecast_cost:money whole_life_cost:money | active paused closed*
raid: kind title project owner probability impact response due:date | open closed* converted
reporting-period: unit period due:date position:number content_hash | opened frozen published
return: cycle project due:date | requested late submitted validated excused*
routine: title kind rule owner | waiting due
skill-assessment: person role skill experience level:number target_level:number | assessed review_due ended*
standard: title kind owner scope effective_on:date review_on:date | effective retired*
strategic-plan: title unit cycle plan_version:number | opened in_execution under_review retired*
strategic-plan-five: title unit cycle plan_version:number | opened in_execution retired*
supporting-plan: title kind plan plan_five | drafted linked
support-request: title kind service_level requester | requested delivered confirmed*
task: title project owner due:date depends_on | todo doing done*
waiver: standard project until:date ground | requested granted expired*
"""

_MORE = {"list": {"of": ["text"]}, "money": {"currency": "GBP"}, "ref": {"to": "plan"}}
_REGISTERS = {"appointment": {"register": "appointment", "in_force": ["active"]}}
_RULES: dict[str, dict[str, Any]] = {
    "decision": {
        "roles": {"approver": {"appointed_in": "data.unit"}, "secretary": {}},
        "transitions": [
            {"trigger": "approve", "from": ["ready"], "to": "approved", "by": ["approver"]},
            {"trigger": "lapse", "from": ["ready"], "to": "rejected", "by": ["timer"]},
        ],
    },
    "objective": {
        "transitions": [
            {
                "trigger": "report",
                "from": ["active"],
                "to": "active",
                "by": [{"person": "owner"}],
            },
        ],
    },
}


def bodies() -> list[dict[str, Any]]:
    """The bodies of all the definitions."""
    return [_body(line) for line in _TEXT.strip().splitlines()]


def _body(line: str) -> dict[str, Any]:
    name, _, rest = line.partition(": ")
    fields, _, states = rest.partition(" | ")
    data = {}
    for field in fields.split():
        field_name, _, kind = field.partition(":")
        data[field_name] = {"type": kind or "text"} | _MORE.get(kind, {})
    return {
        "workflow": name,
        "version": 1,
        "title": name,
        "data": data,
        "states": {
            state.rstrip("*"): {"final": True} if state.endswith("*") else {}
            for state in states.split()
        },
        "order": {"data": list(data)},
        **_REGISTERS.get(name, {}),
        **_RULES.get(name, {}),
    }
