"""Working days, periods and RFC 5545 rules, against plain counting and against ``dateutil``."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.calendars import (
    USUAL,
    WEEKDAYS,
    after,
    check_rule,
    end_of,
    next_occurrence,
    read_calendar,
    until,
)
from engine.clock import instant
from engine.errors import BadInput
from tests.processor import processor_seconds

LONDON = read_calendar({"zone": "Europe/London", "holidays": ["2026-04-03", "2026-04-06"]})
NEW_YORK = read_calendar({"zone": "America/New_York"})
NINE = "T09:00:00.000000Z"

FIRST, LAST = datetime(2000, 1, 1), datetime(2090, 1, 1)  # noqa: DTZ001
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
calendars = st.builds(
    lambda weekend, holidays, zone: read_calendar(
        {"weekend": weekend, "holidays": [d.isoformat() for d in holidays], "zone": zone}
    ),
    st.lists(st.sampled_from(WEEKDAYS), max_size=4, unique=True),
    st.lists(st.dates(date(2000, 1, 1), date(2090, 1, 1)), max_size=30),
    st.sampled_from(["UTC", "Europe/London", "America/New_York", "Pacific/Apia", "Asia/Kolkata"]),
)


@given(calendars, moments, st.integers(1, 60))
def test_working_days_are_those_that_one_counts_on_the_fingers(calendar, moment, count):
    ends = datetime.fromisoformat(after(f"{count} working days", instant(moment), calendar))
    entered = moment.astimezone(calendar.zone).date()
    last = ends.astimezone(calendar.zone).date()
    days = [entered + timedelta(days=n + 1) for n in range((last - entered).days)]
    assert sum(calendar.is_worked(day) for day in days) == count
    assert calendar.is_worked(last)
    assert (ends + timedelta(microseconds=1)).astimezone(calendar.zone).date() > last


@given(
    calendars,
    moments,
    st.integers(1, 30),
    st.sampled_from(["hours", "days", "working days", "weeks", "months", "years"]),
    st.lists(st.integers(1, 300), min_size=2, max_size=5, unique=True),
)
def test_a_larger_share_of_any_period_is_over_later(calendar, moment, count, unit, shares):
    begins = instant(moment)
    ends = [after(f"{count} {unit}", begins, calendar, share) for share in sorted(shares)]
    assert ends == sorted(set(ends))
    assert ends[0] > begins


@pytest.mark.parametrize(
    ("period", "moment", "calendar", "share", "ends"),
    [
        # Two bank holidays at Easter; London is an hour ahead of UTC by then.
        ("10 working days", "2026-03-27" + NINE, LONDON, 100, "2026-04-14T22:59:59.999999Z"),
        ("10 working days", "2026-03-27" + NINE, LONDON, 80, "2026-04-10T22:59:59.999999Z"),
        ("10 working days", "2026-03-27" + NINE, LONDON, 150, "2026-04-21T22:59:59.999999Z"),
        ("5 working days", "2026-03-27" + NINE, LONDON, 50, "2026-04-01T11:00:00.000000Z"),
        # Begun on a Saturday; a working day that is the one after.
        ("1 working day", "2026-01-10" + NINE, USUAL, 100, "2026-01-12T23:59:59.999999Z"),
        # It is still the day before in New York.
        (
            "1 working day",
            "2026-01-13T03:00:00.000000Z",
            NEW_YORK,
            100,
            "2026-01-14T04:59:59.999999Z",
        ),
        # A date is that of the calendar's zone, wherever its first moment is in UTC.
        ("1 working day", "2026-01-13", NEW_YORK, 100, "2026-01-15T04:59:59.999999Z"),
        # The wall clock goes on over the night in which the clocks change; hours do not.
        ("1 day", "2026-03-28" + NINE, LONDON, 100, "2026-03-29T08:00:00.000000Z"),
        ("24 hours", "2026-03-28" + NINE, LONDON, 100, "2026-03-29T09:00:00.000000Z"),
        ("1 week", "2026-10-24" + NINE, LONDON, 100, "2026-10-31T10:00:00.000000Z"),
        # 01:30 is skipped in spring and comes twice in autumn: then the first is meant.
        ("1 day", "2026-03-28T01:30:00.000000Z", LONDON, 100, "2026-03-29T01:30:00.000000Z"),
        ("1 day", "2026-10-24T00:30:00.000000Z", LONDON, 100, "2026-10-25T00:30:00.000000Z"),
        ("1 month", "2026-01-31" + NINE, USUAL, 100, "2026-02-28" + NINE),
        ("1 month", "2024-01-31" + NINE, USUAL, 100, "2024-02-29" + NINE),
        ("1 year", "2024-02-29" + NINE, USUAL, 100, "2025-02-28" + NINE),
        ("4 years", "2024-02-29" + NINE, USUAL, 100, "2028-02-29" + NINE),
        ("4 hours", "2026-01-01" + NINE, USUAL, 50, "2026-01-01T11:00:00.000000Z"),
    ],
)
def test_a_period_ends_when_people_expect_it_to(period, moment, calendar, share, ends):
    assert after(period, moment, calendar, share) == ends


def test_a_working_day_that_the_clocks_make_longer_is_over_when_it_is_over():
    sundays = read_calendar({"zone": "Europe/London", "weekend": []})
    half = after("1 working day", "2026-10-24" + NINE, sundays, 50)
    assert half == "2026-10-25T11:30:00.000000Z", "the day has 25 hours"
    assert after("1 working day", "2026-10-24" + NINE, sundays) == "2026-10-25T23:59:59.999999Z"


def test_a_date_ends_with_its_day_and_can_roll_to_the_next_working_day():
    assert end_of("2026-07-31", LONDON) == "2026-07-31T22:59:59.999999Z"
    assert end_of("2026-04-03", LONDON, rolled=True) == "2026-04-07T22:59:59.999999Z"
    assert end_of("2026-04-07", LONDON, rolled=True) == end_of("2026-04-07", LONDON)
    assert until("2026-01-03" + NINE, "2026-01-01" + NINE, USUAL, 50) == "2026-01-02" + NINE


def test_what_ends_after_the_last_year_there_is_is_told():
    for period in ("9999 years", "9999 months"):
        with pytest.raises(BadInput, match="after the year 9999"):
            after(period, "9990-01-01" + NINE, USUAL)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"zone": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
        ({"zone": "Europe"}, "no time zone"),
        ({"zone": "\0"}, "no time zone"),
        ({"weekend": ["caturday"]}, "'caturday' is no day"),
        ({"weekend": list(WEEKDAYS)}, "no day of the week is left"),
        ({"holidays": {"withheld": "secret"}}, "withheld"),
    ],
)
def test_a_calendar_that_cannot_be_counted_by_is_told(data, words):
    with pytest.raises(BadInput, match=words):
        read_calendar(data)


# --- rules ----------------------------------------------------------------------------------------

days = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
rules = st.one_of(
    st.builds("FREQ=DAILY;INTERVAL={}".format, st.integers(1, 400)),
    st.builds("FREQ=WEEKLY;INTERVAL={};BYDAY={}".format, st.integers(1, 60), days),
    st.builds("FREQ=MONTHLY;BYMONTHDAY={}".format, st.sampled_from([1, 5, 28, 29, 30, 31, -1, -3])),
    st.builds("FREQ=MONTHLY;BYDAY={}{}".format, st.sampled_from([1, 2, 4, 5, -1, -2]), days),
    st.just("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
    st.builds("FREQ=YEARLY;BYMONTH={};BYMONTHDAY=29".format, st.integers(1, 12)),
    st.builds("FREQ=YEARLY;BYWEEKNO={};BYDAY={}".format, st.integers(1, 53), days),
    st.builds("FREQ=YEARLY;BYYEARDAY={}".format, st.sampled_from([1, 60, 365, 366, -1])),
)


@settings(max_examples=300, deadline=None)
@given(rules, moments, st.integers(0, 23))
def test_the_next_occurrence_is_that_of_dateutil_at_the_turn_of_the_centuries_too(
    rule, moment, hour
):
    rule = f"{rule};BYHOUR={hour}"
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    expected = rrulestr(rule, dtstart=day).after(moment.replace(tzinfo=None))
    assert next_occurrence(rule, instant(moment), USUAL) == instant(expected.replace(tzinfo=UTC))


def test_a_rule_keeps_its_local_time_when_the_clocks_change():
    found, at = [], "2026-03-27T12:00:00.000000Z"
    for _ in range(3):
        at = next_occurrence("FREQ=DAILY;BYHOUR=9", at, LONDON)
        found.append(at)
    assert found == [
        "2026-03-28T09:00:00.000000Z",
        "2026-03-29T08:00:00.000000Z",
        "2026-03-30T08:00:00.000000Z",
    ]


def test_a_time_that_is_skipped_comes_later_and_one_that_comes_twice_counts_once():
    rule = "FREQ=DAILY;BYHOUR=1;BYMINUTE=30"
    skipped = next_occurrence(rule, "2026-03-29T00:30:00.000000Z", LONDON)
    assert skipped == "2026-03-29T01:30:00.000000Z", "01:30 is 02:30 that day"
    # Entered when the wall clock says 02:10, at which 01:30 is still to come.
    assert next_occurrence(rule, "2026-03-29T01:10:00.000000Z", LONDON) == skipped
    first = next_occurrence(rule, "2026-10-25T00:00:00.000000Z", LONDON)
    assert first == "2026-10-25T00:30:00.000000Z"
    assert next_occurrence(rule, first, LONDON) == "2026-10-26T01:30:00.000000Z"
    # Between the two, the wall clock is set back to before it.
    between = next_occurrence(rule, "2026-10-25T01:10:00.000000Z", LONDON)
    assert between == "2026-10-26T01:30:00.000000Z"


def test_an_occurrence_can_roll_to_the_next_working_day():
    good_friday = "FREQ=MONTHLY;BYMONTHDAY=3"
    at = "2026-03-27" + NINE
    assert next_occurrence(good_friday, at, LONDON) == "2026-04-02T23:00:00.000000Z"
    assert next_occurrence(good_friday, at, LONDON, True) == "2026-04-06T23:00:00.000000Z"


@pytest.mark.parametrize(
    ("rule", "at", "expected"),
    [
        ("FREQ=DAILY;UNTIL=20260103", "2026-01-02" + NINE, "2026-01-03T00:00:00.000000Z"),
        ("FREQ=DAILY;UNTIL=20260103", "2026-01-03" + NINE, None),
        ("FREQ=DAILY;UNTIL=20260103T000000Z", "2026-01-02" + NINE, "2026-01-03T00:00:00.000000Z"),
        ("DTSTART:20260101 FREQ=WEEKLY;COUNT=3", "2026-01-08",
         "2026-01-15T00:00:00.000000Z"),
        ("DTSTART:20260101 RRULE:FREQ=WEEKLY;COUNT=3", "2026-01-15" + NINE, None),
        ("DTSTART:20260105T093000\nRRULE:FREQ=WEEKLY;INTERVAL=2", "2026-01-06" + NINE,
         "2026-01-19T09:30:00.000000Z"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2026-01-01" + NINE, "2028-02-29T00:00:00.000000Z"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2096-03-01" + NINE, "2104-02-29T00:00:00.000000Z"),
    ],
)  # fmt: skip
def test_a_rule_ends_when_it_says_so(rule, at, expected):
    assert next_occurrence(rule, at, USUAL) == expected


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=SECONDLY", "nothing recurs more often here"),
        ("FREQ=HOURLY", "nothing recurs more often here"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "days that never come"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "days that never come"),
        ("FREQ=YEARLY;BYWEEKNO=30;BYMONTH=1", "days that never come"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=9", "days that never come"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL cannot be '0'"),
        ("FREQ=DAILY;COUNT=0", "COUNT cannot be '0'"),
        ("FREQ=WEEKLY;COUNT=3", "COUNT needs a day to count from"),
        ("DTSTART:20260101 FREQ=WEEKLY;COUNT=3;UNTIL=20270101", "beside UNTIL"),
        ("FREQ=DAILY;BYHOUR=1,2,3", "BYHOUR cannot be"),
        ("FREQ=DAILY;BYSECOND=1", "no part of a rule"),
        ("FREQ=DAILY;UNTIL=20260230", "no such day"),
        ("DTSTART:00010101 FREQ=DAILY", "not between 1970"),
        ("DTSTART:20260230 FREQ=DAILY", "no such day"),
        ("FREQ=DAILY;FREQ=DAILY", "said twice"),
        ("BYMONTHDAY=5", "how often"),
        ("monthly", "no part of a rule"),
        ("", "no recurrence rule"),
        ("FREQ=DAILY FREQ=DAILY FREQ=DAILY", "no recurrence rule"),
        ("FREQ=DAILY;BYMONTHDAY=32", "BYMONTHDAY cannot be"),
        ("FREQ=MONTHLY;BYMONTHDAY=1;BYDAY=99MO", "there is no 99MO"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=-6MO", "there is no -6MO"),
        ("FREQ=WEEKLY;BYDAY=1MO", "there is no 1MO"),
        ("FREQ=YEARLY;BYYEARDAY=999", "days that never come|no recurrence rule"),
        ("FREQ=DAILY\x00", "FREQ cannot be"),
        ("FREQ=DAİLY", "FREQ cannot be"),
        ("FREQ=DAILY;INTERVAL=٣", "INTERVAL cannot be"),
    ],
)
def test_a_hostile_rule_gets_a_plain_error(rule, words):
    with pytest.raises(BadInput, match=words):
        check_rule(rule)


def test_500_hostile_rules_are_answered_or_refused_and_none_takes_long():
    chance = random.Random(5545)
    numbers = ["0", "-1", "1", "5", "30", "31", "53", "366", "-366", "999", "1,2,3", "x", "", "1e9"]
    names = ["INTERVAL", "COUNT", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"]
    numbers += ["99MO", "-5FR", "MO,TU", "53SU"]
    names += ["BYHOUR", "BYMINUTE", "BYSECOND", "UNTIL", "BYEASTER", "WKST", "BYDAY"]
    told = 0
    for _ in range(500):
        freq = chance.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY", "SECONDLY", "HOURLY"])
        parts = [f"{name}={chance.choice(numbers)}" for name in chance.sample(names, 3)]
        start = chance.choice(["", "", "DTSTART:19700101 ", "DTSTART:99390101 "])
        rule = f"{start}FREQ={freq};{';'.join(parts)}"

        def ask(rule: str = rule) -> None:
            nonlocal told
            try:
                next_occurrence(rule, "2026-01-01" + NINE, USUAL)
            except BadInput:
                told += 1

        assert processor_seconds(ask) < 5, rule
    assert 100 < told < 500
