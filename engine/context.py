"""What a command is judged in: the moment, fresh ids, and whatever else it looks at in the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.case import Case
from engine.definition import Definition
from engine.events import DefinitionRef


@dataclass(slots=True)
class Context:
    """The world at this moment, and the record of what of it was looked at.

    ``find`` gives the case of a stream as it is now, ``definition`` the one a case is pinned to.
    What was looked at, and at which version (0: there was none), becomes the ``reads`` of the
    event, and the append is refused if any of it has changed meanwhile. ``at`` is when it is to
    have been so, if that is not now.
    """

    now: str
    new_id: Callable[[], str]
    find: Callable[[str], Case | None]
    definition: Callable[[DefinitionRef], Definition]
    seen: dict[str, Case | None] = field(default_factory=dict)
    at: str = ""

    def look(self, stream: str) -> Case | None:
        seen = self.seen
        if stream in seen:
            return seen[stream]
        case = seen[stream] = self.find(stream)
        return case

    @property
    def day(self) -> str:
        """The day on which it is to have been so."""
        return (self.at or self.now)[:10]

    @property
    def today(self) -> str:
        return self.now[:10]

    @property
    def reads(self) -> dict[str, int]:
        seen = self.seen
        return {at: case.version if case else 0 for at, case in seen.items()} if seen else {}
