"""``pmo list``: the cases of one workflow on both clocks, or all cases now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import click

from app.cases import listed
from app.cli import options
from app.cli.conditions import read_condition
from app.cli.keys import no_workflow
from app.cli.tables import MISSING, print_json, print_rows, show_moment, show_value
from app.cli.terminal import echo
from app.home import Home
from app.places import Address
from engine.errors import BadInput
from projections import register_pages
from projections.definitions import definition, published, workflows
from projections.register_pages import COUNTED, Where

_SYSTEM = ("key", "state", "version", "definition", "position")
"""The columns that a case has whatever its workflow."""


@click.command("list")
@click.argument("workflow", required=False)
@click.option("--state", help="Only cases in this state.")
@click.option(
    "--where",
    "-w",
    multiple=True,
    metavar="CONDITION",
    help="'amount>=1m', 'rating=Amber', 'name~Rail', 'end is missing' (withheld, present).",
)
@click.option("--sort", metavar="FIELD", default="key", help="By this field; -FIELD: descending.")
@click.option("--columns", metavar="FIELD,...", help="Which columns; 'all' for all.")
@click.option("--limit", type=options.COUNT, default=50, show_default=True)
@click.option("--after", metavar="KEY", help="Only what comes after this case: the next page.")
@options.moment_options
@options.home_option
@options.json_option
def list_command(
    workflow: str | None,
    state: str | None,
    where: tuple[str, ...],
    sort: str,
    columns: str | None,
    limit: int,
    after: str | None,
    as_of: str | None,
    known_at: str | None,
    home: Address,
    as_json: bool,
) -> None:
    """List the cases of a WORKFLOW; without it, all cases, those changed last first.

    Cases of a WORKFLOW are counted up to 10,000: with --json, the total of more is null. The next
    page is what comes --after the last case of this one.
    """
    with Home.open(home) as opened:
        if workflow is None:
            if where or columns or after or as_of or known_at or sort != "key":
                raise click.UsageError("name a workflow: only its cases have fields and a past")
            _list_all(opened, state, limit, as_json)
            return
        if workflow not in workflows(opened.views):
            raise no_workflow(opened, workflow)
        fields = register_pages.fields(opened.views, workflow)
        known = [*(field.name for field in fields), *_SYSTEM]
        conditions = [*map(_reader(opened, workflow), where)]
        _require_columns("--where", [one.column for one in conditions], known)
        by = sort.removeprefix("-")
        _require_columns("--sort", [by], known)
        if state:
            _require_state(opened, workflow, state)
            conditions.append(Where("_state", "=", state))
        page = register_pages.page(
            opened.views,
            workflow,
            as_of=as_of,
            known_at=known_at,
            where=conditions,
            sort=f"_{by}" if by in _SYSTEM else by,
            descending=sort.startswith("-"),
            limit=limit,
            after=after,
        )
    if as_json:
        print_json({"total": page.total, "cases": [asdict(row) for row in page.rows]})
        return
    names = _columns(columns, [field.name for field in fields])
    numbers = [field.name for field in fields if field.type in ("number", "money")]
    units = {field.name: field.unit for field in fields}
    print_rows(names, [[_cell(row, name, units) for name in names] for row in page.rows], numbers)
    if len(page.rows) == limit:
        _print_rest(
            limit, page.total, f"; --limit shows more, --after {page.rows[-1].key} the rest"
        )


def _list_all(home: Home, state: str | None, limit: int, as_json: bool) -> None:
    rows, total = listed(home.views, state=state, limit=limit)
    if state and not total:
        _require_state(home, None, state)
    if as_json:
        print_json({"total": total, "cases": rows})
        return
    print_rows(
        ["key", "workflow", "state", "title", "changed"],
        [
            [
                row["key"],
                row["workflow"],
                row["state"] or MISSING,
                show_value(row["title"]),
                show_moment(row["recorded_at"]),
            ]
            for row in rows
        ],
    )
    _print_rest(len(rows), total, "; --limit shows more")


def _print_rest(shown: int, total: int | None, how: str) -> None:
    if total is None:
        counted = max(COUNTED, shown)
        echo(f"{shown} of more than {counted:,} cases{how}", err=True)
    elif shown < total:
        echo(f"{shown} of {total:,} cases{how}", err=True)


def _require_state(home: Home, workflow: str | None, state: str) -> None:
    """That a state is one of the workflow's, or of any workflow's, in whichever version of it."""
    versions = [row["body"] for row in published(home.views) if workflow in (None, row["name"])]
    known = list(dict.fromkeys(name for body in versions for name in body["states"]))
    if state not in known:
        from engine.validation import suggest

        raise BadInput.one("--state", f"no state {state!r}", suggest(state, known))


def _reader(home: Home, workflow: str) -> Callable[[str], Where]:
    rules = definition(home.views, workflow)
    return lambda text: read_condition(text, rules["body"] if rules else {})


def _columns(given: str | None, fields: list[str]) -> list[str]:
    if given is None:
        return ["key", "state", *fields[:6]]
    if given == "all":
        return ["key", "state", "version", "definition", *fields]
    names = [name.strip() for name in given.split(",") if name.strip()]
    _require_columns("--columns", names, [*fields, *_SYSTEM])
    return names


def _require_columns(option: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            from engine.validation import suggest

            raise BadInput.one(option, f"no column {name!r}", suggest(name, known))


def _cell(row: register_pages.CaseRow, name: str, units: Mapping[str, str]) -> str:
    if name in row.data:
        return show_value(row.data[name], units.get(name, ""))
    system = {
        "key": row.key,
        "state": row.state or MISSING,
        "version": str(row.version),
        "definition": str(row.definition_version),
        "position": str(row.position),
    }
    return system.get(name, MISSING)
