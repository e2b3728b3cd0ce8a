"""Instants as fixed-width UTC text, so that text order is time order, and clocks one can hold.

An *instant* reads ``2026-12-31T17:05:00.000000Z`` (RFC 3339). Where only a day is known, the
*date* ``2026-12-31`` stands in its place; it sorts before every instant of its day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from engine.errors import BadInput

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

END_OF_TIME = "9999-12-31T23:59:59.999999Z"


class Clock(Protocol):
    def now(self) -> str: ...


class SystemClock:
    """The machine's clock. It may step back; the log never does (see ``engine.store.log``)."""

    def now(self) -> str:
        return instant(datetime.now(UTC))


class HandClock:
    """A clock that moves only when told to."""

    def __init__(self, at: str = "2026-01-01T09:00:00.000000Z") -> None:
        self.at = at

    def now(self) -> str:
        return self.at

    def advance(self, **by: float) -> None:
        """Move by ``timedelta`` keywords: ``clock.advance(days=3)``."""
        self.at = instant(to_datetime(self.at) + timedelta(**by))


def instant(moment: datetime) -> str:
    """The instant of an aware datetime."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_datetime(text: str) -> datetime:
    """The aware datetime of an instant, or the first moment of a date."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_instant_or_date(text: str) -> bool:
    return bool(_INSTANT.fullmatch(text) or _DATE.fullmatch(text)) and _is_in_calendar(text)


@lru_cache(maxsize=1_000)
def _is_in_calendar(text: str) -> bool:
    """All that a report says was so on one day: asked again and again."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def read_moment(text: str, where: str = "") -> str:
    """What a person typed as a point in time, as an instant or a date.

    Takes ``2026-03-31``, ``2026-03-31T12:00``, and any RFC 3339 time; without an offset it is UTC.
    Raises ``BadInput`` for anything else.
    """
    text = text.strip()
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
        moment = datetime.fromisoformat(text)
        return instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise BadInput.one(
            where, f"{text!r} is not a date or time", "write 2026-03-31 or 2026-03-31T12:00:00Z"
        ) from None


@lru_cache(maxsize=1_000)
def back(moment: str, period: str) -> str:
    """The date that lies ``period`` (``90 days``, ``3 months``) before ``moment``.

    A month back from the 31st is the last day of a shorter month (ISO 8601 calendar arithmetic);
    nothing is before the year 1.
    Raises ``ValueError`` for units that need a calendar of working days.
    """
    amount, unit = period.split(" ", 1)
    count, at = int(amount), to_datetime(moment)
    match unit.removesuffix("s"):
        case "hour":
            return (at - timedelta(hours=count)).date().isoformat()
        case "day":
            return (at - timedelta(days=count)).date().isoformat()
        case "week":
            return (at - timedelta(weeks=count)).date().isoformat()
        case "month" | "year" as calendar_unit:
            months = at.year * 12 + at.month - 1 - count * (12 if calendar_unit == "year" else 1)
            year, month = divmod(months, 12)
            if year < 1:
                return date.min.isoformat()
            last_day = monthrange(year, month + 1)[1]
            return date(year, month + 1, min(at.day, last_day)).isoformat()
    raise ValueError(f"{period}: needs a calendar")


def last_instant(moment: str) -> str:
    """The last instant that ``moment`` covers: a date covers its whole day."""
    return f"{moment}T23:59:59.999999Z" if len(moment) == 10 else moment
