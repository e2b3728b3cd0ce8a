"""Made-up events that fit their schemas, so that a contract can be read without a log at hand."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from app.contracts.forms import Form, forms, observed
from engine.definition import Definition, Field
from engine.events import (
    CaseLinked,
    CaseMigrated,
    CaseObserved,
    CaseSigned,
    CaseStarted,
    CaseTransitioned,
    CommandRefused,
    DeadlineReminded,
    DefinitionPublished,
    EvidenceAttached,
)
from engine.upcasts import Body

_AT = "2026-03-31T09:30:00.000000Z"
_DUE = {"at": "2026-04-15T22:00:00.000000Z", "of": 0, "share": "80%", "then": None}
_ESCALATED = {
    "source": {"held_by": "person", "name": "ada", "rule": None, "unit": None, "version": None},
    "to": {"held_by": "role", "name": "sponsor", "rule": None, "unit": "north", "version": None},
    "why": None,
}
_VALUES: dict[str, Any] = {
    "text": "Text",
    "date": "2026-12-31",
    "ref": "CASE-0001",
    "person": "ada",
    "document": {"name": "paper.pdf", "sha256": sha256(b"paper").hexdigest()},
}


def example(definition: Definition, name: str) -> Body:
    """An event of this name, as outsiders would get it."""
    form = next(iter(forms(definition).get(name, ())), observed(definition))
    return _envelope(definition, name, form) | _own(definition, form)


def _envelope(definition: Definition, name: str, form: Form) -> Body:
    published = form.model is DefinitionPublished
    return {
        "event_id": "019d4315-a240-7000-8000-000000000001",
        "stream": f"definition/{definition.workflow}" if published else case_key(definition),
        "version": 1 if published or form.model is CaseStarted else 2,
        "type": form.type,
        "name": name,
        "recorded_at": _AT,
        "occurred_at": _AT,
        "actor": {"id": "ada", "kind": "human"},
        "definition": {
            "hash": definition.hash,
            "name": definition.workflow,
            "version": definition.version,
        },
        "reads": {},
        "command_id": "6f1c7a52",
        "correlation_id": "6f1c7a52",
    }


def case_key(definition: Definition) -> str:
    """What a case of the definition could be called."""
    key = definition.key_pattern.replace("{number}", "0001")
    for name in definition.key_parts:
        key = key.replace(f"{{{name}}}", str(_value(definition.data[name])).replace(" ", "-"))
    return key


def example_data(definition: Definition) -> dict[str, Any]:
    """A value for every field."""
    return {name: _value(field) for name, field in definition.data.items()}


def _own(definition: Definition, form: Form) -> Body:
    """What an event has beside the envelope."""
    data = {name: _value(definition.data[name]) for name in form.carries or ()}
    if form.model is CaseStarted:
        return {"state": form.states[0], "data": data, "evidence": [], "verdicts": []}
    if form.model is CaseTransitioned:
        step = {"trigger": form.trigger, "source": form.sources[0], "state": form.states[0]}
        told = {name: _value(definition.data[name]) for name in form.tells}
        before: Body = {"before": told} if told else {}
        if form.escalates:
            before |= {"escalated": _ESCALATED}
        return {**step, "data": data, **before, "evidence": [], "verdicts": []}
    if form.model is CaseObserved:
        conformance = {"rules": [], "verdict": "conforms"}
        origin = {"name": "portfolio report", "record": "line 12"}
        return {"data": data, "conformance": conformance, "origin": origin}
    if form.model is CaseMigrated:
        former = {"hash": "0" * 64, "name": definition.workflow, "version": definition.version + 1}
        state = definition.initial
        return {"former": former, "source": state, "state": state, "entered": 1}
    if form.model is DefinitionPublished:
        return {"body": definition.body, "text": "the file as its author wrote it"}
    return _OF_EVERY_CASE.get(form.model, {})


_PAPER = {
    "as_of": "2026-03-01",
    "kind": "business-case",
    "name": "business-case.pdf",
    "sha256": sha256(b"business case").hexdigest(),
    "uri": None,
}
_AMOUNT = 1_250_000
_REFUSAL = {"held": False, "reason": "needs a sponsor", "rule": "by", "weight": "shall"}
_OF_EVERY_CASE: dict[type, Body] = {
    EvidenceAttached: {"evidence": _PAPER},
    CaseSigned: {"of": "investment-board", "answer": "for"},
    CaseLinked: {"child": "CASE-0002", "workflow": "task"},
    DeadlineReminded: {"due": _DUE},
    CommandRefused: {"trigger": "approve", "verdicts": [_REFUSAL]},
}


def _value(field: Field, kind: str = "") -> Any:
    match kind or field.type:
        case "number":
            least = 0 if field.least is None else field.least
            return least if field.most is None else min(least, field.most)
        case "money":
            most = _AMOUNT if field.most is None else min(_AMOUNT, field.most)
            amount = most if field.least is None else max(most, field.least)
            return {"amount": f"{amount:.2f}", "currency": field.currency}
        case "choice":
            return field.choices[0]
        case "list":
            return [_value(field, field.item_type)]
        case "text":
            return _VALUES["text"][: field.longest]
        case other:
            return _VALUES[other]
