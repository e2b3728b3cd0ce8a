"""What a view selects from: relations as they stood at the chosen moments.

Each is a selection over our tables that stands before the view's own SQL (``WITH``), so that a
view never says how rows are kept, and cannot forget to ask as of when. Columns that cost something
are made only where the view names them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from projections.finding import NOW, THEN
from projections.moments import known_position, occurred_by
from projections.register import table_of
from projections.register_pages import Field
from projections.select_text import Select
from projections.store import Tables, from_json, quote, read_sql, to_json
from projections.ways import Way, chases, ways_of

_SQL = read_sql("relations.sql")
_HISTORY, _CHANGES = "_history", "_changes"
_CHANGED = ("key", "version", "position", "changed_at", "field", "before", "after",
            "before_withheld", "after_withheld")  # fmt: skip
_NUMBERS = ("amount", "least", "level", "limit")
_GROUND = "_withheld"
_TITLES = ("title", "name")

_CASE_COLUMNS = {
    "key": "_key",
    "state": "_state",
    "version": "_version",
    "withheld": "_withheld",
    "position": "_position",
    "changed": "_valid_from",
}
"""What every register has, whatever its workflow; fields do not bear the first four names."""

_COSTLY = {"since": "state_since", "started": "started"}
_CASES = ("key", "workflow", "state", "title", "version", "position", "changed", "final")
FIXED: dict[str, tuple[str, ...]] = {
    "appointments": ("key", "role", "unit", "person", "from", "until"),
    "authorities": ("key", "category", "unit", "level", "limit", "holder", "held_by",
                    "holder_unit", "from", "until"),
    "bodies": ("key", "name", "members", "chair"),
    "cases": (*_CASES, "since", "started"),
    "deadlines": ("key", "workflow", "state", "version", "since", "at", "share", "pulls", "ends",
                  "settled_at", "outcome"),
    "delegated": ("key", "giver", "receiver", "role", "unit", "category", "limit", "from", "until"),
    "definitions": ("position", "workflow", "version", "title", "hash", "published_at",
                    "published_by"),
    "links": ("position", "parent", "child", "workflow", "linked_at"),
    "offers": ("key", "workflow", "state", "trigger_name", "role", "unit", "person", "stays",
               "signs", "body", "category", "amount", "least", "upwards", "not_by", "apart",
               "waits", "rests"),
    "signatures": ("position", "key", "signed_for", "person", "answer", "signed_at", "ended_at"),
    "subscribers": ("name", "reached", "head", "waiting"),
    "trail": ("position", "key", "version", "name", "type", "workflow", "recorded_at",
              "occurred_at", "actor", "actor_kind", "role", "on_behalf_of", "authority",
              "authority_version", "trigger_name", "state_before", "state_after", "reason",
              "verdict", "rules", "verdicts", "basis", "papers", "fields",
              "escalated_from", "escalated_to", "escalated_unit", "escalated_held_by"),
}  # fmt: skip
"""The relations that are there whatever is published, and their columns."""

_REGISTERS = {
    "appointments": "appointment",
    "authorities": "authority",
    "bodies": "body",
    "delegated": "delegation",
}
"""Relations that show the entries in force of every workflow that is such a register."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who reads the log: how far it has come, how far it could be, how many events it set aside."""

    name: str
    reached: int
    head: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Moments:
    """``as_of`` and ``known_at`` as they were given; ``now`` is the instant that is looked from."""

    as_of: str | None
    known_at: str | None
    now: str


@dataclass(frozen=True, slots=True)
class Asker:
    """Who looks (``None``: nobody said), and the roles in which they say that they do."""

    person: str | None
    roles: tuple[str, ...] = ()


NOBODY = Asker(None)


