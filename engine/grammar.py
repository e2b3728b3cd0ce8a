"""What definitions are made of: names, periods, lists, and maps that have a short form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic import Field as Constrained
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")

NOTHING = "nothing_type"
"""The kind of pydantic's error about a key with nothing after it."""


class Grammar(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Lone:
    """One thing may be written without the brackets of a list."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        listed = handler(schema["schema"])
        return {"anyOf": [listed["items"], listed]}


@dataclass(frozen=True, slots=True)
class Said:
    """What may be left out, key and all. A key with nothing after it is a slip, and what it was to
    ask for must not go unasked."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_something, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        whole = handler(schema["schema"])
        said = [one for one in whole.get("anyOf", ()) if one != {"type": "null"}]
        return said[0] if len(said) == 1 else whole | ({"anyOf": said} if said else {})


@dataclass(frozen=True, slots=True)
class Short:
    """A map may be written as nothing but the text of its chief key, or as nothing at all."""

    key: str | None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._spell_out, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        whole = handler(schema["schema"])
        if self.key is None:
            return {"anyOf": [{"type": "null"}, whole]}
        return {"anyOf": [handler.resolve_ref_schema(whole)["properties"][self.key], whole]}

    def _spell_out(self, value: Any) -> Any:
        if self.key is None:
            return {} if value is None else value
        return {self.key: value} if isinstance(value, str) else value


def _something(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError(NOTHING, "there is nothing")
    return value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


def _as_number(value: Any) -> Any:
    """Decimals arrive as text: YAML is read without deciding what they are for."""
    return float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


def _mend(words: str) -> Any:
    """What to tell, here and in an editor, somebody whose text does not match the pattern."""
    return Constrained(json_schema_extra={"patternErrorMessage": words})


_DECIMAL = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,15}")

Listed = Annotated[list[T], Lone()]
Maybe = Annotated[T | None, Said()]
Number = Annotated[float, BeforeValidator(_as_number, json_schema_input_type=float)]
WorkflowName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40),
    _mend("use small letters, digits and single dashes, like change-control"),
]
Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40),
    _mend("use small letters, digits and underscores, like whole_life_cost"),
]
Word = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_\-]*$", max_length=60),
    _mend("use small letters, digits, underscores and dashes, like in_review"),
]
DomainName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=80),
    _mend("use words that start with a capital, run together, like DecisionTaken"),
]
KeyPattern = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.\-]|\{[a-z][a-z0-9_]*\})*$", max_length=80
    ),
    _mend("start with a letter or digit, and put data fields into braces: DEC or PLAN-{unit}"),
]
Currency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    _mend("use the three letters of ISO 4217, like GBP"),
]
Percent = Annotated[
    str,
    StringConstraints(pattern=r"^[1-9][0-9]{0,2}%$"),
    _mend("write a whole percentage, like 80%"),
]
Period = Annotated[
    str,
    StringConstraints(
        pattern=r"^[1-9][0-9]{0,3} (hours?|days?|working days?|weeks?|months?|years?)$"
    ),
    _mend(
        "write a count and a unit, like 4 hours, 90 days, 10 working days, 6 months or 1 year, and "
        "9999 of them at most"
    ),
]
DataPath = Annotated[
    str,
    StringConstraints(pattern=r"^data\.[a-z][a-z0-9_]*$", max_length=50),
    _mend("name a field of the case, like data.unit"),
]
Named = Annotated[
    str,
    StringConstraints(
        pattern=r"^(data\.[a-z][a-z0-9_]*|[A-Za-z0-9][A-Za-z0-9_\-]*)$", max_length=60
    ),
    _mend("write a name, like investment-board, or a field that holds it, like data.board"),
]
CalendarNamed = Annotated[
    str,
    StringConstraints(
        pattern=r"^(data\.[a-z][a-z0-9_]*|[A-Za-z0-9][A-Za-z0-9_\-]*)( or usual)?$", max_length=69
    ),
    _mend(
        "write a name, like standard, or a field that holds it, like data.calendar; where there "
        "may be none in force: standard or usual"
    ),
]
Condition = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2_000),
    _mend("write a condition, like data.amount > 100"),
]
Expression = Annotated[str, StringConstraints(max_length=2_000)]

_BROKEN = r"^([A-Z][A-Za-z0-9]*|data\.[a-z][a-z0-9_]*)$"
Breaks = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=_BROKEN, max_length=80)],
        Annotated[str, StringConstraints(min_length=1, max_length=2_000)],
    ],
    # The schema of a map forgets what its keys say of themselves.
    Constrained(
        json_schema_extra={
            "propertyNames": {
                "pattern": _BROKEN,
                "patternErrorMessage": "name an event, like DecisionTaken, or a field, like "
                "data.amount",
            }
        }
    ),
]
