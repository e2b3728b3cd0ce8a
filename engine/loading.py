"""From the text of definitions to definitions that can work, or everything that is wrong with them.

Pure: the text is handed in; whoever calls reads the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from engine.definition import Definition
from engine.errors import BadInput, Problem
from engine.lint.references import lint_together
from engine.lint.rules import lint
from engine.source import Source
from engine.validation import validate
from engine.yaml_source import read_yaml


def load_definition(text: str | bytes, file: str) -> Definition:
    """The definition in ``text``; ``file`` is the name that problems are reported under.

    Raises ``BadInput`` with every problem of grammar and of sense, each with ``file:line:column``
    and how to mend it. What other workflows it refers to is not looked at.
    """
    return _load(text, file)[0]


def load_definitions(
    texts: Mapping[str, str | bytes],
    published: Iterable[Definition] = (),
    running: Iterable[Definition] = (),
) -> dict[str, Definition]:
    """The definitions in several files (name to text), which may refer to each other.

    They may refer to what is ``published`` as well; ``running`` are the versions by which cases
    still go on. Raises ``BadInput`` with the problems of all.
    """
    loaded: dict[str, Definition] = {}
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    for file, text in texts.items():
        try:
            loaded[file], sources[file] = _load(text, file)
        except BadInput as error:
            problems.extend(error.problems)
    if not problems:
        for file, problem in lint_together(loaded, published, running):
            problems.extend(_located([problem], sources[file]))
    if problems:
        raise BadInput(problems)
    return loaded


def _load(text: str | bytes, file: str) -> tuple[Definition, Source]:
    source = read_yaml(text, file)
    definition = validate(Definition, source)
    if problems := lint(definition):
        raise BadInput(_located(problems, source))
    return definition, source


def _located(problems: Iterable[Problem], source: Source) -> Iterator[Problem]:
    """The problems at lines and columns instead of JSON pointers, in the order of the file."""
    in_order = sorted(problems, key=lambda problem: source.mark(problem.where))
    return (replace(problem, where=source.where(problem.where)) for problem in in_order)
