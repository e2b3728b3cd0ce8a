"""What a file says, as a model, or every problem with it in plain words at its line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.errors import BadInput, Problem
from engine.grammar import NOTHING
from engine.source import Source, escape

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], source: Source) -> M:
    """The source as a ``model``.

    Raises ``BadInput`` with the ``file:line:column`` of everything that does not fit.
    """
    try:
        return model.model_validate(source.value)
    except ValidationError as error:
        complaints = _Complaints(source, model.model_json_schema())
        raise BadInput(complaints.about(error.errors(include_url=False))) from None


def explain(model: type[BaseModel], data: Any, error: ValidationError) -> BadInput:
    """What keeps plain ``data`` from being a ``model``, each problem at its JSON pointer."""
    marks = {pointer: (1, place) for place, pointer in enumerate(_pointers(data))}
    complaints = _Complaints(_Data("", data, marks, {}), model.model_json_schema())
    return BadInput(complaints.about(error.errors(include_url=False)))


def suggest(word: str, known: Iterable[str]) -> str:
    """How to mend a word that is not among those known: the nearest one, or all of them."""
    known = list(known)
    near = get_close_matches(word, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there is {', '.join(known)}" if known else "there is none yet"


_KINDS = {
    NOTHING: ("something", "write something there, or leave it out"),
    "string_type": ("text", "put it into quotes"),
    "int_type": ("a whole number", "write it like 3, without quotes"),
    "float_type": ("a number", "write it like 82 or 82.5, without quotes"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "list_type": ("a list", "write it like [one, another]"),
    "dict_type": ("a map", "write it like {key: value}"),
    "tuple_type": ("a list", "write it like [one, another]"),
    "model_type": ("a map", "write it like {key: value}"),
    "dataclass_type": ("a map", "write it like {key: value}"),
}
"""Complaints about the wrong kind of thing: what is needed, and how it is written."""


class _Data(Source):
    """What no file says: places in it are told as JSON pointers."""

    def where(self, pointer: str) -> str:
        return pointer

    def where_key(self, pointer: str) -> str:
        return pointer


def _pointers(data: Any, at: str = "") -> Iterator[str]:
    """The JSON pointers of data and of everything in it, in order."""
    yield at
    inside = data.items() if isinstance(data, dict) else ()
    for step, value in enumerate(data) if isinstance(data, list) else inside:
        yield from _pointers(value, f"{at}/{escape(str(step))}")


class _Complaints:
    """pydantic's errors, told with the words of the file and of the grammar's JSON Schema."""

    def __init__(self, source: Source, schema: dict[str, Any]) -> None:
        self._source = source
        self._schema = schema
        self._mends = dict(_pattern_mends(schema))

    def about(self, errors: Iterable[ErrorDetails]) -> Iterator[Problem]:
        by_place: dict[str, list[ErrorDetails]] = {}
        for error in self._fitting(list(errors)):
            by_place.setdefault(self._place(error["loc"]), []).append(error)
        places = sorted(by_place, key=self._source.marks.__getitem__)
        for place in places:
            here = by_place[place]
            # Of alternatives at one place, those that are not even of the right kind are noise.
            closer = [error for error in here if error["type"] not in _KINDS]
            if closer:
                told = (
                    p for error in self._meant(closer, place) for p in self._explain(error, place)
                )
                yield from dict.fromkeys(told)
            elif not any(deeper.startswith(f"{place}/") for deeper in places):
                yield self._wrong_kind(here, place)

    def _fitting(self, errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
        """Without those of alternatives that do not know the keys which are there, if another does.

        Of ``{authority: {category: funding}}`` it is told what the authority lacks, and not that a
        person would have no ``authority``.
        """
        strange = {error["loc"][:-1] for error in errors if error["type"] == "extra_forbidden"}
        tried = {error["loc"][:depth] for error in errors for depth in range(1, len(error["loc"]))}
        fit = {one[:-1] for one in tried - strange if self._is_alternative(one)}
        unfit = {one for one in strange if self._is_alternative(one) and one[:-1] in fit}
        for error in errors:
            if not any(error["loc"][: len(one)] == one for one in unfit):
                yield error

    def _is_alternative(self, location: tuple[int | str, ...]) -> bool:
        """Whether the last step is none in the file, but the name of an alternative."""
        return self._place(location) == self._place(location[:-1])

    def _meant(self, errors: list[ErrorDetails], place: str) -> list[ErrorDetails]:
        """Without what alternatives miss that are not the one whose key is there, misspelled."""
        missing = [error for error in errors if error["type"] == "missing"]
        meant = {
            error["loc"][:-1]
            for error in missing
            if self._is_misspelled(str(error["loc"][-1]), place, error["input"])
        }
        if not meant:
            return errors
        return [e for e in errors if e["type"] != "missing" or e["loc"][:-1] in meant]

    def _place(self, location: tuple[int | str, ...]) -> str:
        """A JSON pointer. Steps that are not in the file name alternatives of the grammar."""
        place = ""
        for step in location:
            deeper = f"{place}/{escape(str(step))}"
            if deeper in self._source.marks:
                place = deeper
        return place

    def _explain(self, error: ErrorDetails, place: str) -> Iterator[Problem]:
        where, what, mend = self._source.where(place), error["msg"], ""
        given, context = error["input"], error.get("ctx", {})
        match error["type"]:
            case "missing":
                key = str(error["loc"][-1])
                if self._is_misspelled(key, place, given):
                    return
                what, mend = f"the key {key!r} is missing", f"add {key!r}"
            case "extra_forbidden":
                parent, _, key = place.rpartition("/")
                where = self._source.where_key(place)
                what, mend = f"there is no key {key!r} here", suggest(key, self._keys(parent))
                if given is None and "did you mean" not in mend:
                    # What follows a comma in braces reads as a key.
                    quotes = "put the text before it into quotes: in braces a comma ends it"
                    mend = quotes if " " in key else f"{mend}; or {quotes}"
            case "string_pattern_mismatch":
                if error["loc"][-1] == "[key]":
                    where = self._source.where_key(place)
                what = f"{_quote(given)} cannot stand here"
                mend = self._mends.get(context["pattern"], "")
            case "literal_error":
                what = f"{_quote(str(given))} cannot stand here"
                mend = suggest(str(given), re.findall("'([^']*)'", context["expected"]))
            case "string_too_long":
                what, mend = f"has more than {context['max_length']:,} characters", "shorten it"
            case "string_too_short" | "too_short":
                what, mend = "is empty", "it needs at least one"
            case "greater_than_equal":
                what, mend = f"{given} is too small", f"from {context['ge']} on is possible"
            case "less_than_equal":
                what, mend = f"{given} is too large", f"up to {context['le']:,} is possible"
            case "value_error":
                what = str(context["error"])
        yield Problem(where, what, mend)

    def _is_misspelled(self, key: str, place: str, given: dict[str, Any]) -> bool:
        """Whether the missing key is there, in other letters, and complained about as such."""
        known = self._keys(place)
        strangers = [stranger for stranger in given if stranger not in known]
        return any(get_close_matches(stranger, known, n=1) == [key] for stranger in strangers)

    def _wrong_kind(self, errors: list[ErrorDetails], place: str) -> Problem:
        given = errors[0]["input"]
        kinds, mends = zip(*(_KINDS[error["type"]] for error in errors), strict=True)
        what = f"{_kind(given)} where {' or '.join(dict.fromkeys(kinds))} is needed"
        mend = mends[0]
        if given is None:
            mend = "write something there, or leave it out"
        elif errors[0]["type"] == "string_type":
            mend = self._as_text(given, place) or mend
        return Problem(self._source.where(place), what, mend)

    def _as_text(self, given: Any, place: str) -> str:
        """How to mend what is no text where some is needed; empty where it lacks but quotes."""
        inside = isinstance(given, (list, dict))
        for node in self._nodes(place):
            if told := node.get("patternErrorMessage"):
                is_number = not inside and not isinstance(given, bool)
                if is_number and re.search(node.get("pattern", "$^"), str(given)):
                    return ""
                return f"one only: {told}" if isinstance(given, list) else str(told)
        return "write one text, and in quotes if brackets are part of it" if inside else ""

    def _keys(self, place: str) -> list[str]:
        """The keys that the map at a place may have."""
        nodes = self._nodes(place)
        return list(dict.fromkeys(key for node in nodes for key in node.get("properties", ())))

    def _nodes(self, place: str) -> list[dict[str, Any]]:
        """What the schema says of a place, every alternative of it."""
        nodes = list(self._alternatives(self._schema))
        for step in place.split("/")[1:]:
            nodes = [
                alternative
                for node in nodes
                for below in _below(node, step)
                for alternative in self._alternatives(below)
            ]
        return nodes

    def _alternatives(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "$ref" in node:
            node = self._schema["$defs"][node["$ref"].rpartition("/")[2]]
        yield node
        for alternative in node.get("anyOf", ()):
            yield from self._alternatives(alternative)


def _below(node: dict[str, Any], step: str) -> Iterator[dict[str, Any]]:
    """The schemas of what stands under a key or in a list."""
    if step in node.get("properties", ()):
        yield node["properties"][step]
    yield from node.get("patternProperties", {}).values()
    if isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"]
    if "items" in node:
        yield node["items"]


def _pattern_mends(node: Any) -> Iterator[tuple[str, str]]:
    """Every pattern in a schema that says what to write."""
    if isinstance(node, dict):
        if "pattern" in node and "patternErrorMessage" in node:
            yield node["pattern"], node["patternErrorMessage"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _pattern_mends(item)


def _kind(given: Any) -> str:
    if isinstance(given, str):
        return f"the text {_quote(given)}"
    names = {bool: "true or false", dict: "a map", list: "a list", type(None): "nothing"}
    return names.get(type(given), f"the number {given}")


def _quote(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
