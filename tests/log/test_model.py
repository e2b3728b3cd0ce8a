"""Append against a plain model: random groups, conflicts, retries, clocks that are behind."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.clock import instant, to_datetime
from engine.store.log import Append, Appended, Conflict, Late, Marked
from engine.store.memory import MemoryLog
from engine.store.postgres import PostgresLog
from engine.store.sqlite import SQLiteLog
from engine.store.tail import tail
from tests.log.conftest import event
from tests.postgres import server

STREAMS = ("A", "B", "C")
WANTED = some.fixed_dictionaries(
    {
        "stream": some.sampled_from(STREAMS),
        "count": some.integers(0, 3),
        "late": some.sampled_from([0, 0, 0, 1, 2]),  # versions behind what is expected
        "reads": some.sampled_from([None, None, *STREAMS]),
        "command": some.integers(0, 40),
        "tenths": some.integers(0, 40),  # of a second, around midnight
    }
)


BEGIN = to_datetime("2026-01-01T23:59:58.000000Z")


def behind(at, latest):
    """Seconds."""
    return (to_datetime(latest) - to_datetime(at)).total_seconds()


class LogAgainstModel(RuleBasedStateMachine):
    """The model: a list of (stream, version, event id, recorded_at), and a dict of markers."""

    def __init__(self):
        super().__init__()
        self.logs = self.open()
        self.rows, self.markers = [], {}

    def model_version(self, stream):
        return sum(1 for row in self.rows if row[0] == stream)

    def model_append(self, wanted, lost):
        refusal = self.model_refusal(wanted, lost)
        if refusal:
            lost.update(one.stream for one in wanted.events)
            return refusal
        first = len(self.rows) + 1
        for one in wanted.events:
            latest = max([row[3] for row in self.rows], default="")
            at = max(latest, one.recorded_at)
            self.rows.append((one.stream, one.version, one.event_id, at))
        self.markers[wanted.command_id] = Marked(first, len(wanted.events), wanted.fingerprint)
        return Appended

    def model_refusal(self, wanted, lost):
        if known := self.markers.get(wanted.command_id):
            return known
        for stream, expected in wanted.expected.items():
            if self.model_version(stream) != expected:
                return Conflict(stream, self.model_version(stream))
        for stream in wanted.expected:
            if stream in lost:
                return Conflict(stream, self.model_version(stream))
        latest = max([row[3] for row in self.rows], default="")
        at = wanted.events[0].recorded_at if wanted.events else latest
        if at < latest and (at[:10] != latest[:10] or behind(at, latest) > 1):
            return Late(latest)
        return None

    def want(self, plan, ahead):
        stream = plan["stream"]
        base = max(0, self.model_version(stream) + ahead.get(stream, 0) - plan["late"])
        command_id = f"command-{plan['command']}"
        at = instant(BEGIN + timedelta(milliseconds=100 * plan["tenths"]))
        events = tuple(event(stream, base + 1 + i, at) for i in range(plan["count"]))
        expected = {stream: base}
        if plan["reads"] and plan["reads"] != stream:
            expected[plan["reads"]] = self.model_version(plan["reads"])
        ahead[stream] = ahead.get(stream, 0) + plan["count"] - plan["late"]
        return Append(events, expected, command_id, sha256(command_id.encode()).digest())

    @rule(plans=some.lists(WANTED, min_size=1, max_size=5), which=some.integers(0, 1))
    def append_a_group(self, plans, which):
        ahead = {}
        group = [self.want(plan, ahead) for plan in plans]
        lost = set()
        expected = [self.model_append(wanted, lost) for wanted in group]
        answers = self.logs[which % len(self.logs)].append(group)
        for wanted, said, answer in zip(group, expected, answers, strict=True):
            if said is Appended:
                assert [r.event.event_id for r in answer.events] == [
                    e.event_id for e in wanted.events
                ]
            else:
                assert answer == said

    @precondition(lambda self: self.rows)
    @rule(after=some.integers(0, 30), size=some.integers(1, 7))
    def read_on_from_anywhere(self, after, size):
        after = min(after, len(self.rows))
        log = self.logs[-1]
        read = [
            (body["stream"], body["version"], body["event_id"], body["recorded_at"])
            for batch in tail(log, after, batch=size, until=log.head())
            for _, body in batch
        ]
        assert read == self.rows[after:]
        assert log.check(after) == len(read)

    @invariant()
    def the_log_is_the_model(self):
        for log in self.logs:
            assert log.head() == len(self.rows)
            for stream in STREAMS:
                assert log.version(stream) == self.model_version(stream)
            assert log.marked(list(self.markers)) == self.markers

    def teardown(self):
        log = self.logs[0]
        found = [
            (r.event.stream, r.event.version, r.event.event_id, r.event.recorded_at)
            for r in log.read(0, 10_000)
        ]
        assert found == self.rows
        assert log.check() == len(self.rows)
        for stream in STREAMS:
            positions = [i + 1 for i, row in enumerate(self.rows) if row[0] == stream]
            assert [r.position for r in log.stream(stream)] == positions
        for log in self.logs:
            log.close()


class MemoryAgainstModel(LogAgainstModel):
    def open(self):
        return [MemoryLog()]


class SQLiteAgainstModel(LogAgainstModel):
    """Two logs on one file, as two processes would have them, appending in turn."""

    def open(self):
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name, "ledger.db")
        return [SQLiteLog(path), SQLiteLog(path)]

    @rule(which=some.integers(0, 1))
    def close_and_open_again(self, which):
        path = self.logs[which]._path
        self.logs[which].close()
        self.logs[which] = SQLiteLog(path)

    def teardown(self):
        super().teardown()
        self.folder.cleanup()


class PostgresAgainstModel(LogAgainstModel):
    """Two logs on one database, as two processes would have them, appending in turn."""

    def open(self):
        self.address = server().new_database()
        return [PostgresLog(self.address), PostgresLog(self.address)]

    @rule(which=some.integers(0, 1))
    def close_and_open_again(self, which):
        self.logs[which].close()
        self.logs[which] = PostgresLog(self.address)

    def teardown(self):
        super().teardown()
        server().drop_database(self.address)


TestMemory = MemoryAgainstModel.TestCase
TestMemory.settings = settings(max_examples=60, stateful_step_count=20)
TestSQLite = SQLiteAgainstModel.TestCase
TestSQLite.settings = settings(max_examples=30, stateful_step_count=15)
TestPostgres = PostgresAgainstModel.TestCase
TestPostgres.settings = settings(max_examples=15, stateful_step_count=15)
