"""From the bytes of a file to cells that know where they stand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from app.importing.mapping import Layout, ReportRule
from app.importing.wording import fits, tidy
from engine.errors import BadInput, Problem

LARGEST_FILE = 50_000_000
"""In bytes."""

NAMES_SHOWN = 20
"""So many headings are listed where one is looked for."""


@dataclass(frozen=True, slots=True)
class Cell:
    """``where`` is ``file:row:column``, counted from 1 as a spreadsheet counts them."""

    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Record:
    """What a report says of one project: the cells of the mapped fields."""

    place: str
    cells: dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """``encoding`` is the one that fitted; ``replaced`` counts the bytes that none could read."""

    encoding: str
    replaced: int
    records: tuple[Record, ...]


def read_table(layout: Layout, rule: ReportRule, data: bytes) -> Table:
    """The rows of a report, empty ones left out.

    Raises ``BadInput`` when the file is not text, not such a table, or lacks a mapped column.
    """
    text, encoding, replaced = _decode(layout, rule.file, data)
    grid = _grid(layout, rule.file, text)
    across = layout.shape == "transposed"
    if across:
        grid = [list(line) for line in zip_longest(*grid, fillvalue="")]
    headings = grid[layout.header - 1] if len(grid) >= layout.header else []
    columns = _find_columns(layout, rule, headings)
    _refuse_overlong(rule.file, grid[layout.header :], layout.header, len(headings))
    wanted = [(_find(pattern, headings)[0], value) for pattern, value in rule.rows.items()]

    def cell(row: int, line: list[str], column: int) -> Cell:
        text = line[column] if column < len(line) else ""
        there = (column + 1, row) if across else (row, column + 1)
        return Cell(text, f"{rule.file}:{there[0]}:{there[1]}")

    records = [
        Record(
            f"{'column' if across else 'row'} {row}",
            {field: cell(row, line, column) for field, column in columns.items()},
        )
        for row, line in enumerate(grid, start=1)
        if row > layout.header
        and all(column < len(line) and fits(value, line[column]) for column, value in wanted)
    ]
    records = [each for each in records if any(c.text.strip() for c in each.cells.values())]
    return Table(encoding, replaced, tuple(records))


def _decode(layout: Layout, file: str, data: bytes) -> tuple[str, str, int]:
    if len(data) > LARGEST_FILE:
        what = f"is {len(data):,} bytes long, at most {LARGEST_FILE:,} are read"
        raise BadInput.one(file, what, "split it")
    for encoding in layout.encodings:
        try:
            return data.decode(encoding).removeprefix("\ufeff"), encoding, 0
        except UnicodeError:
            continue
    last = layout.encodings[-1]
    if layout.undecodable == "refuse":
        mend = "name its encoding in the layout, or say `undecodable: replace`"
        raise BadInput.one(file, f"is not {' or '.join(layout.encodings)}", mend)
    text = data.decode(last, "replace")
    return text, last, text.count("\ufffd")


def _grid(layout: Layout, file: str, text: str) -> list[list[str]]:
    """The lines of the file; what a layout ignores leaves an empty line, so that numbers stay."""
    if "\x00" in text:
        raise BadInput.one(file, "holds NUL characters: it is not a table of text", "export as CSV")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter, strict=True)
    grid: list[list[str]] = []
    try:
        for line in reader:
            ignored = line and any(fits(pattern, line[0]) for pattern in layout.ignore)
            grid.append([] if ignored else line)
    except csv.Error as error:
        where = f"{file}:{len(grid) + 1}"
        what = f"is not CSV (line {reader.line_num}): {error}"
        raise BadInput.one(where, what, "export it again with quotes around text") from None
    return grid


def _refuse_overlong(file: str, lines: Sequence[list[str]], above: int, width: int) -> None:
    """A cell beyond the last heading: somewhere before it a cell was cut in two."""
    problems = [
        Problem(
            f"{file}:{row}:{width + 1}",
            f"there are {len(line)} cells under {width} headings",
            "a cell that holds the delimiter needs quotes",
        )
        for row, line in enumerate(lines, start=above + 1)
        if any(cell.strip() for cell in line[width:])
    ]
    if problems:
        raise BadInput(problems)


def _find_columns(layout: Layout, rule: ReportRule, headings: Sequence[str]) -> dict[str, int]:
    """Which column holds which field. Raises ``BadInput`` naming all that are not there."""
    problems = [*_not_found(layout, rule, headings)]
    if problems:
        raise BadInput(problems)
    return {
        field: next(column for pattern in patterns for column in _find(pattern, headings))
        for field, patterns in layout.columns.items()
    }


def _not_found(layout: Layout, rule: ReportRule, headings: Sequence[str]) -> Iterator[Problem]:
    where = f"{rule.file}:{layout.header}"
    if not any(heading.strip() for heading in headings):
        yield Problem(where, "there are no headings", "check `header`, or the file: is it empty?")
        return
    if len(headings) == 1:
        what = f"there is one heading only: {tidy(headings[0])[:80]!r}"
        yield Problem(where, what, f"is {layout.delimiter!r} the delimiter?")
        return
    there = [tidy(heading)[:40] for heading in headings if heading.strip()]
    listed = ", ".join(there[:NAMES_SHOWN]) + (", ..." if len(there) > NAMES_SHOWN else "")
    wanted = {**layout.columns, **{f"rows/{pattern}": [pattern] for pattern in rule.rows}}
    for field, patterns in wanted.items():
        found = {column for pattern in patterns for column in _find(pattern, headings)}
        if not found:
            what = f"no heading fits {' or '.join(map(repr, patterns))} for {field}"
            yield Problem(where, what, f"the headings are: {listed}")
        elif len(found) > 1:
            numbers = ", ".join(str(column + 1) for column in sorted(found))
            what = f"columns {numbers} all fit {' or '.join(map(repr, patterns))} for {field}"
            yield Problem(where, what, "make the pattern longer")


def _find(pattern: str, headings: Sequence[str]) -> list[int]:
    return [column for column, heading in enumerate(headings) if fits(pattern, heading)]
