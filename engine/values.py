"""The values a data field may hold, and how people and files write them.

A value is plain JSON:

========  ==========================================================================
text      a string
number    an integer, or a finite float; people may write the field's ``unit`` after it
money     ``{"amount": "450.37", "currency": "GBP"}``, the amount exact, as decimal text
date      ``"2026-12-31"`` (RFC 3339 full-date)
choice    one of the field's ``of``
ref       the key of a case
person    the id of an actor
list      a list of values of the field's ``of`` type
document  ``{"name": ..., "sha256": ..., "uri": ...}``
========  ==========================================================================

Three more things may stand in a field's place, and stay different everywhere: *missing* (the field
is absent or ``null``), *zero*, and *withheld*, known to somebody and kept back on a ground:
``{"withheld": "Freedom of Information Act, s. 43"}``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput, Problem

if TYPE_CHECKING:
    from engine.definition import Field

Value = Any
"""A JSON value as in the table above; ``read`` makes sure of it."""

LONGEST_TEXT = 100_000
LONGEST_LIST = 1_000
MOST_PROBLEMS = 50
CASE_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,79}")
ACTOR_ID = re.compile(r"[^\x00-\x1f\x7f/,:]{1,200}")

_SCALES = {"": 1, "k": 10**3, "m": 10**6, "bn": 10**9}
_THOUSANDS = re.compile(r"[^,]*|[^,]*?(?<!\d)\d{1,3}(,\d{3})+(?![\d,])[^,]*")
_MONEY = re.compile(
    r"(?P<before>[A-Z]{3})?\s*(?P<amount>[+-]?\d[\d,_]*(?:\.\d+)?)\s*(?P<scale>k|m|bn)?\s*(?P<after>[A-Z]{3})?",
    re.IGNORECASE,
)

_PLAIN = re.compile(r"(?=.{1,15}$)-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
"""An amount that is written as it is kept: most are."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def withheld(ground: str) -> dict[str, str]:
    return {"withheld": ground}


def is_withheld(value: Value) -> bool:
    return type(value) is dict and "withheld" in value


def is_empty(value: Value) -> bool:
    """Whether something stands there and says nothing: a text of blanks, a list of nothing."""
    return not value.strip() if isinstance(value, str) else value == []


def folded(persons: Iterable[str]) -> frozenset[str]:
    """Ids as persons are kept apart by them: whoever is `Ann` is not somebody else as `ann`."""
    return frozenset([person.casefold() for person in persons])


def read(field: Field, raw: Any, where: str) -> Value:
    """``raw``, as typed on a command line or parsed from JSON, as a value of ``field``.

    Raises ``BadInput`` naming ``where`` (a JSON pointer), what is wrong and what would be right.
    """
    if raw is None:
        return None
    if type(raw) is dict and set(raw) == {"withheld"}:
        return withheld(_text(field, raw["withheld"], f"{where}/withheld"))
    return _READERS[field.type](field, raw, where)


def read_all(
    fields: dict[str, Field], raw: dict[str, Any], where: str = "/data"
) -> dict[str, Value]:
    """Every value of ``raw``; all problems are reported at once, or the first of very many."""
    values: dict[str, Value] = {}
    problems: list[Problem] = []
    for name, item in raw.items():
        if len(problems) == MOST_PROBLEMS:
            problems.append(Problem(where, "and more like these"))
            break
        pointer = f"{where}/{name}"
        if name not in fields:
            known = ", ".join(fields) or "none"
            what = f"no field {_quote(name)}"
            problems.append(Problem(pointer[:200], what, f"the fields are: {known}"))
            continue
        try:
            values[name] = read(fields[name], item, pointer)
        except BadInput as error:
            problems.extend(error.problems)
    if problems:
        raise BadInput(problems)
    return values


