"""The floors of the house, and who keeps to them: imports are read from the source, so code that
never runs counts too. ``tests/test_floors.py`` holds the house to it.

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
    "psycopg": (
        "engine.store.*",
        "projections.postgres",
        "projections.postgres_connection",
        "consumers.postgres",
    ),
    "pydantic": ("*",),
    "pydantic_core": ("*",),
    "rfc8785": ("engine.canonical",),
    "rich": ("app.*",),
    "ruamel": ("engine.yaml_source",),
    "sqlite3": (
        "engine.store.*",
        "projections.sqlite",
        "projections.sqlite_file",
        "consumers.memory",
    ),
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
