"""A definition with a field of every type, and an environment in which a few are missing."""

import pytest

from engine.case import Case
from engine.cel.conditions import Environment
from engine.definition import Definition
from engine.events import DefinitionRef


@pytest.fixture(scope="session")
def definition():
    return Definition.model_validate(
        {
            "workflow": "decision",
            "version": 1,
            "title": "Decision",
            "key": "DEC",
            "states": {"draft": {"initial": True}, "in_review": {}},
            "data": {
                "title": {"type": "text"},
                "about": {"type": "text"},
                "category": {"type": "choice", "of": ["funding", "scope"]},
                "amount": {"type": "money", "currency": "GBP"},
                "share": {"type": "number"},
                "weight": {"type": "number"},
                "due": {"type": "date"},
                "since": {"type": "date"},
                "sponsor": {"type": "person"},
                "objective": {"type": "ref", "to": "objective"},
                "parent": {"type": "ref", "to": "decision"},
                "tags": {"type": "list", "of": ["text"]},
                "scores": {"type": "list", "of": ["number"]},
                "milestones": {"type": "list", "of": ["date"]},
                "paper": {"type": "document"},
                "minutes": {"type": "document"},
            },
        }
    )


@pytest.fixture(scope="session")
def objective():
    return Case(
        key="OBJ-0001",
        definition=DefinitionRef(name="objective", version=1, hash="0" * 64),
        version=3,
        state="active",
        data={
            "due": "2027-01-01",
            "target": 5,
            "budget": {"amount": "10.00", "currency": "GBP"},
            "allowed": ["roads", "rail", "ports"],
            "note": "2026-13-45",
            "owner": {"withheld": "personal data"},
        },
        since={"": "2026-01-01T00:00:00.000000Z"},
        evidence=(),
        acted={},
    )


@pytest.fixture(scope="session")
def environment(objective):
    """``about``, ``weight``, ``since``, ``parent`` and ``minutes`` are missing."""
    return Environment(
        data={
            "title": {"withheld": "Freedom of Information Act, s. 43"},
            "category": "funding",
            "amount": {"amount": "450.50", "currency": "GBP"},
            "share": 3,
            "due": "2026-03-01",
            "sponsor": "ann",
            "objective": "OBJ-0001",
            "tags": ["roads", "rail"],
            "scores": [1, 2.5],
            "milestones": ["2026-03-01", "2026-09-01"],
            "paper": {"name": "Paper", "sha256": "ab" * 32},
        },
        state="draft",
        key="DEC-0042",
        now="2026-02-01T12:00:00.000000Z",
        actor_id="ann",
        actor_roles=("sponsor", "analyst"),
        evidence_kinds=("business-case",),
        cases={"objective": objective},
    )
