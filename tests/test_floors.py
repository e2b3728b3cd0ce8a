"""The house keeps its floors, and every rule of ``tests/floors.py`` has been seen to fail."""

from pathlib import Path

import pytest

from tests.floors import (
    PACKAGES,
    ROOT,
    RULES,
    Module,
    hidden_imports,
    homeless_libraries,
    import_cycles,
    impure_imports,
    impure_names,
    read_modules,
    upward_imports,
)


@pytest.fixture(scope="module")
def house() -> dict[str, Module]:
    return read_modules(ROOT)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_walk_finds_every_package(package, house):
    assert any(name.startswith(f"{package}.") for name in house)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_has_no(rule, house):
    faults = list(rule(house))
    assert not faults, "\n" + "\n".join(faults)


# --- the rules themselves, on a small house -----------------------------------------------------

SOUND = {
    "engine/__init__.py": "",
    "engine/ids.py": "import os, time, uuid\ndef new(): return uuid.uuid4()",
    "engine/events.py": "from datetime import UTC, datetime\nfrom pydantic import BaseModel",
    "engine/machine.py": "from transitions import Machine\nfrom engine.events import Event",
    "engine/decide.py": "from engine import ids, machine\ndef decide(open): return uuid5",
    "engine/store/__init__.py": "",
    "engine/store/sqlite.py": "import sqlite3, eventsourcing.sqlite\nfrom engine import events",
    "engine/service.py": "import time\nfrom engine.store import sqlite\nimport engine.decide",
    "workflows/__init__.py": "from engine.events import Event",
    "projections/sqlite.py": "import sqlite3\nimport engine.events",
    "consumers/kafka_relay.py": "from kafka import KafkaProducer\nfrom projections import store",
    "app/cli.py": "import click\ndef main():\n    from rich import print\n    import app.serve",
    "app/serve.py": "import engine.service, consumers.kafka_relay, workflows",
}

FAULTS = {
    upward_imports: [
        ("engine/case.py", "\nimport projections.store", "engine/case.py:2: engine.case (floor 1"),
        ("engine/case.py", "from engine import service", "imports engine.service (floor 2"),
        ("engine/case.py", "from .store import sqlite", "imports engine.store.sqlite"),
        ("engine/case.py", "if TYPE_CHECKING:\n import app.cli", "engine/case.py:2"),
        ("engine/ids.py", "import engine.events", "(floor 0 ground) imports engine.events"),
        ("engine/__init__.py", "from engine import decide", "imports engine.decide"),
        ("engine/service.py", "import workflows", "imports workflows.__init__ (floor 3"),
        ("engine/service.py", "def f():\n from app import cli", "imports app.cli"),
        ("engine/service.py", "import consumers.missing", "imports consumers.missing"),
        ("projections/store.py", "import consumers.kafka_relay", "(floor 4 consumers)"),
    ],
    import_cycles: [
        ("engine/events.py", "import engine.decide", "engine.decide -> engine.machine"),
        ("engine/events.py", "import engine.events", "engine.events -> engine.events"),
        ("app/serve.py", "def f():\n import app.cli", "app.serve -> app.cli"),
    ],
    homeless_libraries: [
        ("engine/case.py", "import transitions.core", "transitions, at home in engine.machine"),
        ("engine/service.py", "import sqlite3", "imports sqlite3, at home in engine.store"),
        ("consumers/relay.py", "from kafka import errors", "imports kafka, at home in"),
        ("app/report.py", "import click", "imports click, at home in app.cli"),
        ("app/serve.py", "import requests", "imports requests, which has no home"),
    ],
    impure_imports: [
        ("engine/case.py", "import os.path", "is pure and imports os.path"),
        ("engine/case.py", "from urllib.request import urlopen", "imports urllib.request"),
        ("engine/unheard_of.py", "from time import time", "is pure and imports time"),
    ],
    impure_names: [
        ("engine/case.py", "import datetime as d\nx = d.datetime.now()", "case.py:2"),
        ("engine/case.py", "from datetime import date\nx = date.today()", "datetime.date.today"),
        ("engine/case.py", "from uuid import uuid4 as new\nF(default=new)", "uses uuid.uuid4"),
        ("engine/case.py", "def read(p):\n  with open(p) as f: pass", "uses open()"),
        ("engine/case.py", "n = 0\ndef count():\n  global n", "uses global n"),
    ],
    hidden_imports: [
        ("engine/case.py", "def f():\n  import engine.events", "inside a function"),
        ("projections/x.py", "class A:\n async def f(s):\n  import json", "x.py:3"),
        ("consumers/x.py", "from importlib import import_module as i\ni('a')", "x.py:2"),
    ],
}


def build(root: Path, files: dict[str, str]) -> dict[str, Module]:
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return read_modules(root)


def test_a_sound_house_has_no_faults(tmp_path):
    house = build(tmp_path, SOUND)
    assert [fault for rule in RULES for fault in rule(house)] == []


@pytest.mark.parametrize(
    ("rule", "path", "source", "message"),
    [(rule, *fault) for rule, faults in FAULTS.items() for fault in faults],
)
def test_a_broken_rule_is_reported(rule, path, source, message, tmp_path):
    house = build(tmp_path, SOUND | {path: source})
    faults = list(rule(house))
    assert len(faults) == 1
    assert message in faults[0]


def test_every_rule_has_been_seen_to_fail():
    assert set(FAULTS) == set(RULES)


def test_a_cycle_of_types_alone_is_allowed(tmp_path):
    house = build(
        tmp_path, SOUND | {"engine/events.py": "if TYPE_CHECKING:\n import engine.decide"}
    )
    assert list(import_cycles(house)) == []
