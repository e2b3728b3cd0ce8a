"""Looking back on a year: whether the views show what its chapters say of them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from app.home import Home
from app.views import Catalogue, measure, moments, open_view, read_catalogue
from app.year.chapters import Look, Year
from engine.commands import Requester
from engine.errors import PmoError, Problem
from projections.relations import Asker

Row = dict[str, Any]


def differences(home: Home, year: Year) -> Iterator[Problem]:
    """What a view or a metric does not show although a chapter says so, each at its place."""
    catalogue = read_catalogue(home)
    for look, where in year.afterwards:
        try:
            found = _rows(home, catalogue, look, year.ends_on)
        except PmoError as error:
            yield Problem(where, str(error))
            continue
        name = look.view or look.metric
        for wanted in look.rows:
            if not any(_holds(row, wanted) for row in found):
                yield Problem(where, f"{name} shows no row with {wanted} among {len(found)}")


def _rows(home: Home, catalogue: Catalogue, look: Look, ends_on: str) -> list[Row]:
    at = moments(look.as_of or ends_on, look.known_at)
    roles = Requester.read(look.reader).roles
    if look.metric is not None:
        (measured,) = measure(home, catalogue.metrics_at(ends_on, look.metric), at, roles)
        return [
            {"of": " / ".join(str(part or "") for part in f.group), "value": f.value}
            for f in measured.figures
        ]
    answer = open_view(home, catalogue.view(look.view or ""), look.given, at, Asker(None, roles))
    names = [column.name for column in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def _holds(row: Row, wanted: Row) -> bool:
    return all(name in row and _same(row[name], value) for name, value in wanted.items())


def _same(found: Any, wanted: Any) -> bool:
    """YAML keeps decimals as text, so that no digit is lost."""
    if isinstance(found, int | float) and not isinstance(wanted, bool):
        return abs(Decimal(repr(found)) - Decimal(str(wanted))) < Decimal("0.005")
    return bool(found == wanted)
