"""What a report says that was not known: pure, so the same report twice says nothing new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from app.importing.known import KnownCase
from app.importing.mapping import Events, Mapping
from app.importing.report import Report, Row
from app.importing.wording import plain
from engine import canonical, ids
from engine.case import Case
from engine.commands import Fact, Observe, Requester
from engine.definition import Definition
from engine.errors import BadInput
from engine.events import Source
from engine.values import Value, is_withheld


def difference(
    mapping: Mapping,
    definition: Definition,
    known: Sequence[KnownCase],
    report: Report,
    importer: str | None = None,
) -> list[Observe]:
    """The observations that bring ``known``, the cases as of the report's day, to what it says.

    One for each project with anything new, in the order of the report; then those that left. New
    projects get the next free numbers. The ``importer`` is on whose behalf they are made. Raises
    ``BadInput`` when one project could be two cases.
    """
    pairs = _pair(mapping, known, report)
    fresh = _free_keys(definition, known)
    commands = []
    for row in report.rows:
        found = pairs.get(row.place)
        if facts := _facts(mapping.events, found.case if found else None, row):
            key, version = (found.key, found.version) if found else (next(fresh), 0)
            commands.append(_observe(mapping, report, importer, key, version, row.place, facts))
    present = {found.key for found in pairs.values()}
    left = mapping.events.left
    for each in known:
        if each.case and each.case.state == mapping.events.joined.state and each.key not in present:
            facts = (Fact(name=left.name, state=left.state),)
            commands.append(_observe(mapping, report, importer, each.key, each.version, "", facts))
    return commands


def _pair(mapping: Mapping, known: Sequence[KnownCase], report: Report) -> dict[str, KnownCase]:
    """Which case each row speaks of, by the row's place."""
    day = report.rule.as_of
    following = min((k.begins.occurred_at for k in known if k.begins.occurred_at > day), default="")
    kept = _kept(mapping, known)
    pairs: dict[str, KnownCase] = {}
    for rank, field in enumerate(mapping.identify):
        stronger = mapping.identify[:rank]
        taken = {found.key for found in pairs.values()}
        index: dict[str, dict[str, KnownCase]] = {}
        for each in known:
            said, meant = _identity(each).get(field), kept.get(each.key, each)
            near = not rank or meant is not each or _is_near(each, mapping, day, following)
            if said and near and (meant is not each or each.key not in taken):
                index.setdefault(plain(str(said)), {})[meant.key] = meant
        for row in report.rows:
            if row.place in pairs or not row.values.get(field):
                continue
            candidates = [
                each
                for each in index.get(plain(str(row.values[field])), {}).values()
                if not any(row.values.get(s) and _identity(each).get(s) for s in stronger)
            ]
            if len(candidates) > 1:
                keys = " and ".join(each.key for each in candidates)
                what = f"{row.place}: {keys} both have the {field} {row.values[field]!r}"
                raise BadInput.one(report.rule.file, what, f"give one of them another {field}")
            if candidates:
                pairs[row.place] = candidates[0]
        _refuse_doubles(report, pairs, field, {found.key for found in kept.values()})
    return pairs


def _kept(mapping: Mapping, known: Sequence[KnownCase]) -> dict[str, KnownCase]:
    """Of every record that was merged, the one that goes on, by the key of the former."""
    if (merged := mapping.merged) is None:
        return {}
    by_key = {each.key: each for each in known}
    kept = {}
    for each in known:
        found, passed = each, set()
        while found.case and found.case.state == merged.state:
            passed.add(found.key)
            into = by_key.get(str(found.case.data.get(merged.into)))
            if into is None or into.key in passed:
                what = f"it is {merged.state}, and {merged.into} names no record that goes on"
                raise BadInput.one(each.key, what, "correct it, and import again")
            found = into
        if passed:
            kept[each.key] = found
    return kept


