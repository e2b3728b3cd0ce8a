"""A year of one PMO on the screen, at 80 columns, with or without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from app.cli.tables import MISSING, print_aligned, show_escalation, show_in, show_value
from app.cli.terminal import bold, clean, dim, echo

if TYPE_CHECKING:
    from app.trail import Entry
    from app.year.tale import Tale

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_BAR = 12
_WIDTH = 79


def print_year(tale: Tale) -> None:
    year = tale.day[:4]
    echo(bold(f"A year of one PMO, {year}, played day by day through real commands"))
    echo(
        f"{tale.total('events'):,} events, all made up: units are called “example”, people go by\n"
        "their offices. What falls due is done by the scheduler, and reactions answer."
    )
    _print_months(tale)
    _print_objectives(tale)
    _print_decisions(tale)
    _print_trail(tale)
    _print_plan(tale)
    _print_results(tale)
    _print_waiting(tale)


def _print_months(tale: Tale) -> None:
    decided, refused, late = map(tale.total, ("decided", "refused", "late"))
    _head(f"Month by month: {decided} decisions, {refused} refused attempts, {late} times late")
    most = max(month["events"] for month in tale.months)
    counted = ["decided", "refused", "late", "escalated", "lapsed", "baselines", "packs"]
    headed = ["decided", "refused", "late", "up", "lapsed", "re-based", "packs"]
    print_aligned(
        ["", "events", " ", *headed],
        [
            [
                _MONTHS[int(month["month"][5:]) - 1],
                str(month["events"]),
                "\N{BLACK SQUARE}" * max(1, round(month["events"] * _BAR / most)),
                *(str(month[name] or "·") for name in counted),
            ]
            for month in tale.months
        ],
        right=["events", *headed],
    )


def _print_objectives(tale: Tale) -> None:
    _head("Objectives: from a baseline to a target by a date")
    print_aligned(
        ["objective", "from", "target", "now", "progress", "answer", "due"],
        [
            [
                _short(row["title"], 29),
                _number(row["baseline"]),
                _moved(row["target_first"], row["target_now"]),
                _number(row["actual"]),
                show_in("%", round(row["progress"], 2)) if row["progress"] is not None else MISSING,
                row["answer"],
                row["due"][5:] if row["due"][:4] == tale.day[:4] else row["due"][:7],
            ]
            for row in tale.objectives
            if row["state"] != "cancelled"
        ],
        right=["from", "target", "now", "progress"],
    )


def _print_decisions(tale: Tale) -> None:
    _head("Decisions: who decided, and how each stands")
    print_aligned(
        ["case", "decision", "GBP", "decided by", "stands"],
        [
            [
                row["key"],
                _short(row["title"], 24),
                MISSING if row["amount"] is None else f"{row['amount']:,.0f}",
                _short(row["decider"] or MISSING, 18),
                row["state"].replace("_", " "),
            ]
            for row in tale.decisions
        ],
        right=["GBP"],
    )


def _print_trail(tale: Tale) -> None:
    _head(f"One of them in full, {tale.decision}: who, by which votes and authority")
    for entry in tale.trail:
        mark = "refused" if entry.refused else entry.state if _moves(entry) else entry.answer
        who = entry.actor + (f" ({entry.role})" if entry.role and entry.role != "timer" else "")
        name = "attempt" if entry.refused else entry.name
        echo(
            f"  {entry.occurred_at[5:10]}  {name:<21} {_short(who, 31):<31}  {mark or ''}".rstrip()
        )
        for line in _said(entry):
            for part in _wrapped(clean(line)):
                echo(dim(f"         {part}"))


def _said(entry: Entry) -> Iterator[str]:
    """What is worth telling of an event besides who and when."""
    yield from entry.refused
    if entry.type == "pmo.case.conflict-declared.v1":
        yield f"takes no part from now on: {entry.reason}"
    for vote in (entry.basis or {}).get("votes", ()):
        counted = ", ".join(f"{person} {answer}" for person, answer in vote["votes"].items())
        recused = f"; recused: {', '.join(vote['recused'])}" if vote.get("recused") else ""
        yield f"{vote['body']}, {vote['rule']}: {counted}{recused}"
    if entry.authority:
        yield f"by authority of {entry.authority['rule']}, version {entry.authority['version']}"
    if entry.escalated:
        yield show_escalation(entry.escalated)
    for change in entry.changes:
        if change.field in ("rationale", "conditions", "outcome"):
            yield f"{change.field}: {show_value(change.after)}"


def _print_plan(tale: Tale) -> None:
    _head("The plan: what version 2 changed; version 1 stays in the record")
    for row in tale.changes:
        field = row["field"].replace("_", " ")
        echo(f"  {row['changed_at'][5:10]}  {field} ({row['event']})")
        for sign, value in (("-", row["before"]), ("+", row["after"])):
            for number, part in enumerate(_wrapped(_plain(value))):
                echo(f"         {sign if not number else ' '} {part}")


def _print_results(tale: Tale) -> None:
    _head("Benefits, and the packs that say so")
    print_aligned(
        ["benefit", "from", "target", "now", "realised", "state"],
        [
            [
                row["title"],
                _number(row["baseline"]),
                _number(row["target"]),
                _number(row["actual"]),
                show_in("%", round(row["realised"], 2)),
                row["state"],
            ]
            for row in tale.benefits
        ],
        right=["from", "target", "now", "realised"],
    )
    echo()
    for pack in tale.packs:
        again = f", restated {pack['restatements']} time" if pack["restatements"] else ""
        echo(
            f"  pack {pack['period']}  frozen at position {pack['frozen_at_position']:,.0f}{again}"
        )


def _print_waiting(tale: Tale) -> None:
    _head(f"What waits on {tale.day}, the nearest day first")
    print_aligned(
        ["case", "what", "state", "day"],
        [
            [
                row["key"],
                _short(row["title"], 36),
                row["state"].replace("_", " "),
                row["day"][:10],
            ]
            for row in tale.waiting
            if row["workflow"] != "routine"
        ][:8],
    )


def _moves(entry: Entry) -> bool:
    return entry.state is not None and entry.state != entry.state_before


def _moved(first: Any, now: Any) -> str:
    return _number(now) if first == now else f"{_number(first)} → {_number(now)}"


def _number(value: Any) -> str:
    return MISSING if value is None else f"{value:,g}"


def _plain(value: Any) -> str:
    """A value as the view of differences has it, where lists are JSON text."""
    import json

    if isinstance(value, str) and value.startswith("["):
        return ", ".join(json.loads(value))
    return _number(float(value)) if _is_number(value) else clean(str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or str(value).replace(".", "", 1).isdigit()


def _short(text: str, most: int) -> str:
    text = clean(text)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _wrapped(text: str) -> Sequence[str]:
    import textwrap

    return textwrap.wrap(text, _WIDTH - 11) or [""]


def _head(title: str) -> None:
    echo(f"\n{bold(title)}")
