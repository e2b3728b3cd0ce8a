"""Pictures of a workflow: SVG for people and papers, Mermaid for text.

In the SVG every transition appears once. One with several sources has its lines meet in a dot;
one that leads back to its own state is written inside the state. Where that would be so many lines
that nobody can follow them, a dot has the names of its sources instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from app.drawing import Arrow, Node, Row, clean, draw, wrap
from app.tooltips import tooltip
from engine.definition import Deadline, Definition
from engine.errors import BadInput
from engine.step import ByAuthority, ByPerson, Step, Transition

MOST_ARROWS = 1_000

# Lines that an eye can tell apart; with more, those of dots with so many sources are left out.
_CROWDED, _MANY = 25, 3

_LEGEND = (
    Row("by", "has a condition", ("condition",)),
    Row("by", "others vote or agree", ("people",)),
    Row("by", "asks something of children", ("children",)),
    Row("by", "may be overridden", ("pass",)),
    Row("by", "only one at a time", ("lone",)),
    Row("by", "deadline", ("clock",)),
    Row("by", "stays in the state", ("loop",)),
)


class Move(NamedTuple):
    """A change of state that a case has made; ``trigger`` is empty where it was observed, ``role``
    where nobody knows in which it was made. ``told``: the name of its event, and the rules by which
    it was judged; empty where they are not known."""

    source: str
    to: str
    trigger: str = ""
    role: str = ""
    told: frozenset[str] = frozenset()


def mermaid(definition: Definition, current: str | None = None) -> str:
    """A ``stateDiagram-v2``. Raises ``BadInput`` when ``current`` is no state of the definition."""
    _require_states(definition, [current] if current else [])
    # The number keeps names apart from each other and from Mermaid's own words.
    ids = {n: f"{n.replace('-', '_')}_{i}" for i, n in enumerate(_depths(definition), 1)}
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{_quoted(_title(definition, name))}" as {ids[name]}' for name in ids]
    lines += [f"    [*] --> {ids[definition.initial]}"]
    for step in definition.transitions:
        words = _quoted(f"{step.trigger} ({_who(definition, step)})")
        lines += [
            f"    {ids[source]} --> {ids[step.target(source)]} : {words}" for source in step.sources
        ]
    lines += [f"    {ids[name]} --> [*]" for name in ids if definition.states[name].final]
    if current:
        lines += ["    classDef current fill:#1d5fbf,stroke:#1d5fbf,color:#ffffff"]
        lines += [f"    class {ids[current]} current"]
    return "\n".join(lines) + "\n"


def svg(
    definition: Definition,
    current: str | None = None,
    visited: Sequence[Move] = (),
    title: str | None = None,
) -> str:
    """A picture of the workflow, with where a case is and the path it took when they are given.

    A move that no transition allows (a fact is recorded, whatever the rules say) becomes an arrow
    of its own. Raises ``BadInput`` when a state is not one of the definition's, or when there are
    more than ``MOST_ARROWS`` arrows; ``app.layout.DrawingFailed`` when no layout is found.
    """
    moved = [state for move in visited for state in (move.source, move.to)]
    _require_states(definition, [*moved, *([current] if current else [])])
    count = sum(len(step.sources) for step in definition.transitions)
    if count > MOST_ARROWS:
        raise BadInput.one(
            "",
            f"{definition.workflow} has {count} arrows: too many for a picture to help anybody",
            f"a picture has at most {MOST_ARROWS}; the Mermaid text has no limit",
        )
    nodes = [_state(definition, name, current, moved) for name in _depths(definition)]
    nodes, arrows = _connect(definition, visited, nodes)
    under = f"{definition.workflow}, version {definition.version}"
    told = _told(definition, current, visited)
    rows = [row for part in (nodes, arrows) for each in part for row in each.rows]
    used = {icon for row in rows for icon in row.icons}
    legend = [row for row in _LEGEND if used.issuperset(row.icons)]
    heading = title or definition.title or definition.workflow
    return draw(heading, under, told, nodes, arrows, legend)


def _connect(
    definition: Definition, visited: Sequence[Move], states: list[Node]
) -> tuple[list[Node], list[Arrow]]:
    depth = _depths(definition)
    number = {name: place for place, name in enumerate(depth)}
    nodes = [*states, Node(("start",), radius=7)]
    start = _words(definition, definition.start)
    arrows = [Arrow(len(states), number[definition.initial], rows=start)]
    ways = {move: _ways(definition, move) for move in visited}
    steps = [(step, step.to, _sources(step)) for step in definition.transitions if step.to]
    crowded = sum(len(sources) for *_, sources in steps) > _CROWDED
    for step, target, sources in steps:
        left = {move.source for move, taken in ways.items() if any(t is step for t in taken)}
        marks = {source: ("taken",) if source in left else () for source in sources}
        head, words = number[target], _words(definition, step)
        if len(sources) == 1:
            arrows.append(Arrow(number[sources[0]], head, marks[sources[0]], words))
        elif sources:
            taken = ("taken",) if any(marks.values()) else ()
            back = all(depth[target] < depth[source] for source in sources)
            meeting = len(nodes)
            nodes.append(Node(("meeting", *taken), radius=2.5))
            named = crowded and len(sources) >= _MANY
            words += _from(definition, sources) if named else ()
            drawn = [source for source in sources if marks[source] or not named]
            # Unseen, the line from the last of them keeps the dot where it would be.
            arrows += [
                Arrow(number[source], meeting, marks[source], (), False, back, bool(drawn))
                for source in drawn or [max(sources, key=depth.__getitem__)]
            ]
            arrows.append(Arrow(meeting, head, taken, words, back=back))
    outside = ((m.source, m.to, m.trigger) for m in visited if m.source != m.to and not ways[m])
    for source, to, trigger in dict.fromkeys(outside):
        words = Row("trigger", trigger or "observed"), Row("by", "outside the rules")
        arrows.append(Arrow(number[source], number[to], ("taken", "outside"), words))
    return nodes, arrows


def _sources(step: Transition) -> list[str]:
    """The states that it leaves."""
    return [source for source in dict.fromkeys(step.sources) if source != step.to]


def _from(definition: Definition, sources: Sequence[str]) -> tuple[Row, ...]:
    *others, last = [_title(definition, source) for source in sources]
    told = f"from {', '.join(others)} or {last}"
    return tuple(Row("from", line) for line in wrap(told, 26, most=4))


def _depths(definition: Definition) -> dict[str, int]:
    """How many moves each state is from the start, nearest first; what is not reached is last."""
    depths = {definition.initial: 0}
    for name in (queue := [definition.initial]):
        for step in definition.transitions_from(name):
            if (target := step.target(name)) not in depths:
                depths[target] = depths[name] + 1
                queue.append(target)
    return depths | dict.fromkeys(sorted(definition.states.keys() - depths), len(depths))


def _state(definition: Definition, name: str, current: str | None, moved: Sequence[str]) -> Node:
    state = definition.states[name]
    marks = {"state": True, "final": state.final, "visited": name in moved}
    rows = [Row("now", "CURRENT STATE")] if name == current else []
    rows += [Row("name", line) for line in wrap(_title(definition, name), 24)]
    for due in state.deadline:
        remind = f"; reminders at {', '.join(due.remind)}" if due.remind else ""
        later = "".join(f"; at {step.at} {step.then}" for step in due.later)
        tip = f"Due {_when(due)}{remind}; then {due.then}{later}"
        rows += [Row("deadline", _span(due), ("clock",), tip)]
    for one in definition.only_one:
        if name in one.inside:
            what = " and ".join(one.per)
            tip = f"Only one case at a time for each {what} is in {' or '.join(one.inside)}"
            rows += [Row("deadline", f"one for each {what}", ("lone",), tip)]
    inner = [step for step in definition.transitions_from(name) if step.target(name) == name]
    rows += [Row("rule")] if inner else []
    rows += [row for step in inner for row in _words(definition, step, "loop")]
    chosen = [mark for mark, on in {**marks, "current": name == current}.items() if on]
    return Node(tuple(chosen), tuple(rows), "\n".join(filter(None, [name, state.about])))


def _words(definition: Definition, step: Step, *icons: str) -> tuple[Row, ...]:
    shown = [*icons]
    shown += ["clock"] if isinstance(step, Transition) and _is_due(definition, step) else []
    shown += ["condition"] if step.when else []
    shown += ["people"] if _is_shared(step) else []
    shown += ["children"] if step.children else []
    shown += ["pass"] if step.override else []
    trigger = Row("trigger", _trigger(step), tuple(shown), tooltip(step, definition))
    return (trigger, *(Row("by", line) for line in wrap(_who(definition, step), 30)))


def _is_shared(step: Step) -> bool:
    """Whether others have to sign before somebody takes the step (or a body may have to vote)."""
    by_authority = any(isinstance(who, ByAuthority) for who in step.by)
    return by_authority or step.quorum is not None or bool(step.agreed_by)


def _is_due(definition: Definition, step: Transition) -> bool:
    dues = [due for source in step.sources for due in definition.states[source].deadline]
    return any(step.trigger in (due.then, *(late.then for late in due.later)) for due in dues)


def _span(due: Deadline) -> str:
    if due.per:
        return f"by {due.goes_by.replace('_', ' ')}"
    return due.periods.get("") or (f"on {due.on}" if due.on else "recurs")


def _when(due: Deadline) -> str:
    if due.per:
        by: dict[str, list[str]] = {}
        for choice, period in due.periods.items():
            by.setdefault(period, []).append(choice)
        told = "; ".join(f"{', '.join(choices)}: {period}" for period, choices in by.items())
        return f"by {due.goes_by} after entering ({told})"
    if due.within:
        return f"{due.within} after entering"
    return f"on the day in {due.on}" if due.on else f"at the next {due.every}"


def _ways(definition: Definition, move: Move) -> list[Transition]:
    """The transitions that it can have been. Of several the one that was taken asks most of what
    was told: it told all that it asks, so another whose asking was told too asks a part of that."""
    ways = [
        step
        for step in definition.transitions
        if move.source in step.sources
        and move.to == step.target(move.source)
        and move.trigger in ("", step.trigger)
        and _may(move.role, step)
    ]
    told = [(step, len(asks)) for step in ways if (asks := _asks(definition, step)) <= move.told]
    most = max((count for _, count in told), default=0)
    return [step for step, count in told if count == most] or ways


def _asks(definition: Definition, step: Transition) -> set[str]:
    """What the event of such a step tells of it, as ``Move.told``: its name, its guards' rules."""
    asks = {definition.emits(step)}
    for said in (step, step.should) if step.should else (step,):
        asks |= {name for name in ("not_by", "needs", "anew", "quorum") if getattr(said, name)}
        asks |= {f"evidence {need.kind}" for need in said.evidence}
        asks |= {f"agreed_by {role}" for role in said.agreed_by}
        asks |= {f"children {child.workflow}" for child in said.children}
        asks |= {check.check for check in said.when}
    return asks


