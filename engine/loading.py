"""From the text of a definition to a definition that can work, or everything that is wrong with it.

Pure: the text is handed in; whoever calls reads the file.
"""

from __future__ import annotations

from engine.definition import Definition
from engine.validation import validate
from engine.yaml_source import read_yaml


def load_definition(text: str | bytes, file: str) -> Definition:
    """The definition in ``text``; ``file`` is the name that problems are reported under.

    Raises ``BadInput`` with every problem of grammar and of sense, each with ``file:line:column``
    and how to mend it.
    """
    return validate(Definition, read_yaml(text, file))
