"""How a home is: what ``pmo status`` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.consuming import Standing, read_standings
from app.home import Home
from engine.clock import SystemClock, to_datetime
from projections.audit import trail
from projections.cases import count_by_state
from projections.deadlines import deadlines
from projections.definitions import published
from projections.shipped import PROJECTIONS
from projections.views import Views

if TYPE_CHECKING:
    from consumers.scheduler import Waiting


@dataclass(frozen=True, slots=True)
class State:
    """``lag``: by how many events the views were behind when we looked; they no longer are.

    ``parked``: position, projection, stream and reason of the events that no view shows until they
    are mended. ``deadlines`` counts the open ones; ``refused`` are those due that the rules refuse.
    ``ahead``: by how many seconds the log is ahead of this machine's clock, as after one that was
    wrong for a while; what is asked for is judged and recorded as of then until the clock is there.
    """

    head: int
    last_recorded_at: str | None
    ahead: int
    lag: int
    parked: list[tuple[int, str, str, str]]
    ledger_bytes: int
    views_bytes: int
    definitions: list[dict[str, Any]]
    cases: list[dict[str, Any]]
    deadlines: int
    refused: tuple[Waiting, ...]
    consumers: list[Standing]


def read_state(home: Home) -> State:
    """Raises ``StoreFailed``."""
    head = home.head()
    ledger_bytes, views_bytes = home.place.sizes()
    lag = max(0, head - (home.checkpoint() or 0))
    last = trail(home.views, newest_first=True, limit=1)
    recorded_at = last[0]["recorded_at"] if last else None
    return State(
        head=head,
        last_recorded_at=recorded_at,
        ahead=_ahead(recorded_at) if recorded_at else 0,
        lag=lag,
        parked=Views(home.views, PROJECTIONS).parked(),
        ledger_bytes=ledger_bytes,
        views_bytes=views_bytes,
        definitions=[
            {name: value for name, value in row.items() if name != "body"}
            for row in published(home.views)
        ],
        cases=count_by_state(home.views),
        deadlines=deadlines(home.views, limit=1)[1],
        refused=_refused(home),
        consumers=read_standings(home),
    )


def _ahead(recorded_at: str) -> int:
    lead = to_datetime(recorded_at) - to_datetime(SystemClock().now())
    return max(0, int(lead.total_seconds()))


def _refused(home: Home) -> tuple[Waiting, ...]:
    if not home.place.has_refusals():
        return ()
    from consumers.scheduler import refused

    return refused(home.place.refusals)
