"""How the classes of what the log holds are made: orjson writes them, pydantic reads them."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def part(cls: type[T]) -> type[T]:
    """A frozen dataclass that orjson writes by itself, fields in alphabetical order as RFC 8785
    wants its keys, and that pydantic validates, unknown keys refused.

    Without slots: orjson takes eight times as long to write a dataclass that has them.
    """
    return _frozen(cls, init=True)


def _frozen(cls: type[T], init: bool) -> type[T]:
    cls.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return dataclass(frozen=True, kw_only=True, init=init)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def stored(cls: type[T]) -> type[T]:
    """A frozen dataclass like ``part``, made in one go: as generated, its ``__init__`` would set
    thirty fields one by one, each past the guard against changes, at six times the cost.

    An event keeps what its bytes say, and no more: what is ``None`` is left to the class. What the
    log holds is validated as it is read; what we make is checked by mypy.
    """
    made = _frozen(cls, init=False)
    always: dict[str, Any] = {}
    optional: list[str] = []
    for each in fields(made):  # type: ignore[arg-type]
        if each.default_factory is not MISSING:
            always[each.name] = each.default_factory()  # shared: nobody changes what is in an event
        elif each.default is None:
            optional.append(each.name)
        elif each.default is not MISSING:
            always[each.name] = each.default

    def make(self: Any, **said: Any) -> None:
        kept = self.__dict__
        kept.update(always)
        kept.update(said)
        for name in optional:
            if name in said and said[name] is None:
                del kept[name]

    made.__init__ = make  # type: ignore[method-assign]
    return made
