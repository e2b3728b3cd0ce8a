"""A report as typed values, and what in it could not be read."""

from __future__ import annotations

from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass

from app.importing.cells import read_cell
from app.importing.mapping import Mapping, ReportRule
from app.importing.table import Record, read_table
from app.importing.wording import plain
from engine.definition import Definition
from engine.errors import BadInput, Problem
from engine.values import Value


@dataclass(frozen=True, slots=True)
class Row:
    """One project. A field whose column the report has not is not there; ``None`` is missing."""

    place: str
    values: ReadOnly[str, Value]


@dataclass(frozen=True, slots=True)
class Report:
    """``findings``: cells that say something other than their field may hold; they are missing."""

    name: str
    rule: ReportRule
    encoding: str
    rows: tuple[Row, ...]
    findings: tuple[Problem, ...]


def read_report(mapping: Mapping, definition: Definition, name: str, data: bytes) -> Report:
    """The report called ``name`` in the mapping, from the bytes of its file.

    Raises ``BadInput`` when the table cannot be read as a whole, or one project is in it twice.
    """
    rule = mapping.reports[name]
    table = read_table(mapping.layouts[rule.layout], rule, data)
    findings = []
    if table.replaced:
        what = f"{table.replaced} bytes are not {table.encoding}"
        findings.append(Problem(rule.file, what, "they read as the sign U+FFFD"))
    rows = []
    for record in table.records:
        row, unread = _read_row(mapping, definition, rule, record)
        findings += unread
        if any(row.values.get(field) for field in mapping.identify):
            rows.append(row)
        else:
            where = next(iter(record.cells.values())).where
            what = f"{record.place} has no {' and no '.join(mapping.identify)}"
            findings.append(Problem(where, what, "it is left out; `ignore` is for footnotes"))
    if problems := _twice(mapping, rule, rows):
        raise BadInput(problems)
    return Report(name, rule, table.encoding, tuple(rows), tuple(findings))


def _read_row(
    mapping: Mapping, definition: Definition, rule: ReportRule, record: Record
) -> tuple[Row, list[Problem]]:
    row: dict[str, Value] = {}
    unread: list[Problem] = []
    for name, cell in record.cells.items():
        try:
            field = definition.data[name]
            row[name] = read_cell(mapping, mapping.layouts[rule.layout], name, field, cell)
        except BadInput as error:
            row[name] = None
            unread.extend(error.problems)
    return Row(record.place, row), unread


def _twice(mapping: Mapping, rule: ReportRule, rows: list[Row]) -> list[Problem]:
    first: dict[tuple[str, str], Row] = {}
    problems = []
    for row in rows:
        field = next(name for name in mapping.identify if row.values.get(name))
        same = first.setdefault((field, plain(str(row.values[field]))), row)
        if same is not row:
            what = f"{row.place} has the same {field} as {same.place}: {row.values[field]!r}"
            problems.append(Problem(rule.file, what, "a report says everything once"))
    return problems
