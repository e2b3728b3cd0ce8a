"""Whether a home is sound: its log whole, and its views what the log says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.home import Home
from engine.errors import BadInput, LogDamaged, LogNewer
from engine.store.commands import check_commands
from engine.store.course import check_course
from engine.store.log import Log
from projections.verify import Progress, Report, verify


@dataclass(frozen=True, slots=True)
class Verified:
    """``damage``: where and how the log is not what was written; then the views were not compared.

    ``events`` is the last position, too, and ``chain`` the hash there, in hexadecimal digits.
    ``rewritten``: in which way the log is not the one that was expected. ``newer``: what of it only
    a newer version can read; then the views were not compared. ``differences`` are where a view
    does not say what the log says.
    """

    events: int
    chain: str
    damage: str | None
    rewritten: str | None
    newer: str | None
    rows: int
    cases: int
    differences: tuple[str, ...]
    parked: tuple[tuple[int, str, str, str], ...]

    @property
    def sound(self) -> bool:
        return not any((self.damage, self.rewritten, self.newer, self.differences, self.parked))

    def lines(self) -> Iterator[str]:
        """For people to read."""
        if self.damage:
            yield f"the log is damaged at {self.damage}"
            return
        yield f"the log: {self.events:,} events, and the chain of their hashes is whole"
        if self.rewritten:
            yield self.rewritten
        if self.newer:
            yield f"the views cannot be compared: {self.newer}"
        elif not (self.differences or self.parked):
            yield f"the views: {self.rows:,} rows and {self.cases:,} cases say what the log says"
        if self.differences:
            yield f"the views: {len(self.differences)} differences; pmo rebuild makes them anew"
            yield from (f"  {difference}" for difference in self.differences)
        if self.parked:
            yield f"the views: {len(self.parked)} events could not be shown"
            for position, projection, stream, reason in self.parked:
                yield f"  position {position}, {stream}, in {projection}: {reason}"
        yield f"{self.events}:{self.chain} stands for all of it; keep it elsewhere"


@dataclass(frozen=True, slots=True)
class Expected:
    """The hash, in hexadecimal digits, that the chain had at a position when somebody looked."""

    position: int
    chain: str

    @classmethod
    def read(cls, text: str) -> Expected:
        """``11:9f2c...``, as ``pmo verify`` told it. Raises ``BadInput``."""
        match = re.fullmatch(r"([1-9][0-9]{0,14}):([0-9a-f]{64})", text.strip().lower())
        if match is None:
            raise BadInput.one(
                "--expect",
                f"{text!r} is not POSITION:HASH",
                "copy it from the last line of pmo verify: 11:, and 64 digits and letters",
            )
        return cls(int(match[1]), match[2])

    def missed_by(self, log: Log) -> str | None:
        """In which way the log is not the one that was looked at; ``None`` if it is."""
        found = log.chain(self.position)
        if found is None:
            return f"the log ends at {log.head():,}; it had come to {self.position:,} before"
        if found.hex() == self.chain:
            return None
        return (
            "the log was written anew:"
            f" its hash at {self.position:,} is {found.hex()}, it was {self.chain}"
        )


def verify_home(
    home: Home, progress: Progress | None = None, expected: Expected | None = None
) -> Verified:
    """Recompute the chain, fold the log again, compare. Raises ``StoreFailed``."""
    try:
        events = home.log.check()
        check_commands(home.log)
        check_course(home.log)
        report, newer = _compare_views(home, progress)
    except LogDamaged as error:
        return Verified(0, "", str(error), None, None, 0, 0, (), ())
    chain = home.log.chain(events) or b""
    return Verified(
        events,
        chain.hex(),
        None,
        expected.missed_by(home.log) if expected else None,
        newer,
        report.rows,
        report.cases,
        tuple(map(str, report.differences)),
        report.parked,
    )


def _compare_views(home: Home, progress: Progress | None) -> tuple[Report, str | None]:
    """And why that could not be done: the chain of what a newer version wrote is checked all the
    same."""
    try:
        home.check_views()
        home.catch_up()
        return verify(home.log, home.views_place, progress), None
    except LogNewer as error:
        return Report(0, 0, 0, (), ()), str(error)
