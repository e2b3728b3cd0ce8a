"""What a definition is compared with: what a home has published, or files kept from before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.contracts.changes import Change, changes, unfounded
from app.definitions import Loaded, ever_published, find_definitions, in_force, read_file
from app.home import Home
from app.places import Address, is_database, place_of
from engine.catalog import succeeds
from engine.definition import Definition
from engine.errors import BadInput, Problem
from engine.loading import load_definition
from engine.yaml_source import read_yaml


@dataclass(frozen=True, slots=True)
class Compared:
    """A definition beside the one it follows."""

    old: Definition
    new: Definition
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    """What keeps it from being published: breaks it does not own up to, and the like."""


def read_definitions(address: Address) -> list[Loaded]:
    """The definitions in a file, in a folder of files, or in force in a home.

    Each is looked at by itself: what it refers to need not be there. Raises ``BadInput``.
    """
    if is_database(address) or place_of(address).exists():
        with Home.open(address) as home:
            return [Loaded(Path(str(home)), "", definition) for definition in in_force(home)]
    files = [(path, read_file(path)) for path in find_definitions([Path(address)])]
    if not files:
        raise BadInput.one(str(address), "there are no definitions here", "name a file or a home")
    return [
        Loaded(path, text.decode("utf-8-sig"), load_definition(text, str(path)))
        for path, text in files
    ]


def read_versions(address: Address) -> list[Definition]:
    """Every version that was published in a home, the newest of a workflow last; else as
    ``read_definitions``."""
    if is_database(address) or place_of(address).exists():
        with Home.open(address) as home:
            return ever_published(home)
    return [one.definition for one in read_definitions(address)]


def compare(loaded: Iterable[Loaded], old: Iterable[Definition]) -> Iterator[Compared]:
    """Each definition beside the newest ``old`` one of its name, where there is one and it says
    something else."""
    for one, earlier in _side_by_side(loaded, old):
        found = changes(earlier[-1], one.definition)
        problems = _problems(one, earlier, found)
        yield Compared(earlier[-1], one.definition, tuple(found), tuple(problems))


def require_successors(loaded: Iterable[Loaded], old: Iterable[Definition]) -> None:
    """Raises ``BadInput`` with all that keeps definitions from following those that were published,
    so that none is published where one cannot be."""
    if problems := [
        problem
        for one, earlier in _side_by_side(loaded, old)
        for problem in _located(succeeds(one.definition, earlier), one)
    ]:
        raise BadInput(problems)


def _side_by_side(
    loaded: Iterable[Loaded], old: Iterable[Definition]
) -> Iterator[tuple[Loaded, list[Definition]]]:
    known: dict[str, list[Definition]] = {}
    for definition in old:
        known.setdefault(definition.workflow, []).append(definition)
    for one in loaded:
        earlier = known.get(one.definition.workflow)
        if earlier and earlier[-1].hash != one.definition.hash:
            yield one, earlier


def _problems(one: Loaded, earlier: Sequence[Definition], found: list[Change]) -> Iterator[Problem]:
    new, old = one.definition, earlier[-1]
    told = [*succeeds(new, earlier)]
    said = {problem.where for problem in told}
    for change in found:
        # What cannot be published at all is told once, as that.
        if change.breaking and not change.excused and not _within(change.at, said):
            mend = f"take it back, or say why under breaks: {{{change.subject}: ...}}"
            what = f"{change} (since version {old.version}): this breaks subscribers"
            told.append(Problem(change.at, what, mend))
    for subject in unfounded(found, new):
        what = f"{subject} is not broken by anything since version {old.version}"
        told.append(Problem(f"/breaks/{subject}", what, "leave it out"))
    return _located(told, one)


def _within(pointer: str, places: set[str]) -> bool:
    return any(pointer == place or pointer.startswith(f"{place}/") for place in places)


def _located(problems: list[Problem], one: Loaded) -> Iterator[Problem]:
    """At file, line and column where there is a file; else under the name of the workflow."""
    if not one.text:
        named = f"{one.path}: {one.definition.workflow} {one.definition.version}"
        return (Problem(f"{named}: {p.where}", p.what, p.mend) for p in problems)
    source = read_yaml(one.text, str(one.path))
    problems.sort(key=lambda problem: source.mark(problem.where))
    return (Problem(source.where(p.where), p.what, p.mend) for p in problems)
