"""What the port promises (``engine.store.log``), sentence by sentence, on every store."""

from __future__ import annotations

import threading

import pytest

from engine import canonical, events
from engine.store.log import Appended, Conflict, Late, Marked
from engine.store.tail import tail
from tests.log.conftest import JUST_BEFORE_TEN, NINE, TEN, append, event
from tests.patience import PATIENCE


def places(log):
    return [(r.position, r.event.stream, r.event.version) for r in log.read(0, 1000)]


def test_an_empty_log_has_no_head_no_events_and_no_versions(log):
    assert (log.head(), log.version("A"), log.stream("A"), log.read(0, 10)) == (0, 0, [], [])
    assert log.check() == 0


def test_positions_are_dense_and_ascend_from_one_in_commit_order(log):
    log.append([append("A", count=2), append("B")])
    log.append([append("A", 3)])
    assert places(log) == [(1, "A", 1), (2, "A", 2), (3, "B", 1), (4, "A", 3)]
    assert log.head() == 4


def test_nothing_new_appears_at_or_below_a_position_that_has_been_seen(log):
    log.append([append("A")])
    seen = places(log)
    log.append([append("B"), append("A", 5)])
    assert places(log)[: len(seen)] == seen


def test_recorded_at_is_lifted_where_a_clock_is_a_little_behind(log):
    log.append([append("A", at=TEN)])
    (answer,) = log.append([append("B", at=JUST_BEFORE_TEN, count=2)])
    assert [r.event.recorded_at for r in answer.events] == [TEN, TEN]
    assert [r.event.recorded_at for r in log.read(0, 9)] == [TEN, TEN, TEN]
    occurred_at = log.read(1, 1)[0].event.occurred_at
    assert occurred_at == JUST_BEFORE_TEN, "when it was so is not the log's to change"


def test_recorded_at_is_lifted_within_a_group_too(log):
    log.append([append("A", at=TEN), append("B", at=JUST_BEFORE_TEN)])
    assert [r.event.recorded_at for r in log.read(0, 9)] == [TEN, TEN]


@pytest.mark.parametrize(
    ("reached", "decided"),
    [(TEN, NINE), ("2026-04-01T00:00:00.000000Z", "2026-03-31T23:59:59.999999Z")],
)
def test_what_was_decided_on_another_day_or_long_before_the_log_s_end_is_not_written(
    log, reached, decided
):
    log.append([append("A", at=reached)])
    late, orphan, other = log.append(
        [append("B", at=decided), append("B", 2, at=reached), append("C", at=reached)]
    )
    assert late == Late(reached)
    assert orphan == Conflict("B", 0), "it goes on from what was not written"
    assert isinstance(other, Appended)
    assert places(log) == [(1, "A", 1), (2, "C", 1)]


def test_an_append_answers_with_its_events_as_written(log):
    wanted = append("A", count=2)
    (answer,) = log.append([wanted])
    assert isinstance(answer, Appended)
    assert tuple(r.event for r in answer.events) == wanted.events
    assert list(answer.events) == log.read(0, 10) == log.stream("A")


def test_an_append_is_conditional_on_every_stream_it_wrote_or_read(log):
    log.append([append("A", count=2)])
    assert log.append([append("A")]) == [Conflict("A", 2)]
    assert log.append([append("B", reads={"A": 1})]) == [Conflict("A", 2)]
    assert log.append([append("B", reads={"Z": 1})]) == [Conflict("Z", 0)]
    assert log.head() == 2
    assert isinstance(log.append([append("B", reads={"A": 2, "Z": 0})])[0], Appended)


def test_a_conflict_in_one_append_never_fails_another(log):
    answers = log.append([append("A"), append("A"), append("B"), append("B", 3)])
    assert [type(a) for a in answers] == [Appended, Conflict, Appended, Conflict]
    assert places(log) == [(1, "A", 1), (2, "B", 1)]


