"""The picture of a workflow or of a case, by name."""

from __future__ import annotations

from app.definitions import from_views
from app.diagram import Move, mermaid, svg
from app.home import Home
from app.trail import trail
from engine.errors import StoreFailed
from engine.upcasts import Body
from projections.cases import case
from projections.definitions import definition


def draw(home: Home, name: str, as_svg: bool) -> str | None:
    """SVG, or Mermaid text, of a published workflow or a case; ``None`` where there is neither."""
    if rules := definition(home.views, name):
        newest = from_views(rules["body"])
        return svg(newest) if as_svg else mermaid(newest)
    about = case(home.views, name)
    if about is None:
        return None
    rules = definition(home.views, about["workflow"], about["definition_version"])
    if rules is None:  # a case is pinned to what was published before it
        raise StoreFailed(f"the views lack the definition of {name}; pmo rebuild builds them anew")
    pinned = from_views(rules["body"])
    if not as_svg:
        return mermaid(pinned, about["state"])
    events = home.stream(name)
    # By other rules it went another way, in states that this picture need not have.
    moves = [
        Move(entry.state_before, entry.state, entry.trigger or "", entry.role or "", _told(body))
        for entry, (_, body) in zip(trail(events), events, strict=True)
        if entry.state and entry.state_before
        if entry.former is None and body["definition"]["hash"] == about["definition_hash"]
    ]
    title = f"{name}: {about['title']}" if about["title"] else name
    return svg(pinned, about["state"], moves, title)


def _told(body: Body) -> frozenset[str]:
    rules = [verdict["rule"] for verdict in body.get("verdicts", ())]
    return frozenset([body["name"], *rules] if rules else [])
