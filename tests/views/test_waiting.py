"""V2, on every store: whom a case waits for, as the registers tell it, since when, until when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.events import Due, Escalated, Party
from projections.answers import ask
from projections.relations import Asker, Moments, Relations
from projections.view_definitions import load_view, read_parameters
from tests.views.asking import NOW, SHIPPED, rows

MARCH, MAY, LATER = "2026-03-31", "2026-05-31", "2026-12-31"
GBP = {"type": "money", "currency": "GBP"}


def register(kind, **data):
    active = {"states": {"active": {"initial": True}}, "in_force": ["active"]}
    ends = {"trigger": "end", "from": ["active"], "to": "active", "by": ["registrar"]}
    return {"workflow": kind, "register": kind, "data": data, "transitions": [ends], **active}


TEXT = {"type": "text"}
LIST = {"type": "list", "of": ["text"]}
REGISTERS = (
    register("appointment", role=TEXT, unit=TEXT, person=TEXT, until=TEXT),
    register("body", name=TEXT, members=LIST),
    register(
        "authority", category=TEXT, unit=TEXT, level={"type": "number"}, limit=GBP, holder=TEXT,
        held_by=TEXT,
    ),
    register(
        "delegation", giver=TEXT, receiver=TEXT, role=TEXT, unit=TEXT, category=TEXT, limit=GBP,
        until=TEXT,
    ),
)  # fmt: skip
AUTHORITY = {"authority": {"category": "funding", "value": "data.cost", "unit": "data.unit"}}
PLAN = {
    "roles": {"lead": {"appointed_in": "data.unit"}, "finance": {"appointed_in": "data.unit"}},
    "data": {"title": TEXT, "unit": TEXT, "cost": GBP, "person": TEXT},
    "states": {
        "open": {"initial": True},
        "ready": {"awaits": ["decide"]},
        "agreeing": {},
        "kept": {"awaits": []},
        "over": {"final": True},
    },
    "transitions": [
        {"trigger": "offer", "from": ["open"], "to": "ready", "by": ["clerk"]},
        {"trigger": "note", "from": ["open"], "by": ["clerk"]},
        {"trigger": "age", "from": ["open"], "to": "over", "by": ["timer"]},
        {"trigger": "chase", "from": ["open"], "to": "open", "by": ["timer"]},
        {"trigger": "ask", "from": ["open"], "by": ["timer"]},
        {
            "trigger": "decide",
            "from": ["ready"],
            "to": "kept",
            "by": [AUTHORITY],
            "not_by": ["owner"],
        },
        {"trigger": "drop", "from": ["ready", "kept"], "to": "over", "by": ["lead"]},
        {
            "trigger": "agree",
            "from": ["agreeing"],
            "to": "over",
            "by": [{"person": "person"}],
            "agreed_by": ["finance"],
            "quorum": {"body": "council"},
        },
    ],
}


def gbp(amount):
    return {"amount": str(amount), "currency": "GBP"}


@pytest.fixture
def told(history, runner, look):
    """Who is who: ann leads the pmo and decides up to 10, the board above; lou has some of hers."""
    history.write(history.definition(**PLAN), *(history.definition(**one) for one in REGISTERS))
    entries = [
        ("A-1", "appointment", {"role": "lead", "unit": "pmo", "person": "ann"}),
        ("A-2", "appointment", {"role": "lead", "unit": "pmo", "person": "old", "until": MARCH}),
        ("A-3", "appointment", {"role": "lead", "unit": "it", "person": "ida"}),
        ("A-4", "appointment", {"role": "finance", "unit": "pmo", "person": "fin"}),
        ("B-1", "body", {"name": "board", "members": ["bea", "bob", "pat"]}),
        ("B-2", "body", {"name": "council", "members": ["cy", "bea"]}),
        ("D-1", "delegation", {"giver": "ann", "receiver": "lou", "role": "lead", "unit": "pmo",
                               "category": "funding", "limit": gbp(5)}),
        ("D-2", "delegation", {"giver": "lou", "receiver": "max", "role": "lead", "unit": "pmo"}),
    ]  # fmt: skip
    for level, limit, holder, by in ((1, gbp(10), "lead", "role"), (2, None, "board", "body")):
        said = {"category": "funding", "unit": "any", "level": level, "holder": holder}
        said |= {"held_by": by} | ({"limit": limit} if limit else {})
        entries.append((f"L-{level}", "authority", said))
    for key, kind, data in entries:
        history.write(history.observed(key, data, state="active", workflow=kind, at=MARCH))

    def tell(*events):
        history.write(*events)
        runner.catch_up()
        return look()

    tell.history = history
    return tell


def waiting(tables, who=None, roles=(), **words):
    """The rows of the view for somebody: what, for whom, by which delegation."""
    file = SHIPPED / "waiting.yaml"
    view = load_view(file.read_bytes(), str(file), "waiting")
    relations = Relations(tables, Moments(None, None, NOW), asker=Asker(who, roles))
    answer = ask(tables, relations, view, read_parameters(view, words), 1_000)
    names = [column.name for column in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def brief(found):
    return [(row["key"], row["can"], row["role"], row["person"]) for row in found]


def test_what_no_day_asks_for_is_there_too_after_what_is_due(told):
    due = (Due(at=f"{MAY}T23:59:59.000000Z", of=0, share="100%", then="age"),)
    tables = told(
        told.history.started("P-1", "open", at="2026-01-01"),
        told.history.started("P-2", "open", at=MARCH, deadlines=due),
    )
    first, second = waiting(tables)
    assert (first["key"], first["until"], first["late"]) == ("P-2", due[0].at, "overdue")
    assert (second["key"], second["until"], second["late"]) == ("P-1", None, None)
    assert second["since"] == "2026-01-01"
    assert second["days_waiting"] == pytest.approx(180.5)


@pytest.mark.parametrize("pulls", ["chase", "ask"])
def test_a_deadline_that_only_chases_is_told_apart_from_one_that_ends_the_state(told, pulls):
    may, august, september = (f"2026-0{month}-31T23:59:59.000000Z" for month in (5, 8, 9))
    chased = Due(at=may, of=0, share="100%", then=pulls)
    begins = {"key": "P-1", "state": "open", "at": "2026-01-01"}
    tables = told(
        told.history.started(**begins, deadlines=(chased,)),
        told.history.started(
            **begins | {"key": "P-2"},
            deadlines=(
                Due(at=september, of=0, share="100%", then="age"),
                Due(at=august, of=1, share="100%", then=pulls),
                Due(at=may, of=1, share="50%"),
            ),
        ),
    )
    found = [(row["key"], row["until"], row["chased"], row["late"]) for row in waiting(tables)]
    assert found == [("P-1", None, may, "overdue"), ("P-2", september, august, None)]
    (note, _) = [row for row in waiting(tables, options="yes") if row["can"] == "note"]
    assert (note["until"], note["chased"], note["late"]) == (None, None, None)


def test_what_a_deadline_does_is_looked_up_in_the_version_under_which_it_was_set(told):
    """In version 2 whoever chased gives up."""
    steps = [step for step in PLAN["transitions"] if step["trigger"] != "chase"]
    gives_up = {"trigger": "chase", "from": ["open"], "to": "over", "by": ["timer"]}
    due = (Due(at=f"{MAY}T23:59:59.000000Z", of=0, share="100%", then="chase"),)
    first = told.history.started("P-1", "open", deadlines=due)
    newer = told.history.definition(**PLAN | {"transitions": [*steps, gives_up]}, version=2)
    told.history.write(first, newer)
    tables = told(told.history.started("P-2", "open", definition_version=2, deadlines=due))
    found = {row["key"]: (row["until"], row["chased"]) for row in waiting(tables)}
    assert found == {"P-1": (None, due[0].at), "P-2": (due[0].at, None)}


def test_a_role_that_people_say_they_have_is_asked_who_says_it(told):
    tables = told(told.history.started("P-1", "open"))
    assert brief(waiting(tables)) == [("P-1", "offer", "clerk", None)]
    assert brief(waiting(tables, "eve", ("clerk",))) == [("P-1", "offer", "clerk", None)]
    assert waiting(tables, "eve") == []
    assert waiting(tables, "eve", ("lead",)) == []


def test_what_stays_where_it_is_is_an_option_only(told):
    tables = told(told.history.started("P-1", "open"))
    assert [row["can"] for row in waiting(tables, options="yes") if row["key"] == "P-1"] == [
        "note",
        "offer",
    ]


def test_small_matters_wait_for_the_role_that_has_authority_and_for_whom_it_lent_it(told):
    tables = told(told.history.observed("P-1", {"unit": "pmo", "cost": gbp(-4)}, state="ready"))
    assert brief(waiting(tables)) == [
        ("P-1", "decide", "lead", "ann"),
        ("P-1", "decide", "lead", "lou"),
    ]
    assert [row["on_behalf_of"] for row in waiting(tables)] == [None, "D-1"]
    assert brief(waiting(tables, "lou")) == [("P-1", "decide", "lead", "lou")]
    assert waiting(tables, "max") == [], "what was lent cannot be lent"
    assert waiting(tables, "old") == [], "was appointed once"
    assert waiting(tables, "ida") == [], "leads somewhere else"
    assert waiting(tables, "bea") == [], "is on the board, which decides what is larger"


def test_what_was_lent_reaches_as_far_as_it_says(told):
    tables = told(told.history.observed("P-1", {"unit": "pmo", "cost": gbp(7)}, state="ready"))
    assert brief(waiting(tables)) == [("P-1", "decide", "lead", "ann")]


def test_large_matters_wait_for_the_votes_of_a_body_whoever_has_not_voted(told):
    large = told.history.observed("P-1", {"unit": "pmo", "cost": gbp(11)}, state="ready")
    tables = told(large)
    assert brief(waiting(tables)) == [
        ("P-1", "decide", "board", None),
        ("P-1", "sign", "board", None),
    ]
    assert brief(waiting(tables, "bob")) == [
        ("P-1", "decide", "board", "bob"),
        ("P-1", "sign", "board", "bob"),
    ]
    assert waiting(tables, "ann") == []
    tables = told(told.history.signed("P-1", "board", "for", "bob"))
    assert [row["can"] for row in waiting(tables, "bob")] == ["decide"]
    assert [row["can"] for row in waiting(tables, "bea")] == ["decide", "sign"]
    tables = told(
        told.history.signed("P-1", "board", "for", "bea"),
        told.history.signed("P-1", "board", "for", "pat"),
    )
    assert [row["can"] for row in waiting(tables)] == ["decide"], "everybody has voted"


def test_who_acted_as_what_bars_them_or_has_declared_a_conflict_is_not_asked(told):
    tables = told(
        told.history.observed("P-1", {"unit": "pmo", "cost": gbp(11)}, state="open"),
        told.history.transitioned("P-1", "offer", "open", "ready"),
        told.history.recused("P-1", "bea"),
    )
    assert waiting(tables, "pat") == []
    assert waiting(tables, "bea") == []
    assert [row["can"] for row in waiting(tables, "bob")] == ["decide", "sign"]


def test_a_body_and_a_role_that_have_to_agree_are_asked_beside_who_takes_the_step(told):
    tables = told(told.history.observed("P-1", {"unit": "pmo", "person": "pia"}, state="agreeing"))
    assert brief(waiting(tables)) == [
        ("P-1", "agree", None, "pia"),
        ("P-1", "sign", "council", None),
        ("P-1", "sign", "finance", "fin"),
    ]
    tables = told(told.history.signed("P-1", "finance", "for", "fin"))
    assert brief(waiting(tables, "fin")) == []
    assert brief(waiting(tables, role="council")) == [("P-1", "sign", "council", None)]


def test_where_a_case_rests_nobody_is_asked(told):
    tables = told(told.history.observed("P-1", {"unit": "pmo"}, state="kept"))
    assert waiting(tables) == []
    assert ("P-1", "drop", "lead", "ann") in brief(waiting(tables, options="yes"))


def test_an_entry_in_force_waits_for_nobody(told):
    tables = told()
    assert waiting(tables) == []
    assert {row["can"] for row in waiting(tables, options="yes")} == {"end"}


def test_a_person_that_is_named_comes_before_who_looks(told):
    tables = told(told.history.observed("P-1", {"unit": "pmo", "cost": gbp(1)}, state="ready"))
    assert [row["person"] for row in waiting(tables, "lou", person="ann")] == ["ann"]


def test_a_view_can_ask_who_looks_and_in_which_roles(told):
    tables = told()
    assert rows(tables, "SELECT :me AS me, :my_roles AS roles") == [{"me": None, "roles": "[]"}]


def test_a_superior_may_take_a_matter_to_their_level_where_the_level_comes_with_the_step(told):
    who = {"authority": AUTHORITY["authority"] | {"least": "data.level"}}
    steps = [
        {"trigger": f"{key}-it", "from": ["ready"], "to": "ready", "by": [who], key: ["level"]}
        for key in ("accepts", "needs", "anew")
    ]
    steps.append({"trigger": "none", "from": ["ready"], "to": "ready", "by": [who]})
    data = PLAN["data"] | {"level": {"type": "number"}}
    case = PLAN | {"workflow": "case", "data": data, "transitions": steps}
    told.history.write(told.history.definition(**case))
    known = {"unit": "pmo", "cost": gbp(1)}
    tables = told(told.history.observed("C-1", known, state="ready", workflow="case"))
    assert {row["can"] for row in waiting(tables, "bea", options="yes")} >= {
        "accepts-it",
        "anew-it",
        "needs-it",
    }
    assert "none" not in {row["can"] for row in waiting(tables, "bea", options="yes")}


def test_who_has_authority_where_a_unit_has_its_own_is_not_who_has_it_anywhere(told):
    own = {"category": "funding", "unit": "it", "level": 1, "holder": "finance", "held_by": "role"}
    tables = told(
        told.history.observed("L-3", own, state="active", workflow="authority"),
        told.history.observed("P-1", {"unit": "it", "cost": gbp(1)}, state="ready"),
    )
    assert brief(waiting(tables)) == [("P-1", "decide", "finance", None)]


FROM_LEAD = Party(held_by="role", name="lead", unit="pmo")


def test_whoever_it_has_gone_up_to_is_asked_for_all_they_can_do_while_it_is_there(told):
    tables = told(
        told.history.observed("P-1", {"unit": "pmo", "cost": gbp(4)}, state="ready"),
        told.history.escalated("P-1", "ready", Escalated(source=FROM_LEAD, to=FROM_LEAD)),
    )
    assert [row["can"] for row in waiting(tables, "ann")] == ["decide", "drop"]
    assert waiting(tables, "ida") == [], "leads somewhere else"
    asked = {(row["can"], row["person"]) for row in waiting(tables)}
    assert asked == {("decide", "ann"), ("decide", "lou"), ("drop", "ann")}, "what was lent is less"
    tables = told(
        told.history.transitioned("P-1", "put-back", "ready", "kept", at="2026-04-01"),
        told.history.transitioned("P-1", "put-back", "kept", "ready", at="2026-04-02"),
    )
    assert [row["can"] for row in waiting(tables, "ann")] == ["decide"], "it has come anew"


@pytest.mark.parametrize(
    ("to", "told_to", "and_not"),
    [
        (Party(held_by="role", name="lead", unit="it"), "ida", "ann"),
        (Party(held_by="body", name="lead"), "zed", "ann"),
        (Party(held_by="person", name="lead"), "lead", "ann"),
        (Party(held_by="role", name="lead", unit="pmo"), "ann", "lead"),
        (Party(held_by="role", name="lead", unit="nowhere"), None, "ann"),
    ],
    ids=["unit", "body", "person", "role", "vacant"],
)
def test_two_of_one_name_are_told_apart_when_it_goes_up(told, to, told_to, and_not):
    """A role of this unit drops it; one of another unit, a body and a person have its name."""
    tables = told(
        told.history.observed("P-1", {"unit": "pmo", "cost": gbp(50)}, state="ready"),
        told.history.observed(
            "L-9", {"name": "lead", "members": ["zed"]}, state="active", workflow="body"
        ),
        told.history.escalated("P-1", "ready", Escalated(source=None, to=to)),
    )
    drops = [("P-1", "drop", "lead", "ann")] if told_to == "ann" else []
    assert [row for row in brief(waiting(tables)) if row[1] == "drop"] == drops
    rows = brief(waiting(tables, told_to))
    assert [row for row in rows if row[2] == "lead"], "whoever it has gone up to hears of it"
    assert [row for row in brief(waiting(tables, and_not)) if row[2] == "lead"] == []


def test_who_is_kept_apart_is_so_whatever_the_case_of_their_letters(told):
    tables = told(
        told.history.observed("P-1", {"unit": "pmo", "cost": gbp(4)}, state="ready"),
        told.history.recused("P-1", "ANN"),
    )
    assert "ann" not in {row["person"] for row in waiting(tables)}


def test_what_happened_before_what_has_been_recorded_of_a_state_is_since_then(told):
    """Whoever offers it says so only after it had gone up, and had done so before."""
    history, later = told.history, "2026-03-01T09:00:00.000000Z"
    tables = told(
        history.observed("P-1", {"unit": "pmo", "cost": gbp(4)}, state="open", at="2026-01-01"),
        history.escalated("P-1", "open", Escalated(source=FROM_LEAD, to=FROM_LEAD), at=later),
        history.transitioned("P-1", "offer", "open", "ready", at="2026-02-01"),
    )
    assert {row["since"] for row in waiting(tables)} == {"2026-02-01"}
    assert {row["gone_up_to"] for row in waiting(tables)} == {None}
    upwards = Escalated(source=FROM_LEAD, to=FROM_LEAD)
    tables = told(history.escalated("P-1", "ready", upwards, at="2026-04-01T09:00:00.000000Z"))
    assert {row["since"] for row in waiting(tables)} == {"2026-02-01"}
    assert {row["gone_up_to"] for row in waiting(tables)} == {"lead"}


def test_what_fell_due_before_a_case_was_migrated_and_is_done_after_it_is_since_it_fell_due(told):
    """While a version is brought in, the workers stand still."""
    history, upwards = told.history, Escalated(source=FROM_LEAD, to=FROM_LEAD)
    tables = told(
        history.observed("P-1", {"unit": "pmo", "cost": gbp(4)}, state="open", at="2026-01-01"),
        replace(history.migrated("P-1", 2, "open", "open", NOW, NOW), stays=True),
        replace(
            history.escalated("P-1", "open", upwards, at="2026-02-01"), state="ready", stays=None
        ),
    )
    assert {row["since"] for row in waiting(tables)} == {"2026-02-01"}
    assert {row["gone_up_to"] for row in waiting(tables)} == {"lead"}


def test_what_has_gone_up_to_nobody_asks_nobody_more(told):
    tables = told(
        told.history.observed("P-1", {"unit": "pmo", "cost": gbp(4)}, state="ready"),
        told.history.escalated("P-1", "ready", Escalated(source=FROM_LEAD)),
    )
    assert [row["can"] for row in waiting(tables, "ann")] == ["decide"]


@pytest.mark.parametrize(
    ("to", "who", "shown"),
    [
        (Party(held_by="body", name="board"), "bob", ("board", "bob")),
        (Party(held_by="role", name="finance", unit="it"), "fay", ("finance", "fay")),
        (Party(held_by="person", name="boss"), "boss", ("boss", "boss")),
        (Party(held_by="person", name="Boss"), "boss", ("Boss", "Boss")),
        (Party(held_by="role", name="reviewer"), "rex", ("reviewer", None)),
    ],
)
def test_whoever_it_has_gone_up_to_hears_of_it_though_no_step_is_theirs(told, to, who, shown):
    roles = ("reviewer",) if who == "rex" else ()
    tables = told(
        told.history.observed("P-1", {"unit": "it"}, state="open", at="2026-01-01"),
        told.history.observed("P-2", {"unit": "it"}, state="open", at="2026-02-01"),
        told.history.observed(
            "L-9", {"name": "board", "members": ["bob"]}, state="active", workflow="body"
        ),
        told.history.observed(
            "R-9",
            {"role": "finance", "unit": "it", "person": "fay"},
            state="active",
            workflow="appointment",
        ),
    )
    before = waiting(tables, who, roles)
    tables = told(
        told.history.escalated(
            "P-1", "open", Escalated(source=FROM_LEAD, to=to), at="2026-03-01T09:00:00.000000Z"
        )
    )
    *others, row = waiting(tables, who, roles)
    assert others == before
    assert brief([row]) == [("P-1", None, *shown)]
    assert (row["gone_up_from"], row["gone_up_to"]) == ("lead", to.name)
    assert row["gone_up_on"] == "2026-03-01T09:00:00.000000Z"
    assert waiting(tables, "stranger") == []
    of_all = [found for found in waiting(tables) if found["key"] == "P-1"]
    assert [(found["can"], found["role"]) for found in of_all] == [
        ("offer", "clerk"),
        (None, to.name),
    ]
    assert {found["gone_up_to"] for found in of_all} == {to.name}
    tables = told(told.history.transitioned("P-1", "offer", "open", "agreeing", at="2026-04-01"))
    assert None not in {found["can"] for found in waiting(tables)}, "it has moved on"
    assert {found["gone_up_to"] for found in waiting(tables)} == {None}
