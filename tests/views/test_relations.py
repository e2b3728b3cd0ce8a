"""What views select from: relations as they stood at the chosen moments."""

import pytest

from engine.errors import BadInput, NotFound, StoreFailed
from engine.events import Due
from tests.views.asking import opened, rows

MARCH, APRIL, MAY = "2026-03-31", "2026-04-30", "2026-05-31"
PLAN_RULES = {
    "roles": {"owner": {"appointed_in": "data.unit"}, "clerk": {}},
    "data": {
        "title": {"type": "text"},
        "unit": {"type": "text"},
        "cost": {"type": "money", "currency": "GBP"},
        "lead": {"type": "person"},
        "tags": {"type": "list", "of": ["text"]},
    },
    "states": {"open": {"initial": True}, "closed": {"final": True}},
    "transitions": [
        {"trigger": "close", "from": ["open"], "to": "closed", "by": ["owner", {"person": "lead"}]},
        {"trigger": "age", "from": ["open"], "to": "open", "by": ["timer"]},
    ],
}


def recorded(day):
    return f"{day}T09:00:00.000000Z"


@pytest.fixture
def plans(history, runner, look):
    """Three plans: of one the cost is zero, of one withheld, of one missing.

    The first was open from March, its cost changed in April, and in May it was learned that it had
    been closed in April already.
    """
    history.write(
        history.definition(**PLAN_RULES),
        history.observed("P-1", {"cost": gbp(0), "tags": ["a", "b"]}, at=MARCH),
        history.observed("P-2", {"cost": {"withheld": "FOI s.43"}, "lead": "lou"}, at=MARCH),
        history.observed("P-3", {"unit": "pmo"}, at=MARCH),
        history.observed(
            "P-1", {"cost": gbp(7)}, state=None, at=APRIL, recorded_at=recorded(APRIL)
        ),
        history.observed("P-1", state="closed", at="2026-04-15", recorded_at=recorded(MAY)),
    )
    runner.catch_up()
    return look()


def gbp(amount):
    return {"amount": str(amount), "currency": "GBP"}


def test_withheld_missing_and_zero_are_three_things(plans):
    found = rows(plans, "SELECT key, cost, withheld FROM plan ORDER BY key", as_of=MARCH)
    assert [row["cost"] for row in found] == [0, {"withheld": "FOI s.43"}, None]
    assert list(found[0]) == ["key", "cost"]


def test_a_renamed_column_can_say_its_ground_too(plans):
    sql = "SELECT cost AS price, cost_withheld AS price_withheld FROM plan ORDER BY key"
    assert [row["price"] for row in rows(plans, sql)] == [7, {"withheld": "FOI s.43"}, None]


def test_grounds_can_be_counted(plans):
    sql = "SELECT count(cost) AS known, count(cost_withheld) AS withheld_ones FROM plan"
    assert rows(plans, sql) == [{"known": 1, "withheld_ones": 1}]


def test_a_relation_is_as_it_stood_on_a_day(plans):
    sql = "SELECT cost, state FROM plan WHERE key = 'P-1'"
    assert rows(plans, sql, as_of=MARCH) == [{"cost": 0, "state": "open"}]
    assert rows(plans, sql, as_of="2026-04-20") == [{"cost": 0, "state": "closed"}]
    assert rows(plans, sql, as_of="2026-03-30") == []


def test_a_relation_is_as_it_was_known_on_a_day(plans):
    sql = "SELECT cost, state FROM plan WHERE key = 'P-1'"
    assert rows(plans, sql, known_at=APRIL) == [{"cost": 7, "state": "open"}]
    assert rows(plans, sql, as_of="2026-04-20", known_at=APRIL) == [{"cost": 0, "state": "open"}]
    assert rows(plans, sql) == [{"cost": 7, "state": "closed"}]


def test_since_is_when_the_state_began_and_started_when_the_case_did(plans):
    sql = "SELECT since, started, changed FROM plan WHERE key = 'P-1'"
    then = {"since": MARCH, "started": MARCH, "changed": APRIL}
    assert rows(plans, sql, known_at=APRIL) == [then]
    assert rows(plans, sql) == [then | {"since": "2026-04-15"}]


