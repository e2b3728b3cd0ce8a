"""The house keeps its floors: imports are read from the source, so code that never runs counts too.

The rules are the tables below. A row names modules by pattern (``*`` matches dots too); a package's
``__init__.py`` goes by ``package.__init__``. To let a new library in, give it a home in ``HOMES``.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PACKAGES = ("engine", "workflows", "projections", "consumers", "app")

# From the ground up. A module imports from its own floor and from those below it. The longest
# pattern that matches decides, so what is new in the engine is pure until somebody says otherwise.
# engine/__init__.py runs before every module of the engine: it can only stand on the ground.
FLOORS: dict[str, tuple[str, ...]] = {
    "0 ground": (
        "engine.__init__",
        "engine.canonical",
        "engine.clock",
        "engine.cycles",
        "engine.errors",
        "engine.ids",
        "engine.source",
        "engine.yaml_source",
    ),
    "1 pure": ("engine.*",),
    "2 service": (
        "engine.scenarios.aftermath",
        "engine.asking",
        "engine.callers",
        "engine.catalog",
        "engine.drafting",
        "engine.folds",
        "engine.keys",
        "engine.scenarios.outcomes",
        "engine.past",
        "engine.receipt",
        "engine.rehearsal",
        "engine.service",
        "engine.scenarios.stage",
        "engine.store.*",
        "engine.ticket",
    ),
    "3 workflows": ("workflows.*",),
    "4 projections": ("projections.*",),
    "4 consumers": ("consumers.*",),
    "5 app": ("app.*",),
}

# Who may import a library from outside, or one of the standard library that has a home as well.
HOMES: dict[str, tuple[str, ...]] = {
    "cel": ("engine.cel.conditions",),
    "click": ("app.cli*",),
    "dateutil": ("engine.calendars",),
    "eventsourcing": ("engine.store.*",),
    "fastapi": ("app.http.*",),
    "h11": ("app.http.server",),
    "holidays": ("app.cli.holidays",),
    "kafka": ("consumers.kafka_*",),
    "orjson": ("*",),
    "psycopg": ("engine.store.*", "projections.postgres", "consumers.postgres"),
    "pydantic": ("*",),
    "pydantic_core": ("*",),
    "rfc8785": ("engine.canonical",),
    "rich": ("app.*",),
    "ruamel": ("engine.yaml_source",),
    "sqlite3": ("engine.store.*", "projections.sqlite", "consumers.memory"),
    "starlette": ("app.http.*",),
    "subprocess": ("app.*", "projections.part"),
    "transitions": ("engine.machine",),
    "uvicorn": ("app.http.server",),
}

# What a pure module must not import, must not name even to pass it on (`default_factory=uuid4`),
# and must not call.
IMPURE_MODULES = (
    "asyncio",
    "concurrent",
    "getpass",
    "glob",
    "http",
    "importlib",
    "io",
    "locale",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "platform",
    "random",
    "secrets",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
)
IMPURE_NAMES = (
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "uuid.getnode",
    "uuid.uuid1",
    "uuid.uuid4",
    "uuid.uuid6",
    "uuid.uuid7",
)
IMPURE_CALLS = ("breakpoint", "input", "open", "print")

# Where an import may stand inside a function: only where it buys a quick start of the command line.
LATE_IMPORTS = ("app.*", "engine.store.opening")
DYNAMIC_IMPORTS = ("__import__", "importlib.import_module")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module; ``of`` names a module of ours where there is one."""

    of: str
    line: int
    late: bool = False
    types_only: bool = False


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    path: str
    tree: ast.Module
    imports: tuple[Import, ...]

    def at(self, line: int) -> str:
        return f"{self.path}:{line}: {self.name}"


# --- reading ------------------------------------------------------------------------------------


def read_modules(root: Path) -> dict[str, Module]:
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts): path
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    modules = {}
    for name, path in paths.items():
        tree = ast.parse(path.read_bytes(), filename=str(path))
        imports = tuple(read_imports(tree, name, frozenset(paths)))
        modules[name] = Module(name, path.relative_to(root).as_posix(), tree, imports)
    return modules


def read_imports(tree: ast.AST, name: str, known: frozenset[str]) -> Iterator[Import]:
    def walk(node: ast.AST, late: bool, types_only: bool) -> Iterator[Import]:
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(resolve(alias.name, known), node.lineno, late, types_only)
            case ast.ImportFrom():
                source = absolute(node, name)
                names = {resolve(f"{source}.{alias.name}", known, source) for alias in node.names}
                for of in sorted(names):
                    yield Import(of, node.lineno, late, types_only)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                late = True
            case ast.If() if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                for child in node.body:
                    yield from walk(child, late, True)
                for child in node.orelse:
                    yield from walk(child, late, types_only)
                return
        for child in ast.iter_child_nodes(node):
            yield from walk(child, late, types_only)

    return walk(tree, False, False)