def _refuse_doubles(
    report: Report, pairs: dict[str, KnownCase], field: str, go_on: set[str]
) -> None:
    places: dict[str, str] = {}
    for place, found in pairs.items():
        if (first := places.setdefault(found.key, place)) != place:
            what = f"{first} and {place} both speak of {found.key}"
            if found.key in go_on:
                what += ", into which a record was merged"
                mend = "take the merging back: it is no double"
            else:
                what, mend = f"{what} by its {field}", f"give one of them another {field}"
            raise BadInput.one(report.rule.file, what, mend)


def _identity(known: KnownCase) -> dict[str, Value]:
    return dict(known.case.data if known.case else known.begins.data)


def _is_near(known: KnownCase, mapping: Mapping, day: str, following: str) -> bool:
    """Whether it was in the portfolio just before, is spoken of on the day itself, or (where a
    report arrives after later ones) begins with the next report."""
    if known.case is None:
        return known.begins.occurred_at == following
    return known.case.state == mapping.events.joined.state or day in known.case.since.values()


def _facts(events: Events, case: Case | None, row: Row) -> tuple[Fact, ...]:
    if case is None:
        said = {name: value for name, value in row.values.items() if value is not None}
        return (Fact(name=events.joined.name, state=events.joined.state, data=said),)
    new = {name: v for name, v in row.values.items() if not _same(case.data.get(name), v)}
    if case.state != events.joined.state:
        return (Fact(name=events.rejoined.name, state=events.rejoined.state, data=new),)
    named: dict[str, dict[str, Value]] = {}
    for name, value in new.items():
        event = _name(events, name, case.data.get(name), value)
        named.setdefault(event, {})[name] = value
    order = [*events.changed.values(), events.withheld or "", events.otherwise]
    return tuple(Fact(name=n, data=named[n]) for n in sorted(named, key=order.index))


def _name(events: Events, field: str, before: Value, after: Value) -> str:
    if is_withheld(after) and not is_withheld(before):
        return events.withheld or events.otherwise
    comparable = not (_is_open(before) or _is_open(after) or _is_respelled(before, after))
    return events.changed.get(field, events.otherwise) if comparable else events.otherwise


def _is_open(value: Value) -> bool:
    return value is None or is_withheld(value)


def _is_respelled(before: Value, after: Value) -> bool:
    """A typo is a correction, not a change: ``MoJ`` and ``MOJ`` are one owner."""
    return isinstance(before, str) and isinstance(after, str) and plain(before) == plain(after)


def _same(before: Value, after: Value) -> bool:
    return bool(before == after) or (
        isinstance(before, dict)
        and isinstance(after, dict)
        and "amount" in before
        and "amount" in after
        and before["currency"] == after["currency"]
        and Decimal(before["amount"]) == Decimal(after["amount"])
    )


def _free_keys(definition: Definition, known: Iterable[KnownCase]) -> Iterator[str]:
    """Keys that nobody has, ascending, for as long as somebody asks."""
    taken = {each.key for each in known}
    number = len(taken)
    while True:
        number += 1
        key = definition.key_pattern.format(number=f"{number:04}")
        if key not in taken:
            yield key


def _observe(
    mapping: Mapping,
    report: Report,
    importer: str | None,
    key: str,
    version: int,
    place: str,
    facts: tuple[Fact, ...],
) -> Observe:
    # The version is part of the id: a correction that is itself taken back later says the same
    # again, and must have its effect; the same difference computed twice must not. So is who
    # imports: of two at once the second is told that the case has moved on.
    said = canonical.digest([importer, [fact.model_dump() for fact in facts]])
    of_report = ids.derived_id(mapping.mapping, report.name)
    return Observe(
        command_id=f"{of_report}/{key}/{version}/{said[:32]}",
        actor=Requester(id=mapping.mapping, kind="import"),
        on_behalf_of=importer,
        occurred_at=report.rule.as_of,
        correlation_id=of_report,
        workflow=mapping.workflow,
        case=key,
        facts=facts,
        expected_version=version,
        origin=Source(name=report.name, record=place or "not in it"),
    )