def show(value: Value) -> str:
    """The value for people to read."""
    if value is None:
        return ""
    if is_withheld(value):
        return f"withheld: {value['withheld']}"
    if isinstance(value, dict):
        if "amount" in value:
            amount = f"{Decimal(value['amount']):,f}"
            return f"{value['currency']} {amount.removesuffix('.0')}"  # 3.2m is kept as 3200000.0
        return f"{value.get('name', '')} sha256:{value['sha256'][:12]}".strip()
    if isinstance(value, list):
        return ", ".join(map(show, value))
    return str(value)


def _text(field: Field, raw: Any, where: str) -> str:
    if not isinstance(raw, str):
        mend = "write one text" if isinstance(raw, (list, dict)) else "put it into quotes"
        raise BadInput.one(where, f"{_kind(raw)} where text is needed", mend)
    longest = field.longest or LONGEST_TEXT
    if len(raw) > longest:
        raise BadInput.one(
            where,
            f"{len(raw):,} characters, at most {longest:,} fit",
            "attach long texts as evidence",
        )
    if "\x00" in raw:
        raise BadInput.one(where, "the text holds a NUL character", "remove it")
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise BadInput.one(where, "the text holds half a surrogate pair", "send UTF-8") from None
    return raw


def _number(field: Field, raw: Any, where: str) -> int | float:
    # A unit that begins with a digit could not be told from the number before it.
    unit = "" if field.unit[:1].isdigit() else field.unit
    mend = f"write 82, 82.5 or 82 {unit}" if unit else "write 82 or 82.5"
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        raise BadInput.one(where, f"{_kind(raw)} where a number is needed", mend)
    text = str(raw).strip().removesuffix(unit)
    _require_thousands(text, where, mend)
    try:
        exact = Decimal(text.replace(",", "").replace("_", "").strip())
    except InvalidOperation:
        raise BadInput.one(where, f"{_quote(raw)} is not a number", mend) from None
    if not exact.is_finite() or abs(exact) >= 2**53:
        raise BadInput.one(where, f"{_quote(raw)} is too large", "numbers stay below 2**53")
    value = int(exact) if exact == exact.to_integral_value() else float(exact)
    _require_bounds(field, value, where)
    return value


def _require_bounds(field: Field, value: int | float | Decimal, where: str) -> None:
    if field.least is not None and value < field.least:
        what, mend = f"{_in_full(value)} is below {_in_full(field.least)}", "give that, or more"
        raise BadInput.one(where, what, mend)
    if field.most is not None and value > field.most:
        what, mend = f"{_in_full(value)} is above {_in_full(field.most)}", "give that, or less"
        raise BadInput.one(where, what, mend)


def _in_full(number: int | float | Decimal) -> str:
    return f"{Decimal(str(number)).normalize():,f}"


def _money(field: Field, raw: Any, where: str) -> dict[str, str]:
    mend = f"write 1250000, 1.25m or '{field.currency} 1,250,000.00'"
    currency: Any = field.currency
    if isinstance(raw, dict) and set(raw) == {"amount", "currency"}:
        text, currency = str(raw["amount"]), raw["currency"]
    elif isinstance(raw, (str, int, float)) and not isinstance(raw, bool):
        text = str(raw)
    else:
        raise BadInput.one(where, f"{_kind(raw)} where money is needed", mend)
    if _PLAIN.fullmatch(text) and currency == field.currency:
        _require_bounds(field, Decimal(text), where)
        return {"amount": text, "currency": currency}
    match = _MONEY.fullmatch(text.strip())
    if not match:
        raise BadInput.one(where, f"{_quote(text)} is not an amount of money", mend)
    _require_thousands(match["amount"], where, mend)
    amount = Decimal(re.sub("[,_]", "", match["amount"])) * _SCALES[(match["scale"] or "").lower()]
    for said in (currency, match["before"], match["after"]):
        if said and str(said).upper() != field.currency:
            raise BadInput.one(where, f"{said} where {field.currency} is needed", mend)
    if len(amount.as_tuple().digits) > 15 or abs(amount) >= 10**15:
        raise BadInput.one(where, f"{_quote(text)} has more than 15 digits", mend)
    _require_bounds(field, amount, where)
    return {"amount": f"{amount:f}", "currency": str(field.currency)}


