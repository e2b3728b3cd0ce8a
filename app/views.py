"""The views and metrics there are: those that ship, those of a home, and those of a folder.

A view of the same name in a later place stands for the one before it, and so does a metric of the
same id and version. So an operator changes what ships without touching it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from app.home import Home
from engine.clock import SystemClock, last_instant
from engine.errors import BadInput, NotFound, Problem, Refused
from engine.validation import suggest
from engine.yaml_source import LARGEST_FILE
from projections.answers import Answer, Figure, ask, figures
from projections.choices import Bodies, bodies_of, choices
from projections.definitions import published
from projections.relations import NOBODY, Asker, Moments, Relations, Subscriber
from projections.shipped import PROJECTIONS
from projections.store import Tables
from projections.view_definitions import (
    Metric,
    Question,
    View,
    in_force,
    load_metrics,
    load_view,
    read_parameters,
)
from projections.views import Views

SHIPPED = Path(__file__).parent.parent / "workflows" / "views"
FOLDER = "views"
METRICS = "metrics.yaml"


class NotForYou(Refused):
    """Somebody asked for a restricted view in no role that may read it."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Views by name, metrics in order, and what is wrong with files that could not be read."""

    views: dict[str, View]
    metrics: list[Metric]
    problems: tuple[Problem, ...]

    def view(self, name: str) -> View:
        """By name or by id. Raises ``NotFound``, or what is wrong with its file."""
        found = self.views.get(name) or next(
            (view for view in self.views.values() if view.id.lower() == name.lower()), None
        )
        if found is None:
            broken = [p for p in self.problems if Path(p.where.split(":")[0]).stem == name]
            if broken:
                raise BadInput(broken)
            raise NotFound.one("", f"there is no view {name!r}", suggest(name, self.views))
        return found

    def metrics_at(self, day: str, name: str | None = None) -> list[Metric]:
        """The metrics in force on a day; by id, or all those of a view."""
        counting = in_force(self.metrics, day)
        if name is None:
            return counting
        chosen = [m for m in counting if m.id == name or (m.view or "").lower() == name.lower()]
        if not chosen:
            known = {metric.id for metric in counting} | {metric.view or "" for metric in counting}
            near = get_close_matches(name, sorted(known), n=1)
            mend = f"did you mean {near[0]!r}?" if near else "pmo metrics lists them"
            raise NotFound.one("", f"there is no metric {name!r}, and no view with any", mend)
        return chosen


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric and its figures, or why there are none."""

    metric: Metric
    figures: tuple[Figure, ...]
    lacking: str = ""


def read_catalogue(home: Home, folder: Path | None = None, named: str | None = None) -> Catalogue:
    """What ships, what lies in ``views`` of the home, and what lies in ``folder``.

    A file that cannot be read is told of and left out: one mistake does not take all views away.
    Where files are called as the view ``named``, only they are read: all of them take 200 ms.
    Raises ``BadInput`` where ``folder`` is none.
    """
    if folder is not None and not folder.is_dir():
        raise BadInput.one(str(folder), "is not a folder", "name one with views in it")
    views: dict[str, View] = {}
    metrics: dict[tuple[str, int], Metric] = {}
    problems: list[Problem] = []
    places = (SHIPPED, home.path and home.path / FOLDER, folder)
    files = [file for place in places for file in _files(place)]
    chosen = [file for file in files if file.stem == named and file.name != METRICS]
    for file in chosen or files:
        try:
            if file.name == METRICS:
                read = load_metrics(_read(file), str(file))
                metrics |= {(metric.id, metric.version): metric for metric in read}
            else:
                views[file.stem] = load_view(_read(file), str(file), file.stem)
        except BadInput as error:
            problems.extend(error.problems)
    ordered = sorted(views.values(), key=lambda view: (_rank(view.id), view.name))
    return Catalogue({v.name: v for v in ordered}, list(metrics.values()), tuple(problems))


def view_names(home: Home) -> list[str]:
    """The names of what ships and what lies in the home, without a look into the files."""
    files = [*_files(SHIPPED), *_files(home.path and home.path / FOLDER)]
    return sorted({file.stem for file in files if file.name != METRICS})


def open_view(
    home: Home,
    view: View,
    words: dict[str, str],
    moments: Moments,
    asker: Asker = NOBODY,
    most: int = 1_000,
    tables: Tables | None = None,
) -> Answer:
    """What a view answers, from the home's views, or those that another thread has opened. Raises
    ``NotForYou``, ``BadInput``."""
    require_reader(view, view.restricted, asker.roles)
    tables = tables or home.views
    parameters = read_parameters(view, words, lambda of: choices(of, _bodies(tables)))
    return ask(tables, relations_of(home, moments, asker, tables), view, parameters, most)


def _bodies(tables: Tables) -> Bodies:
    return bodies_of(row["body"] for row in published(tables))


def measure(
    home: Home, metrics: Sequence[Metric], moments: Moments, roles: Sequence[str] = ()
) -> list[Measured]:
    """The figures of metrics; what cannot be measured says why, and hinders no other."""
    relations = relations_of(home, moments)
    measured = []
    for metric in metrics:
        try:
            require_reader(metric, metric.restricted, roles)
            found = Measured(metric, tuple(figures(home.views, relations, metric)))
        except NotFound as error:
            found = Measured(metric, (), error.problems[0].what)
        except (BadInput, NotForYou) as error:
            found = Measured(metric, (), str(error))
        measured.append(found)
    return measured


def relations_of(
    home: Home, moments: Moments, asker: Asker = NOBODY, tables: Tables | None = None
) -> Relations:
    tables = tables or home.views
    return Relations(tables, moments, lambda: _subscribers(home, tables), asker)


def _subscribers(home: Home, tables: Tables) -> list[Subscriber]:
    """Who reads the log, and how far each has come."""
    head = home.head()
    views = Views(tables, PROJECTIONS)
    return [Subscriber("views", views.checkpoint(), head, len(views.parked()))]


def moments(as_of: str | None, known_at: str | None) -> Moments:
    """The moments asked for; one looks from the one given, else from now."""
    given = as_of or known_at
    return Moments(as_of, known_at, last_instant(given) if given else SystemClock().now())


def require_reader(question: Question, restricted: bool, roles: Sequence[str]) -> None:
    """Raises ``NotForYou`` unless one of the roles may read it."""
    if restricted and not set(roles) & set(question.readers):
        allowed = " or ".join(question.readers)
        what = f"{question.id} {question.title} is restricted: it needs --as NAME:{allowed}"
        raise NotForYou(what, ())


def _files(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadInput.one(str(file), f"cannot be read: {error.strerror}") from None


def _rank(view_id: str) -> tuple[str, int, str]:
    """V2 before V10, and V2 before V2b."""
    match = re.fullmatch(r"([^0-9]*)([0-9]*)(.*)", view_id)
    assert match is not None
    return match[1], int(match[2] or 0), match[3]
