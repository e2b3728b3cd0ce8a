"""What the views answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import BadInput
from projections import audit
from projections.cases import case, cases, count_by_state
from projections.definitions import definition, published, workflows
from projections.register_pages import Where, fields, one, page

POUNDS = {"amount": "450.3", "currency": "GBP"}
SECTION = {"withheld": "s. 43"}


def keys(found) -> list[str]:
    return [row.key for row in found.rows]


def test_missing_withheld_and_zero_stay_three_different_things(history, runner, look):
    history.write(
        history.definition(),
        history.observed("A-missing", {"cost": None}),
        history.observed("A-withheld", {"cost": SECTION}),
        history.observed("A-zero", {"cost": {"amount": "0", "currency": "GBP"}}),
    )
    runner.catch_up()
    assert {row.key: row.data for row in page(look(), "plan").rows} == {
        "A-missing": {},
        "A-withheld": {"cost": SECTION},
        "A-zero": {"cost": {"amount": "0", "currency": "GBP"}},
    }
    assert keys(page(look(), "plan", where=[Where("cost", "missing")])) == ["A-missing"]
    assert keys(page(look(), "plan", where=[Where("cost", "withheld")])) == ["A-withheld"]
    assert keys(page(look(), "plan", where=[Where("cost", "present")])) == ["A-zero"]
    assert keys(page(look(), "plan", where=[Where("cost", "=", 0)])) == ["A-zero"]


def test_a_ground_that_names_a_field_withholds_no_other(history, runner, look):
    ground = {"withheld": 'see "cost": and "tit_e":'}
    history.write(history.definition(), history.observed("A-1", {"title": ground}))
    runner.catch_up()
    assert keys(page(look(), "plan", where=[Where("cost", "withheld")])) == []
    assert keys(page(look(), "plan", where=[Where("title", "withheld")])) == ["A-1"]


def test_a_page_is_filtered_sorted_and_cut_and_knows_the_total(history, runner, look):
    costs = ["7", "1200.5", "99"]
    history.write(
        history.definition(),
        *(
            history.observed(f"A-{n}", {"cost": {"amount": amount, "currency": "GBP"}, "order": n})
            for n, amount in enumerate(costs)
        ),
        history.observed("A-9", {"title": "50%_done"}, state="closed"),
    )
    runner.catch_up()
    assert keys(page(look(), "plan", sort="cost")) == ["A-0", "A-2", "A-1", "A-9"]
    assert keys(page(look(), "plan", sort="cost", descending=True)) == ["A-1", "A-2", "A-0", "A-9"]
    cut = page(look(), "plan", sort="cost", limit=1, after="A-0")
    assert (keys(cut), cut.total) == (["A-2"], 4)
    assert keys(page(look(), "plan", where=[Where("cost", ">=", 99)])) == ["A-1", "A-2"]
    assert keys(page(look(), "plan", where=[Where("state", "=", "closed")])) == ["A-9"]
    assert keys(
        page(look(), "plan", where=[Where("key", "!=", "A-1"), Where("order", "<", 9)])
    ) == [
        "A-0",
        "A-2",
    ]
    assert keys(page(look(), "plan", where=[Where("title", "contains", "%_d")])) == ["A-9"]
    assert keys(page(look(), "plan", where=[Where("title", "contains", "x_d")])) == []


def test_a_field_called_like_a_column_of_the_case_goes_before_it(history, runner, look):
    data = {name: {"type": "text"} for name in ("state", "key", "position", "select", "table")}
    history.write(
        history.definition(data=data),
        history.observed("A-1", {"state": "mine", "key": "k", "select": "s"}, state="open"),
    )
    runner.catch_up()
    row = one(look(), "A-1")
    assert (row.state, row.data) == ("open", {"state": "mine", "key": "k", "select": "s"})
    assert keys(page(look(), "plan", where=[Where("state", "=", "mine")])) == ["A-1"]
    assert keys(page(look(), "plan", where=[Where("_state", "=", "open")])) == ["A-1"]
    assert keys(page(look(), "plan", sort="select")) == ["A-1"]


def test_hostile_names_and_values_stay_data(history, runner, look):
    hostile = "x'); DROP TABLE audit; --"
    history.write(
        history.definition(), history.observed("A-1", {"title": hostile, "tags": [hostile]})
    )
    runner.catch_up()
    assert one(look(), "A-1").data == {"title": hostile, "tags": [hostile]}
    assert keys(page(look(), "plan", where=[Where("title", "=", hostile)])) == ["A-1"]
    assert one(look(), hostile) is None
    listed = "the columns are: cost, order, tags, title, key"
    for name in (hostile, "title --", 'title"', "rowid", "$cases"):
        with pytest.raises(BadInput, match=listed):
            page(look(), "plan", where=[Where(name)])
        with pytest.raises(BadInput, match="no column"):
            page(look(), "plan", sort=name)
    for name in ("cases", "plan; --", hostile):
        with pytest.raises(BadInput, match="has been published"):
            page(look(), name)


def test_a_new_version_adds_columns_and_changes_no_type(history, runner, look):
    more = {"title": {"type": "text", "title": "Name"}, "due": {"type": "date"}}
    other = {"title": {"type": "number"}}
    history.write(history.definition(), history.observed("A-1", {"title": "One"}))
    runner.catch_up()
    history.write(
        history.definition(2, data=more),
        history.observed("A-1", {"due": "2026-12-31"}),
        history.observed("A-2", {"order": 2}),
        history.definition(3, data=other),
        history.observed("A-1", {"order": 1}),
    )
    runner.catch_up()
    assert [(field.name, field.type) for field in fields(look(), "plan")] == [
        ("cost", "money"),
        ("order", "number"),
        ("tags", "list"),
        ("title", "text"),
        ("due", "date"),
    ]
    assert fields(look(), "plan")[3].title == "Name"
    assert one(look(), "A-1").data == {"title": "One", "due": "2026-12-31", "order": 1}
    (parked,) = look().run("SELECT position, stream, reason FROM parked")
    assert parked == (
        6,
        "definition/plan",
        "ValueError: plan.title was of type text, and is now number",
    )


def test_fields_stand_as_their_author_arranged_them(history, runner, look):
    history.write(history.definition(order={"data": ["title", "order"], "states": []}))
    runner.catch_up()
    assert [field.name for field in fields(look(), "plan")] == ["title", "order", "cost", "tags"]


def test_workflows_whose_names_differ_by_a_dash_have_registers_of_their_own(history, runner, look):
    history.write(
        history.definition(workflow="a-b"),
        history.definition(workflow="ab"),
        history.definition(workflow="field", data={}),
        history.observed("X-1", workflow="a-b"),
        history.observed("Y-1", workflow="field"),
    )
    runner.catch_up()
    assert [page(look(), name).total for name in ("a-b", "ab", "field")] == [1, 0, 1]
    assert workflows(look()) == ["a-b", "ab", "field"]


def test_all_cases_are_listed_those_changed_last_first(history, runner, look):
    history.write(
        history.definition(),
        history.observed("A-1", {"title": "One"}, at="2026-02-02"),
        history.observed("A-2", {"title": SECTION}, state="closed"),
        history.observed(
            "A-1", {"title": "Uno"}, state="closed", at="2026-02-01", name="Corrected"
        ),
        history.attached("A-2"),
    )
    runner.catch_up()
    rows, total = cases(look(), limit=1)
    assert ([row["key"] for row in rows], total) == (["A-2"], 2)
    assert (rows[0]["title"], rows[0]["version"], rows[0]["last_name"]) == (
        None,
        2,
        "EvidenceAttached",
    )
    late = case(look(), "A-1")
    assert (late["title"], late["state"], late["version"]) == ("One", "open", 2)
    assert [row["key"] for row in cases(look(), state="open")[0]] == ["A-1"]
    assert cases(look(), workflow="other") == ([], 0)
    assert count_by_state(look()) == [
        {"workflow": "plan", "state": "closed", "cases": 1},
        {"workflow": "plan", "state": "open", "cases": 1},
    ]


def test_the_trail_tells_who_did_what_when_and_how_it_was_judged(history, runner, look):
    late = "2026-05-05T00:00:00.000000Z"
    history.write(
        history.definition(),
        history.observed("A-1", {"title": "One", "cost": POUNDS}, at="2025-12-31"),
        history.transitioned("A-1", "approve", "open", "approved"),
        history.observed("A-2", at="2026-01-01", actor="kim", broken=("four-eyes",)),
        history.observed("A-1", at="2026-01-02", recorded_at=late, name="Rebaselined"),
        history.observed("A-1", at="2026-01-03", recorded_at=late, name="Rebaselined"),
    )
    runner.catch_up()
    tables = look()
    first, second, *_ = audit.trail(tables, case="A-1")
    assert (first["fields"], first["verdict"], first["rules"]) == (
        ["cost", "title"],
        "conforms",
        [],
    )
    wanted = (
        "trigger_name",
        "state_before",
        "state_after",
        "reason",
        "role",
        "actor",
        "actor_kind",
    )
    assert [second[name] for name in wanted] == [
        "approve",
        "open",
        "approved",
        "because",
        "owner",
        "pat",
        "human",
    ]

    def positions(**given) -> list[int]:
        return [row["position"] for row in audit.trail(tables, **given)]

    assert positions(case="A-1") == [2, 3, 5, 6]
    assert positions(case="A-1", as_of="2026-01-02") == [2, 3, 5]
    assert positions(case="A-1", known_at="2026-05-04") == [2, 3]
    assert positions(case="A-1", newest_first=True, limit=2) == [6, 5]
    assert positions(newest_first=True, after=5, limit=2) == [4, 3]
    assert positions(actor="kim") == [4]
    assert audit.trail(tables, actor="kim")[0]["rules"] == ["four-eyes"]
    assert positions(name="Rebaselined", after=5) == [6]
    assert positions(since="2026-01-02", as_of="2026-01-02") == [5]
    assert positions(since="2025-01-01", as_of="2025-12-31") == [2]
    assert positions(limit=2) == [1, 2]
    assert audit.cases_with_most(tables, "Rebaselined") == [
        {"stream": "A-1", "events": 2, "first_at": "2026-01-02", "last_at": "2026-01-03"}
    ]
    assert audit.cases_with_most(tables, "Rebaselined", as_of="2026-01-02")[0]["events"] == 1
    assert audit.cases_with_most(tables, "Rebaselined", known_at="2026-01-01") == []
    assert audit.count_by_name_and_year(tables, "plan")[-2:] == [
        {"name": "Reported", "year": 2025, "events": 1},
        {"name": "Reported", "year": 2026, "events": 1},
    ]


def test_definitions_are_found_by_name_and_version(history, runner, look):
    history.write(history.definition(), history.definition(2, title="Better plan"))
    runner.catch_up()
    newest = definition(look(), "plan")
    assert (newest["version"], newest["title"]) == (2, "Better plan")
    assert newest["body"]["data"]["cost"] == {"type": "money", "currency": "GBP"}
    assert definition(look(), "plan", 1)["title"] == "Plan"
    assert definition(look(), "plan", 3) is None
    assert [row["version"] for row in published(look())] == [1, 2]


def test_ten_thousand_cases_of_one_workflow_are_paged_by_an_index(history, runner, look, store):
    history.write(
        history.definition(),
        *(history.observed(f"A-{n:05}", {"order": n}) for n in range(10_000)),
    )
    runner.catch_up()
    tables = look()
    found = page(tables, "plan", limit=50, after="A-09899")
    assert (keys(found)[0], found.total) == ("A-09900", 10_000)
    assert one(tables, "A-00007").data == {"order": 7}
    explain = "EXPLAIN" if store == "postgres" else "EXPLAIN QUERY PLAN"
    plan = tables.run(
        f"{explain} SELECT * FROM register_plan WHERE _next_known IS NULL"
        " AND _known_to IS NULL ORDER BY _key LIMIT 50"
    )
    assert "_now" in str(plan)


def test_reading_imports_neither_pydantic_nor_the_events():
    """`pmo show` is to answer within 150 ms, of which pydantic alone would take most."""
    modules = ["audit", "cases", "definitions", "moments", "register_pages", "store", "views"]
    program = f"""
import sys
import {", ".join(f"projections.{name}" for name in modules)}
sys.exit(" ".join({{"pydantic", "orjson", "rfc8785", "engine.events"}} & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == "\n"
