"""The linter's rules about definitions that refer to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from engine.cel_reader import read_expression
from engine.cel_types import Type
from engine.cel_values import variable_types
from engine.definition import Definition
from engine.errors import Problem
from engine.lint_data import steps
from engine.lint_reactions import lint_loops, lint_targets
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
        for rule in (_references, _conditions, lint_targets, lint_loops):
            for problem in rule(definition, known):
                yield file, problem


def _references(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    for name, field in definition.data.items():
        if field.to is not None and field.to not in known:
            what = f"there is no workflow {field.to!r}"
            yield Problem(f"/data/{name}/to", what, suggest(field.to, known))


def _conditions(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    """What conditions say of other cases, now that their fields and states are known."""
    variables = variable_types(definition)
    for name, field in definition.data.items():
        if field.type == "ref" and (other := known.get(field.to or "")):
            variables[name] = _case_of(other, variables[name])
    for at, step in steps(definition):
        for i, check in enumerate(step.when):
            yield from read_expression(check.check, variables, f"{at}/when/{i}/check").problems
    for i, reaction in enumerate(definition.reactions):
        if reaction.where is not None:
            yield from read_expression(reaction.where, variables, f"/reactions/{i}/where").problems


def _case_of(definition: Definition, case: Type) -> Type:
    held = variable_types(definition)
    return replace(
        case, members={**(case.members or {}), "state": held["state"], "data": held["data"]}
    )
