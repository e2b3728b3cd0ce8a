"""A typed register for every workflow, made from the ``data:`` of its published definitions.

``register_<workflow>`` (dashes become underscores) has one column for each field, and columns with
a leading underscore, which no field can have, for the case and the ranges for which the row holds
(``projections.timeline``). Text, choices, references, people and dates are text; numbers and money
are REAL (at most 15 significant digits, which REAL keeps exactly; the currency is the field's);
lists and documents are JSON. What is withheld is NULL in its column and has its ground in
``_withheld``; what is missing is NULL in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from projections import timeline
from projections.definitions import MIGRATED, PUBLISHED
from projections.gist import heed
from projections.recent import Recent
from projections.store import Tables, quote, read_sql, to_json
from projections.timeline import KEY, KNOWN_FROM, NEXT_VALID, VALID_FROM, Change, Row
from projections.views import Batch

_SQL = read_sql("register.sql")
_COLUMN_TYPES = {"number": "REAL", "money": "REAL"}
_INDEXES = ("key_index", "state_now_index")
_OF_MOMENTS = ("moment_index", "state_index")
"""Where no index holds all that is asked for (``Tables.holds``)."""
LOT = 16_384
"""Positions from which rows were known, that lie together in the index of what has ended since."""
_SORTED_BY = ("choice", "ref", "person", "date", "number", "money")
_CALLED_BY = ("title", "name")
_OF_THE_CASE = ("_version", "_position", "_definition", "_withheld")
_PLAIN = frozenset({str, int, float, bool, type(None)})
"""The types of values that stand in columns as they are."""
_TOGETHER = 50
"""Rows are written so many at a time, or a multiple of it: what a statement takes (``Tables``)."""
_MOST_INDEXES = 12
"""Each makes a page of a large register quick that is sorted by its field or filtered by it, and
costs a write for every event. Where they are made before anybody asks (``Tables.foresee``), the
first fields of a definition get one, long texts none. An index of everything holds as many."""


def table_of(workflow: str) -> str:
    return "register_" + workflow.replace("-", "_")


def is_sorted_by(column: str, kind: str | None) -> bool:
    """Whether people sort or filter by a column, so that it is worth an index; ``kind`` is the type
    of a field."""
    return kind in _SORTED_BY or column in _CALLED_BY or column in _OF_THE_CASE


def index_of(table: str, field: str) -> str:
    """The statement that makes a register's index of a field; it holds the ranges, too."""
    sql = _SQL["field_index"].replace("{field}", field).replace("{column}", quote(field))
    return sql.replace("{table}", table)


def index_of_all(table: str, fields: Iterable[str]) -> str:
    """The statement that makes the index in which the rows of any moment lie together: by the
    month in which they began, and then by their end. It holds what people sort and filter by."""
    columns = "".join(f", {quote(field)}" for field in fields)
    return _SQL["held_index"].replace("{fields}", columns).replace("{table}", table)


def index_of_learnt(table: str) -> str:
    """The statement that makes the index, beside that of all, in which those rows lie together that
    were the last of their cases at some moment of what was known, and are not any more."""
    return _SQL["learnt_index"].replace("{lot}", str(LOT)).replace("{table}", table)


class Registers:
    name = "registers"
    version = 4

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._registers: dict[str, _Register] = {}
        self._recent: Recent[Row] = Recent(5_000)
        self._indexing = not tables.prefix  # a set that is being built gets its indexes last

    def create(self) -> None:
        self._tables.run_script(_SQL["tables"])

    def index(self) -> None:
        self._indexing = True
        tables = (name.removeprefix(self._tables.prefix) for name in self._tables.names())
        # A workflow may have no fields.
        kinds: dict[str, list[tuple[str, str]]] = {
            table: [] for table in tables if table.startswith("register_")
        }
        for workflow, field, kind in self._tables.run(_SQL["all_fields"]):
            kinds[table_of(workflow)].append((field, kind))
        for table, fields in kinds.items():
            self._index(table)
            self._index_fields(table, fields)

    def apply(self, batch: Batch) -> None:
        self.take([(position, heed(event)) for position, event in batch])

    def take(self, told: Batch) -> None:
        registers = self._registers
        for position, gist in told:
            key, kind, workflow, definition, _, version, at, _, _, state, data, fields = gist
            migrates = kind == MIGRATED
            if data is not None or migrates:
                register = registers.get(workflow) or self._load(workflow)
                values, withheld = _as_columns(data or {})
                register.take(
                    Change(
                        position, key, version, definition, at, state, values, withheld, migrates
                    )
                )
            elif kind == PUBLISHED:
                self.write()
                self._declare(workflow, fields)
        for register in registers.values():
            register.write_finished()

    def write(self) -> None:
        for register in self._registers.values():
            register.write()

    def forget(self) -> None:
        self._registers.clear()
        self._recent.clear()

    def _load(self, workflow: str) -> _Register:
        columns = self._tables.columns(table_of(workflow))
        if not columns:
            raise ValueError(f"no definition of {workflow} has been published")
        register = _Register(
            self._tables, table_of(workflow), columns, self._recent, self._indexing
        )
        self._registers[workflow] = register
        return register

    def _index(self, table: str) -> None:
        for statement in _INDEXES if self._tables.holds else _INDEXES + _OF_MOMENTS:
            self._tables.run(_SQL[statement].replace("{table}", table))

    def _index_fields(self, table: str, fields: Iterable[tuple[str, str]]) -> None:
        chosen = [name for name, kind in fields if is_sorted_by(name, kind)][:_MOST_INDEXES]
        if self._tables.holds:
            self._tables.hold(table, index_of_all(table, chosen))
            self._tables.foresee(table, index_of_learnt(table))
        for name in chosen:
            self._tables.foresee(table, index_of(table, name))

    def _declare(self, workflow: str, fields: Mapping[str, Any]) -> None:
        """Make the register, or give it the columns that a new version of the workflow adds."""
        table = table_of(workflow)
        if not self._tables.columns(table):
            self._tables.run_script(_SQL["register"].replace("{table}", table))
            if self._indexing:
                self._index(table)
        known = {name: kind for name, kind, *_ in self._tables.run(_SQL["fields"], [workflow])}
        for name, field in fields.items():
            kind, title, unit = field["type"], field.get("title", ""), field.get("unit", "")
            if name not in known:
                place = [workflow, name, len(known), kind, title, field.get("currency"), unit]
                self._tables.run(_SQL["enter_field"], place)
                column = _SQL["add_column"].replace("{column}", quote(name))
                column = column.replace("{type}", _COLUMN_TYPES.get(kind, "TEXT"))
                self._tables.run(column.replace("{table}", table))
                known[name] = kind
            elif known[name] != kind:
                raise ValueError(f"{workflow}.{name} was of type {known[name]}, and is now {kind}")
            else:
                self._tables.run(_SQL["retitle_field"], [title, unit, workflow, name])
        if self._indexing:
            self._index_fields(table, known.items())
        # Rows in memory are as wide as the table was before.
        self.forget()


