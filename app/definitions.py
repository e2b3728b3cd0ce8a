"""Definition files: finding them, reading them, publishing them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.home import Home
from engine import ids, loading
from engine.commands import PublishDefinition, Requester
from engine.definition import Definition
from engine.errors import BadInput, NotFound, Problem
from engine.service import Receipt, Service
from engine.yaml_source import LARGEST_FILE
from projections.definitions import published as all_published

SCENARIOS = ".scenarios.yaml"
_ENDINGS = (".yaml", ".yml")
_OTHERS = {"imports", "views", "year"}
"""Folders among workflows that hold other things than definitions."""


_KIND = re.compile(rb"^(mapping|scenarios|sql|metrics):", re.MULTILINE)
_KINDS = {
    b"mapping": ("a mapping of reports", "pmo import reads it; keep it in a folder called imports"),
    b"scenarios": ("scenarios", "call the file as the definition is called: NAME.scenarios.yaml"),
    b"sql": ("a view", "pmo view reads it; keep it in a folder called views"),
    b"metrics": ("metrics", "pmo metrics reads it; keep it in a folder called views"),
}
"""Other files that people write, by the key that only they have."""


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
        for file in sorted(path.rglob("*")):
            within = file.relative_to(path).parts
            if file.suffix not in _ENDINGS or _OTHERS.intersection(within):
                continue
            if not file.name.endswith(SCENARIOS):
                yield file


def read_file(path: Path) -> bytes:
    """The bytes of a YAML file. Raises ``BadInput`` where there is none that can be read."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadInput.one(str(path), f"cannot be read: {error.strerror}") from None


def load_definitions(paths: Iterable[Path], published: Iterable[Definition] = ()) -> list[Loaded]:
    """Every definition; they may refer to each other and to what is ``published``.

    Raises ``BadInput`` with the problems of all the files at once.
    """
    texts: dict[str, bytes] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            text = read_file(path)
            if other := _KIND.search(text):
                what, mend = _KINDS[other[1]]
                problems.append(Problem(f"{path}:1:1", f"this is {what} and no definition", mend))
            else:
                texts[str(path)] = text
        except BadInput as error:
            problems.extend(error.problems)
    try:
        definitions = loading.load_definitions(texts, published)
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


def in_force(home: Home) -> list[Definition]:
    """The newest published definition of every workflow."""
    bodies = {row["name"]: row["body"] for row in all_published(home.views)}
    return [Definition.from_body(body) for body in bodies.values()]


def newest(service: Service, workflow: str) -> Definition | None:
    """The newest published definition of a workflow, if there is one."""
    try:
        return service.catalog.newest(workflow).workflow.definition
    except NotFound:
        return None
