"""YAML with its lines and columns; the one home of ``ruamel.yaml``.

YAML 1.2 meaning, cut down to what JSON can say and a person reads the same way twice: ``on``,
``no``, ``2026-12-31``, ``1.10`` and ``007`` are text; ``true``, ``false``, ``null`` and plain
integers are typed. Decimals stay text, so that no digit is lost before somebody knows what it is
for. Anchors, aliases, tags and duplicate keys are refused: a file of rules says what it means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from engine.errors import BadInput, Problem
from engine.source import Mark, Source, escape

LARGEST_FILE = 250_000
"""In bytes. A definition with 500 states has a third of that; the densest such file takes 2 s."""

DEEPEST = 20
"""Maps and lists within each other."""

MOST_PROBLEMS = 50
"""After so many we stop looking: nobody mends more at a time."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOTHING = ("", "~", "null", "Null", "NULL")


def read_yaml(text: str | bytes, file: str) -> Source:
    """The one document in ``text``. ``file`` is the name that problems are reported under.

    Raises ``BadInput`` with the ``file:line:column`` of everything that is wrong with it.
    """
    decoded = _decode(text, file)
    tree = _Tree(file)
    try:
        # Every event is looked at as it is parsed: what is too deep is never read to its end.
        for event in YAML(typ="safe", pure=True).parse(decoded):
            tree.take(event)
    except MarkedYAMLError as error:
        tree.problems.append(_not_yaml(error, file))
    except (YAMLError, ValueError, OverflowError) as error:
        line, column = tree.reached
        what = f"after this something is not YAML: {error}"
        tree.problems.append(Problem(f"{file}:{line}:{column}", what))
    if tree.problems:
        raise BadInput(tree.problems)
    if tree.value is None:
        raise BadInput.one(f"{file}:1:1", "there is nothing in it", "it needs at least one key")
    return Source(file, tree.value, tree.marks, tree.key_marks)


def _decode(text: str | bytes, file: str) -> str:
    if len(text) > LARGEST_FILE:
        unit = "bytes" if isinstance(text, bytes) else "characters"
        what = f"has more than {LARGEST_FILE:,} {unit}"
        raise BadInput.one(f"{file}:1:1", what, "split it")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            data, at = error.object, error.start
            line, column = data.count(b"\n", 0, at) + 1, at - data.rfind(b"\n", 0, at)
            raise BadInput.one(
                f"{file}:{line}:{column}",
                f"byte {at} (0x{data[at]:02x}) is not UTF-8",
                "save the file as UTF-8",
            ) from None
    text = text.removeprefix("\ufeff")
    if match := _CONTROL.search(text):
        at = match.start()
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise BadInput.one(
            f"{file}:{line}:{column}",
            f"there is a control character (U+{ord(match[0]):04X})",
            "remove it",
        )
    return text


@dataclass(slots=True)
class _Open:
    """A map or list that is being read; ``key`` is the map's key that waits for its value."""

    pointer: str
    value: dict[str, Any] | list[Any]
    key: str | None = None


