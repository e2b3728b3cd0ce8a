"""The linter's rules about definitions that refer to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from re import findall

from engine.definition import Definition
from engine.errors import Problem
from engine.lint_data import choices, impossible_words, steps
from engine.validation import suggest


def lint_together(
    definitions: Mapping[str, Definition], published: Iterable[Definition]
) -> Iterator[tuple[str, Problem]]:
    """What keeps definitions, by file name, from working together or with those published."""
    files: dict[str, str] = {}
    for file, definition in definitions.items():
        first = files.setdefault(definition.workflow, file)
        if first != file:
            what = f"{definition.workflow} is defined in {first} already"
            yield file, Problem("/workflow", what, "keep one of the two, or rename it")
    known = {definition.workflow: definition for definition in (*published, *definitions.values())}
    for file, definition in definitions.items():
        for problem in _references(definition, known):
            yield file, problem


def _references(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    for name, field in definition.data.items():
        if field.to is None:
            continue
        if field.to not in known:
            what = f"there is no workflow {field.to!r}"
            yield Problem(f"/data/{name}/to", what, suggest(field.to, known))
        elif field.type == "ref":
            yield from _conditions_about(name, known[field.to], definition)


def _conditions_about(ref: str, other: Definition, definition: Definition) -> Iterator[Problem]:
    vocabulary = {f"{ref}.state": tuple(other.states), **choices(other, f"{ref}.data")}
    for at, step in steps(definition):
        for i, check in enumerate(step.when):
            pointer = f"{at}/when/{i}/check"
            for field in findall(rf"(?<![\w.]){ref}\.data\.(\w+)", check.check):
                if field not in other.data:
                    what = f"{other.workflow} has no field {field!r}"
                    yield Problem(pointer, what, suggest(field, other.data))
            yield from impossible_words(check.check, pointer, vocabulary)
