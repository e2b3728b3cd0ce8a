"""What views say of a case that has been migrated, and of one that took a step without leaving its
state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.events import Due
from engine.store.log import Log
from projections.cases import case, of_workflow
from projections.deadlines import deadlines, open_of
from projections.register_pages import one
from projections.relations import Moments, Relations
from projections.runner import Runner
from projections.select_text import Select
from projections.store import Tables
from projections.verify import verify
from tests.views.conftest import History

MAY = "2026-05-01T09:00:00.000000Z"
JUNE = "2026-06-01T09:00:00.000000Z"
JULY = "2026-07-01T09:00:00.000000Z"


@pytest.fixture
def sound(log: Log, place: Any, runner: Runner) -> Callable[[], None]:
    def check() -> None:
        """The views say what the log says, as they went along and when they are built anew."""
        runner.catch_up()
        assert verify(log, place).differences == ()
        runner.rebuild()
        assert verify(log, place).differences == ()

    return check


def rules(tables: Tables, as_of: str | None, known_at: str | None = None) -> tuple[int, str]:
    row = one(tables, "A-1", as_of=as_of, known_at=known_at)
    assert row
    return row.definition_version, str(row.state)


def test_a_register_says_on_both_clocks_by_which_version_a_case_went(
    history: History, sound: Callable[[], None], look: Callable[[], Tables]
) -> None:
    history.write(history.definition(), history.definition(2))
    history.write(history.observed("A-1", {"title": "One"}, at=MAY, recorded_at=MAY))
    history.write(history.migrated("A-1", 2, "open", "checked", JUNE, JUNE))
    history.write(history.observed("A-1", {"order": 7}, state=None, at="2026-05-10"))
    history.write(history.observed("A-1", {"order": 3}, state=None, at="2026-04-10"))
    sound()
    tables = look()
    assert rules(tables, None) == (2, "checked")
    assert rules(tables, "2026-05-31") == rules(tables, "2026-05-02") == (1, "open")
    assert rules(tables, None, "2026-05-31") == (1, "open"), "nobody knew it then"
    row = one(tables, "A-1", as_of="2026-04-20")
    assert row
    assert (row.definition_version, row.data) == (1, {"order": 3})
    now = case(tables, "A-1")
    assert now
    assert (now["definition_version"], now["definition_hash"]) == (2, f"{1:064}")
    assert of_workflow(tables, "plan") == [
        {"key": "A-1", "definition_version": 2, "state": "checked"}
    ]


def test_what_a_faster_clock_told_before_does_not_hide_a_migration(
    history: History, sound: Callable[[], None], look: Callable[[], Tables]
) -> None:
    history.write(history.definition(), history.definition(2))
    history.write(history.observed("A-1", at=MAY), history.observed("A-1", state=None, at=JULY))
    history.write(history.migrated("A-1", 2, "open", "open", JUNE, JUNE))
    sound()
    assert rules(look(), None) == (2, "open")


def test_deadlines_are_kept_or_moved_and_all_answers_end(
    history: History, sound: Callable[[], None], look: Callable[[], Tables]
) -> None:
    stop, lapse = Due(at=JULY, then="stop"), Due(at=JULY, of=1, then="lapse")
    history.write(history.definition(), history.definition(2))
    history.write(history.started("A-1", "open", MAY, (stop, lapse)))
    history.write(history.signed("A-1", "finance", "for", "fin", MAY))
    history.write(history.migrated("A-1", 2, "open", "open", JUNE, JUNE, (stop,)))
    sound()
    tables = look()
    rows, _ = deadlines(tables, case="A-1", settled=True)
    found = [(row["pulls"], row["entered"], row["outcome"]) for row in rows]
    assert found == [("stop", 1, None), ("lapse", 1, "moved")]
    assert open_of(tables, "A-1") == [(JULY, 0, "100%", "stop")]
    assert signed(tables) == [("fin", JUNE)]


def test_deadlines_of_a_state_that_is_entered_by_a_migration_are_its_own(
    history: History, sound: Callable[[], None], look: Callable[[], Tables]
) -> None:
    stop = Due(at=JULY, then="stop")
    history.write(history.definition(), history.definition(2))
    history.write(history.started("A-1", "open", MAY, (stop,)))
    history.write(history.migrated("A-1", 2, "open", "shut", JUNE, JUNE, (stop,), entered=2))
    sound()
    rows, _ = deadlines(look(), case="A-1", settled=True)
    found = [(row["state"], row["entered"], row["outcome"]) for row in rows]
    assert found == [("open", 1, "kept"), ("shut", 2, None)]


def test_a_fact_of_before_a_migration_ends_none_of_the_deadlines_that_it_kept(
    history: History, sound: Callable[[], None], look: Callable[[], Tables]
) -> None:
    stop = Due(at=JULY, then="stop")
    history.write(history.definition(), history.definition(2))
    history.write(history.started("A-1", "open", MAY, (stop,)))
    history.write(history.migrated("A-1", 2, "open", "open", JUNE, JUNE, (stop,)))
    history.write(history.observed("A-1", state="shut", at="2026-05-10", recorded_at=JUNE))
    sound()
    tables = look()
    assert open_of(tables, "A-1") == [(JULY, 0, "100%", "stop")]
    assert rules(tables, None) == (2, "open")


@pytest.mark.parametrize("dues", [(), (Due(at=JULY, then="stop"),)])
def test_a_case_that_stays_as_it_is_hears_of_what_was_so_before_its_migration(
    history: History, sound: Callable[[], None], look: Callable[[], Tables], dues: tuple[Due, ...]
) -> None:
    history.write(history.definition(), history.definition(2))
    history.write(history.started("A-1", "open", MAY, dues or None))
    history.write(history.signed("A-1", "finance", "for", "fin", MAY))
    history.write(
        replace(history.migrated("A-1", 2, "open", "open", JUNE, JUNE, dues or None), stays=True)
    )
    sound()
    tables = look()
    assert rules(tables, None) == (2, "open")
    assert len(open_of(tables, "A-1")) == len(dues)
    assert signed(tables) == [("fin", JUNE)]
    history.write(history.observed("A-1", state="shut", at="2026-05-10", recorded_at=JUNE))
    sound()
    tables = look()
    assert rules(tables, None) == (2, "shut")
    assert rules(tables, "2026-05-20") == (1, "shut")
    assert open_of(tables, "A-1") == []


def stayed(history: History, at: str) -> Any:
    return replace(history.transitioned("A-1", "note", "open", "open", at, at), stays=True)


def test_a_step_that_stays_ends_no_answer(
    history: History, sound: Callable[[], None], look: Callable[[], Tables]
) -> None:
    history.write(history.definition(), history.started("A-1", "open", MAY))
    history.write(history.signed("A-1", "finance", "for", "fin", MAY), stayed(history, JUNE))
    sound()
    assert signed(look()) == [("fin", None)]


def test_a_step_that_stays_keeps_no_fact_from_telling_where_the_case_was_before_it(
    history: History, sound: Callable[[], None], look: Callable[[], Tables]
) -> None:
    history.write(history.definition(), history.started("A-1", "open", MAY), stayed(history, JULY))
    history.write(history.observed("A-1", state="closed", at=JUNE, recorded_at=JULY))
    sound()
    tables = look()
    now = case(tables, "A-1")
    assert now
    assert (now["state"], now["state_since"]) == ("closed", JUNE)
    assert rules(tables, None) == (1, "closed")


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ({"state": "open", "at": JULY}, None),
        ({"state": "closed", "at": JULY}, JULY),
        ({"state": None, "at": JULY}, None),
        ({"state": "closed", "at": "2026-04-10", "recorded_at": JULY}, None),
    ],
    ids=["the state it is in", "another state", "no state", "a state of before, told late"],
)
def test_only_a_fact_that_tells_of_another_state_ends_what_was_signed(
    history: History,
    sound: Callable[[], None],
    look: Callable[[], Tables],
    said: dict[str, Any],
    ended: str | None,
) -> None:
    history.write(history.definition(), history.started("A-1", "open", MAY))
    history.write(history.signed("A-1", "board", "for", "ann", at=JUNE))
    history.write(history.observed("A-1", **said))
    sound()
    assert signed(look()) == [("ann", ended)]


def test_a_fact_of_the_same_state_and_then_of_one_before_it_end_nothing(
    history: History, sound: Callable[[], None], look: Callable[[], Tables]
) -> None:
    history.write(history.definition(), history.started("A-1", "open", MAY))
    history.write(history.observed("A-1", state="open", at=JULY, recorded_at=JULY))
    history.write(history.signed("A-1", "board", "for", "ann", at=JULY, recorded_at=JULY))
    history.write(history.observed("A-1", state="closed", at=JUNE, recorded_at=JULY))
    sound()
    assert signed(look()) == [("ann", None)]


def signed(tables: Tables) -> list[tuple[Any, ...]]:
    """Who has signed, and when that ended."""
    relations = Relations(tables, Moments(None, None, JULY))
    select = Select("SELECT person, ended_at FROM signatures")
    with tables.snapshot():
        return tables.select(relations.statement(select), relations.given(), 10)[1]
