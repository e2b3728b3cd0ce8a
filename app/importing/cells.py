"""What a cell means: a value, nothing, or something that is kept back. Nothing is ever guessed."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import cache

from app.importing.mapping import DATE_SIGNS, UNITS, Layout, Mapping
from app.importing.table import Cell
from app.importing.wording import fits, plain, tidy
from engine import values
from engine.definition import Field
from engine.errors import BadInput

_FIGURE = re.compile(r"(?P<minus>-?)(?P<digits>\d{1,3}(,\d{3})+|\d{1,15})(?P<rest>\.\d{1,12})?")
_SECTION = re.compile(r"(?<!\d)(?P<number>\d{1,3})(?!\d) ?(?P<part>\(\d{1,2}\))?")
_SIGNS = {"yyyy": r"(?P<yyyy>\d{4})", "yy": r"(?P<yy>\d\d)", "mm": r"(?P<mm>\d{1,2})"}
_SIGNS |= {"dd": r"(?P<dd>\d{1,2})"}


def read_cell(
    mapping: Mapping, layout: Layout, name: str, field: Field, cell: Cell
) -> values.Value:
    """The value of a cell; ``None`` where it says in its own way that there is none.

    Raises ``BadInput`` where it says something else than a value of the field.
    """
    text = tidy(cell.text)
    if not text:
        return None
    if name not in mapping.identify:
        # Names are taken as they stand: a project may be called "Exempt Supplies".
        for pattern, ground in mapping.withheld.items():
            if fits(pattern, text):
                return values.withheld(ground.replace("{numbers}", _numbers(text)))
        if any(fits(pattern, text) for pattern in mapping.missing):
            return None
    if name in mapping.uppercase:
        text = text.upper()
    match field.type:
        case "date":
            return _date(layout, text, cell.where)
        case "money":
            return values.read(field, _money(layout, field, text, cell.where), cell.where)
        case "choice":
            return values.read(field, _choice(field, text), cell.where)
        case "number":
            figure = text.removesuffix(field.unit or "").rstrip()  # 95 % is 95 where it counts in %
            return values.read(field, figure, cell.where)
        case _:
            return values.read(field, text, cell.where)


def _numbers(text: str) -> str:
    """The sections that a ground names: ``24, 31(1)`` of "Sections 24 and 31 (1) of the Act 2000".

    Years have four digits and are not taken for sections.
    """
    found = [f"{match['number']}{match['part'] or ''}" for match in _SECTION.finditer(text)]
    return ", ".join(dict.fromkeys(found)) or "?"


def _date(layout: Layout, text: str, where: str) -> str:
    for form in layout.dates:
        if match := _date_pattern(form).fullmatch(text):
            found = match.groupdict()
            try:
                return date(_year(found), int(found["mm"]), int(found["dd"])).isoformat()
            except ValueError:
                what = f"{_short(text)} is no day of any calendar"
                raise BadInput.one(where, what, "ask whoever wrote the report") from None
    wanted = " or ".join(layout.dates)
    raise BadInput.one(where, f"{_short(text)} is not a date", f"dates read {wanted}")


def _year(found: dict[str, str]) -> int:
    """Two digits from 69 to 99 are of the last century (POSIX, strptime)."""
    if "yyyy" in found:
        return int(found["yyyy"])
    year = int(found["yy"])
    return year + (1900 if year >= 69 else 2000)


@cache
def _date_pattern(form: str) -> re.Pattern[str]:
    pattern = re.escape(form)
    for sign in DATE_SIGNS:
        if sign in form and not (sign == "yy" and "yyyy" in form):
            pattern = pattern.replace(sign, _SIGNS[sign])
    return re.compile(pattern)


def _money(layout: Layout, field: Field, text: str, where: str) -> dict[str, str | None]:
    figure = plain(text)
    for sign in layout.money.signs:
        figure = figure.replace(plain(sign), "")
    match = _FIGURE.fullmatch(figure.replace(" ", ""))
    if not match:
        what = f"{_short(text)} is not money"
        raise BadInput.one(where, what, f"figures read 1,234.5, in units of {layout.money.unit}")
    exact = Decimal(match["minus"] + match["digits"].replace(",", "") + (match["rest"] or ""))
    amount = exact.scaleb(UNITS[layout.money.unit])
    # One spelling for one amount: "375.9" and "375.90" must not differ between two reports.
    spelled = f"{amount:f}"
    spelled = spelled.rstrip("0").rstrip(".") if "." in spelled else spelled
    return {"amount": spelled, "currency": field.currency}


def _choice(field: Field, text: str) -> str:
    said = plain(text).replace(" ", "")
    return next((c for c in field.choices if plain(c).replace(" ", "") == said), text)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