def absolute(node: ast.ImportFrom, importer: str) -> str:
    if not node.level:
        return node.module or ""
    parts = importer.split(".")[: -node.level]
    return ".".join([*parts, *filter(None, [node.module])])


def resolve(dotted: str, known: frozenset[str], source: str | None = None) -> str:
    """The module an import is after: of ``from engine import ids`` that is ``engine.ids``."""
    for candidate in (dotted, source or dotted):
        for name in (candidate, f"{candidate}.__init__"):
            if name in known:
                return name
    return source or dotted


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def floor_of(name: str) -> str:
    rows = [(len(p), floor) for floor, row in FLOORS.items() for p in row if fnmatchcase(name, p)]
    return max(rows)[1]


def is_ours(name: str) -> bool:
    return name.split(".")[0] in PACKAGES


# --- the rules: each yields one line for each fault ---------------------------------------------


def upward_imports(modules: dict[str, Module]) -> Iterator[str]:
    height = {floor: number for number, floor in enumerate(FLOORS)}
    for module in modules.values():
        here = floor_of(module.name)
        for imported in module.imports:
            if not is_ours(imported.of):
                continue
            name = imported.of if imported.of in modules else f"{imported.of}.__init__"
            there = floor_of(name)
            if height[there] > height[here]:
                yield (
                    f"{module.at(imported.line)} (floor {here}) imports {name} (floor {there})."
                    " An import goes down: let the upper floor hand it in, or move the code."
                )


def import_cycles(modules: dict[str, Module]) -> Iterator[str]:
    # Imports for types alone do not run, and may point back; their floors are checked all the same.
    graph = {
        module.name: {i.of for i in module.imports if i.of in modules and not i.types_only}
        for module in modules.values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = list(reversed(error.args[1]))
        first = modules[cycle[0]]
        line = next(i.line for i in first.imports if i.of == cycle[1])
        yield (
            f"{first.at(line)} is in a cycle of imports: {' -> '.join(cycle)}."
            " Move what both sides need into a module below them."
        )


def homeless_libraries(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        for imported in module.imports:
            library = imported.of.split(".")[0]
            if is_ours(library) or (library in sys.stdlib_module_names and library not in HOMES):
                continue
            homes = HOMES.get(library)
            if homes is None:
                yield (
                    f"{module.at(imported.line)} imports {library}, which has no home."
                    " Do without, or add it to pyproject.toml, run `make lock`, and fill in HOMES."
                )
            elif not matches(module.name, homes):
                yield (
                    f"{module.at(imported.line)} imports {library}, at home in {', '.join(homes)}."
                    " Ask the module there for what you need."
                )


def impure_imports(modules: dict[str, Module]) -> Iterator[str]:
    patterns = tuple(p for module in IMPURE_MODULES for p in (module, f"{module}.*"))
    for module in pure(modules):
        for imported in module.imports:
            if matches(imported.of, patterns):
                yield (
                    f"{module.at(imported.line)} is pure and imports {imported.of}."
                    " Take what you need as a parameter: the service reads the world."
                )


def impure_names(modules: dict[str, Module]) -> Iterator[str]:
    for module in pure(modules):
        aliases = read_aliases(module.tree)
        for node in ast.walk(module.tree):
            used = None
            match node:
                case ast.Global():
                    used = f"global {', '.join(node.names)}"
                case ast.Call() if (name := spelled_out(node.func, aliases)) in IMPURE_CALLS:
                    used = f"{name}()"
                case ast.Name() | ast.Attribute():
                    name = spelled_out(node, aliases)
                    used = name if name in IMPURE_NAMES else None
            if used:
                yield (
                    f"{module.at(node.lineno)} is pure and uses {used}."
                    " Times, ids and files arrive as parameters: a replay must answer the same."
                )


def hidden_imports(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if matches(module.name, LATE_IMPORTS):
            continue
        for imported in module.imports:
            if imported.late:
                yield (
                    f"{module.at(imported.line)} imports {imported.of} inside a function."
                    " Import it at the top of the file; if that makes a cycle, mend the cycle."
                )
        aliases = read_aliases(module.tree)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and spelled_out(node.func, aliases) in DYNAMIC_IMPORTS:
                yield (
                    f"{module.at(node.lineno)} imports by a computed name."
                    " Let app choose the module and hand it over."
                )


def pure(modules: dict[str, Module]) -> Iterator[Module]:
    return (module for module in modules.values() if floor_of(module.name) == "1 pure")


def read_aliases(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for: ``{"dt": "datetime", "new": "uuid.uuid4"}``."""
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.split(".")[0]
                aliases[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return aliases


def spelled_out(node: ast.expr, aliases: dict[str, str]) -> str:
    head, _, tail = ast.unparse(node).partition(".")
    return ".".join(filter(None, [aliases.get(head, head), tail]))


RULES = (
    upward_imports,
    import_cycles,
    homeless_libraries,
    impure_imports,
    impure_names,
    hidden_imports,
)


# --- the house ----------------------------------------------------------------------------------


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