def _may(role: str, step: Transition) -> bool:
    """Whether it can have been made in this role. Whom an authority named is not known here."""
    if not role or not step.by or any(isinstance(who, ByAuthority) for who in step.by):
        return True
    return role in [who.person if isinstance(who, ByPerson) else who for who in step.by]


def _trigger(step: Step) -> str:
    return step.trigger if isinstance(step, Transition) else "start"


def _title(definition: Definition, name: str) -> str:
    spoken = re.sub("[-_]+", " ", name).strip()
    return clean(definition.states[name].title) or spoken[:1].upper() + spoken[1:] or name


def _who(definition: Definition, step: Step) -> str:
    """Who may, in words: role titles, and the data field that names a person."""
    named = []
    for one in step.by:
        if isinstance(one, ByPerson):
            field = definition.data.get(one.person)
            named.append("the " + ((field.title if field else "") or one.person.replace("_", " ")))
        elif isinstance(one, ByAuthority):
            category = one.authority.category.removeprefix("data.")
            named.append(f"whoever has authority for {category}")
        else:
            role = definition.roles.get(one)
            named.append((role.title if role else "") or one.replace("-", " ").replace("_", " "))
    return " or ".join(dict.fromkeys(named)) or "anybody"


def _told(definition: Definition, current: str | None, visited: Sequence[Move]) -> str:
    def title(name: str) -> str:
        return _title(definition, name)

    says = [f"Starts in {title(definition.initial)} ({_who(definition, definition.start)})."]
    for step in definition.transitions:
        sources = " or ".join(map(title, step.sources))
        target = title(step.to) if step.to else "the same state"
        says.append(f"{step.trigger}: from {sources} to {target} ({_who(definition, step)}).")
    states = [(title(name), definition.states[name]) for name in _depths(definition)]
    says += [f"{name} is due {_when(due)}." for name, s in states for due in s.deadline]
    finals = ", ".join(name for name, state in states if state.final)
    says += [f"Final: {finals}."] if finals else []
    if visited:
        path = [visited[0].source, *(move.to for move in visited)]
        says.append(f"The path so far: {', '.join(map(title, path))}.")
    says += [f"Current state: {title(current)}."] if current else []
    return " ".join(says)


def _quoted(text: str) -> str:
    # Mermaid has no escapes but entities like HTML's; what is not plainly harmless becomes one.
    return re.sub(r"[^\w ,.()/-]", lambda found: f"#{ord(found[0])};", clean(text))


def _require_states(definition: Definition, names: Sequence[str]) -> None:
    for name in names:
        if name not in definition.states:
            raise BadInput.one(
                "",
                f"{definition.workflow} version {definition.version} has no state {name!r}",
                f"its states are {', '.join(definition.states)}",
            )
