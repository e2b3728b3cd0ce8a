"""Working days, periods and recurring days: when something that begins now is over, or due again.

A calendar says which days are worked and in which zone days begin and end. All arithmetic is on the
wall clock of that zone: ``1 day`` after 09:00 is 09:00 on the next day, also when the clocks change
in between. A local time that is skipped in spring counts as so much later (01:30 becomes 02:30),
and of one that comes twice in autumn the first is meant. Only ``hours`` are hours that pass.

What comes out is recorded by whoever asks. So neither a later version of the zone database nor a
changed calendar moves a deadline that stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrule, rrulestr

from engine.clock import instant
from engine.errors import BadInput, Problem
from engine.values import Value

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UTC = ZoneInfo("UTC")
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """``weekend`` holds days of the week, 0 for Monday. Some day of the week is worked."""

    weekend: frozenset[int] = frozenset({5, 6})
    holidays: frozenset[date] = frozenset()
    zone: ZoneInfo = _UTC

    def is_worked(self, day: date) -> bool:
        return day.weekday() not in self.weekend and day not in self.holidays

    def worked(self, day: date) -> date:
        """That day, or the next one that is worked."""
        while not self.is_worked(day):
            day += _DAY
        return day

    def working_day(self, after: date, count: int) -> date:
        """The ``count``-th working day after a day, which itself does not count."""
        day = after
        for _ in range(count):
            day = self.worked(day + _DAY)
        return day

    def local(self, moment: str) -> datetime:
        """The wall clock, without a zone, at an instant; of a date, its first moment."""
        if len(moment) == 10:
            return datetime.fromisoformat(moment)
        return datetime.fromisoformat(moment).astimezone(self.zone).replace(tzinfo=None)

    def utc(self, local: datetime) -> datetime:
        return local.replace(tzinfo=self.zone, fold=0).astimezone(UTC)

    def begins(self, day: date) -> datetime:
        return self.utc(datetime.combine(day, time()))

    def ends(self, day: date) -> datetime:
        """The last microsecond of the day."""
        return self.begins(day + _DAY) - _TICK


USUAL = Calendar()
"""Saturday and Sunday are not worked, there are no holidays, and days are those of UTC."""
OR_USUAL = " or usual"
"""What a definition says after the calendar it names, if there may be none in force."""


def read_calendar(data: Mapping[str, Value]) -> Calendar:
    """The calendar that an entry of a calendar register holds; what it does not say is as usual.

    Raises ``BadInput`` for days and zones that do not exist, and for a week without a working day.
    """
    weekend, holidays, zone = (data.get(name) for name in ("weekend", "holidays", "zone"))
    if any(isinstance(value, dict) for value in (weekend, holidays, zone)):
        raise BadInput.one("/data", "a calendar that is withheld cannot be counted by")
    days = ("saturday", "sunday") if weekend is None else tuple(map(str.lower, weekend))
    return _calendar(days, tuple(holidays or ()), zone or "UTC")


@lru_cache(maxsize=64)
def _calendar(weekend: tuple[str, ...], holidays: tuple[str, ...], zone: str) -> Calendar:
    problems = [
        Problem("/data/weekend", f"{day!r} is no day of the week", f"one of: {', '.join(WEEKDAYS)}")
        for day in weekend
        if day not in WEEKDAYS
    ]
    if {*weekend} >= {*WEEKDAYS}:
        problems.append(Problem("/data/weekend", "no day of the week is left to work on"))
    found = find_zone(zone)
    if found is None:
        mend = "write a name of the IANA database, like Europe/London"
        problems.append(Problem("/data/zone", f"there is no time zone {zone[:60]!r}", mend))
    if problems or found is None:
        raise BadInput(problems)
    return Calendar(
        frozenset(WEEKDAYS.index(day) for day in weekend),
        frozenset(map(date.fromisoformat, holidays)),
        found,
    )


def find_zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@contextmanager
def _within_time(what: str) -> Iterator[None]:
    try:
        yield
    except (OverflowError, ValueError):
        raise BadInput.one("", f"{what} ends after the year 9999") from None


def after(period: str, moment: str, calendar: Calendar, share: int = 100) -> str:
    """The instant at which ``share`` percent of a period that begins at ``moment`` have passed.

    - ``hours`` pass one by one.
    - ``days``, ``weeks``, ``months`` and ``years`` end at the same local time; a month after the
      31st is the last day of a shorter month. A share is that share of the time in between.
    - ``working days`` are whole days, and the day on which they begin does not count: they end with
      the last microsecond of the n-th working day after it. A share of them is a share of their
      number: of 10, 80 % end with the 8th; half of 5 is over in the middle of the 3rd.

    Raises ``BadInput`` beyond the year 9999.
    """
    amount, unit = period.split(" ", 1)
    count, unit = int(amount), unit.removesuffix("s")
    with _within_time(period):
        local = calendar.local(moment)
        if unit == "working day":
            return instant(_working_days(Fraction(count * share, 100), local.date(), calendar))
        begins = _begins(moment, calendar)
        if unit == "hour":
            return instant(begins + timedelta(hours=count) * share / 100)
        ends = calendar.utc(local + relativedelta(**{f"{unit}s": count}))  # type: ignore[arg-type]
        return instant(begins + (ends - begins) * share / 100)


def _working_days(count: Fraction, begins: date, calendar: Calendar) -> datetime:
    whole, part = divmod(count, 1)
    day = calendar.working_day(begins, whole)
    if not part:
        return calendar.ends(day)
    next_day = calendar.working_day(day, 1)
    length = calendar.begins(next_day + _DAY) - calendar.begins(next_day)
    return calendar.begins(next_day) + length * part.numerator / part.denominator


def until(ends: str, moment: str, calendar: Calendar, share: int) -> str:
    """The instant at which ``share`` percent of the time from ``moment`` to ``ends`` are over."""
    if share == 100:
        return ends
    begins = _begins(moment, calendar)
    with _within_time(f"{share}% of the time until {ends[:10]}"):
        return instant(begins + (_begins(ends, calendar) - begins) * share / 100)


def _begins(moment: str, calendar: Calendar) -> datetime:
    if len(moment) == 10:
        return calendar.begins(date.fromisoformat(moment))
    return datetime.fromisoformat(moment)


def end_of(day: str, calendar: Calendar, rolled: bool = False) -> str:
    """The last microsecond of a date; ``rolled``: of the next working day, if it is none."""
    with _within_time(day):
        found = date.fromisoformat(day)
        return instant(calendar.ends(calendar.worked(found) if rolled else found))


# --- RFC 5545 -------------------------------------------------------------------------------------

_PARTS = {
    "FREQ": r"DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": r"[1-9]\d{0,2}",
    "COUNT": r"[1-9]\d{0,3}",
    "UNTIL": r"\d{8}(T\d{6}Z?)?",
    "BYMONTH": r"([1-9]|1[0-2])(,([1-9]|1[0-2]))*",
    "BYMONTHDAY": r"-?([1-9]|[12]\d|3[01])(,-?([1-9]|[12]\d|3[01]))*",
    "BYYEARDAY": r"-?[1-9]\d{0,2}(,-?[1-9]\d{0,2})*",
    "BYWEEKNO": r"-?[1-9]\d?(,-?[1-9]\d?)*",
    "BYDAY": r"([+-]?[1-9]\d?)?(MO|TU|WE|TH|FR|SA|SU)(,([+-]?[1-9]\d?)?(MO|TU|WE|TH|FR|SA|SU))*",
    "BYSETPOS": r"-?[1-9]\d{0,2}(,-?[1-9]\d{0,2})*",
    "BYHOUR": r"\d|1\d|2[0-3]",
    "BYMINUTE": r"\d|[1-5]\d",
    "WKST": r"MO|TU|WE|TH|FR|SA|SU",
}
"""What a rule may say. It falls on a day at most once, and nothing in it takes long to find."""

_FIRST_YEAR = 1970
_LATEST_START = 9_939
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001  a wall clock
_SKIPPED = timedelta(hours=3)
"""More than any clock is put forward."""


@dataclass(frozen=True, slots=True)
class _Rule:
    text: str
    starts: datetime | None
    until: str | None
    counted: bool


def check_rule(rule: str) -> None:
    """Raises ``BadInput`` for what is no rule, for one that is finer than a day, and for one that
    names days that never come (30 February)."""
    parsed = _parse(rule)
    if not _ever(parsed):
        mend = "30 February is such a day: name one that comes"
        raise BadInput.one("", f"{parsed.text} names days that never come", mend)


def next_occurrence(rule: str, moment: str, calendar: Calendar, rolled: bool = False) -> str | None:
    """The first instant after ``moment`` that a rule (RFC 5545, ``RRULE``) names, ``None`` when it
    has come to its end (``UNTIL``, ``COUNT``).

    It is a local time in the calendar's zone: that of ``DTSTART`` or ``BYHOUR``, else the first
    moment of the day. Without ``DTSTART`` intervals are counted from the day of ``moment``.
    ``rolled``: if that day is no working day, the same time on the next one. Raises ``BadInput``.
    """
    check_rule(rule)
    parsed = _parse(rule)
    local = calendar.local(moment)
    starts = parsed.starts or datetime.combine(local.date(), time())
    shift = _shift(starts.year)
    with _within_time(parsed.text):
        asked = _later(local - _SKIPPED, shift)
        for found in _rrule(parsed.text, _later(starts, shift)).xafter(asked):
            occurs = calendar.utc(_later(found, -shift))
            if parsed.until and instant(occurs) > _until(parsed.until, calendar):
                return None
            if instant(occurs) > instant(_begins(moment, calendar)):
                if not rolled:
                    return instant(occurs)
                here = calendar.local(instant(occurs))
                day = calendar.worked(here.date())
                return instant(calendar.utc(datetime.combine(day, here.time())))
    if parsed.until or parsed.counted:
        return None
    raise BadInput.one("", f"{rule} names days that never come, counted from {local.date()}")


@lru_cache(maxsize=1_000)
def _parse(rule: str) -> _Rule:
    """The text as ``dateutil`` is to read it. ``UNTIL`` is ours: the library wants it in a zone
    where we have a wall clock."""
    starts, words = None, rule.split()
    if words and (found := re.fullmatch(r"DTSTART:(\d{8})(T\d{6})?", words[0])):
        starts = _moment(found[1] + (found[2] or "T000000"), words[0])
        words = words[1:]
    if len(words) != 1:
        what = f"{rule[:80]!r} is no recurrence rule"
        raise BadInput.one("", what, "write it like FREQ=MONTHLY;BYMONTHDAY=5")
    parts: dict[str, str] = {}
    for part in words[0].removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS:
            raise BadInput.one("", f"{name[:40]!r} is no part of a rule", f"{', '.join(_PARTS)}")
        if name in parts:
            raise BadInput.one("", f"{name} is said twice")
        if not re.fullmatch(_PARTS[name], value):
            mend = {"FREQ": "DAILY, WEEKLY, MONTHLY or YEARLY: nothing recurs more often here"}
            raise BadInput.one("", f"{name} cannot be {value[:40]!r}", mend.get(name, ""))
        parts[name] = value
    if "FREQ" not in parts:
        raise BadInput.one("", "a rule says how often it recurs", "add FREQ=MONTHLY or the like")
    if "COUNT" in parts and (starts is None or "UNTIL" in parts):
        what = "beside UNTIL there is no COUNT" if starts else "COUNT needs a day to count from"
        raise BadInput.one("", what, "" if starts else "DTSTART:20260105 FREQ=WEEKLY;COUNT=10")
    _check_ordinals(parts)
    ends = parts.pop("UNTIL", None)
    if ends:
        _moment((ends + "T000000")[:15], ends)
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    parsed = _Rule(text, starts, ends, "COUNT" in parts)
    try:
        _rrule(text, _ANY_DAY)
    except ValueError as error:
        raise BadInput.one("", f"{text} is no recurrence rule: {error}") from None
    return parsed


def _check_ordinals(parts: Mapping[str, str]) -> None:
    """``5MO`` is the fifth Monday of a month or year; of more than there can be, ``dateutil`` fails
    with an ``IndexError``."""
    most = {"MONTHLY": 5, "YEARLY": 5 if "BYMONTH" in parts else 53}.get(parts["FREQ"], 0)
    for day in parts.get("BYDAY", "").split(","):
        if abs(int(day[:-2] or 0)) > most:
            what = f"there is no {day} in a rule of FREQ={parts['FREQ']}"
            raise BadInput.one("", what, f"at most {most}{day[-2:]}" if most else day[-2:])


def _moment(digits: str, said: str) -> datetime:
    try:
        found = datetime.strptime(digits, "%Y%m%dT%H%M%S")  # noqa: DTZ007  a wall clock
    except ValueError:
        raise BadInput.one("", f"there is no such day or time: {said}") from None
    if found.year < _FIRST_YEAR or found.year > _LATEST_START:
        raise BadInput.one("", f"{said} is not between {_FIRST_YEAR} and {_LATEST_START}")
    return found


def _until(digits: str, calendar: Calendar) -> str:
    """The last instant of which the rule speaks; a date is meant with all of its day."""
    moment = _moment((digits + "T000000")[:15], digits)
    if len(digits) == 8:
        return instant(calendar.ends(moment.date()))
    return instant(moment.replace(tzinfo=UTC) if digits[-1] == "Z" else calendar.utc(moment))


@lru_cache(maxsize=1_000)
def _ever(rule: _Rule) -> bool:
    """Whether any day fits the rule; where intervals are counted from is known only in use."""
    starts, text = rule.starts, rule.text
    if starts is None:
        starts, text = _ANY_DAY, re.sub(r";INTERVAL=\d+|INTERVAL=\d+;", "", text)
    return next(iter(_rrule(text, _later(starts, _shift(starts.year)))), None) is not None


def _rrule(text: str, starts: datetime) -> rrule:
    found = rrulestr(text, dtstart=starts)
    assert isinstance(found, rrule)
    return found


def _shift(year: int) -> int:
    """How many years to put before a question to ``dateutil``, which seeks an occurrence until the
    year 9999 whatever it costs. The calendar repeats every 400 years, days of the week included: as
    of the last of them the answer is the same, and a rule in vain takes 0.15 seconds, not three."""
    return (_LATEST_START - year) // 400 * 400


def _later(moment: datetime, years: int) -> datetime:
    return moment.replace(year=moment.year + years)
