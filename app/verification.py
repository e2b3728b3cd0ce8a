"""Whether a home is sound: its log whole, and its views what the log says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.home import Home
from engine.errors import LogDamaged
from projections.verify import Progress, verify


@dataclass(frozen=True, slots=True)
class Verified:
    """``damage``: where and how the log is not what was written; then the views were not compared.

    ``differences`` are where a view does not say what the log says.
    """

    events: int
    damage: str | None
    rows: int
    cases: int
    differences: tuple[str, ...]
    parked: tuple[tuple[int, str, str, str], ...]

    @property
    def sound(self) -> bool:
        return not (self.damage or self.differences or self.parked)

    def lines(self) -> Iterator[str]:
        """For people to read."""
        if self.damage:
            yield f"the log is damaged at {self.damage}"
            return
        yield f"the log: {self.events:,} events, and the chain of their hashes is whole"
        if self.sound:
            yield f"the views: {self.rows:,} rows and {self.cases:,} cases say what the log says"
        if self.differences:
            yield f"the views: {len(self.differences)} differences; pmo rebuild makes them anew"
            yield from (f"  {difference}" for difference in self.differences)
        if self.parked:
            yield f"the views: {len(self.parked)} events could not be shown"
            for position, projection, stream, reason in self.parked:
                yield f"  position {position}, {stream}, in {projection}: {reason}"


def verify_home(home: Home, progress: Progress | None = None) -> Verified:
    """Recompute the chain, fold the log again, compare. Raises ``StoreFailed``."""
    try:
        events = home.log.check()
    except LogDamaged as error:
        return Verified(0, str(error), 0, 0, (), ())
    home.catch_up()
    report = verify(home.log, home.views_file, progress)
    return Verified(
        events,
        None,
        report.rows,
        report.cases,
        tuple(map(str, report.differences)),
        report.parked,
    )
