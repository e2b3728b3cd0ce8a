"""The contracts of a home: of every version that was published, since running cases keep theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.contracts.forms import Form, forms, observed
from app.definitions import from_views
from app.home import Home
from engine.definition import Definition
from engine.errors import BadInput, NotFound
from engine.validation import suggest
from projections.audit import observed_names
from projections.definitions import published


@dataclass(frozen=True, slots=True)
class Contracts:
    """Published definitions, and the names of the facts that were observed, by workflow."""

    definitions: tuple[Definition, ...]
    seen: dict[str, list[str]]

    @classmethod
    def of(cls, home: Home, *, newest: bool = False) -> Contracts:
        """Those of a home: all versions, or the newest of each workflow."""
        bodies = {(row["name"], row["version"]): row["body"] for row in published(home.views)}
        last = dict(bodies.keys())
        wanted = [
            from_views(body)
            for (name, version), body in bodies.items()
            if not newest or version == last[name]
        ]
        return cls(tuple(wanted), observed_names(home.views))

    def find(self, workflow: str, version: int | None = None) -> Definition:
        """The newest definition of a workflow, or the one of a version. Raises ``NotFound``."""
        of_name = [one for one in self.definitions if one.workflow == workflow]
        if not of_name:
            mend = suggest(workflow, dict.fromkeys(d.workflow for d in self.definitions))
            raise NotFound.one("workflow", f"no workflow {workflow!r} is published", mend)
        if version is None:
            return of_name[-1]
        for one in of_name:
            if one.version == version:
                return one
        there = ", ".join(str(one.version) for one in of_name)
        raise NotFound.one("version", f"{workflow} has no version {version}", f"there is {there}")

    def names(self, definition: Definition) -> list[str]:
        """The events of a definition: those it knows by name, then facts that were observed."""
        seen = self.seen.get(definition.workflow, ())
        return [*dict.fromkeys([*forms(definition), *seen])]

    def check_name(self, definition: Definition, name: str) -> None:
        """Raises ``BadInput`` for an event that neither the definition nor the log knows."""
        if name not in self.names(definition):
            known = self.names(definition)
            told = f"{definition.workflow} records no {name!r}"
            raise BadInput.one("event", told, suggest(name, known))


@dataclass(frozen=True, slots=True)
class Listed:
    """One event of one version of a workflow, for people to read."""

    workflow: str
    version: int
    event: str
    by: tuple[str, ...]
    """What brings it about: start, a trigger, or the kind of event it is in every workflow."""
    carries: tuple[str, ...]
    tells: tuple[str, ...]
    """Of which fields it says what they held before."""


def listed(contracts: Contracts, workflows: Iterable[str] = ()) -> Iterator[Listed]:
    """Every event of every definition, or of those ``workflows``."""
    wanted = [*workflows]
    for workflow in wanted:
        contracts.find(workflow)
    for definition in contracts.definitions:
        if wanted and definition.workflow not in wanted:
            continue
        of_steps = forms(definition)
        for name in contracts.names(definition):
            ways = of_steps.get(name) or [observed(definition)]
            carries = dict.fromkeys(field for way in ways for field in way.carries or ())
            tells = dict.fromkeys(field for way in ways for field in way.tells)
            by = dict.fromkeys(map(_brought_by, ways))
            yield Listed(
                definition.workflow, definition.version, name, (*by,), (*carries,), (*tells,)
            )


def _brought_by(way: Form) -> str:
    if way.at:
        return way.trigger or "start"
    return way.type.removeprefix("pmo.").rpartition(".v")[0].partition(".")[2]
