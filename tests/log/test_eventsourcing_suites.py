"""The contract suites that ``eventsourcing`` ships for those who write a store, on all of ours.

All of their tests run. SQLite in memory is not among our configurations: the factory refuses it.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing import popo
from eventsourcing import postgres as stock_postgres
from eventsourcing import sqlite as stock
from eventsourcing.application import Application
from eventsourcing.persistence import EventStore, InfrastructureFactory, Mapper, StoredEvent
from eventsourcing.tests import application as applications
from eventsourcing.tests import persistence as suites
from eventsourcing.utils import Environment, get_topic
from psycopg.conninfo import conninfo_to_dict

from engine.errors import LogDamaged
from engine.store import memory, postgres, postgres_recorders, sqlite, sqlite_recorders
from engine.store.mapper import Mapper as OurMapper
from tests.log.conftest import event
from tests.patience import PATIENCE
from tests.postgres import server

# One test of theirs provokes a deprecation warning and records it, unless it is raised as an error.
pytestmark = pytest.mark.filterwarnings("always:'log' is deprecated:DeprecationWarning")


class InMemory(TestCase):
    def setUp(self) -> None:
        self.env = Environment(env={"PERSISTENCE_MODULE": "engine.store.memory"})
        self.factory = InfrastructureFactory.construct(self.env)
        super().setUp()


class OnSQLite(TestCase):
    id_type = "uuid"

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.env = Environment(
            env={
                "PERSISTENCE_MODULE": "engine.store.sqlite",
                "SQLITE_DBNAME": str(Path(folder.name, "ledger.db")),
                "ORIGINATOR_ID_TYPE": self.id_type,
            }
        )
        self.factory = InfrastructureFactory.construct(self.env)
        self.addCleanup(self.factory.close)
        super().setUp()


class OnSQLiteWithTextIds(OnSQLite):
    """As the engine's own log uses it: the ids are case keys."""

    id_type = "text"

    def new_originator_id(self) -> str:
        return f"DEC-{uuid4()}"


class OnPostgres(TestCase):
    id_type = "uuid"

    def setUp(self) -> None:
        address = server().new_database()
        self.addCleanup(server().drop_database, address)
        at = conninfo_to_dict(address)
        self.env = Environment(
            env={
                "PERSISTENCE_MODULE": "engine.store.postgres",
                "POSTGRES_DBNAME": at["dbname"],
                "POSTGRES_HOST": at["host"],
                "POSTGRES_PORT": at["port"],
                "POSTGRES_USER": at["user"],
                "POSTGRES_PASSWORD": os.environ.get("PGPASSWORD", ""),
                "ORIGINATOR_ID_TYPE": self.id_type,
            }
        )
        self.factory = InfrastructureFactory.construct(self.env)
        super().setUp()

    def tearDown(self) -> None:
        self.factory.close()
        super().tearDown()


class OnPostgresWithTextIds(OnPostgres):
    id_type = "text"

    def new_originator_id(self) -> str:
        return f"DEC-{uuid4()}"


class Aggregates(suites.AggregateRecorderTestCase):
    def create_recorder(self):
        return self.factory.aggregate_recorder()


class Applications(suites.ApplicationRecorderTestCase):
    def create_recorder(self):
        return self.factory.application_recorder()


class Processes(suites.ProcessRecorderTestCase):
    def create_recorder(self):
        return self.factory.process_recorder()


class Trackings(suites.TrackingRecorderTestCase):
    def create_recorder(self):
        return self.factory.tracking_recorder()


class NonInterleaving(suites.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self):
        return self.factory.application_recorder()


def bind(*stores):
    """A test class for each store and suite; the bare suites are abstract and must not be found."""
    for suite in (Aggregates, Applications, Processes, Trackings, NonInterleaving):
        for store in stores:
            name = f"Test{suite.__name__}{store.__name__}"
            globals()[name] = type(name, (store, suite), {"__module__": __name__})
        del globals()[suite.__name__]


bind(InMemory, OnSQLite, OnSQLiteWithTextIds, OnPostgres, OnPostgresWithTextIds)


class TestSubscriptionsOnPostgres(OnPostgres, suites.ApplicationRecorderTestCase):
    def create_recorder(self):
        return self.factory.application_recorder()

    def test_insert_subscribe(self):
        self.optional_test_insert_subscribe()

    def test_what_was_committed_before_it_listened_is_delivered(self):
        """The stock subscription waits for ever when its LISTEN comes after the commit."""
        looked, committed = threading.Event(), threading.Event()

        class Recorder(postgres_recorders.Recorder):
            def select_notifications(self, *args, **kwargs):
                found = super().select_notifications(*args, **kwargs)
                looked.set()
                return found

        class Late(postgres_recorders.Subscription):
            def _listen(self):
                committed.wait(PATIENCE)
                super()._listen()

        recorder = Recorder(self.factory.datastore)
        with Late(recorder, gt=0) as subscription:
            assert looked.wait(PATIENCE)
            recorder.insert_events([StoredEvent(self.new_originator_id(), 1, "topic", b"state")])
            committed.set()
            assert next(subscription).state == b"state"


