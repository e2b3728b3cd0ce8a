"""What a new version of a definition changes for those who read its events, and what breaks them.

The rules, and why they are so, are in docs/contracts.md and docs/adr/0016-contracts.md. In short: a
reader may rely on which events there are, on what each carries and guarantees, on the values a
choice and a state can have, and on what a field means. What is added beside that breaks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.contracts.forms import Form, forms
from engine.definition import Definition, Field


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``subject`` is what ``breaks`` calls it: an event, or ``data.FIELD``.

    ``at`` is where the new definition brings it about (a JSON pointer); ``reason`` is what the new
    definition says of it under ``breaks``.
    """

    subject: str
    what: str
    breaking: bool
    at: str = ""
    reason: str = ""

    @property
    def excused(self) -> bool:
        return bool(self.reason)

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}"


def changes(old: Definition, new: Definition) -> list[Change]:
    """Every difference that a reader of events can see, those that break readers first."""
    if old.hash == new.hash:
        return []
    found = [*_of_fields(old, new), *_of_events(old, new)]
    told = [
        Change(one.subject, one.what, True, one.at, new.breaks.get(one.subject, ""))
        if one.breaking
        else one
        for one in found
    ]
    return sorted(told, key=lambda one: not one.breaking)


def unfounded(found: Iterable[Change], new: Definition) -> list[str]:
    """What the new definition says that it breaks, and does not."""
    broken = {change.subject for change in found if change.breaking}
    return [subject for subject in new.breaks if subject not in broken]


def _of_fields(old: Definition, new: Definition) -> Iterator[Change]:
    """What becomes of a field everywhere, whichever events carry it."""
    for name, before in old.data.items():
        subject, at = f"data.{name}", f"/data/{name}"
        after = new.data.get(name)
        if after is None:
            yield Change(subject, "is gone from every event", True, "/data")
            continue
        for part, was, becomes in _meanings(before, after):
            yield Change(subject, f"{part} was {was}, becomes {becomes}", True, f"{at}/{part}")
        if before.type == after.type == "choice":
            lost = [choice for choice in before.choices if choice not in after.choices]
            new_ones = [choice for choice in after.choices if choice not in before.choices]
            if lost:
                yield Change(subject, f"can no longer be {' or '.join(lost)}", True, f"{at}/of")
            if new_ones:
                yield Change(subject, f"can now also be {' or '.join(new_ones)}", True, f"{at}/of")
        if _bounds(before) != _bounds(after):
            yield Change(subject, "has other bounds", False, at)


def _meanings(before: Field, after: Field) -> Iterator[tuple[str, str, str]]:
    """The parts of a field by which its value is read, where they differ."""
    listed = "list" in (before.type, after.type)
    for part, was, becomes in (
        ("type", before.type, after.type),
        ("of", " ".join(before.of), " ".join(after.of)) if listed else ("of", "", ""),
        ("to", before.to, after.to),
        ("currency", before.currency, after.currency),
        ("unit", before.unit, after.unit),
    ):
        if was != becomes:
            yield part, str(was or "none"), str(becomes or "none")


def _bounds(field: Field) -> tuple[object, ...]:
    return field.least, field.most, field.longest, field.unique


def _of_events(old: Definition, new: Definition) -> Iterator[Change]:
    before, after = forms(old), forms(new)
    for name, ways in before.items():
        if name not in after:
            instead, at = _instead(ways, new)
            yield Change(name, f"is no longer recorded{instead}", True, at)
            continue
        yield from _of_event(name, ways, after[name], old, new)
    for name, ways in after.items():
        if name not in before:
            yield Change(name, "is a new event", False, ways[0].at)


def _instead(ways: Sequence[Form], new: Definition) -> tuple[str, str]:
    """What the steps that recorded it record now, and where that is said."""
    triggers = {way.trigger for way in ways if way.at}
    for name, others in forms(new).items():
        for other in others:
            if other.at and other.trigger in triggers:
                step = other.trigger or "start"
                return f"; {step} records {name}", f"{other.at}/emits"
    return "", "/record_refusals" if not triggers else "/transitions"


def _of_event(
    name: str, before: Sequence[Form], after: Sequence[Form], old: Definition, new: Definition
) -> Iterator[Change]:
    at = after[0].at
    was, becomes = _merged(before, old), _merged(after, new)
    kept = [field for field in was.carries if field in new.data]
    lost = [field for field in kept if field not in becomes.carries]
    if lost:
        yield Change(name, f"no longer carries {', '.join(lost)}", True, f"{at}/accepts")
    if unsaid := [field for field in was.tells if field in new.data and field not in becomes.tells]:
        what = f"no longer tells what {', '.join(unsaid)} held before"
        yield Change(name, what, True, f"{at}/tells")
    if was.escalates and not becomes.escalates:
        yield Change(name, "no longer tells from whom to whom it has gone", True, at)
    loose = [field for field in was.always if field in new.data and field not in becomes.always]
    loose = [field for field in loose if field not in lost]
    if loose:
        yield Change(name, f"can now be without {', '.join(loose)}", True, at)
    firm = [f for f in kept if was.carries[f] and f not in lost and not becomes.carries[f]]
    if firm:
        what = f"can now have {', '.join(firm)} cleared or withheld"
        yield Change(name, what, True, f"{at}/needs")
    for what, ones, others in (
        ("can no longer leave the case in", was.states, becomes.states),
        ("can now also leave the case in", becomes.states, was.states),
        ("is no longer of the stored type", was.types, becomes.types),
        ("is now also of the stored type", becomes.types, was.types),
    ):
        if more := [one for one in ones if one not in others]:
            where = next((way.at for way in after if set(more) & {*way.states, way.type}), at)
            yield Change(name, f"{what} {' or '.join(more)}", True, f"{where}/to")
    if more := [field for field in becomes.carries if field not in was.carries]:
        yield Change(name, f"can now carry {', '.join(more)}", False, at)
    if more := [field for field in becomes.tells if field not in was.tells]:
        yield Change(name, f"now tells what {', '.join(more)} held before", False, f"{at}/tells")
    if becomes.escalates and not was.escalates:
        what = "now tells from whom to whom it has gone"
        yield Change(name, what, False, f"{at}/escalates")


@dataclass(frozen=True, slots=True)
class _Merged:
    """All that is true of every event of a name, whichever form it has."""

    carries: dict[str, bool]
    always: list[str]
    tells: list[str]
    escalates: bool
    states: list[str]
    types: list[str]


def _merged(ways: Sequence[Form], definition: Definition) -> _Merged:
    carrying = [way.carries for way in ways if way.carries is not None]
    carries = {
        name: all(one[name] for one in carrying if name in one)
        for name in definition.data
        if any(name in one for one in carrying)
    }
    always = [name for name in definition.data if all(name in way.always for way in ways)]
    tells = [name for name in definition.data if all(name in way.tells for way in ways)]
    states = dict.fromkeys(state for way in ways for state in way.states)
    escalates = all(way.escalates for way in ways)
    return _Merged(
        carries, always, tells, escalates, [*states], [*dict.fromkeys(way.type for way in ways)]
    )
