"""The linter's rules about definitions that refer to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from engine.cel.reader import read_expression
from engine.cel.types import Type
from engine.cel.values import variable_types
from engine.definition import Definition
from engine.errors import Problem
from engine.lint.data import asked, no_such_workflow
from engine.lint.reactions import lint_loops, lint_sources, lint_targets
from engine.step import Children
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
    before = {definition.workflow: definition for definition in published}
    known = before | {definition.workflow: definition for definition in definitions.values()}
    before = {name: one for name, one in before.items() if known[name] is one}
    for file, definition in definitions.items():
        for rule in (
            *(_references, _conditions, _children, _corrections),
            *(lint_targets, lint_sources, lint_loops),
        ):
            for problem in rule(definition, known):
                yield file, problem
        for problem in _corrected_there(definition, before):
            yield file, problem


def _references(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    for name, field in definition.data.items():
        if field.to is not None and field.to not in known:
            yield no_such_workflow(f"/data/{name}/to", field.to, definition, known)


def _conditions(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    """What conditions say of other cases, now that their fields and states are known."""
    variables = variable_types(definition)
    for name, field in definition.data.items():
        if field.type == "ref" and (other := known.get(field.to or "")):
            variables[name] = _case_of(other, variables[name])
    for at, check in _checks(definition):
        yield from read_expression(check, variables, at).problems


def _children(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    """What is asked of children, now that their workflow is known."""
    for at, said in asked(definition):
        for i, wanted in enumerate(said.children):
            here, child = f"{at}/children/{i}", known.get(wanted.workflow)
            if child is None:
                yield no_such_workflow(f"{here}/workflow", wanted.workflow, definition, known)
            else:
                yield from _child(here, wanted, child, definition)


def _child(at: str, wanted: Children, child: Definition, of: Definition) -> Iterator[Problem]:
    parent = of.workflow
    if not any(field.parent and field.to == parent for field in child.data.values()):
        yield Problem(
            f"{at}/workflow",
            f"no case of {child.workflow} can name a case of {parent} as its parent",
            f"give {child.workflow} a field {{type: ref, to: {parent}, parent: true}}",
        )
    for i, state in enumerate(wanted.inside):
        if state not in child.states:
            what = f"{child.workflow} has no state {state!r}"
            yield Problem(f"{at}/in/{i}", what, suggest(state, child.states))
    for name, value in wanted.where.items():
        field = child.data.get(name)
        if field is None:
            what = f"{child.workflow} has no field {name!r}"
            yield Problem(f"{at}/where/{name}", what, suggest(name, child.data))
        elif value.startswith("data."):
            if (ours := value.removeprefix("data.")) not in of.data:
                yield Problem(
                    f"{at}/where/{name}", f"there is no field {ours!r}", suggest(ours, of.data)
                )
        elif field.type == "choice" and value not in field.of:
            what = f"{name} of {child.workflow} is never {value!r}"
            yield Problem(f"{at}/where/{name}", what, suggest(value, field.of))


def _corrections(definition: Definition, known: Mapping[str, Definition]) -> Iterator[Problem]:
    """No other workflow may go by what is corrected here: a slip must change no answer there."""
    corrected = _corrected(definition)
    rests = {
        name: other.workflow
        for other in known.values()
        if corrected
        for _, name in _goes_by(other, definition.workflow)
    }
    for number, rule in enumerate(definition.transitions):
        for i, name in enumerate(rule.corrects):
            if name in rests:
                what = f"{name} is no clerical matter: {rests[name]} goes by it"
                mend = "leave it out; it is changed by a step of its own"
                yield Problem(f"/transitions/{number}/corrects/{i}", what, mend)


def _corrected_there(
    definition: Definition, published: Mapping[str, Definition]
) -> Iterator[Problem]:
    """Nor may this one go by what is corrected in a workflow that is published already."""
    for other in published.values():
        corrected = _corrected(other)
        for at, name in _goes_by(definition, other.workflow) if corrected else ():
            if name in corrected:
                what = f"{name} of {other.workflow} is corrected as a clerical matter"
                mend = f"publish with it a {other.workflow} that does not correct {name}"
                yield Problem(at, what, mend)


def _corrected(definition: Definition) -> set[str]:
    return {name for rule in definition.transitions for name in rule.corrects}


def _goes_by(definition: Definition, workflow: str) -> Iterator[tuple[str, str]]:
    """Where it goes by which field of another workflow's cases."""
    refs = [name for name, field in definition.data.items() if field.to == workflow]
    for at, check in _checks(definition) if refs else ():
        for look in read_expression(check, variable_types(definition)).looks:
            if look.path[0] in refs and look.path[1:2] == ("data",):
                yield at, look.path[2]
    for at, said in asked(definition):
        for i, one in enumerate(said.children):
            if one.workflow == workflow:
                yield from ((f"{at}/children/{i}/where/{name}", name) for name in one.where)
    for i, reaction in enumerate(definition.reactions):
        if reaction.do.each == workflow:
            at = f"/reactions/{i}/do/where"
            yield from ((f"{at}/{name}", name) for name in reaction.do.where)


def _checks(definition: Definition) -> Iterator[tuple[str, str]]:
    """Every condition, and where it is."""
    for at, said in asked(definition):
        yield from ((f"{at}/when/{i}/check", one.check) for i, one in enumerate(said.when))
    for i, reaction in enumerate(definition.reactions):
        if reaction.where is not None:
            yield f"/reactions/{i}/where", reaction.where


def _case_of(definition: Definition, case: Type) -> Type:
    held = variable_types(definition)
    return replace(
        case, members={**(case.members or {}), "state": held["state"], "data": held["data"]}
    )
