"""A year as a picture, drawn from the log: bars for what runs, marks for what happens.

An SVG that stands alone, for light and dark paper. Every bar and mark says on hovering what it is,
and the whole is told in words for those who do not see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from app.drawing import clean
from app.home import Home
from engine.upcasts import Body

_STYLE = Path(__file__).with_name("picture.css")
_MARGIN = 24.0
_LABELS = 226.0
_MONTH = 72.0
_HEADING = 92.0
_BAR = 20.0
_STACKED = 12.0
_NARROWEST = 10.0
"""Two marks of a lane that are nearer than this are drawn one below the other."""
_LETTER = 5.9
_PAGE = 500

_GROUPS = {
    "Setting up": ("pmo-setup",),
    "Plans": ("strategic-plan", "strategic-plan-five"),
    "Objectives": ("objective",),
    "Projects": ("project",),
}
_RUNNING = {"active", "in_execution", "running", "communicated"}
_TROUBLED = {"at_risk", "escalated", "under_review", "revised", "paused", "review_due"}
_GOOD = {"achieved", "closed"}
_BAD = {"missed", "stopped", "lapsed"}
_NEVER_WAS = {"cancelled", "superseded"}

_DECIDED = {
    "DecisionTaken",
    "DecisionDeferred",
    "ChangeDecided",
    "ExceptionDecided",
    "GateDecided",
    "OptionChosen",
    "PlanVersionApproved",
    "PortfolioPrioritised",
    "RewardDecided",
    "StandardPublished",
    "WaiverGranted",
    "PmoCharterApproved",
}
_REJECTED = {"DecisionRejected", "ChangeRejected", "WaiverRefused"}
_MOVED = {"BaselineIssued", "TargetRevised", "DueDateMoved", "BaselineRestated"}
_LATE = ("Overdue", "Late", "Missed")
_NOT_COUNTED = {"over", "again"}
"""What came to no decision, and what was told once more: as the view ``months`` counts."""
_LANES = (
    "Decisions",
    "Refused attempts",
    "Late",
    "Escalated",
    "Promises moved",
    "Packs",
)
_KEY = (
    ("runs", "runs"),
    ("before", "before and after"),
    ("trouble", "in trouble"),
    ("good", "decided, achieved"),
    ("bad", "rejected, missed"),
    ("over", "lapsed"),
    ("attempt", "refused attempt"),
    ("late", "late"),
    ("moved", "new promise"),
    ("page", "pack"),
    ("again", "restated"),
)


@dataclass(frozen=True, slots=True)
class _Bar:
    key: str
    title: str
    states: tuple[tuple[str, str], ...]
    """Since when (an instant) it was in which state."""


@dataclass(frozen=True, slots=True)
class _Mark:
    lane: str
    kind: str
    at: str
    told: str


def draw_year(home: Home, day: str) -> str:
    """The SVG of the year that ends on ``day``."""
    year = day[:4]
    bodies = [body for body in _bodies(home) if body["occurred_at"][:4] == year]
    bars = {group: [*_bars(bodies, workflows)] for group, workflows in _GROUPS.items()}
    marks = sorted(_marks(bodies), key=lambda mark: mark.at)
    return _Sheet(int(year)).draw(bars, marks, len(bodies))


def _bodies(home: Home) -> Iterator[Body]:
    after = 0
    while page := home.log.bodies(after, _PAGE):
        yield from (body for _, body in page)
        after = page[-1][0]


def _bars(bodies: Iterable[Body], workflows: Sequence[str]) -> Iterator[_Bar]:
    cases: dict[str, list[Body]] = {}
    for body in bodies:
        if body["definition"]["name"] in workflows and body.get("state"):
            cases.setdefault(body["stream"], []).append(body)
    for key, events in cases.items():
        states = tuple((event["occurred_at"], event["state"]) for event in events)
        data = events[0].get("data", {})
        if states[-1][1] not in _NEVER_WAS:
            yield _Bar(key, str(data.get("title") or data.get("unit") or key), states)


def _marks(bodies: Iterable[Body]) -> Iterator[_Mark]:
    for body in bodies:
        name, at = body["name"], body["occurred_at"]
        told = f"{at[:10]} {name} {body['stream']} ({body['actor']['id']})"
        if body["type"] == "pmo.case.refused.v1":
            yield _Mark("Refused attempts", "attempt", at, f"{at[:10]} refused: {body['stream']}")
        elif name in _DECIDED:
            yield _Mark("Decisions", "good", at, told)
        elif name in _REJECTED:
            yield _Mark("Decisions", "bad", at, told)
        elif name.endswith("Lapsed"):
            yield _Mark("Decisions", "over", at, told)
        elif name.endswith(_LATE):
            yield _Mark("Late", "late", at, told)
        elif name.endswith("Escalated"):
            yield _Mark("Escalated", "bad", at, told)
        elif name in _MOVED and body["definition"]["name"] != "change-request":
            yield _Mark("Promises moved", "moved", at, told)
        elif name == "ReportPublished":
            yield _Mark("Packs", "page", at, told)
        elif name == "FigureRestated":
            yield _Mark("Packs", "again", at, told)


class _Sheet:
    """The paper, filled from the top down."""

    def __init__(self, year: int) -> None:
        self._year = year
        self._days = (date(year + 1, 1, 1) - date(year, 1, 1)).days
        self._y = _HEADING
        self._body = ET.Element("g")
        self._counts: list[str] = []

    def draw(self, bars: dict[str, list[_Bar]], marks: Sequence[_Mark], events: int) -> str:
        for group, rows in bars.items():
            self._group(group)
            for row in rows:
                self._row(row)
        self._group("What happened")
        for lane in _LANES:
            self._lane(lane, [mark for mark in marks if mark.lane == lane])
        bottom = self._y + 6
        self._key(bottom + 22)
        return self._finish(events, bottom, bottom + 22 + 26)

    def _group(self, title: str) -> None:
        self._y += 10
        _add(self._body, "line", "rule", x1=_MARGIN, x2=_right(), y1=self._y, y2=self._y)
        _add(self._body, "text", "group", text=title.upper(), x=_MARGIN, y=self._y + 17)
        self._y += 26

    def _row(self, bar: _Bar) -> None:
        _add(self._body, "text", text=_fit(bar.title, _LABELS - 12), x=_MARGIN, y=self._y + 14)
        ends = [*(at for at, _ in bar.states[1:]), f"{self._year}-12-31T23:59:59.999999Z"]
        merged: list[tuple[str, str, str]] = []
        for (since, state), until in zip(bar.states, ends, strict=True):
            if merged and merged[-1][2] == state:
                merged[-1] = (merged[-1][0], until, state)
            else:
                merged.append((since, until, state))
        for since, until, state in merged:
            self._segment(bar, since, until, state)
        self._y += _BAR + 5

    def _segment(self, bar: _Bar, since: str, until: str, state: str) -> None:
        begin, end = self._x(since), self._x(until)
        named = state.replace("_", " ")
        if state in _GOOD | _BAD:
            kind, begin = "good" if state in _GOOD else "bad", min(begin, _right() - 9)
            end = begin + 9
        else:
            kind = "runs" if state in _RUNNING else "trouble" if state in _TROUBLED else "before"
        drawn = _add(
            self._body,
            "rect",
            kind,
            x=begin,
            y=self._y,
            width=max(end - begin - 1, 1.5),
            height=_BAR,
            rx=3,
        )
        _add(drawn, "title", text=f"{bar.key}: {named} from {since[:10]}")
        if len(named) * _LETTER + 8 < end - begin:
            _add(self._body, "text", "within", text=named, x=begin + 5, y=self._y + 14)

    def _lane(self, title: str, marks: Sequence[_Mark]) -> None:
        counted = f"{title}: {sum(mark.kind not in _NOT_COUNTED for mark in marks)}"
        _add(self._body, "text", text=counted, x=_MARGIN, y=self._y + 14)
        self._counts.append(counted)
        reached: list[float] = []
        for mark in marks:
            x = self._x(mark.at)
            row = next(
                (n for n, last in enumerate(reached) if x - last >= _NARROWEST), len(reached)
            )
            reached[row : row + 1] = [x]
            _mark(self._body, mark, x, self._y + 10 + row * _STACKED)
        self._y += max(len(reached), 1) * _STACKED + 14

    def _key(self, y: float) -> None:
        x = _MARGIN
        for kind, told in _KEY:
            shape = _Mark("", kind, "", told)
            if kind in ("runs", "before", "trouble"):
                _add(self._body, "rect", kind, x=x, y=y - 6, width=14, height=12, rx=3)
            else:
                _mark(self._body, shape, x + 7, y)
            _add(self._body, "text", "key", text=told, x=x + 19, y=y + 4)
            x += 19 + len(told) * _LETTER + 16

    def _finish(self, events: int, bottom: float, height: float) -> str:
        width = _right() + _MARGIN
        heading = f"A year of one PMO, {self._year}"
        under = (
            f"made up, and played through real commands: {events:,} events, drawn from their log"
        )
        svg = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "class": "pmo-year",
                "role": "img",
                "aria-label": heading,
                "viewBox": f"0 0 {width:g} {height:g}",
                "width": f"{width:g}",
                "height": f"{height:g}",
            },
        )
        _add(svg, "title", text=heading)
        _add(svg, "desc", text=f"{under}. {'; '.join(self._counts)}.")
        _add(svg, "style", text=_STYLE.read_text(encoding="utf-8"))
        _add(svg, "rect", "paper", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=10)
        _add(svg, "text", "title", text=heading, x=_MARGIN, y=34)
        _add(svg, "text", "subtitle", text=under, x=_MARGIN, y=53)
        for month in range(1, 13):
            first = date(self._year, month, 1)
            x = self._x(first.isoformat())
            _add(svg, "line", "grid", x1=x, x2=x, y1=_HEADING - 16, y2=bottom)
            _add(svg, "text", "month", text=f"{first:%b}", x=x + 4, y=_HEADING - 6)
        svg.append(self._body)
        return ET.tostring(svg, encoding="unicode") + "\n"

    def _x(self, at: str) -> float:
        day = (date.fromisoformat(at[:10]) - date(self._year, 1, 1)).days
        return round(_MARGIN + _LABELS + day * 12 * _MONTH / self._days, 1)


def _mark(parent: ET.Element, mark: _Mark, x: float, y: float) -> None:
    match mark.kind:
        case "attempt":
            drawn = _add(parent, "path", "attempt", d=f"M{x - 3:g} {y - 3:g}l6 6m0 -6l-6 6")
        case "late":
            drawn = _add(parent, "path", "late", d=f"M{x:g} {y - 4.5:g}l4.5 8.5h-9z")
        case "moved":
            drawn = _add(parent, "path", "moved", d=f"M{x:g} {y - 5:g}l5 5l-5 5l-5 -5z")
        case "page" | "again":
            drawn = _add(parent, "rect", mark.kind, x=x - 3.5, y=y - 4.5, width=7, height=9, rx=1)
        case _:
            drawn = _add(parent, "circle", mark.kind, cx=x, cy=y, r=4.2)
    _add(drawn, "title", text=mark.told)


def _right() -> float:
    return _MARGIN + _LABELS + 12 * _MONTH


def _fit(text: str, width: float) -> str:
    most = int(width / 6.6)
    text = clean(text)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _add(parent: ET.Element, name: str, kind: str = "", text: str = "", **said: Any) -> ET.Element:
    attributes = {"class": kind} if kind else {}
    attributes |= {
        key: f"{value:g}" if isinstance(value, int | float) else value
        for key, value in said.items()
    }
    element = ET.SubElement(parent, name, attributes)
    if text:
        element.text = clean(text) if name != "style" else text
    return element
