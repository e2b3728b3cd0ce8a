"""Pages of large registers are found by walking an index: the same rows as by sorting them all."""

from contextlib import closing

import pytest

from engine.errors import BadInput, StoreFailed
from projections.opening import open_for_writing
from projections.register_pages import Where, one, page
from projections.store import Tables
from tests.patience import wait_until

NEXT = "2026-02-01"


@pytest.fixture
def many(history, runner, look):
    """Two hundred plans; of every third the cost is missing, and all costs change in February."""
    events = []
    for number in range(200):
        cost = {} if number % 3 == 0 else {"cost": gbp(number // 2)}
        events.append(history.observed(f"A-{number:03}", cost | {"order": number % 7}))
    for number in range(200):
        if number % 3:
            change = {"cost": gbp(500 - number)}
            events.append(history.observed(f"A-{number:03}", change, state=None, at=NEXT))
    history.write(history.definition(), *events)
    runner.catch_up()
    return look()


def gbp(amount):
    return {"amount": str(amount), "currency": "GBP"}


def keys(found):
    return [row.key for row in found.rows]


@pytest.mark.parametrize("as_of", [None, "2026-01-31", NEXT])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("where", [[], [Where("order", "<", 5)], [Where("_state", "=", "open")]])
def test_walking_and_sorting_find_the_same(many, as_of, descending, where):
    asked = {"as_of": as_of, "descending": descending, "where": where, "sort": "cost"}
    everything = keys(page(many, "plan", limit=200, **asked))
    assert len(everything) > 100
    # Of three rows a hundred are many, of two hundred they are not.
    for start in (0, 1, 50, len(everything) - 2):
        after = everything[start - 1] if start else None
        assert (
            keys(page(many, "plan", limit=3, after=after, **asked))
            == (everything[start : start + 3])
        )


def test_what_is_missing_comes_last_on_either_way(history, runner, look):
    history.write(
        history.definition(),
        *(history.observed(f"A-{n:03}", {"cost": gbp(1)} if n < 2 else {}) for n in range(100)),
    )
    runner.catch_up()
    first = page(look(), "plan", sort="cost", descending=True, limit=4)
    assert keys(first) == ["A-001", "A-000", "A-002", "A-003"]
    assert keys(page(look(), "plan", sort="cost", limit=2, after="A-000")) == ["A-001", "A-002"]
    assert keys(page(look(), "plan", sort="cost", limit=2, after="A-001")) == ["A-002", "A-003"]
    assert keys(page(look(), "plan", sort="cost", limit=2, after="A-002")) == ["A-003", "A-004"]
    assert first.total == 100


def test_page_after_page_shows_every_case_once(many):
    for sort in ("_key", "cost", "order", "title"):
        seen, after = [], None
        while found := keys(page(many, "plan", sort=sort, limit=30, after=after, as_of=NEXT)):
            seen += found
            after = seen[-1]
        assert seen == keys(page(many, "plan", sort=sort, limit=200, as_of=NEXT))
        assert len(set(seen)) == len(seen) == 200


def test_a_page_goes_on_after_a_case_that_its_conditions_leave_out(many):
    asked = {"where": [Where("cost", "missing")], "limit": 2}
    assert keys(page(many, "plan", after="A-004", **asked)) == ["A-006", "A-009"]
    # Its cost is 496, and what has none comes after all that have one.
    assert keys(page(many, "plan", sort="cost", after="A-004", **asked)) == ["A-000", "A-003"]


def test_a_page_after_a_case_that_was_not_there_is_refused(many):
    for moment in ({}, {"as_of": "2025-12-31"}, {"known_at": "2025-12-31"}):
        with pytest.raises(BadInput, match="there is no case 'A-999'"):
            page(many, "plan", after="A-999", **moment)
    with pytest.raises(BadInput, match="there is no case 'A-001'"):
        page(many, "plan", after="A-001", as_of="2025-12-31")


def test_a_field_that_a_later_version_brings_gets_its_index(
    history, runner, look, store, monkeypatch
):
    monkeypatch.setattr("projections.sqlite._LARGE", 1)
    history.write(history.definition())
    runner.catch_up()
    more = {"title": {"type": "text"}, "due": {"type": "date"}, "notes": {"type": "text"}}
    history.write(history.definition(2, data=more), history.observed("A-001", {}))
    runner.catch_up()
    tables = look()
    page(tables, "plan", sort="due", where=[Where("notes", "contains", "x")])
    wait_until(lambda: "register_plan_by_due" in names(tables, store))
    indexed = names(tables, store)
    assert not any(name.endswith("_notes") for name in indexed)
    runner.rebuild()
    assert {name.split("register_")[1] for name in names(look(), store)} == {
        name.split("register_")[1] for name in indexed
    }


def test_the_index_of_all_has_the_fields_of_every_version(history, runner, look, store):
    if store == "postgres":
        pytest.skip("the server has no index of all")
    history.write(history.definition(), history.observed("A-001", {"cost": gbp(1)}))
    runner.catch_up()
    assert columns_of_all(look())[-3:] == ["cost", "order", "title"]
    more = {"title": {"type": "text"}, "due": {"type": "date"}, "notes": {"type": "text"}}
    history.write(history.definition(2, data=more))
    runner.catch_up()
    assert columns_of_all(look())[-4:] == ["cost", "order", "title", "due"]
    runner.rebuild()
    again = columns_of_all(look())
    history.write(history.definition(3, data=more))
    runner.catch_up()
    assert columns_of_all(look()) == again, "nothing new, nothing made anew"


def test_a_workflow_without_fields_has_its_index_of_all(history, runner, look, store):
    if store == "postgres":
        pytest.skip("the server has no index of all")
    history.write(history.definition(data={}), history.observed("A-001"))
    for build in (runner.catch_up, runner.rebuild):
        build()
        assert columns_of_all(look())[-1] == "_withheld"


def test_an_index_of_a_field_is_made_when_somebody_asks_a_large_register(
    many, look, runner, store, monkeypatch
):
    if store == "postgres":
        pytest.skip("the server has every index that is foreseen")
    asked = {"sort": "cost", "where": [Where("order", "<", 5)]}
    without = page(many, "plan", **asked)
    assert "register_plan_by_cost" not in names(many, store)
    monkeypatch.setattr("projections.sqlite._LARGE", 100)
    assert page(many, "plan", **asked) == without
    wait_until(lambda: {"register_plan_by_cost", "register_plan_by_order"} <= names(many, store))
    assert page(many, "plan", **asked) == without
    assert "register_plan_by_title" not in names(many, store)
    runner.rebuild()
    again = {name.split("register_")[-1] for name in names(look(), store)}
    assert {"plan_by_cost", "plan_by_order"} <= again, "who asked asks again"
    assert "plan_by_title" not in again
    with pytest.raises(StoreFailed, match="readonly"):
        many.run("DELETE FROM cases")


def test_the_index_of_what_was_known_before_is_made_when_somebody_asks(
    many, look, runner, store, monkeypatch
):
    if store == "postgres":
        pytest.skip("the server has no index of all")
    asked = {"where": [Where("cost", "present")], "known_at": "2025-12-31", "as_of": NEXT}
    monkeypatch.setattr("projections.finding.known_position", lambda *_: 250)
    monkeypatch.setattr("projections.sqlite._LARGE", 100)
    without = page(many, "plan", **asked)
    assert without.total == 133
    assert {row.data["cost"]["amount"] == str(500 - int(row.key[2:])) for row in without.rows} == {
        True,
        False,
    }, "some changes were known, and some were not"
    wait_until(lambda: "register_plan_learnt" in names(many, store))
    assert page(many, "plan", **asked) == without
    assert page(many, "plan", as_of=NEXT) != without
    runner.rebuild()
    again = look()
    assert "plan_learnt" in {name.split("register_")[-1] for name in names(again, store)}
    assert page(again, "plan", **asked) == without


def test_a_page_waits_for_no_index_and_the_index_for_whoever_writes(
    many, place, store, monkeypatch
):
    if store == "postgres":
        pytest.skip("the server has every index that is foreseen")
    monkeypatch.setattr("projections.sqlite._LARGE", 100)
    with closing(open_for_writing(place)) as other, other.transaction():
        assert len(page(many, "plan", sort="_position").rows) == 100
        assert "register_plan_by__position" not in names(many, store)
    wait_until(lambda: "register_plan_by__position" in names(many, store))


def test_before_the_last_event_it_was_known_as_it_was_then(history, runner, look):
    """Also an instant before it, where all that is recorded but one event was known."""
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    history.write(history.definition())
    for order, day in enumerate(days):
        nine = f"{day}T09:00:00.000000Z"
        history.write(history.observed("A-001", {"order": order}, recorded_at=nine))
    runner.catch_up()
    tables = look()

    def known(at, **asked):
        """On the page and in the row, which find it in ways of their own."""
        (shown,) = page(tables, "plan", known_at=at, **asked).rows
        assert one(tables, "A-001", known_at=at, **asked) == shown
        return shown.data["order"]

    for asked in ({}, {"as_of": "2026-01-01"}):
        assert [known(day, **asked) for day in days] == [0, 1, 2]
        assert known("2026-01-03T08:59:59.999999Z", **asked) == 1
        assert known("2026-01-03T09:00:00.000000Z", **asked) == 2
    assert page(tables, "plan", known_at="2025-12-31").rows == []


def test_of_many_conditions_the_rarest_leads_and_every_way_finds_the_same(many, store, monkeypatch):
    asked = {
        "where": [Where("order", "<", 5), Where("cost", ">", 480), Where("_state", "=", "open")]
    }
    days = [{"as_of": None}, {"as_of": "2026-01-31"}, {"as_of": NEXT}, {"known_at": NEXT}]
    without = [page(many, "plan", **asked, **day) for day in days]
    assert [found.total for found in without] == [10, 0, 10, 10]
    monkeypatch.setattr("projections.sqlite._LARGE", 100)
    page(many, "plan", **asked)
    if store == "sqlite":
        wait_until(
            lambda: {"register_plan_by_cost", "register_plan_by_order"} <= names(many, store)
        )
    assert [page(many, "plan", **asked, **day) for day in days] == without
    monkeypatch.setattr("projections.register_pages._MANY", 1)
    assert [page(many, "plan", limit=5, **asked, **day).rows for day in days] == [
        found.rows[:5] for found in without
    ]


def test_more_cases_than_are_counted_have_no_total(many, monkeypatch):
    monkeypatch.setattr("projections.register_pages.COUNTED", 150)
    asked = {"sort": "cost", "as_of": NEXT}
    first = page(many, "plan", limit=20, **asked)
    assert (len(first.rows), first.total) == (20, None)
    everything = page(many, "plan", limit=200, **asked)
    assert (everything.rows[:20], everything.total) == (first.rows, 200)
    assert page(many, "plan", where=[Where("cost", "present")], **asked).total == 133


def columns_of_all(tables: Tables):
    """Those of the one index of all rows that begins with an expression."""
    sql = (
        "SELECT part.name FROM pragma_index_list('register_plan') AS made,"
        " pragma_index_info(made.name) AS part WHERE NOT made.partial AND EXISTS (SELECT 1 FROM"
        " pragma_index_info(made.name) AS first WHERE first.seqno = 0 AND first.cid = -2)"
    )
    return [name for (name,) in tables.run(sql)]


def names(tables: Tables, store: str):
    sql = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%register_plan%'"
    if store == "postgres":
        sql = "SELECT indexname FROM pg_indexes WHERE tablename = 'register_plan'"
    return {name for (name,) in tables.run(sql)}