def test_an_append_may_expect_what_an_earlier_one_of_the_same_call_brings_about(log):
    first, second = append("A"), append("A", 2, reads={"B": 0})
    assert [type(a) for a in log.append([first, second])] == [Appended, Appended]
    assert log.append([append("B"), append("C", reads={"B": 0})])[1] == Conflict("B", 1)


def test_who_goes_on_from_what_was_refused_is_refused_though_another_has_brought_that_version(log):
    """Decided on a version 2 of ours that was never written; that of the log is another's."""
    log.append([append("A", count=2)])
    answers = log.append([append("A", 2), append("A", 3), append("B", reads={"A": 2}), append("C")])
    assert answers[:3] == [Conflict("A", 2)] * 3
    assert isinstance(answers[3], Appended)


def test_who_goes_on_from_what_was_written_before_is_refused_too(log):
    command = append("A")
    log.append([command, append("A", 2)])
    again, following = log.append([command, append("A", 3)])
    assert isinstance(again, Marked)
    assert following == Conflict("A", 2)


def test_a_marker_gives_a_command_one_effect(log):
    command = append("A", count=2)
    log.append([append("Z"), command])
    marked = Marked(2, 2, command.fingerprint)
    assert log.append([command]) == [marked], "though its expected versions are long outrun"
    assert log.marked([command.command_id, "another"]) == {command.command_id: marked}
    assert log.head() == 3


@pytest.mark.parametrize("length", [1, 200])
def test_a_command_is_known_by_its_id_to_the_letter(log, length):
    told = ["é", "E", "e", "0", "'", "%", "\\x00", "\x01", " ", "🂡", "\N{FULLWIDTH DIGIT ONE}"]
    names = [(each * length)[:length] for each in told]
    group = [append(f"S-{number}", command_id=name) for number, name in enumerate(names)]
    assert all(isinstance(answer, Appended) for answer in log.append(group))
    again = log.append(group)
    assert [answer.first_position for answer in again] == list(range(1, len(names) + 1))
    assert list(log.markers("", 100)) == sorted(log.marked(names)) == sorted(names)


def test_a_marker_counts_within_the_call_that_brings_it(log):
    command = append("A")
    answers = log.append([command, command])
    assert answers[1] == Marked(1, 1, command.fingerprint)
    assert log.head() == 1


def test_a_conflict_leaves_no_marker(log):
    command = append("A", 2)
    assert isinstance(log.append([command])[0], Conflict)
    assert log.marked([command.command_id]) == {}


def test_a_command_without_events_is_marked_all_the_same(log):
    log.append([append("A")])
    quiet = append("A", 2, count=0)
    (answer,) = log.append([quiet])
    assert answer == Appended(())
    assert log.append([quiet]) == [Marked(2, 0, quiet.fingerprint)]
    log.append([append("A", 2)])
    assert log.check() == 2


def test_the_chain_has_a_hash_at_every_position_and_none_past_the_head(log):
    log.append([append("A", count=2)])
    before = [log.chain(position) for position in range(4)]
    assert before[0] == bytes(32)
    assert len({*before}) == 4
    assert before[3] is None
    log.append([append("B")])
    assert [log.chain(position) for position in range(3)] == before[:3]
    assert log.chain(3) is not None


def test_an_append_of_nothing_is_no_transaction(log):
    assert log.append([]) == []


@pytest.mark.parametrize("wrong", [append("A", 1, count=1), append("A", 3), append("B")])
def test_an_event_that_does_not_continue_what_was_expected_is_a_fault_of_the_caller(log, wrong):
    broken = type(wrong)(wrong.events, {"A": 0} if wrong.events[0].version > 1 else {}, "m", b"f")
    with pytest.raises(ValueError, match="expected"):
        log.append([append("C"), broken])
    assert log.head() == 0
    assert isinstance(log.append([append("C")])[0], Appended), "the log works on"


def test_a_stream_is_read_in_order_after_a_version(log):
    log.append([append("A", count=3), append("B"), append("A", 4)])
    assert [r.event.version for r in log.stream("A")] == [1, 2, 3, 4]
    assert [(r.position, r.event.version) for r in log.stream("A", after=2)] == [(3, 3), (5, 4)]
    assert log.stream("A", after=4) == []
    assert (log.version("A"), log.version("B"), log.version("C")) == (4, 1, 0)
    assert log.versions({"A", "B", "C"}) == {"A": 4, "B": 1}
    assert log.versions([]) == {}


