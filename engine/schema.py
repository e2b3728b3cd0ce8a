"""The grammar of definitions as a JSON Schema, for editors that complete and check while one types.

It says what ``engine.definition`` says, plus a line about every key; what ``engine.lint`` finds out
about a whole definition no schema can say.
"""

from __future__ import annotations

from typing import Any

from engine.definition import Definition

DIALECT = "https://json-schema.org/draft/2020-12/schema"

ABOUT = {
    "Definition.workflow": "The name of the workflow: small letters, digits and single dashes.",
    "Definition.version": "Counts up with every change. Running cases stay with theirs.",
    "Definition.title": "What people call it.",
    "Definition.about": "What it is for.",
    "Definition.key": "What cases are called: DEC gives DEC-0001, PLAN-{unit} takes a data field.",
    "Definition.roles": "Who takes part. Every role in `by` and `not_by` is named here.",
    "Definition.data": "What is known of a case: its fields.",
    "Definition.states": "Where a case can be, from the initial one to the final ones.",
    "Definition.start": "How a case begins: who may, what it needs and accepts.",
    "Definition.transitions": "What leads from state to state. The first that holds is taken.",
    "Definition.record_refusals": "Whether a refused attempt is kept in the log as a fact.",
    "Definition.only_one": "Of which cases there is at most one at a time.",
    "Definition.reactions": "What is asked for when something has happened.",
    "Definition.calendar": "The calendar by which working days count, or the field that names it; "
    "`standard or usual` where there may be none.",
    "Definition.register": "What its cases are to guards: entries of this register.",
    "Definition.breaks": "What subscribers lose by this version, by event or data.FIELD, and why.",
    "Definition.in_force": "Of a register: the states in which an entry counts.",
    "Role.title": "What people call it.",
    "Role.about": "What it answers for.",
    "Field.type": "What kind of value it holds.",
    "Field.title": "What people call it.",
    "Field.about": "What it means.",
    "Field.required": "Whether a case cannot start without it.",
    "Field.of": "The choices of a choice, or what a list holds.",
    "Field.to": "The workflow that a ref refers to.",
    "Field.currency": "The currency of money, in the three letters of ISO 4217.",
    "Field.unit": "What a number counts.",
    "Field.least": "The smallest number, or amount, it can be.",
    "Field.most": "The largest number, or amount, it can be.",
    "Field.longest": "How many characters the text can have.",
    "State.title": "What people call it.",
    "State.about": "What it means.",
    "State.initial": "Whether cases begin here.",
    "State.awaits": "The triggers that it waits for; else all that lead out. With [] it rests.",
    "State.final": "Whether cases end here.",
    "State.deadline": "How long a case may stay here; one deadline or several.",
    "Deadline.per": "The choice by which `within` says a period for each, like data.category.",
    "Deadline.within": "A period, like 10 working days, counted from when the state is entered; "
    "with `per`, one for each choice: {funding: 10 working days, policy: 20 working days}.",
    "Deadline.remind": "After which shares of the period to remind, like [50%, 80%].",
    "Deadline.then": "The trigger that is due when the period is over.",
    "Deadline.on": "The field whose date is the deadline, like data.due; due at the day's end.",
    "Deadline.every": "A rule of RFC 5545, like FREQ=MONTHLY;BYMONTHDAY=5, or a field with one.",
    "Deadline.or": "What is meant when the day of `on` or `every` is no working day.",
    "Deadline.later": "What is due when it has been missed, like {at: 150%, then: lapse}.",
    "Later.at": "A share of the deadline above 100%.",
    "Later.then": "The trigger that is due then.",
    "Field.parent": "Whether the case named here hears of this one, as its child.",
    "Role.appointed_in": "The unit where somebody must be appointed, or the field that names it.",
    "EvidenceNeed.unchanged": "Whether none of its kind may come once this state is entered.",
    "EvidenceNeed.anew": "Whether it must come with this very step, whatever was attached before.",
    "Quorum.body": "The body that votes, or the field that names it.",
    "Quorum.answer": "What it must have voted: for (that is the default) or against.",
    "Quorum.without": "Fields with the persons who have no vote in this.",
    "AuthorityOf.answer": "Where a body decides: whether it has voted for or against.",
    "AuthorityOf.without": "Where a body decides: fields with the persons who have no vote.",
    "OnlyOne.name": "A name that other workflows can share: then there is one among all of them.",
    "Field.unique": "Whether a list may hold nothing twice.",
    "Quorum.rule": "The majority: simple, two thirds, unanimous or weighted.",
    "Quorum.veto": "Roles whose vote against stops it.",
    "Quorum.casting": "Whether the chair's vote breaks a tie.",
    "Children.workflow": "Of which workflow the children are.",
    "Children.in": "The states they must be in.",
    "Children.where": "Which of them: the values of their fields, or data.FIELD.",
    "Children.least": "How many there must be; left out: all there are.",
    "ByAuthority.authority": "The matter for which the authority in force names who decides.",
    "AuthorityOf.category": "What kind of matter, or the field that says so.",
    "AuthorityOf.value": "The field that says what it is worth.",
    "AuthorityOf.unit": "Where, or the field that says so.",
    "AuthorityOf.least": "The field with the lowest level that may, where a superior has called it "
    "in; who changes it needs the higher of before and after.",
    "Override.by": "The roles that may go ahead all the same, with a reason.",
    "Override.of": "Which guards they may override.",
    "Step.agreed_by": "Roles that must have agreed, each by somebody's signature.",
    "Step.quorum": "The body that must have voted for it.",
    "Step.children": "What must be so of the cases that name this one as parent.",
    "Step.should": "What had better be so: it warns and is recorded, but stops nobody.",
    "Step.override": "Who may go ahead although a guard does not hold.",
    "OnlyOne.per": "The fields of whose values there is one case at a time.",
    "OnlyOne.in": "The states in which there is only one.",
    "Reaction.on": "What happened, by the name it emits.",
    "Reaction.where": "A condition in CEL on the case as it is then.",
    "Reaction.do": "What is asked for then.",
    "Act.trigger": "The trigger to pull.",
    "Act.of": "Whose trigger: this `case`, or the one in a field, like data.plan.",
    "Act.each": "Of every child of this workflow.",
    "Act.where": "Only of those children whose fields have these values, said as in `with`.",
    "Act.start": "The workflow of which a case is begun.",
    "Act.for": "A list field, or whom some mean: one case is begun for each, `item` in `with`.",
    "Whom.roles": "A list of roles, like sponsor or sponsor in transport: who holds one.",
    "Whom.units": "A list of units: whoever is appointed to anything there.",
    "Whom.bodies": "A list of bodies: their members.",
    "Whom.persons": "A list of persons.",
    "Act.with": "The data that goes along: data.FIELD, before.FIELD, REF.data.FIELD, key, state, "
    "event.name, or plain text.",
    "EvidenceNeed.kind": "What kind of document, like business-case.",
    "EvidenceNeed.newer_than": "How old its date may be, like 90 days.",
    "Check.check": 'A condition in CEL, like data.amount <= 100000 or state == "draft".',
    "Check.otherwise": "What to tell somebody for whom it does not hold.",
    "ByPerson.person": "The field that names the person.",
    "Step.by": "The roles that may. Left out: everybody may.",
    "Step.not_by": "Who has acted in one of these roles before may not.",
    "Step.needs": "Fields that must have a value: from before, or brought along.",
    "Step.anew": "Fields that must come with this very step, whatever was there before; `reason`: "
    "the command's own reason.",
    "Step.accepts": "Fields that may be brought along, beside those it needs or wants anew.",
    "Step.evidence": "Documents that must be attached.",
    "Step.when": "Conditions that must hold.",
    "Step.emits": "What the event is called, like DecisionTaken.",
    "Step.about": "What it means.",
    "Transition.trigger": "What people ask for, like submit.",
    "Transition.from": "The states it leads from.",
    "Transition.to": "The state it leads to. Left out: the case stays where it is.",
    "Transition.escalates": "From whom to whom the matter goes by it; the event says who they are.",
    "Transition.gone_up": "Only for whom the matter has gone up to, while it is in that state.",
    "Escalation.from": "With whom it was: a role, the person in a field, or the authority for it.",
    "Escalation.to": "Who has it then: the first of these that is somebody else; of an authority, "
    "the level above.",
    "Transition.tells": "Fields of which the event also says what they held before the step.",
    "Transition.counts": "Number fields that are one more after it than before: 1, 2, 3.",
    "Transition.corrects": "Fields in which it mends what was typed wrong; it does nothing else.",
}
"""What an editor shows about a key."""


def definition_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a definition as it is written in YAML."""
    schema = Definition.model_json_schema()
    _describe(schema)
    return {"$schema": DIALECT, **schema}


def _describe(node: Any) -> None:
    """Say about every key what it is for, and let no other keys be."""
    if isinstance(node, list):
        for item in node:
            _describe(item)
    if not isinstance(node, dict):
        return
    for key, value in node.get("properties", {}).items():
        value["description"] = ABOUT.get(f"{node['title']}.{key}") or ABOUT[f"Step.{key}"]
    for value in node.values():
        _describe(value)
    if "patternProperties" in node:
        node["additionalProperties"] = False
