"""Boxes and arrows with words, drawn as SVG that stands alone. Knows no workflow.

Text widths are estimated: which font a reader has is not known when the picture is made, so there
is room to spare, and nothing is placed by what a text turns out to measure.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from app.layout import Curve, Edge, Layout, Point, Size, arrange

_STYLE = Path(__file__).with_name("drawing.css")
_MARGIN = 24.0
_HEADING = 62.0
_ICON = 16.0


class _Face(NamedTuple):
    font: float
    line: float


_FACES = {
    "now": _Face(11, 16),
    "name": _Face(14.5, 19),
    "deadline": _Face(12, 17),
    "rule": _Face(0, 11),
    "trigger": _Face(12.5, 16),
    "by": _Face(11, 14),
    "from": _Face(11, 14),
}
_ICONS = {
    "clock": "M6 1.2a4.8 4.8 0 1 0 .01 0M6 3.4v2.8l1.9 1.2",
    "loop": "M10.6 6a4.6 4.6 0 1 1-1.5-3.4M9.4 .4v2.5h-2.5",
    "people": "M2.2 3.8a1.9 1.9 0 1 0 3.8 0a1.9 1.9 0 1 0-3.8 0M.6 10.8c0-5 7-5 7 0"
    "M7.4 2.1a1.8 1.8 0 1 1 .4 3.5M9 7.2c1.6.5 2.4 1.7 2.4 3.6",
    "children": "M4 .8h4v3h-4zM.8 8.2h4v3h-4zM7.2 8.2h4v3h-4zM6 3.8v2.2M2.8 8.2v-2.2h6.4v2.2",
    "pass": "M.8 9.6c1.2-8.6 8-8.6 9.6-1.6M10.9 4.6l-.4 3.6l-3.3-1.2M4.6 10.8h2.8",
    "lone": "M2.6 5.4h6.8v5.6h-6.8zM3.9 5.4v-1.6a2.1 2.1 0 0 1 4.2 0v1.6",
    "condition": "M6 .8l5.2 5.2l-5.2 5.2l-5.2-5.2z",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of words: its face, the icons before it, what a pointer over it tells."""

    face: str
    text: str = ""
    icons: tuple[str, ...] = ()
    tip: str = ""

    @property
    def width(self) -> float:
        return _ICON * len(self.icons) + _width(self.text) * _FACES[self.face].font

    @property
    def height(self) -> float:
        return _FACES[self.face].line


@dataclass(frozen=True, slots=True)
class Node:
    """A box with rows, or a dot where it has none. ``marks`` are its CSS classes."""

    marks: tuple[str, ...]
    rows: tuple[Row, ...] = ()
    tip: str = ""
    radius: float = 0

    @property
    def size(self) -> Size:
        if not self.rows:
            return Size(2 * self.radius, 2 * self.radius)
        room = _room(self.rows)
        return Size(max(room.width + 32, 112), room.height + 22)


@dataclass(frozen=True, slots=True)
class Arrow:
    tail: int
    head: int
    marks: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    pointed: bool = True
    back: bool = False
    seen: bool = True

    @property
    def edge(self) -> Edge:
        room = _room(self.rows)
        label = Size(room.width + 16, room.height + 8) if self.rows else None
        return Edge(self.tail, self.head, label, self.pointed, self.back)


def draw(
    heading: str,
    under: str,
    told: str,
    nodes: Sequence[Node],
    arrows: Sequence[Arrow],
    legend: Sequence[Row] = (),
) -> str:
    """An SVG document. ``told`` is the whole picture in words, for those who do not see it.

    Raises ``DrawingFailed`` when no layout is found.
    """
    layout = arrange([node.size for node in nodes], [arrow.edge for arrow in arrows])
    heading = textwrap.shorten(clean(heading), 80, placeholder=" …")
    keys = sum(row.width + _MARGIN for row in legend)
    words = _width(heading) * 18.5, _width(under) * 12, keys - _MARGIN
    width = max(layout.size.width, *words) + 2 * _MARGIN
    height = _HEADING + layout.size.height + (_MARGIN + 12 if legend else 0) + _MARGIN
    svg = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "pmo-diagram",
            "role": "img",
            "aria-label": heading,
            "viewBox": f"0 0 {_number(width)} {_number(height)}",
            "width": _number(width),
            "height": _number(height),
        },
    )
    _add(svg, "title", text=heading)
    _add(svg, "desc", text=told)
    _add(svg, "style", text=_STYLE.read_text(encoding="utf-8"))
    _add(svg, "rect", "paper", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=10)
    _add(svg, "text", "title", text=heading, x=_MARGIN, y=34)
    _add(svg, "text", "subtitle", text=under, x=_MARGIN, y=52)
    start = (width - layout.size.width) / 2
    body = _add(svg, "g", transform=f"translate({_number(start)} {_number(_HEADING)})")
    _fill(body, nodes, arrows, layout)
    corner = Point(_MARGIN, height - _MARGIN - 12)
    for row in legend:
        _rows(svg, [row], corner, row.width, centred=False)
        corner = Point(corner.x + row.width + _MARGIN, corner.y)
    return ET.tostring(svg, encoding="unicode") + "\n"


