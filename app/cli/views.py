"""``pmo view`` and ``pmo metrics``: what is configured to be looked at, on both clocks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import options
from app.cli.failures import CheckFailed
from app.cli.tables import MISSING, print_csv, print_json, print_rows, show_in, show_value
from app.cli.terminal import bold, clean, dim, echo
from app.home import Home
from app.places import Address
from engine.errors import BadInput, Problem

if TYPE_CHECKING:
    from app.views import Catalogue, Measured
    from projections.answers import Answer
    from projections.relations import Asker
    from projections.view_definitions import View

_FOLDER = click.option(
    "--views",
    "folder",
    type=click.Path(path_type=Path),
    help="A folder with more views; those in the home's own folder 'views' are always there.",
)


@click.command("view")
@click.argument("name", required=False)
@click.argument("words", metavar="[PARAMETER=VALUE]...", nargs=-1)
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print CSV, for spreadsheets: text that begins like a formula gets a ' before it.",
)
@click.option("--limit", type=options.COUNT, default=1_000, show_default=True)
@_FOLDER
@options.moment_options
@options.actor_option
@options.home_option
@options.json_option
def view_command(
    name: str | None,
    words: tuple[str, ...],
    as_csv: bool,
    limit: int,
    folder: Path | None,
    as_of: str | None,
    known_at: str | None,
    actor: str | None,
    home: Address,
    as_json: bool,
) -> None:
    """Open the view NAME (or its id, like V1); without it, list the views there are.

    \b
    pmo view decisions --as-of 2026-06-30
    pmo view portfolio unit=transport --known-at 2026-03-31 --csv
    """
    from app.views import moments, open_view, read_catalogue

    with Home.open(home) as opened:
        catalogue = read_catalogue(opened, folder, name)
        if name is None:
            _list(catalogue, as_json)
            return
        view = catalogue.view(name)
        asker = _asker(actor, view.restricted)
        at = moments(as_of, known_at)
        answer = open_view(opened, view, _assigned(words), at, asker, limit)
    who = asker.person if "me" in {token.text[1:] for token in view.select.parameters} else None
    if as_json:
        print_json(_described(view, answer, who, as_of, known_at))
    elif as_csv:
        print_csv([column.name for column in answer.columns], answer.rows)
    else:
        _print(view, answer, who, as_of, known_at)
    if answer.more:
        echo(f"these are the first {limit:,} rows; --limit shows more", err=True)


@click.command("metrics")
@click.argument("name", metavar="[METRIC|VIEW]", required=False)
@_FOLDER
@options.moment_options
@options.actor_option
@options.home_option
@options.json_option
def metrics_command(
    name: str | None,
    folder: Path | None,
    as_of: str | None,
    known_at: str | None,
    actor: str | None,
    home: Address,
    as_json: bool,
) -> None:
    """Measure: one METRIC, those of a VIEW (by its id, like V1), or all of them.

    What cannot be measured yet says which workflow it lacks. With --as-of, the definition of a
    metric is the one that counted on that day.
    """
    from app.views import measure, moments, read_catalogue

    with Home.open(home) as opened:
        catalogue = read_catalogue(opened, folder)
        at = moments(as_of, known_at)
        metrics = catalogue.metrics_at(at.now[:10], name)
        restricted = any(metric.restricted for metric in metrics)
        roles = options.read_actor(actor).roles if restricted else ()
        measured = measure(opened, metrics, at, roles)
    if as_json:
        print_json([_measured(one) for one in measured])
    else:
        rows = [row for one in measured for row in _rows(one)]
        print_rows(["metric", "version", "of", "value", "unit"], rows, right=["version", "value"])
        if name is not None:
            for one in measured:
                echo(f"\n{bold(one.metric.title)}: {one.metric.about}")
    _tell(catalogue.problems)


def _list(catalogue: Catalogue, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "id": view.id,
                    "name": view.name,
                    "title": view.title,
                    "about": view.about,
                    "parameters": {n: p.model_dump() for n, p in view.parameters.items()},
                    "restricted": view.restricted,
                    "readers": list(view.readers),
                    "file": view.file,
                }
                for view in catalogue.views.values()
            ]
        )
    else:
        print_rows(
            ["id", "name", "title"],
            [
                [view.id, view.name, view.title + (" (restricted)" if view.restricted else "")]
                for view in catalogue.views.values()
            ],
        )
    _tell(catalogue.problems)


def _tell(problems: Iterable[Problem]) -> None:
    """Views that cannot be read are left out, and said to be."""
    told = list(problems)
    for problem in told:
        echo(f"error: {problem}", err=True)
    if told:
        raise CheckFailed


def _asker(actor: str | None, restricted: bool) -> Asker:
    """Who looks, where they say it here and now, or have to because not everybody may."""
    from projections.relations import NOBODY, Asker

    asked = options.asked_about(actor)
    if asked is None and not restricted:
        return NOBODY
    asking = options.read_actor(actor)
    return Asker(None if asked is None else asking.id, asking.roles)


def _described(
    view: View, answer: Answer, who: str | None, as_of: str | None, known_at: str | None
) -> dict[str, Any]:
    names = [column.name for column in answer.columns]
    return {
        "id": view.id,
        "name": view.name,
        "title": view.title,
        "as": who,
        "as_of": as_of,
        "known_at": known_at,
        "columns": [
            {"name": column.name, "title": column.title, "unit": column.unit}
            for column in answer.columns
        ],
        "chart": view.chart.model_dump() if view.chart else None,
        "rows": [dict(zip(names, row, strict=True)) for row in answer.rows],
        "more": answer.more,
    }


def _print(
    view: View, answer: Answer, who: str | None, as_of: str | None, known_at: str | None
) -> None:
    echo(f"{bold(f'{view.id}  {view.title}')}")
    echo(dim(view.about))
    asked = [
        f"for {clean(who)}" if who else "",
        f"as of {as_of}" if as_of else "",
        f"as known at {known_at}" if known_at else "",
    ]
    if any(asked):
        echo(", ".join(filter(None, asked)))
    echo()
    if not answer.rows:
        echo("nothing")
        return
    numbers = {
        column.title
        for place, column in enumerate(answer.columns)
        if any(isinstance(row[place], int | float) for row in answer.rows)
    }
    print_rows(
        [column.title for column in answer.columns],
        [
            [show_in(column.unit, value) for column, value in zip(answer.columns, row, strict=True)]
            for row in answer.rows
        ],
        right=[*numbers],
    )


def _rows(measured: Measured) -> list[list[str]]:
    metric = measured.metric
    begin = [metric.name, str(metric.version)]
    if measured.lacking:
        return [[*begin, measured.lacking, MISSING, ""]]
    unit = "" if metric.unit == "%" else metric.unit
    return [
        [
            *begin,
            " / ".join(map(show_value, figure.group)),
            show_in(metric.unit, figure.value),
            unit,
        ]
        for figure in measured.figures
    ]


def _measured(measured: Measured) -> dict[str, Any]:
    metric = measured.metric
    return {
        "id": metric.name,
        "version": metric.version,
        "title": metric.title,
        "about": metric.about,
        "view": metric.view,
        "unit": metric.unit,
        "figures": [{"group": list(f.group), "value": f.value} for f in measured.figures],
        "lacking": measured.lacking or None,
    }


def _assigned(words: Iterable[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise BadInput.one(wrong[0], "there is no '=' in it", "write PARAMETER=VALUE")
    return {name.strip(): value for name, _, value in pairs}
