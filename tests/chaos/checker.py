"""Whether what a storm left behind keeps the promises: from the rows in the database and from what
the programs noted, and from nothing else. It imports nothing of the product.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Note = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """An event as it lies in the database."""

    position: int
    state: bytes
    chain: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.state)


def faults(rows: Sequence[Row], writers: Iterable[Sequence[Note]]) -> Iterator[str]:
    """Everything that is wrong with the log, and with what writers were told of it."""
    yield from _chain_faults(rows)
    bodies = {row.position: row.body for row in rows}
    yield from _stream_faults(bodies)
    yield from _command_faults(bodies)
    notes = [note for notes in writers for note in notes]
    yield from _answer_faults(bodies, notes)
    yield from _order_faults(notes)


def reader_faults(rows: Sequence[Row], notes: Sequence[Note], name: str) -> Iterator[str]:
    """A reader sees each position once, in order, and what it sees is what was written."""
    wanted = [(row.position, row.body["event_id"]) for row in rows]
    seen = [(note["saw"], note["id"]) for note in notes]
    if seen == wanted:
        return
    for at, (saw, want) in enumerate(zip(seen, wanted, strict=False), 1):
        if saw != want:
            yield f"{name}: as number {at} it saw {saw[0]}, not {want[0]}"
            return
    yield f"{name}: it saw {len(seen)} of {len(wanted)} events"


def delivery_faults(
    rows: Sequence[Row], delivered: Sequence[tuple[str, str]], name: str, *, once: bool
) -> Iterator[str]:
    """``delivered``: case and event id, in the order of arrival. Each public event arrives, and in
    the order of its case; ``once``: none arrives twice, else the first arrival counts."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        body = row.body
        if not body["stream"].startswith("claim/"):
            wanted[body["stream"]].append(body["event_id"])
    if once and len(set(delivered)) != len(delivered):
        yield f"{name}: {len(delivered) - len(set(delivered))} events had their effect twice"
    found: dict[str, list[str]] = defaultdict(list)
    for case, event in dict.fromkeys(delivered):
        found[case].append(event)
    for case in sorted(wanted.keys() | found.keys()):
        if wanted[case] != found[case]:
            missing = len(set(wanted[case]) - set(found[case]))
            yield f"{name}: {case} is not as in the log ({missing} events are missing)"


def unanswered_faults(asked: Iterable[Note], answers: Iterable[Note]) -> Iterator[str]:
    """Whatever the broker has taken was answered."""
    answered = {note.get("done") or note.get("refused") for note in answers}
    for command in sorted({note["there"] for note in asked if "there" in note} - answered):
        yield f"command {command} was never answered"


def _chain_faults(rows: Sequence[Row]) -> Iterator[str]:
    chain = bytes(32)
    for wanted, row in enumerate(rows, 1):
        if row.position != wanted:
            yield f"position {wanted} is missing"
            return
        chain = hashlib.sha256(chain + hashlib.sha256(b"\x00" + row.state).digest()).digest()
        if chain != row.chain:
            yield f"position {row.position}: the chain of hashes is broken"
            return


def _stream_faults(bodies: dict[int, dict[str, Any]]) -> Iterator[str]:
    """Versions are dense, time does not run backwards, and every step goes on where the last one
    ended: two writers have never both had their way with one state."""
    versions: dict[str, int] = defaultdict(int)
    states: dict[str, str] = {}
    last = ""
    for position, body in bodies.items():
        stream = body["stream"]
        versions[stream] += 1
        if body["version"] != versions[stream]:
            yield f"position {position}: {stream} has version {body['version']} twice or late"
        if body["recorded_at"] < last:
            yield f"position {position}: recorded before the one before it"
        last = body["recorded_at"]
        if body.get("source") not in (None, states.get(stream)):
            yield f"position {position}: {stream} was not in {body['source']}"
        states[stream] = body.get("state") or ""
        for other, version in body.get("reads", {}).items():
            if versions[other] - (other == stream) != version:
                yield f"position {position}: {other} was not at {version} when it was judged"


def _command_faults(bodies: dict[int, dict[str, Any]]) -> Iterator[str]:
    """A command's events stand together: it was written once, and all of it."""
    ended: set[str] = set()
    before = ""
    for position, body in bodies.items():
        command = body["command_id"]
        if command != before and command in ended:
            yield f"position {position}: command {command} had its effect twice"
        ended.add(before := command)


def _answer_faults(bodies: dict[int, dict[str, Any]], notes: Sequence[Note]) -> Iterator[str]:
    """What was acknowledged is there, under the same receipt each time. A refusal is no last word:
    sent again, a command may have its effect; but once it has had it, it is never refused."""
    receipts: dict[str, tuple[int, int]] = {}
    last: dict[str, str] = {}
    for note in notes:
        if "sent" in note:
            last[note["sent"]] = "sent"
        elif "there" in note:
            continue  # the broker has it, and nobody has answered yet
        elif command := note.get("done"):
            last[command] = "done"
            receipt = note["position"], note["version"]
            if receipts.setdefault(command, receipt) != receipt:
                yield f"command {command} got two receipts: {receipts[command]} and {receipt}"
            body = bodies.get(receipt[0])
            if body is None or (body["command_id"], body["version"]) != (command, receipt[1]):
                yield f"command {command} was acknowledged at {receipt[0]}, and is not there"
        else:
            last[command := note["refused"]] = "refused"
            if command in receipts:
                yield f"command {command} was refused after it had been acknowledged"
    for command in sorted({body["command_id"] for body in bodies.values()}):
        if last.get(command) == "refused":
            yield f"command {command} was refused, and had its effect"


def _order_faults(notes: Sequence[Note]) -> Iterator[str]:
    """Whoever asks after somebody was answered comes after them in the log, across all writers."""
    sent: dict[str, int] = {}
    answers: dict[str, tuple[int, int]] = {}
    for note in sorted(notes, key=lambda note: note["at"]):
        if "sent" in note:
            sent.setdefault(note["sent"], note["at"])
        elif "done" in note:
            answers.setdefault(note["done"], (note["at"], note["position"]))
    events = sorted(
        [(at, 1, position) for at, position in answers.values()]
        + [(sent[command], 0, position) for command, (_, position) in answers.items()]
    )
    highest = 0
    for _, answered, position in events:
        if answered:
            highest = max(highest, position)
        elif position < highest:
            yield f"position {position} was asked for after {highest} had been acknowledged"