class _Tree:
    """Builds the value from the parser's events, remembering where each part of it stands."""

    def __init__(self, file: str) -> None:
        self.value: Any = None
        self.marks: dict[str, Mark] = {"": (1, 1)}
        self.key_marks: dict[str, Mark] = {}
        self.problems: list[Problem] = []
        self.reached: Mark = (1, 1)
        self._file = file
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        self.reached = _mark(event.start_mark)
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._stop(event, "there is more than one document", "one file, one document")
            case yaml.AliasEvent():
                if self._wants_key():
                    self._stop(event, "an alias cannot be a key", "write it out")
                self._complain(event, f"*{event.anchor} is an alias", "write it out")
                self._add(event, None)
            case yaml.ScalarEvent():
                self._check_plainness(event)
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._begin(event, {})
            case yaml.SequenceStartEvent():
                self._begin(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()

    def _begin(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        self._check_plainness(event)
        if self._wants_key():
            self._stop(event, "a map or a list cannot be a key", "use text")
        if len(self._open) == DEEPEST:
            self._stop(event, f"more than {DEEPEST} maps and lists within each other", "flatten it")
        self._open.append(_Open(self._add(event, value), value))

    def _scalar(self, event: Any) -> None:
        if found := _CONTROL.search(event.value):
            what = f"spells a control character (U+{ord(found[0]):04X})"
            self._complain(event, what, "remove it")
        value = event.value if event.style else _resolve(event.value)
        if not self._wants_key():
            self._add(event, value)
        elif isinstance(value, str):
            self._open[-1].key = value
            self._key(event, self._open[-1])
        elif event.value:
            self._stop(event, f"the key {event.value} is not text", f'write "{event.value}"')
        else:
            self._stop(event, "there is a ':' without a key before it", "name the key")

    def _key(self, event: Any, parent: _Open) -> None:
        pointer = f"{parent.pointer}/{escape(event.value)}"
        if event.value == "<<" and not event.style:
            self._complain(event, "<< merges another map into this one", "write it out")
        if pointer in self.key_marks:
            line, column = self.key_marks[pointer]
            self._complain(
                event,
                f"the key {event.value!r} is already there, in line {line}, column {column}",
                "keep one of the two",
            )
        else:
            self.key_marks[pointer] = _mark(event.start_mark)

    def _add(self, event: Any, value: Any) -> str:
        """Put the value where it belongs; its pointer."""
        mark = _mark(event.start_mark)
        if not self._open:
            self.value = value
            return ""
        parent = self._open[-1]
        if isinstance(parent.value, list):
            pointer = f"{parent.pointer}/{len(parent.value)}"
            parent.value.append(value)
        else:
            assert parent.key is not None
            pointer = f"{parent.pointer}/{escape(parent.key)}"
            parent.value[parent.key] = value
            parent.key = None
            if value is None or isinstance(value, (dict, list)):
                mark = self.key_marks[pointer]
        self.marks[pointer] = mark
        return pointer

    def _wants_key(self) -> bool:
        parent = self._open[-1] if self._open else None
        return parent is not None and isinstance(parent.value, dict) and parent.key is None

    def _check_plainness(self, event: Any) -> None:
        if event.anchor is not None:
            what = f"&{event.anchor} is an anchor"
            self._complain(event, what, "write it out where it is needed")
        if event.tag is not None:
            self._complain(event, f"{event.tag} is a tag", "leave it out; put text into quotes")

    def _complain(self, event: Any, what: str, mend: str) -> None:
        line, column = _mark(event.start_mark)
        self.problems.append(Problem(f"{self._file}:{line}:{column}", what, mend))
        if len(self.problems) == MOST_PROBLEMS:
            raise BadInput(self.problems)

    def _stop(self, event: Any, what: str, mend: str) -> None:
        self._complain(event, what, mend)
        raise BadInput(self.problems)


def _mark(mark: Any) -> Mark:
    return mark.line + 1, mark.column + 1


def _resolve(plain: str) -> Any:
    """What text without quotes stands for."""
    if plain in _NOTHING:
        return None
    if _INTEGER.fullmatch(plain):
        return int(plain)
    return _WORDS.get(plain, plain)


_MENDS = (
    ("'\\t'", "indent with spaces, not with tabs"),
    ("cannot start any token", "put the text into quotes"),
    ("mapping values are not allowed", "put text that holds ': ' into quotes, or mend the indent"),
    ("could not find expected ':'", "a key needs ': ' after it, on its line"),
    ("<block end>", "what belongs together starts in the same column"),
    ("end of stream", "close the quotes"),
    ("document separator", "close the quotes"),
    ("got ':'", "put text that holds ': ' into quotes, or close the bracket before"),
    ("expected ','", "close the bracket, and put commas between what it holds"),
    ("escape", "write a backslash twice, or use single quotes"),
)


def _not_yaml(error: MarkedYAMLError, file: str) -> Problem:
    said = str(error.problem or error.context)
    # Quotes that are not closed are noticed at the end of the file, and mended where they open.
    # A key without its ':' is noticed in the line after it.
    noticed_late = "quoted" in str(error.context) or "could not find expected ':'" in said
    opened = error.context_mark if noticed_late else None
    line, column = _mark(opened or error.problem_mark or error.context_mark)
    mend = next((mend for words, mend in _MENDS if words in said), "")
    return Problem(f"{file}:{line}:{column}", f"is not YAML: {said}", mend)