def test_a_history_has_every_row_with_the_days_for_which_it_held(plans):
    sql = "SELECT cost, state, valid_from, valid_to FROM plan_history WHERE key = 'P-1' ORDER BY 3"
    assert [tuple(row.values()) for row in rows(plans, sql, known_at=APRIL)] == [
        (0, "open", MARCH, APRIL),
        (7, "open", APRIL, None),
    ]
    assert [tuple(row.values()) for row in rows(plans, sql)] == [
        (0, "open", MARCH, "2026-04-15"),
        (0, "closed", "2026-04-15", APRIL),
        (7, "closed", APRIL, None),
    ]
    assert len(rows(plans, sql, as_of=MARCH)) == 1


def test_changes_say_what_became_of_every_field(plans):
    sql = "SELECT field, before, after, after_withheld FROM plan_changes WHERE key = 'P-2'"
    assert rows(plans, sql) == [
        {"field": "cost", "before": None, "after": {"withheld": "FOI s.43"}},
        {"field": "lead", "before": None, "after": "lou"},
    ]


def test_cases_are_those_of_all_workflows(history, runner, look):
    history.write(
        history.definition(**PLAN_RULES),
        history.definition(**PLAN_RULES | {"workflow": "side-plan"}),
        history.observed("P-1", {"title": "One"}, at=MARCH),
        history.observed("S-1", {"title": "Two"}, workflow="side-plan", state="closed", at=APRIL),
    )
    runner.catch_up()
    sql = "SELECT key, workflow, title, state, final, since FROM cases ORDER BY key"
    assert [tuple(row.values()) for row in rows(look(), sql)] == [
        ("P-1", "plan", "One", "open", 0, MARCH),
        ("S-1", "side-plan", "Two", "closed", 1, APRIL),
    ]
    assert [row["key"] for row in rows(look(), sql, as_of=MARCH)] == ["P-1"]
    assert rows(look(), "SELECT title FROM side_plan") == [{"title": "Two"}]


def test_offers_say_who_can_do_what_next(plans):
    sql = "SELECT key, trigger_name, role, unit, person FROM offers ORDER BY key, role"
    assert [tuple(row.values()) for row in rows(plans, sql)] == [
        ("P-2", "close", None, None, "lou"),
        ("P-2", "close", "owner", None, None),
        ("P-3", "close", "owner", "pmo", None),
    ]


def test_only_appointments_that_are_in_force_count(history, runner, look):
    fields = {name: {"type": "text"} for name in ("role", "unit", "person", "from", "until")}
    register = {"register": "appointment", "in_force": ["active"], "data": fields}
    states = {"states": {"active": {}, "ended": {}}}
    history.write(
        history.definition(workflow="post", **register, **states),
        *(
            history.observed(
                f"A-{state}", {"role": "owner", "person": state}, state=state, workflow="post"
            )
            for state in ("active", "ended")
        ),
    )
    runner.catch_up()
    assert rows(look(), "SELECT role, person FROM appointments") == [
        {"role": "owner", "person": "active"}
    ]


def test_signatures_stand_until_they_are_changed_or_the_case_moves_on(history, runner, look):
    history.write(
        history.definition(**PLAN_RULES),
        history.observed("P-1", at=MARCH),
        history.signed("P-1", "board", "for", "ann", at=MARCH),
        history.signed("P-1", "board", "for", "bob", at=MARCH),
        history.signed("P-1", "board", "against", "bob", at=APRIL, recorded_at=recorded(APRIL)),
        history.observed("P-1", {"title": "T"}, state=None, at=APRIL, recorded_at=recorded(APRIL)),
        history.observed("P-1", state="closed", at=MAY, recorded_at=recorded(MAY)),
    )
    runner.catch_up()

    def standing(**moments):
        sql = "SELECT person, answer FROM signatures WHERE ended_at IS NULL ORDER BY person"
        return [tuple(row.values()) for row in rows(look(), sql, **moments)]

    assert standing(as_of=MARCH) == [("ann", "for"), ("bob", "for")]
    assert standing(known_at=APRIL) == [("ann", "for"), ("bob", "against")]
    assert standing() == []
    assert len(rows(look(), "SELECT * FROM signatures")) == 3


def test_signatures_are_the_same_however_the_log_is_cut(history, log, runner, look, path):
    history.write(
        history.definition(**PLAN_RULES),
        history.observed("P-1", at=MARCH),
        history.signed("P-1", "board", "for", "ann", at=MARCH),
    )
    for position in range(1, 4):
        runner.catch_up(to=position)
    history.write(history.observed("P-1", state="closed", at=MAY))
    runner.catch_up()
    one_by_one = rows(look(), "SELECT * FROM signatures")
    runner.rebuild()
    assert rows(look(), "SELECT * FROM signatures") == one_by_one
    assert one_by_one[0]["ended_at"] == MAY