class Relations:
    """The relations there are, given what has been published. Who subscribes is asked only where a
    view wants to know."""

    def __init__(
        self,
        tables: Tables,
        moments: Moments,
        subscribers: Callable[[], Sequence[Subscriber]] = tuple,
        asker: Asker = NOBODY,
    ) -> None:
        self._tables = tables
        self._moments = moments
        self._subscribers = subscribers
        self._asker = asker

    @cached_property
    def workflows(self) -> Mapping[str, _Workflow]:
        """By the name of their relation."""
        found: dict[str, _Workflow] = {}
        for name, version, body in self._tables.run(_SQL["columns_of_definitions"]):
            workflow = found.setdefault(_relation_of(name), _Workflow(name, {}))
            workflow.bodies[version] = from_json(body)
        return found

    @property
    def names(self) -> list[str]:
        return relation_names(self.workflows)

    def missing(self, select: Select) -> list[str]:
        """The workflows that it needs and that are not published, each once."""
        known = set(self.names)
        needed = [name for token in select.relations if (name := token.name) and name not in known]
        return list(dict.fromkeys(_workflow_of(name) for name in needed))

    def columns(self, relation: str) -> list[str]:
        if relation in FIXED:
            return list(FIXED[relation])
        name = self._register(relation)
        if relation not in self.workflows and relation.endswith(_CHANGES):
            return list(_CHANGED)
        columns = [*_CASE_COLUMNS, *_COSTLY, *(field.name for field in self.fields(name))]
        return columns if name == relation else [*columns, "valid_from", "valid_to"]

    def fields(self, relation: str) -> list[Field]:
        """The data fields of a workflow's relation, or of its history; others have none."""
        name = self._register(relation)
        if relation in FIXED or name not in self.workflows:
            return []
        sql = read_sql("register.sql")["fields"]
        return [Field(*row) for row in self._tables.run(sql, [self.workflows[name].name])]

    def statement(self, select: Select) -> str:
        """The view's SELECT with the relations it needs before it."""
        named = dict.fromkeys(name for token in select.relations if (name := token.name))
        parts = [f"{quote(name)} AS (\n{self._selection(name, select)})" for name in named]
        return select.after(self._tables.located(",\n".join(parts)))

    def given(self) -> dict[str, Any]:
        """The parameters that every view may use."""
        return {
            "known": known_position(self._tables, self._moments.known_at),
            "as_of": occurred_by(self._moments.as_of),
            "known_at": occurred_by(self._moments.known_at),
            "now": self._moments.now,
            "today": self._moments.now[:10],
            "me": self._asker.person,
            "my_roles": to_json(list(self._asker.roles)),
        }

    def suggest(self, column: str, relations: Sequence[str]) -> str:
        """What was probably meant by a column that is not there."""
        known = dict.fromkeys(name for relation in relations for name in self.columns(relation))
        near = get_close_matches(column, known, n=1)
        return f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"

    def _register(self, relation: str) -> str:
        return relation if relation in self.workflows else _bare(relation)

    def _selection(self, relation: str, select: Select) -> str:
        match relation:
            case "cases":
                return self._all_cases(select)
            case "subscribers":
                return self._all_subscribers()
            case "deadlines":
                return self._deadlines()
            case "offers":
                return _united(self._offers(), "offers")
            case register if register in _REGISTERS:
                return _united(self._entries(register), register)
            case fixed if fixed in FIXED:
                return _SQL[fixed]
        name = self._register(relation)
        if relation != name and relation.endswith(_CHANGES):
            return self._changes(name)
        columns = ", ".join(self._columns(name, select))
        table = table_of(self.workflows[name].name)
        if name == relation:
            return _filled("register", columns, table, self._condition)
        return _filled("history", columns, table, "")

    @property
    def _condition(self) -> str:
        now = self._moments.as_of is None and self._moments.known_at is None
        return NOW if now else THEN

    def _columns(self, name: str, select: Select) -> Iterator[str]:
        fields = [field.name for field in self.fields(name)]
        for column, own in _CASE_COLUMNS.items():
            if column not in fields:
                yield f"{own} AS {column}"
        yield from map(quote, fields)
        for column, statement in _COSTLY.items():
            if column not in fields and (column in select.names or select.takes_all_columns):
                yield f"{_SQL[statement]} AS {column}"
        for field in fields:
            ground = f"{field}{_GROUND}"
            if ground in select.names and ground not in fields:
                yield f"ground_of(_withheld, '{field}') AS {quote(ground)}"

    def _all_cases(self, select: Select) -> str:
        parts = []
        for name, workflow in self.workflows.items():
            fields = {field.name for field in self.fields(name)}
            titles = [quote(title) for title in _TITLES if title in fields]
            title = f"coalesce({', '.join(titles)})" if len(titles) > 1 else "".join(titles)
            columns = [
                "_key AS key",
                f"'{workflow.name}' AS workflow",
                "_state AS state",
                f"{title or 'NULL'} AS title",
                "_version AS version",
                "_position AS position",
                "_valid_from AS changed",
                f"{workflow.finality()} AS final",
            ]
            columns += [
                f"{_SQL[statement]} AS {column}"
                for column, statement in _COSTLY.items()
                if column in select.names or select.takes_all_columns
            ]
            table = table_of(workflow.name)
            parts.append(_filled("register", ", ".join(columns), table, self._condition))
        return _united(parts, "cases")

    def _changes(self, name: str) -> str:
        """What every event changed, field by field: made of the rows beside each other."""
        table = table_of(self.workflows[name].name)
        parts = [
            _SQL["changes"]
            .replace("{field}", field.name)
            .replace("{text}", _as_text(field))
            .replace("{table}", table)
            for field in self.fields(name)
        ]
        return _SQL["changed"].replace("{parts}", "UNION ALL\n".join(parts))

    def _offers(self) -> Iterator[str]:
        """What can be asked for next: in which role of which unit, by whom, by which body."""
        for name, workflow in self.workflows.items():
            ways = sorted(set(ways_of(workflow.bodies)))
            if not ways:
                continue
            fields = {field.name for field in self.fields(name)}
            sql = _SQL["offers"].replace("{workflow}", workflow.name)
            for number, column in enumerate(Way._fields, 1):
                if f"{{{column}}}" in sql:
                    said = {getattr(way, column) for way in ways}
                    sql = sql.replace(f"{{{column}}}", _chosen(number, said, fields))
            yield (
                sql.replace("{table}", table_of(workflow.name))
                .replace("{ways}", ", ".join(map(_row, ways)))
                .replace("{condition}", self._condition)
            )

    def _deadlines(self) -> str:
        """What falls due when; and whether it ends the state, or chases whoever is to end it."""
        chasing = [
            f"('{workflow.name}', {version}, '{state}', '{trigger}')"
            for workflow in self.workflows.values()
            for version, body in workflow.bodies.items()
            for state, trigger in sorted(chases(body))
        ]
        return _SQL["deadlines"].replace("{chasing}", ", ".join(chasing) or "('', 0, '', '')")

    def _entries(self, relation: str) -> Iterator[str]:
        """The entries that count, of every workflow that is a register of this kind."""
        for name, workflow in self.workflows.items():
            newest = workflow.bodies[max(workflow.bodies)]
            if newest.get("register") == _REGISTERS[relation]:
                fields = {field.name for field in self.fields(name)}
                columns = [
                    quote(column) if column in fields else f"{_nothing(column)} AS {quote(column)}"
                    for column in FIXED[relation][1:]
                ]
                yield (
                    _SQL["entries"]
                    .replace("{columns}", ", ".join(columns))
                    .replace("{table}", table_of(workflow.name))
                    .replace("{condition}", self._condition)
                    .replace("{states}", _texts(newest.get("in_force", [])) or "NULL")
                )

    def _all_subscribers(self) -> str:
        rows = [
            f"\nSELECT '{_escaped(s.name)}' AS name, {s.reached} AS reached, {s.head} AS head,"
            f" {s.waiting} AS waiting"
            for s in self._subscribers()
        ]
        return _united(rows, "subscribers")


