"""Values, rows and JSON on standard output.

On a terminal tables are drawn; in a pipe they are aligned columns of plain text. Three things stay
different to the eye as everywhere: missing is a dash, withheld says on which ground, zero is 0.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from app.cli.terminal import bold, clean, echo, echo_json
from engine.upcasts import Body

MISSING = "\N{EN DASH}"

_NARROWEST, _BETWEEN, _WHOLE = 8, 3, 20
"""Signs of a column below which nobody reads it, those between two, and those of a first column
that is not folded."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def show_value(value: Any, unit: str = "") -> str:
    """A field's value (``engine.values``) for people; a number in the field's unit."""
    match value:
        case int() | float() if unit:
            return f"{value} {clean(unit)}"
        case None:
            return MISSING
        case {"withheld": ground}:
            return f"withheld ({clean(ground)})"
        case {"amount": amount, "currency": currency}:
            return f"{currency} {show_amount(Decimal(amount))}"
        case {"sha256": sha256}:
            return f"{clean(value.get('name') or 'document')} (sha256 {sha256[:12]})"
        case list():
            return ", ".join(map(show_value, value)) or MISSING
        case _:
            return clean(str(value))


def show_amount(amount: Decimal) -> str:
    """Grouped in thousands, with as many decimals as it needs: none, or two at least."""
    if amount == amount.to_integral_value():
        return f"{amount:,.0f}"
    return f"{amount:,.2f}" if amount == round(amount, 2) else f"{amount.normalize():,f}"


def show_in(unit: str, value: Any) -> str:
    """A value of a view in its unit: a currency, ``%`` (of 1), or any word, left to the heading."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return show_moment(value)
    if not isinstance(value, int | float):
        return show_value(value)
    if unit == "%":
        return f"{show_number(value * 100)} %"
    if len(unit) == 3 and unit.isupper():
        return f"{unit} {show_amount(Decimal(repr(value)))}"
    return show_number(value)


def show_number(value: float) -> str:
    """With two decimals at most; more would tell of a precision that is not there."""
    return str(value) if isinstance(value, int) else f"{value:.2f}".rstrip("0").rstrip(".")


def show_escalation(said: Body) -> str:
    """From whom a matter has gone to whom."""
    source, to = said.get("source"), said.get("to")
    why = said.get("why")
    if to is None:
        lacks = why if source is None and why else f"{_party(source)} has not answered"
        return f"{lacks}, and nobody is above"
    nobody = f"nobody ({why})" if source is None and why else _party(source)
    return f"from {nobody} to {_party(to)}"


def show_gone_up(said: Mapping[str, Any]) -> str:
    """That a case is now with somebody else, from whom, and since when."""
    source = f" from {clean(said['from'])}" if said["from"] else ""
    return f"gone up{source} to {clean(said['to'])} on {show_moment(said['on'])[:10]}"


def _party(said: Body | None) -> str:
    if said is None:
        return "nobody in force"
    where = f" in {said['unit']}" if said.get("unit") else ""
    return f"{said['name']}{where}" + (f" ({said['rule']})" if said.get("rule") else "")


def show_paper(paper: Mapping[str, Any]) -> str:
    """Evidence: its kind, name, the date it speaks of, and enough of its hash to tell it apart."""
    name = clean(paper.get("name", ""))
    return f"{paper['kind']}  {name} of {paper['as_of']}, sha256 {paper['sha256'][:12]}"


def show_moment(moment: str) -> str:
    """An instant to the second; a date as it is."""
    return moment if len(moment) == 10 else f"{moment[:10]} {moment[11:19]}"


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180. Missing is an empty cell, withheld its ground, zero is 0.

    Text that a spreadsheet would take for a formula has an apostrophe before it (OWASP, "CSV
    Injection"); numbers stay numbers.
    """
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(_cell, row))


def _cell(value: Any) -> int | float | str:
    if isinstance(value, int | float):
        return value
    if value is None:
        return ""
    text = show_value(value)
    formula = text.startswith(_FORMULA) or str(value).startswith(_FORMULA)  # tabs are cleaned away
    return f"'{text}" if formula else text


def print_json(value: Any) -> None:
    echo_json(json.dumps(value, ensure_ascii=False, indent=2))


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()
) -> None:
    """A table; columns named in ``right`` hold numbers and line up on the right."""
    cells = list(rows)
    if sys.stdout.isatty():
        _draw(columns, cells, right)
    else:
        print_aligned(columns, cells, right)


def print_aligned(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()
) -> None:
    """A table in plain columns, also on a terminal: for a screen that is laid out to its width."""
    cells = [[*map(clean, row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for number, row in enumerate([columns, *cells]):
        padded = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, columns, strict=True)
        ]
        line = "  ".join(padded).rstrip()
        echo(line if number else bold(line))


def print_pairs(pairs: Mapping[str, str]) -> None:
    width = max((len(clean(name)) for name in pairs), default=0)
    for name, value in pairs.items():
        echo(f"  {clean(name).ljust(width)}  {clean(value)}")


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    heads, cells = [*map(clean, columns)], [[*map(clean, row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    if sum(min(width, _NARROWEST) + _BETWEEN for width in widths) > console.width:
        _print_blocks(heads, cells)
        return
    style = "" if "NO_COLOR" in os.environ else "bold"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style=style)
    for number, (head, name) in enumerate(zip(heads, columns, strict=True)):
        justify: Literal["left", "right"] = "right" if name in right else "left"
        # A row is known by what comes first, so that stays in one piece.
        whole = min(widths[0], _WHOLE) if number == 0 else None
        table.add_column(head, justify=justify, overflow="fold", min_width=whole)
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_blocks(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Where columns would be too narrow to read, each row in lines of its own."""
    width = max(map(len, heads))
    for first, *others in rows:
        echo(bold(first))
        for head, cell in zip(heads[1:], others, strict=True):
            echo(f"  {head.ljust(width)}  {cell}")