def _require_thousands(text: str, where: str, mend: str) -> None:
    """Half of the world writes 1,25 for one and a quarter: it must not become 125."""
    if not _THOUSANDS.fullmatch(text):
        raise BadInput.one(where, f"{_quote(text)}: commas stand only before three digits", mend)


def _date(_: Field, raw: Any, where: str) -> str:
    if isinstance(raw, str) and _DAY.fullmatch(raw):
        try:
            return _day(raw)
        except ValueError:
            pass
    raise BadInput.one(where, f"{_quote(raw)} is not a date", "write it as 2026-12-31")


@lru_cache(maxsize=10_000)
def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _choice(field: Field, raw: Any, where: str) -> str:
    if raw not in field.choices:
        raise BadInput.one(
            where, f"{_quote(raw)} is not a choice", f"choose one of: {', '.join(field.choices)}"
        )
    return str(raw)


def _ref(_: Field, raw: Any, where: str) -> str:
    if isinstance(raw, str) and CASE_KEY.fullmatch(raw):
        return raw
    raise BadInput.one(where, f"{_quote(raw)} is not the key of a case", "write it as OBJ-0007")


def spelt(person: str) -> str:
    """An id as everybody writes it, so that nobody is two persons who look like one: in letters of
    one form (Unicode's NFKC), with single blanks between words, and nothing that does not show."""
    if person.isascii() and person.isprintable():
        shown = person
    else:
        composed = unicodedata.normalize("NFKC", person)
        shown = "".join([c for c in composed if c.isprintable() or c.isspace()])
    return " ".join(shown.split())


def _person(_: Field, raw: Any, where: str) -> str:
    if isinstance(raw, str) and ACTOR_ID.fullmatch(raw):
        if (one := spelt(raw)) == raw:
            return raw
        what = f"{raw!a} looks like another id, and is not the same"
        raise BadInput.one(where, what, f"write {one}")
    raise BadInput.one(where, f"{_quote(raw)} is not a person's id", "no '/', ',' or ':' in it")


def _list(field: Field, raw: Any, where: str) -> list[Value]:
    items = [part.strip() for part in raw.split(",")] if isinstance(raw, str) else raw
    if not isinstance(items, list):
        raise BadInput.one(where, f"{_kind(raw)} where a list is needed", "write: one, two, three")
    if len(items) > LONGEST_LIST:
        raise BadInput.one(where, f"{len(items):,} items, at most {LONGEST_LIST:,} fit")
    read = _READERS[field.item_type]
    values = [read(field, item, f"{where}/{i}") for i, item in enumerate(items)]
    told = [value.casefold() if field.item_type == "person" else value for value in values]
    for i, value in enumerate(values if field.unique else ()):
        if told[i] in told[:i]:
            raise BadInput.one(f"{where}/{i}", f"{show(value)} is named twice", "leave one out")
    return values


def _document(field: Field, raw: Any, where: str) -> dict[str, str]:
    if (
        isinstance(raw, dict)
        and set(raw) <= {"name", "sha256", "uri"}
        and re.fullmatch("[0-9a-f]{64}", str(raw.get("sha256")))
    ):
        return {key: _text(field, item, f"{where}/{key}") for key, item in raw.items()}
    raise BadInput.one(
        where,
        f"{_quote(raw)} is not a document",
        "give {name, sha256, uri?} with the SHA-256 as 64 hexadecimal digits",
    )


def _kind(raw: Any) -> str:
    names = {str: "text", bool: "true/false", dict: "a map", list: "a list", type(None): "nothing"}
    return names.get(type(raw), "a number")


def _quote(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else f"{text[:57]}..."


_READERS: dict[str, Callable[[Field, Any, str], Value]] = {
    "text": _text,
    "number": _number,
    "money": _money,
    "date": _date,
    "choice": _choice,
    "ref": _ref,
    "person": _person,
    "list": _list,
    "document": _document,
}
