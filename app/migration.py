"""Cases that go on under another version of their workflow: which, and what that does to each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.definitions import from_views
from app.home import Home
from engine import ids
from engine.clock import SystemClock
from engine.commands import MigrateCase
from engine.drafting import Draft, Drafter
from engine.errors import NotFound, PmoError, Refused
from engine.events import AnyEvent, CaseMigrated, Due
from engine.folds import Folds
from engine.service import CASES_KEPT
from projections.cases import of_workflow
from projections.definitions import published


@dataclass(frozen=True, slots=True)
class Goes:
    """A case that goes from one version and state to another: what is due then, and whose answers
    do not count any more. ``position`` is that of the event, ``None`` where it was not written."""

    case: str
    before: int
    after: int
    state_before: str
    state: str
    deadlines: tuple[Due, ...]
    lapsing: tuple[str, ...] = ()
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Stays:
    """A case that cannot go, and all the reasons."""

    case: str
    refused: tuple[str, ...]


def running(home: Home, workflow: str, before: int | None, after: int) -> list[str]:
    """The keys of the cases that are under way by version ``before``, or by any but ``after``.

    Raises ``NotFound`` where there is no such version.
    """
    rows = [row for row in published(home.views) if row["name"] == workflow]
    known = [row["version"] for row in rows]
    for version in (before, after):
        if version is not None and version not in known:
            mend = f"there is {', '.join(map(str, known))}"
            raise NotFound.one("", f"there is no version {version} of {workflow}", mend)
    final = {
        (row["version"], name)
        for row in rows
        for name, state in from_views(row["body"]).states.items()
        if state.final
    }
    return [
        case["key"]
        for case in of_workflow(home.views, workflow)
        for version in [case["definition_version"]]
        if (version == before if before is not None else version != after)
        and (version, case["state"]) not in final
    ]


def preview(home: Home, commands: Sequence[MigrateCase]) -> Iterator[Goes | Stays]:
    """What they would bring about now, one after the other; nothing is written."""
    drafter = Drafter(home.log, home.service.catalog, Folds(home.log, CASES_KEPT), ids.new_id)
    current = drafter.begin(SystemClock().now())
    for command in commands:
        case = current.find(command.case)
        draft = drafter.draft(command, current)
        assert isinstance(draft, Draft)
        if refusal := draft.decision.refusal:
            yield Stays(command.case, refusal.reasons)
            continue
        current.take(draft.decision)
        signed = case.signatures if case else ()
        lapsing = tuple(f"{one.person} ({one.of})" for one in signed)
        yield replace(_goes(draft.decision.events[-1]), lapsing=lapsing)


def migrate(home: Home, commands: Sequence[MigrateCase]) -> Iterator[Goes | Stays]:
    """Send them all. What the store refuses is raised in its turn; those before it are done."""
    answers = home.service.handle_many(commands)
    for command, answer in zip(commands, answers, strict=True):
        if isinstance(answer, Refused):
            yield Stays(command.case, answer.reasons)
        elif isinstance(answer, PmoError):
            raise answer
        else:
            (event,) = home.log.read(answer.position - 1, 1)
            yield replace(_goes(event.event), position=answer.position)


def _goes(event: AnyEvent) -> Goes:
    assert isinstance(event, CaseMigrated)
    before, after = event.former.version, event.definition.version
    due = event.deadlines or ()
    return Goes(event.stream, before, after, event.source, event.state, due)
