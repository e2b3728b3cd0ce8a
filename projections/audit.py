"""The audit trail: one row for each event, whoever caused it and whatever came of it."""

from __future__ import annotations

from typing import Any

from engine.upcasts import Body
from projections.moments import known_position, occurred_by
from projections.store import Tables, from_json, read_sql, to_json
from projections.views import Batch

_SQL = read_sql("audit.sql")


class Audit:
    name = "audit"
    version = 4

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def create(self) -> None:
        self._tables.run_script(_SQL["tables"])

    def index(self) -> None:
        self._tables.run_script(_SQL["indexes"])

    def apply(self, batch: Batch) -> None:
        self._tables.insert(_SQL["insert"], [_row(position, event) for position, event in batch])

    def write(self) -> None:
        """Nothing waits."""

    def forget(self) -> None:
        """Nothing is remembered."""


def _row(position: int, event: Body) -> tuple[Any, ...]:
    get = event.get
    actor, data, conformance = event["actor"], get("data"), get("conformance")
    authority, basis, evidence = get("authority"), get("basis"), get("evidence", ())
    escalated = get("escalated")
    # That a rule held is what most verdicts say, and tells least.
    open_to_doubt = [
        verdict
        for verdict in get("verdicts", ())
        if verdict["held"] is not True or verdict.get("weight", "shall") != "shall"
    ]
    return (
        position,
        event["stream"],
        event["version"],
        event["name"],
        event["type"],
        event["definition"]["name"],
        event["recorded_at"],
        event["occurred_at"],
        actor["id"],
        actor["kind"],
        get("role"),
        get("on_behalf_of"),
        authority["rule"] if authority else None,
        authority["version"] if authority else None,
        get("trigger"),
        get("source"),
        get("state"),
        get("reason"),
        conformance["verdict"] if conformance else None,
        to_json(conformance["rules"]) if conformance else None,
        to_json(open_to_doubt) if open_to_doubt else None,
        to_json(basis) if basis else None,
        1 if isinstance(evidence, dict) else len(evidence),
        " ".join(data) if data else None,
        *(_escalated(escalated) if escalated else _NOT_ESCALATED),
    )


_NOT_ESCALATED = (None, None, None, None)


def _escalated(said: Body) -> tuple[str | None, ...]:
    """From whom, to whom, in which unit they are it, whether a person, a role or a body."""
    source, to = said.get("source") or {}, said.get("to") or {}
    return source.get("name"), to.get("name"), to.get("unit"), to.get("held_by")


def trail(
    tables: Tables,
    *,
    case: str | None = None,
    actor: str | None = None,
    name: str | None = None,
    since: str | None = None,
    as_of: str | None = None,
    known_at: str | None = None,
    after: int = 0,
    limit: int = 1_000,
    newest_first: bool = False,
) -> list[dict[str, Any]]:
    """The trail in the order of the log, as far as all that is given applies.

    ``case`` is a stream; ``since`` and ``as_of`` bound when it was so (a date covers its whole
    day); ``known_at`` bounds when it was recorded; ``after`` is the position to go on from (before
    which to go on, when ``newest_first``). ``fields`` holds the names of the data that an event
    gave, ``rules`` those it broke, as lists; ``verdicts`` those that did not simply hold (refused,
    not evaluable, warned of, overridden), ``basis`` what a decision rested on, ``papers`` how many
    documents came along.
    """
    known = known_position(tables, known_at)
    conditions = ["position < :after" if newest_first and after else "position > :after"]
    given: dict[str, Any] = {"after": after, "limit": limit}
    for condition, parameter, value in (
        ("stream = :case", "case", case),
        ("actor = :actor", "actor", actor),
        ("name = :name", "name", name),
        ("occurred_at >= :since", "since", since),
        ("occurred_at <= :as_of", "as_of", occurred_by(as_of) if as_of else None),
        ("position <= :known", "known", known if known_at else None),
    ):
        if value is not None:
            conditions.append(condition)
            given[parameter] = value
    sql = _SQL["trail"].replace("{conditions}", " AND ".join(conditions))
    sql = sql.replace("{order}", "position DESC" if newest_first else "position")
    rows = tables.fetch(sql, given)
    for row in rows:
        row["rules"] = from_json(row["rules"] or "[]")
        row["verdicts"] = from_json(row["verdicts"] or "[]")
        row["basis"] = from_json(row["basis"] or "null")
        row["fields"] = (row["fields"] or "").split()
    return rows


def count_by_name_and_year(tables: Tables, workflow: str | None = None) -> list[dict[str, Any]]:
    """How often each domain name occurred in each calendar year: name, year, events."""
    return tables.fetch(_SQL["by_name_and_year"], {"workflow": workflow})


def observed_names(tables: Tables) -> dict[str, list[str]]:
    """The names of the facts that were observed, by workflow."""
    found: dict[str, list[str]] = {}
    for row in tables.fetch(_SQL["observed_names"]):
        found.setdefault(row["workflow"], []).append(row["name"])
    return found


def cases_with_most(
    tables: Tables,
    name: str,
    *,
    as_of: str | None = None,
    known_at: str | None = None,
    limit: int = 10,
) -> list[dict[str, Any]]:
    """The cases to which events of a domain name happened most: stream, events, first and last."""
    given = {
        "name": name,
        "known": known_position(tables, known_at),
        "as_of": occurred_by(as_of),
        "limit": limit,
    }
    return tables.fetch(_SQL["cases_with_most"], given)