def test_reading_takes_up_to_a_limit_from_after_a_position(log):
    log.append([append("A", count=5)])
    assert [r.position for r in log.read(2, 2)] == [3, 4]
    assert [r.position for r in log.read(4, 10)] == [5]
    assert log.read(5, 10) == []


def test_bodies_are_the_same_events_as_plain_json(log):
    log.append([append("A", count=2)])
    for (position, body), recorded in zip(log.bodies(0, 10), log.read(0, 10), strict=True):
        assert position == recorded.position
        assert body["stream"] == recorded.event.stream
        assert body["actor"] == {"id": "pat", "kind": "human"}
    assert [position for position, _ in log.bodies(1, 1)] == [2]


def test_states_are_the_same_events_as_bytes(log):
    log.append([append("A", count=3)])
    stored = [(row.position, row.state) for row in log.rows(1, 2)]
    assert log.states(1, 2) == stored
    assert [canonical.decode(state) for _, state in stored] == [b for _, b in log.bodies(1, 2)]


def test_small_batches_are_read_many_at_a_time(log, monkeypatch):
    """A statement for each batch would cost as much as half of what it brings."""
    log.append([append("A", count=7)])
    asked = []
    read = log.states
    monkeypatch.setattr(log, "states", lambda *what: asked.append(what) or read(*what))
    batches = [[position for position, _ in batch] for batch in tail(log, 0, batch=2, until=7)]
    assert batches == [[1, 2], [3, 4], [5, 6], [7]]
    assert asked == [(0, 7)]


def test_values_come_back_as_they_were_stored(log):
    data = {"title": "naïve 🐈 \u2028", "zero": 0, "kept": {"withheld": "s. 43"}, "big": 2**53 - 1}
    data |= {"small": 1e-7, "gone": None, "list": [1.5, "x", {"a": []}]}
    log.append([append("A")])
    wanted = event("A", 2, **data)
    log.append([type(append("A"))((wanted,), {"A": 1}, "m", b"f" * 32)])
    assert log.stream("A", 1)[0].event.data == data


def test_waiting_ends_at_once_when_there_is_more_already(log):
    log.append([append("A", count=2)])
    assert log.wait(1, timeout=PATIENCE)


def test_waiting_gives_up_after_its_timeout(log):
    assert not log.wait(0, timeout=0.01)


def test_an_append_wakes_who_waits(log):
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(log.wait(0, timeout=2 * PATIENCE)))
    waiting.start()
    log.append([append("A")])
    waiting.join(PATIENCE)
    assert answers == [True]


def test_a_check_counts_the_events_after_a_position(log):
    log.append([append("A", count=3)])
    assert (log.check(), log.check(1), log.check(3)) == (3, 2, 0)


def test_many_streams_and_markers_fit_into_one_call(log):
    group = [append(f"A-{i}") for i in range(1200)]
    assert all(isinstance(a, Appended) for a in log.append(group))
    assert len(log.marked([a.command_id for a in group])) == 1200
    assert all(isinstance(a, Marked) for a in log.append(group))


def test_rows_and_markers_come_as_they_lie_in_the_store(log):
    group = [append("A", count=2), append("B"), append("B", 2, count=0)]
    log.append(group)
    rows = log.rows(1, 10)
    assert [(row.position, row.stream, row.version) for row in rows] == [(2, "A", 2), (3, "B", 1)]
    assert [row.chain for row in rows] == [log.chain(2), log.chain(3)]
    assert log.rows(0, 1)[0].state == events.to_bytes(group[0].events[0])
    first, second, third = sorted(one.command_id for one in group)
    assert list(log.markers("", 2)) == [first, second]
    assert log.markers(second, 2) == log.marked([third])
    assert log.markers(third, 2) == {}