class TestFactoryInMemory(InMemory, suites.InfrastructureFactoryTestCase):
    def expected_factory_class(self):
        return memory.Factory

    def expected_aggregate_recorder_class(self):
        return popo.POPOAggregateRecorder

    def expected_application_recorder_class(self):
        return memory.Recorder

    def expected_tracking_recorder_class(self):
        return popo.POPOTrackingRecorder

    def tracking_recorder_subclass(self):
        return TrackingInMemory

    def expected_process_recorder_class(self):
        return memory.ProcessRecorder


class TestFactoryOnSQLite(OnSQLite, suites.InfrastructureFactoryTestCase):
    def expected_factory_class(self):
        return sqlite.Factory

    def expected_aggregate_recorder_class(self):
        return stock.SQLiteAggregateRecorder

    def expected_application_recorder_class(self):
        return sqlite_recorders.Recorder

    def expected_tracking_recorder_class(self):
        return stock.SQLiteTrackingRecorder

    def tracking_recorder_subclass(self):
        return TrackingOnSQLite

    def expected_process_recorder_class(self):
        return sqlite_recorders.ProcessRecorder


class TestFactoryOnPostgres(OnPostgres, suites.InfrastructureFactoryTestCase):
    def expected_factory_class(self):
        return postgres.Factory

    def expected_aggregate_recorder_class(self):
        return stock_postgres.PostgresAggregateRecorder

    def expected_application_recorder_class(self):
        return postgres_recorders.Recorder

    def expected_tracking_recorder_class(self):
        return stock_postgres.PostgresTrackingRecorder

    def tracking_recorder_subclass(self):
        return TrackingOnPostgres

    def expected_process_recorder_class(self):
        return postgres_recorders.ProcessRecorder


class TrackingInMemory(popo.POPOTrackingRecorder):
    pass


class TrackingOnSQLite(stock.SQLiteTrackingRecorder):
    pass


class TrackingOnPostgres(stock_postgres.PostgresTrackingRecorder):
    pass


class StockApplication(TestCase):
    """``Application`` reads its settings from the process environment."""

    def setUp(self) -> None:
        super().setUp()
        patch = pytest.MonkeyPatch()
        self.addCleanup(patch.undo)
        for name, value in self.env.items():
            patch.setitem(os.environ, name, value)


class TestApplicationInMemory(StockApplication, InMemory, applications.ApplicationTestCase):
    pass


class TestApplicationOnSQLite(StockApplication, OnSQLite, applications.ApplicationTestCase):
    pass


class TestApplicationOnPostgres(StockApplication, OnPostgres, applications.ApplicationTestCase):
    pass


class TestExampleOnPostgres(StockApplication, OnPostgres, applications.ExampleApplicationTestCase):
    expected_factory_topic = get_topic(postgres.Factory)


class TestExampleInMemory(StockApplication, InMemory, applications.ExampleApplicationTestCase):
    expected_factory_topic = get_topic(memory.Factory)


class TestExampleOnSQLite(StockApplication, OnSQLite, applications.ExampleApplicationTestCase):
    expected_factory_topic = get_topic(sqlite.Factory)


def test_a_stock_event_store_keeps_our_events_under_our_names(ledger, path):
    """``EventStore``, ``Mapper`` by topic and recorder, on the file that our log then reads."""
    settings = {
        "PERSISTENCE_MODULE": "engine.store.sqlite",
        "SQLITE_DBNAME": str(path),
        "ORIGINATOR_ID_TYPE": "text",
        "MAPPER_TOPIC": "engine.store.mapper:Mapper",
    }
    factory = InfrastructureFactory.construct(Environment(env=settings))
    store: EventStore[str] = factory.event_store()
    written = [event("DEC-0001", 1), event("DEC-0001", 2)]
    recordings = store.put(written)
    assert [r.notification.topic for r in recordings] == ["pmo.case.transitioned.v1"] * 2
    assert list(store.get("DEC-0001")) == written
    factory.close()
    assert [r.event for r in ledger.read(0, 10)] == written
    with pytest.raises(LogDamaged, match="position 1: the marker"):
        ledger.check()  # the chain holds, but no command of ours wrote these


def test_the_mapper_refuses_what_would_make_the_bytes_unreadable():
    with pytest.raises(ValueError, match="canonical"):
        OurMapper(compressor=__import__("zlib"))
    assert issubclass(OurMapper, Mapper)


def test_a_ledger_in_the_memory_of_sqlite_is_refused():
    with pytest.raises(OSError, match=r"engine\.store\.memory"):
        Application(env={"PERSISTENCE_MODULE": "engine.store.sqlite", "SQLITE_DBNAME": ":memory:"})