def test_links_say_which_case_belongs_to_which(history, runner, look):
    history.write(
        history.definition(**PLAN_RULES),
        history.observed("P-1", at=MARCH),
        history.linked("P-1", "C-1", "condition", at=APRIL),
    )
    runner.catch_up()
    link = {"parent": "P-1", "child": "C-1", "workflow": "condition"}
    assert rows(look(), "SELECT parent, child, workflow FROM links") == [link]
    assert rows(look(), "SELECT parent FROM links", as_of=MARCH) == []


def test_the_trail_is_there_with_who_and_what_the_rules_say(history, runner, look):
    history.write(
        history.definition(**PLAN_RULES),
        history.observed("P-1", broken=("not_by",), actor="bob"),
        history.attached("P-1"),
    )
    runner.catch_up()
    sql = (
        "SELECT name, actor, verdict, rules, papers FROM trail WHERE key = 'P-1' ORDER BY position"
    )
    assert [tuple(row.values()) for row in rows(look(), sql)] == [
        ("Reported", "bob", "violates", '["not_by"]', 0),
        ("EvidenceAttached", "pat", None, None, 1),
    ]


def test_who_is_behind_is_handed_in(plans):
    sql = "SELECT name, head - reached AS behind, waiting FROM subscribers"
    assert rows(plans, sql) == [{"name": "views", "behind": 2, "waiting": 1}]


def test_lists_are_lists_again_and_can_be_looked_into(plans):
    sql = "SELECT tags, list_has(tags, 'b') AS b, list_count(tags) AS n FROM plan ORDER BY key"
    assert rows(plans, sql)[0] == {"tags": ["a", "b"], "b": 1, "n": 2}
    assert rows(plans, sql)[1] == {"tags": None, "b": 0, "n": 0}


def test_what_stands_at_a_place_of_a_list_is_text_and_beyond_its_ends_is_nothing(plans):
    places = ", ".join(f"list_item(tags, {place}) AS at{place}" for place in (0, 1, 2, 3))
    first, second = rows(plans, f"SELECT {places} FROM plan ORDER BY key")[:2]
    assert list(first.values()) == [None, "a", "b", None]
    assert list(second.values()) == [None] * 4


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT days_between('2026-01-01', '2026-01-31') AS x", 30),
        ("SELECT list_item('[3, 2.5]', 1) AS x", "3"),
        ("SELECT list_item('[3, 2.5]', 2) AS x", "2.5"),
        ("SELECT days_between('2026-01-01', '2026-01-01T12:00:00.000000Z') AS x", 0.5),
        ("SELECT days_between('2026-01-02', '2026-01-01') AS x", -1),
        ("SELECT days_between(NULL, '2026-01-01') AS x", None),
        ("SELECT days_between('soon', '2026-01-01') AS x", None),
        ("SELECT median(column1) AS x FROM (VALUES (1), (10), (2), (NULL)) AS v", 2),
        ("SELECT median(column1) AS x FROM (VALUES (1), (2)) AS v", 1.5),
        ("SELECT median(column1) AS x FROM (VALUES (CAST(NULL AS REAL))) AS v", None),
        ("SELECT percentile(column1, 0.9) AS x FROM (VALUES (0), (10)) AS v", 9),
        ("SELECT :today AS x", "2026-06-30"),
    ],
)
def test_what_databases_spell_differently_has_a_name(plans, sql, value):
    assert rows(plans, sql) == [{"x": value}]


def test_a_column_that_is_not_there_is_told_with_file_line_and_the_nearest(plans):
    with pytest.raises(BadInput) as caught:
        rows(plans, "SELECT key,\n  costs\nFROM plan")
    (problem,) = caught.value.problems
    assert str(problem) == "t.yaml:6:5: T1: there is no column: costs (did you mean cost?)"


def test_sql_that_is_none_is_told_with_file_and_line(plans):
    with pytest.raises(BadInput) as caught:
        rows(plans, "SELECT key\nFORM plan")
    assert str(caught.value).startswith('t.yaml:6:8: T1: near "plan"')


def test_a_workflow_that_is_not_published_is_named(plans):
    with pytest.raises(NotFound) as caught:
        rows(plans, "SELECT 1 FROM plan JOIN side_plan_history AS h ON 1 = 1 JOIN x ON 1 = 1")
    assert "T1 needs the workflows side-plan and x, which are not published" in str(caught.value)


