"""A workflow to draw, one whose words are hostile, and what a picture shows."""

from xml.etree import ElementTree as ET

from engine.definition import Definition

HOSTILE = (
    '"]; evil [label=x] <script>alert(1)</script> \\N \\" -->\n%%{init: {}}%% \x00\x0b ; : & \' {'
)


def definition(**changes):
    body = {
        "workflow": "decision",
        "version": 3,
        "title": "Governance decision",
        "key": "DEC",
        "roles": {"requester": {}, "approver": {"title": "Investment board"}},
        "data": {"owner": {"type": "person"}},
        "states": {
            "draft": {"initial": True},
            "in_review": {
                "about": "The board reads.",
                "deadline": {
                    "within": "10 working days",
                    "remind": ["50%", "80%"],
                    "then": "escalate",
                },
            },
            "approved": {"final": True},
            "withdrawn": {"final": True},
        },
        "start": {"by": "requester"},
        "transitions": [
            {"trigger": "submit", "from": "draft", "to": "in_review", "by": "requester"},
            {
                "trigger": "approve",
                "from": "in_review",
                "to": "approved",
                "by": ["approver", {"person": "owner"}],
                "when": "data.amount < 5 && data.title != ''",
            },
            {"trigger": "escalate", "from": "in_review", "to": "in_review"},
            {"trigger": "withdraw", "from": ["draft", "in_review"], "to": "withdrawn"},
        ],
    }
    return Definition.from_body({**body, **changes})


def parsed(text):
    # What each element says, and its classes, without the namespace that every tag carries.
    root = ET.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.partition("}")[2]
    return root


def groups(root, *classes):
    return [g for g in root.iter("g") if set(classes) <= set(g.get("class", "").split())]


def words(element):
    return [text.text for text in element.iter("text")]


def tips(element):
    return [title.text for title in element.iter("title")]


def hostile():
    body = definition().body
    return Definition.from_body(
        {
            **body,
            "title": HOSTILE,
            "roles": {"requester": {"title": HOSTILE}, "approver": {}},
            "states": {
                **body["states"],
                "draft": {"initial": True, "title": HOSTILE, "about": HOSTILE},
            },
            "transitions": [
                {**step, "about": HOSTILE, "when": HOSTILE} for step in body["transitions"]
            ],
        }
    )