def clean(text: str) -> str:
    """The text on one line, without what XML cannot hold, and what steers a terminal or turns the
    order of letters."""
    return " ".join(_legal(text).split())


def _legal(text: str) -> str:
    # https://www.w3.org/TR/xml/#charsets; ElementTree writes other characters without a word.
    text = re.sub(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    return re.sub(r"[\x7f-\x84\x86-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", "\ufffd", text)


def wrap(text: str, width: int, most: int = 3) -> list[str]:
    """Lines of about ``width`` letters, at most ``most`` of them; never none."""
    lines = textwrap.wrap(
        clean(text), width, max_lines=most, placeholder=" …", break_on_hyphens=False
    )
    return lines or [""]


def _fill(body: ET.Element, nodes: Sequence[Node], arrows: Sequence[Arrow], layout: Layout) -> None:
    placed = list(zip(arrows, layout.curves, strict=True))
    # What was taken is drawn last, so that no other line crosses over it; words above all lines.
    for arrow, curve in sorted(placed, key=lambda pair: "taken" in pair[0].marks):
        if arrow.seen:
            _line(body, arrow, curve)
    for node, middle in zip(nodes, layout.nodes, strict=True):
        _node(body, node, middle)
    for arrow, curve in placed:
        if curve.label:
            room = _room(arrow.rows)
            top = Point(curve.label.x - room.width / 2, curve.label.y - room.height / 2)
            group = _add(body, "g", " ".join(("label", *arrow.marks)))
            _rows(group, arrow.rows, top, room.width, centred=False)


def _line(body: ET.Element, arrow: Arrow, curve: Curve) -> None:
    group = _add(body, "g", " ".join(("arrow", *arrow.marks)))
    first, *others = [f"{_number(x)} {_number(y)}" for x, y in curve.points]
    _add(group, "path", "line", d=f"M{first}C{' '.join(others)}")
    if curve.tip:
        base, tip = curve.points[-1], curve.tip
        across = Point((base.y - tip.y) * 0.42, (tip.x - base.x) * 0.42)
        corners = [
            tip,
            Point(base.x + across.x, base.y + across.y),
            Point(base.x - across.x, base.y - across.y),
        ]
        at = " ".join(f"{_number(x)},{_number(y)}" for x, y in corners)
        _add(group, "polygon", "head", points=at)


def _node(body: ET.Element, node: Node, middle: Point) -> None:
    group = _add(body, "g", " ".join(node.marks))
    if node.tip:
        _add(group, "title", text=node.tip)
    if not node.rows:
        _add(group, "circle", "dot", cx=middle.x, cy=middle.y, r=node.radius)
        return
    width, height = node.size
    left, top = middle.x - width / 2, middle.y - height / 2
    _add(group, "rect", x=left, y=top, width=width, height=height, rx=10)
    if "final" in node.marks:
        within = Size(width - 8, height - 8)
        _add(group, "rect", "ring", x=left + 4, y=top + 4, rx=7, **within._asdict())
    _rows(group, node.rows, Point(left + 16, top + 11), width - 32, centred=True)


def _rows(
    group: ET.Element, rows: Iterable[Row], corner: Point, width: float, *, centred: bool
) -> None:
    x, y = corner
    for row in rows:
        if row.face == "rule":
            middle = _number(y + row.height / 2)
            _add(group, "path", "rule", d=f"M{_number(x - 16)} {middle}h{_number(width + 32)}")
        else:
            line = _add(group, "g")
            if row.tip:
                _add(line, "title", text=row.tip)
            at = x + (width - row.width) / 2 if centred else x
            for icon in row.icons:
                place = f"translate({_number(at)} {_number(y + row.height / 2 - 6)})"
                _add(line, "path", f"icon {icon}", d=_ICONS[icon], transform=place)
                at += _ICON
            anchor = {}
            if centred and not row.icons:
                at, anchor = x + width / 2, {"text-anchor": "middle"}
            baseline = y + row.height / 2 + _FACES[row.face].font * 0.33
            _add(line, "text", row.face, text=row.text, x=at, y=baseline, **anchor)
        y += row.height


def _room(rows: Sequence[Row]) -> Size:
    return Size(max((row.width for row in rows), default=0), sum(row.height for row in rows))


def _width(text: str) -> float:
    """About how wide the text is in the usual sans-serif fonts, in ems."""
    return sum(map(_letter_width, clean(text)))


def _letter_width(letter: str) -> float:
    if letter in "iljtfrI.,:;'|!()[]- ":
        return 0.38
    if letter in "mwMW@%&#+=<>…—":
        return 0.98
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    return 0.74 if letter.isupper() else 0.62


def _add(
    parent: ET.Element, tag: str, css: str = "", text: str = "", **attributes: str | float
) -> ET.Element:
    attributes = {"class": css, **attributes} if css else attributes
    said = {k: v if isinstance(v, str) else _number(v) for k, v in attributes.items()}
    element = ET.SubElement(parent, tag, said)
    element.text = _legal(text) or None
    return element


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
