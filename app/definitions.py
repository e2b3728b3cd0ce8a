"""Definition files: finding them, reading them, publishing them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from app.home import Home
from app.places import SETTINGS
from engine import ids, loading
from engine.commands import PublishDefinition, Requester
from engine.definition import Definition
from engine.errors import BadInput, NotFound, Problem, StoreFailed
from engine.service import Receipt, Service
from engine.yaml_source import LARGEST_FILE
from projections.cases import states_by_version
from projections.definitions import published as all_published

SCENARIOS = ".scenarios.yaml"
_ENDINGS = (".yaml", ".yml")

Kind = Literal["definition", "scenarios", "mapping", "view", "metrics", "chapter", "settings"]

_KEY = re.compile(rb"^(states|scenarios|mapping|sql|metrics|chapter):", re.MULTILINE)
_BY_KEY: dict[bytes, Kind] = {
    b"states": "definition",
    b"scenarios": "scenarios",
    b"mapping": "mapping",
    b"sql": "view",
    b"metrics": "metrics",
    b"chapter": "chapter",
}
"""What people write, by the key that only such a file has."""

_BY_FOLDER: dict[str, Kind] = {"imports": "mapping", "views": "view", "year": "chapter"}
"""What lies in folders among workflows that hold other things than definitions."""

_OTHERS: dict[Kind, tuple[str, str]] = {
    "scenarios": (
        "scenarios",
        "call the file as the definition is called: NAME.scenarios.yaml",
    ),
    "mapping": (
        "a mapping of reports",
        "pmo import reads it; keep it in a folder called imports",
    ),
    "view": ("a view", "pmo view reads it; keep it in a folder called views"),
    "metrics": ("metrics", "pmo metrics reads it; keep it in a folder called views"),
    "chapter": ("a chapter of a year", "keep it in a folder called year"),
    "settings": ("settings", "keep it in the home, which reads it"),
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A definition and the text it was read from."""

    path: Path
    text: str
    definition: Definition


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of publishing: ``new`` unless exactly this was published before."""

    definition: Definition
    receipt: Receipt
    new: bool


def find_definitions(paths: Iterable[Path]) -> Iterator[Path]:
    """The definition files among ``paths`` and in the folders among them, however deep.

    Raises ``BadInput`` for a file of scenarios that is named itself.
    """
    for path in paths:
        if path.name.endswith(SCENARIOS):
            mend = f"name {path.name.removesuffix(SCENARIOS)}.yaml: they are played with it"
            raise BadInput.one(str(path), "holds scenarios, and no definition", mend)
        if not path.is_dir():
            yield path
            continue
        for file in _files_in(path):
            within = file.relative_to(path).parts
            if not _BY_FOLDER.keys() & {*within} and not file.name.endswith(SCENARIOS):
                yield file


def find_files(paths: Iterable[Path]) -> Iterator[tuple[Path, Kind]]:
    """All that people write among ``paths`` and in the folders among them, however deep; of
    scenarios those that are named themselves, or that no definition stands beside."""
    for path in paths:
        for file in _files_in(path) if path.is_dir() else [path]:
            stem = file.name.removesuffix(SCENARIOS)
            beside = [file.with_name(f"{stem}{ending}") for ending in _ENDINGS]
            if file != path and stem != file.name and any(one.is_file() for one in beside):
                continue
            try:
                yield file, _kind_of(file, read_file(file))
            except BadInput:
                yield file, _kind_of(file, b"")  # whoever reads it says what is wrong


def _files_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix in _ENDINGS)


def _kind_of(path: Path, text: bytes) -> Kind:
    """By its name, or a key that only such a file has; else by its folder."""
    if path.name.endswith(SCENARIOS):
        return "scenarios"
    if path.name == SETTINGS:
        return "settings"
    key = _KEY.search(text)
    return _BY_KEY[key[1]] if key else _BY_FOLDER.get(path.parent.name, "definition")


def read_file(path: Path) -> bytes:
    """The bytes of a YAML file. Raises ``BadInput`` where there is none that can be read."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadInput.one(str(path), f"cannot be read: {error.strerror}") from None


def load_definitions(
    paths: Iterable[Path],
    published: Iterable[Definition] = (),
    running: Iterable[Definition] = (),
) -> list[Loaded]:
    """Every definition; they may refer to each other and to what is ``published``, and must not
    correct what a version goes by that is still ``running``.

    Raises ``BadInput`` with the problems of all the files at once.
    """
    texts: dict[str, bytes] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            text = read_file(path)
            if other := _OTHERS.get(_kind_of(path, text)):
                what, mend = other
                problems.append(Problem(f"{path}:1:1", f"this is {what} and no definition", mend))
            else:
                texts[str(path)] = text
        except BadInput as error:
            problems.extend(error.problems)
    try:
        definitions = loading.load_definitions(texts, published, running)
    except BadInput as error:
        problems.extend(error.problems)
    if problems:
        raise BadInput(problems)
    return [
        Loaded(Path(file), texts[file].decode("utf-8-sig"), definition)
        for file, definition in definitions.items()
    ]


def publish(service: Service, loaded: Loaded, actor: Requester, reason: str | None) -> Outcome:
    """Put a definition in force. Raises ``BadInput`` where it cannot follow the one before it."""
    definition = loaded.definition
    before = newest(service, definition.workflow)
    command = PublishDefinition(
        command_id=ids.new_id(),
        actor=actor,
        reason=reason,
        body=definition.body,
        text=loaded.text,
    )
    try:
        receipt = service.handle(command)
    except BadInput as error:
        raise BadInput(
            Problem(f"{loaded.path}:{problem.where}", problem.what, problem.mend)
            for problem in error.problems
        ) from None
    return Outcome(definition, receipt, before is None or before.hash != definition.hash)


def ever_published(home: Home) -> list[Definition]:
    """Every version of every workflow, the newest of a workflow last."""
    return [from_views(row["body"]) for row in all_published(home.views)]


def in_force(home: Home) -> list[Definition]:
    """The newest published definition of every workflow."""
    bodies = {row["name"]: row["body"] for row in all_published(home.views)}
    return [*map(from_views, bodies.values())]


def run_by_cases(home: Home) -> list[Definition]:
    """Every version, also the newest, by which cases that have not ended go on."""
    used: dict[tuple[str, int], list[str]] = {}
    for row in states_by_version(home.views):
        version = (row["workflow"], row["definition_version"])
        used.setdefault(version, []).append(row["state"])
    found = []
    for row in all_published(home.views):
        if states := used.get((row["name"], row["version"])):
            definition = from_views(row["body"])
            if any(not definition.states[state].final for state in states if state):
                found.append(definition)
    return found


def from_views(body: dict[str, Any]) -> Definition:
    """A definition as the views have it. Raises ``StoreFailed`` where that is none, ``LogNewer``
    where a newer version of this program published it."""
    try:
        return Definition.from_published(body)
    except ValidationError:
        raise StoreFailed(
            "the views hold a definition that is none; pmo rebuild builds them anew"
        ) from None


def newest(service: Service, workflow: str) -> Definition | None:
    """The newest published definition of a workflow, if there is one."""
    try:
        return service.catalog.newest(workflow).workflow.definition
    except NotFound:
        return None