class _Register:
    """One workflow's table, and the rows on their way into it.

    Of each case the last row waits for the commit: the next event, if it comes before, finishes
    the row, which is then written once and never touched. Finished rows do not wait, so that their
    number bounds nothing but a statement.
    """

    def __init__(
        self, tables: Tables, table: str, columns: list[str], recent: Recent[Row], indexed: bool
    ) -> None:
        self._tables = tables
        self._recent = recent
        self._indexed = indexed
        self._places = {name: place for place, name in enumerate(columns) if name[0] != "_"}
        self._waiting: dict[str, Row] = {}
        self._finished: list[Row] = []
        self._followed: list[tuple[int, str, str]] = []
        self._sql = {
            name: sql.replace("{table}", table)
            .replace("{columns}", ", ".join(map(quote, columns)))
            .replace("{marks}", ", ".join("?" * len(columns)))
            for name, sql in _SQL.items()
        }

    def take(self, change: Change) -> None:
        key, places = change.key, self._places
        waiting = self._waiting.get(key)
        row = waiting or self._recent.get(key)
        if row is None and change.version > 1:
            row = self._now(key)
        if row is None:
            self._waiting[key] = timeline.begin(change, places)
        elif change.at >= row[VALID_FROM]:
            self._waiting[key] = timeline.follow(row, change, places)
            if waiting is None:
                self._followed.append((change.position, change.at, key))
            else:
                self._finished.append(row)
        else:
            self._amend(change)

    def write_finished(self) -> None:
        whole = len(self._finished) // _TOGETHER * _TOGETHER
        if whole:
            self._tables.insert(self._sql["insert"], self._finished[:whole])
            del self._finished[:whole]

    def write(self) -> None:
        if self._waiting:
            self._tables.run_many(self._sql["follow"], self._followed)
            self._tables.insert(self._sql["insert"], [*self._finished, *self._waiting.values()])
            self._recent.update(self._waiting)
            self._waiting.clear()
            self._finished.clear()
            self._followed.clear()

    def _now(self, key: str) -> Row | None:
        found = self._tables.run(self._sql["now"], [key])
        return list(found[0]) if found else None

    def _amend(self, change: Change) -> None:
        self.write()
        if not self._indexed:  # a set that is being built gets it sooner where facts come late
            self._tables.run(self._sql["key_index"])
            self._indexed = True
        steps = [list(row) for row in self._tables.run(self._sql["timeline"], [change.key])]
        ended, begun = timeline.amend(steps, change, self._places)
        ends = [(change.position, row[KEY], row[KNOWN_FROM], row[VALID_FROM]) for row in ended]
        self._tables.run_many(self._sql["end"], ends)
        self._tables.run_many(self._sql["insert"], begun)
        if begun[-1][NEXT_VALID] is None:
            self._recent.update({change.key: begun[-1]})


def _as_columns(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """The values as they stand in columns, and the grounds of those that are withheld."""
    if _PLAIN.issuperset(map(type, data.values())):
        return data, {}
    values: dict[str, Any] = {}
    withheld: dict[str, str] = {}
    for name, value in data.items():
        kind = type(value)
        if kind is dict:
            if "withheld" in value:
                withheld[name] = value["withheld"]
                value = None
            elif "amount" in value:
                value = float(value["amount"])
            else:
                value = to_json(value)
        elif kind is list:
            value = to_json(value)
        values[name] = value
    return values, withheld