def test_a_name_with_a_dash_is_told_how_it_is_written(plans):
    with pytest.raises(NotFound, match=r"in SQL a dash is an underscore: side_plan"):
        rows(plans, "SELECT 1 FROM side-plan AS s")


@pytest.mark.parametrize("table", ["audit", "register_plan", "sqlite_master", "pragma_table_list"])
def test_tables_of_ours_are_not_reached(plans, table):
    with pytest.raises(NotFound, match="not published"):
        rows(plans, f"SELECT * FROM {table}")


def test_two_columns_of_one_name_are_refused(plans):
    with pytest.raises(BadInput, match="two columns are called key"):
        rows(plans, "SELECT a.key, b.key FROM plan AS a JOIN plan AS b ON a.key = b.key")


def test_nothing_can_be_written_through_the_views(plans):
    with pytest.raises(StoreFailed, match="readonly"):
        plans.run("DELETE FROM audit")


@pytest.fixture
def dated(history, runner, look):
    """A plan that was to be closed by the end of April, and was closed in May."""
    due = Due(at=recorded(APRIL), share="100%", then="close")
    half = Due(at="2026-04-15T09:00:00.000000Z", share="50%", then=None)
    history.write(
        history.definition(**PLAN_RULES),
        history.started("P-1", "open", MARCH, deadlines=(half, due)),
        history.transitioned("P-1", "close", "open", "closed", at=MAY, recorded_at=recorded(MAY)),
    )
    runner.catch_up()
    return look()


def test_deadlines_are_open_until_they_are_settled(dated):
    sql = "SELECT key, state, at, pulls, outcome FROM deadlines WHERE pulls IS NOT NULL"
    then = {"key": "P-1", "state": "open", "at": recorded(APRIL), "pulls": "close"}
    assert rows(dated, sql, as_of=APRIL) == [then | {"outcome": None}]
    (settled,) = rows(dated, sql)
    assert settled["outcome"] is not None
    assert rows(dated, sql, as_of="2026-03-30") == []


def test_what_waits_says_until_when(dated):
    (waiting,) = opened(dated, "waiting", {"role": "owner"}, as_of="2026-04-20")
    assert (waiting["until"], waiting["late"]) == (recorded(APRIL), None)
    (late,) = opened(dated, "waiting", {"role": "owner"}, as_of="2026-05-01")
    assert late["late"] == "overdue"


def test_what_no_day_asks_for_waits_too_after_what_is_due(history, runner, look):
    due = Due(at=recorded(APRIL), share="100%", then="close")
    history.write(
        history.definition(**PLAN_RULES),
        history.started("P-1", "open", MARCH, deadlines=(due,)),
        history.started("P-2", "open", MARCH),
    )
    runner.catch_up()
    views = look()
    assert waiting_in_april(views) == ["P-1", "P-2"]


def test_a_day_asks_for_what_ends_the_deadline_and_the_rest_is_an_option(history, runner, look):
    """A step back into the state begins its deadline anew; one that stays leaves it running."""
    steps = [
        {"trigger": "rename", "from": ["open"], "by": ["owner"]},
        {"trigger": "report", "from": ["open"], "to": "open", "by": ["owner"]},
        {"trigger": "rate", "from": ["open"], "by": ["owner"]},
        {"trigger": "rate", "from": ["open"], "to": "closed", "by": ["owner"]},
    ]
    rules = PLAN_RULES | {"transitions": PLAN_RULES["transitions"] + steps}
    due = Due(at=recorded(APRIL), share="100%", then="close")
    history.write(
        history.definition(**rules), history.started("P-1", "open", MARCH, deadlines=(due,))
    )
    runner.catch_up()
    asked = {"role": "owner"}
    found = opened(look(), "waiting", asked, as_of="2026-04-20")
    assert [row["can"] for row in found] == ["close", "rate", "report"]
    found = opened(look(), "waiting", asked | {"options": "yes"}, as_of="2026-04-20")
    assert [(row["can"], row["until"]) for row in found] == [
        ("close", recorded(APRIL)),
        ("rate", recorded(APRIL)),
        ("report", recorded(APRIL)),
        ("rename", None),
    ]


def waiting_in_april(views, **words):
    """The cases that wait for an owner."""
    found = opened(views, "waiting", {"role": "owner", **words}, as_of="2026-04-20")
    return [row["key"] for row in found]
