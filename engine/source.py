"""What a file says, and where.

Apart from ``engine.yaml_source``, so that who checks the words of a command line does not wait for
a reader of YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Mark = tuple[int, int]
"""Line and column, both counted from 1."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a file says (``value``: dicts, lists, text, integers, booleans, ``None``), and where."""

    file: str
    value: Any
    marks: dict[str, Mark]
    key_marks: dict[str, Mark]

    def where(self, pointer: str) -> str:
        """``file:line:column`` of what a JSON pointer (RFC 6901) names; see ``mark``."""
        return self._spell(self.mark(pointer))

    def where_key(self, pointer: str) -> str:
        """``file:line:column`` of the key under which the value stands."""
        found = self._found(pointer)
        return self._spell(self.key_marks.get(found, self.marks[found]))

    def mark(self, pointer: str) -> Mark:
        """Where it stands: text and numbers at their start, a map or a list at its key.

        What is not there is found at the nearest thing around it that is, so that a lone value may
        also be named as a list of one.
        """
        return self.marks[self._found(pointer)]

    def _found(self, pointer: str) -> str:
        found = ""
        for part in pointer.split("/")[1:]:
            longer = f"{found}/{part}"
            if longer in self.marks:
                found = longer
            elif part != "0":
                break
        return found

    def _spell(self, mark: Mark) -> str:
        return f"{self.file}:{mark[0]}:{mark[1]}"


def escape(part: str) -> str:
    """One step of a JSON pointer."""
    return part.replace("~", "~0").replace("/", "~1")