@dataclass(frozen=True, slots=True)
class _Workflow:
    """``bodies``: its published definitions as data, by version."""

    name: str
    bodies: dict[int, dict[str, Any]]

    def finality(self) -> str:
        """SQL for whether a row's state is final: 1 or 0."""
        final = {
            version: sorted(s for s, about in body["states"].items() if about.get("final"))
            for version, body in self.bodies.items()
        }
        tests = [
            f"(_definition = {version} AND _state IN ({_texts(states)}))"
            for version, states in final.items()
            if states
        ]
        return f"CASE WHEN {' OR '.join(tests)} THEN 1 ELSE 0 END" if tests else "0"


def _row(way: Way) -> str:
    said = [str(said) if isinstance(said, int) else f"'{_escaped(said)}'" for said in way]
    return f"({', '.join(said)})"


def _chosen(number: int, said: Iterable[str], fields: Collection[str]) -> str:
    """SQL for what a way says in the column of this number: a word as it is, the value of the field
    that is named: by a path, or, where only a field can be meant, by its name alone. What is
    counted (``_NUMBERS``) is a field's."""
    place, column = f"way.column{number}", Way._fields[number - 1]
    named = (name for name in sorted(said) if name.startswith("data.") or column == "person")
    cases = [
        f"WHEN '{_escaped(name)}' THEN {quote(field)}"
        for name in named
        if (field := name.removeprefix("data.")) in fields
    ]
    word = _nothing(column) if column in _NUMBERS else f"nullif({place}, '')"
    return f"CASE {place} {' '.join(cases)} ELSE {word} END" if cases else word


def _nothing(column: str) -> str:
    """Databases ask of what is united that its types agree."""
    return f"CAST(NULL AS {'REAL' if column in _NUMBERS else 'TEXT'})"


def _as_text(field: Field) -> str:
    column = quote(field.name)
    return f"number_as_text({column})" if field.type in ("number", "money") else column


def _united(parts: Iterable[str], relation: str) -> str:
    nothing = ", ".join(f"{_nothing(column)} AS {quote(column)}" for column in FIXED[relation])
    return "UNION ALL\n".join(parts) or f"SELECT {nothing} WHERE 1 = 0"


def _bare(relation: str) -> str:
    return relation.removesuffix(_HISTORY).removesuffix(_CHANGES)


def relation_names(workflows: Iterable[str]) -> list[str]:
    """The relations there are when these workflows are published."""
    named = [_relation_of(name) for name in workflows]
    made = (f"{name}{kind}" for name in named for kind in (_HISTORY, _CHANGES))
    return sorted({*FIXED, *named, *made})


def _relation_of(workflow: str) -> str:
    return workflow.replace("-", "_")


def _workflow_of(relation: str) -> str:
    return _bare(relation).replace("_", "-")


def _texts(values: Iterable[str]) -> str:
    return ", ".join(f"'{_escaped(value)}'" for value in values)


def _escaped(text: str) -> str:
    return text.replace("'", "''")


def _filled(statement: str, columns: str, table: str, condition: str) -> str:
    sql = _SQL[statement].replace("{columns}", columns).replace("{table}", table)
    return sql.replace("{condition}", condition)
