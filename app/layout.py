"""Where boxes and arrows go: Graphviz, asked with numbers only.

No word of a definition reaches Graphviz, so no title can break its input or bring markup along.
Lengths are in points, which are the user units of the SVG; y grows downwards.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from engine.errors import PmoError

_SECONDS = 60
# Curves around everything take a second at this many edges and grow fast: 7 s at 200. Straight
# lines and a shorter search for the shortest ones take 5 s at 1,000. A count, not a clock,
# decides, so that the same input gives the same picture on every machine.
_MOST_CURVES = 150
_STRAIGHT = "splines=line nslimit=0.2 mclimit=0.1"


class DrawingFailed(PmoError):
    """The layouter is missing, or gave up."""

    code = "drawing-failed"


class Point(NamedTuple):
    x: float
    y: float


class Size(NamedTuple):
    width: float
    height: float


class Edge(NamedTuple):
    """An arrow between two nodes by number; ``label`` is the room to keep for its words.

    An edge that goes ``back`` has its head above its tail.
    """

    tail: int
    head: int
    label: Size | None = None
    pointed: bool = True
    back: bool = False


class Curve(NamedTuple):
    """A cubic Bezier spline (1 + 3n points) from tail to tip, and the middle of its label."""

    points: tuple[Point, ...]
    tip: Point | None
    label: Point | None


@dataclass(frozen=True, slots=True)
class Layout:
    """``nodes`` are middles, ``curves`` are in the order of the edges; all from (0, 0) on."""

    size: Size
    nodes: tuple[Point, ...]
    curves: tuple[Curve, ...]


def arrange(nodes: Sequence[Size], edges: Sequence[Edge]) -> Layout:
    """Lay out boxes of fixed size from top to bottom, the same way every time.

    Raises ``DrawingFailed`` when Graphviz cannot be run or does not come to an end.
    """
    drawn = orjson.loads(_run(_dot(nodes, edges)))
    placed = {int(n["name"]): _point(n["pos"]) for n in drawn["objects"]}
    curves = {int(e["id"]): _curve(e) for e in drawn.get("edges", ())}
    return _from_origin(
        nodes, [placed[n] for n in range(len(nodes))], edges, [curves[n] for n in range(len(edges))]
    )


def _dot(nodes: Sequence[Size], edges: Sequence[Edge]) -> str:
    lines = [
        f"digraph {{ nodesep=0.35 ranksep=0.32 {_STRAIGHT if len(edges) > _MOST_CURVES else ''}",
        "edge [arrowsize=0.85]",
        'node [shape=box fixedsize=true label=""]',
    ]
    for number, size in enumerate(nodes):
        lines.append(f"{number} [width={size.width / 72:.4f} height={size.height / 72:.4f}]")
    for number, edge in enumerate(edges):
        room = f" label=<{_room(edge.label)}>" if edge.label else ""
        upper, lower = (edge.head, edge.tail) if edge.back else (edge.tail, edge.head)
        tip = ("back" if edge.back else "forward") if edge.pointed else "none"
        weight = 4 if edge.label else 1
        lines.append(f"{upper} -> {lower} [id={number} dir={tip} weight={weight}{room}]")
    return "\n".join([*lines, "}"])


def _room(size: Size) -> str:
    return (
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE"'
        f' WIDTH="{size.width:.0f}" HEIGHT="{size.height:.0f}"><TR><TD></TD></TR></TABLE>'
    )


def _run(dot: str) -> bytes:
    name = "graphviz-pure"
    scripts = sysconfig.get_path("scripts")
    program = shutil.which(name, path=os.pathsep.join([scripts, os.environ.get("PATH", "")]))
    if program is None:
        raise DrawingFailed(f"{name} is not installed; install the product's requirements again")
    try:
        done = subprocess.run(
            [program, "-Tjson0"],
            input=dot.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise DrawingFailed(f"no layout found within {_SECONDS} seconds") from None
    except (OSError, subprocess.CalledProcessError) as error:
        raise DrawingFailed(f"{name} failed: {error}") from error
    return done.stdout


def _point(text: str) -> Point:
    x, y = text.split(",")
    return Point(float(x), -float(y))


def _curve(edge: Mapping[str, Any]) -> Curve:
    tip = re.match(r"[es],(\S+) ", edge["pos"])
    points = [_point(point) for point in edge["pos"][tip.end() if tip else 0 :].split()]
    return Curve(
        tuple(points[::-1] if edge["dir"] == "back" else points),
        _point(tip[1]) if tip else None,
        _point(edge["lp"]) if "lp" in edge else None,
    )


def _from_origin(
    nodes: Sequence[Size], places: Sequence[Point], edges: Sequence[Edge], curves: Sequence[Curve]
) -> Layout:
    # Graphviz' own bounding box leaves out how far some splines swing.
    boxes = [*zip(places, nodes, strict=True)]
    boxes += [(c.label, e.label) for c, e in zip(curves, edges, strict=True) if c.label and e.label]
    boxes += [(point, Size(0, 0)) for curve in curves for point in curve.points]
    left = min(at.x - size.width / 2 for at, size in boxes)
    top = min(at.y - size.height / 2 for at, size in boxes)
    right = max(at.x + size.width / 2 for at, size in boxes)
    bottom = max(at.y + size.height / 2 for at, size in boxes)

    def moved(at: Point) -> Point:
        return Point(at.x - left, at.y - top)

    return Layout(
        Size(right - left, bottom - top),
        tuple(map(moved, places)),
        tuple(
            Curve(
                tuple(map(moved, curve.points)),
                moved(curve.tip) if curve.tip else None,
                moved(curve.label) if curve.label else None,
            )
            for curve in curves
        ),
    )
