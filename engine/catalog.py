"""Published definitions, read from the log and made ready to decide with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from engine.definition import Definition
from engine.errors import LogNewer, NotFound, Problem
from engine.events import DefinitionPublished, DefinitionRef
from engine.machine import Workflow
from engine.store.log import Log


@dataclass(frozen=True, slots=True)
class Published:
    """The newest definition of a workflow and the version of the stream it was read from."""

    workflow: Workflow
    stream_version: int


def stream_of(name: str) -> str:
    return f"definition/{name}"


class Catalog:
    """Workflows by name (the newest) and by hash (what a case is pinned to)."""

    def __init__(self, log: Log, workflows: Mapping[str, Workflow] | None = None) -> None:
        self._log = log
        self._by_hash: dict[str, Workflow] = dict(workflows or {})
        self._bodies: dict[str, dict[str, Any]] = {}
        self._newest: dict[str, Published] = {}
        self._hashes: dict[tuple[str, int], str] = {}

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """What has been made ready so far, by hash: another service can use it, too."""
        return self._by_hash

    def newest(self, name: str) -> Published:
        """Raises ``NotFound`` when nothing of that name was published, ``LogNewer`` when a newer
        version of this program published it, and it says what this one does not know."""
        if name not in self._newest and not self.refresh(name):
            raise NotFound.one(
                "/workflow", f"no workflow {name!r} is published", "publish it first"
            )
        return self._newest[name]

    def pinned(self, ref: DefinitionRef) -> Workflow:
        """The definition with exactly this hash, made ready. Raises ``LogNewer``."""
        if ready := self._by_hash.get(ref.hash):
            return ready
        if ref.hash not in self._bodies:
            with suppress(LogNewer):  # told of the newest, which does not matter to this one
                self.refresh(ref.name)
        return self._ready(ref.hash)

    def version(self, name: str, version: int) -> Workflow | None:
        """The one published under this version, made ready; ``None`` where none is."""
        if (name, version) not in self._hashes:
            self.refresh(name)
        digest = self._hashes.get((name, version))
        return self._ready(digest) if digest else None

    def versions(self, name: str) -> list[Definition]:
        """All that were ever published under the name, the newest last."""
        self.refresh(name)
        digests = (self._hashes[known] for known in sorted(self._hashes) if known[0] == name)
        return [self._ready(digest).definition for digest in digests]

    def definition(self, ref: DefinitionRef) -> Definition:
        """The definition with exactly this hash."""
        return self.pinned(ref).definition

    def seen(self, name: str) -> dict[str, int]:
        """The stream of the workflow's definitions, and the version as of which it was read."""
        published = self._newest.get(name)
        return {stream_of(name): published.stream_version} if published else {}

    def refresh(self, name: str) -> bool:
        """Read the workflow's stream again; whether anything is published under the name."""
        last: DefinitionPublished | None = None
        for recorded in self._log.stream(stream_of(name)):
            event = recorded.event
            assert isinstance(event, DefinitionPublished)
            about = event.definition
            self._bodies[about.hash] = event.body
            self._hashes[about.name, about.version] = about.hash
            last = event
        if last is None:
            return False
        self._newest[name] = Published(self._ready(last.definition.hash), last.version)
        return True

    def _ready(self, digest: str) -> Workflow:
        """Older versions are made ready when a case of theirs is met: 15 ms each."""
        if digest not in self._by_hash:
            self._by_hash[digest] = Workflow(Definition.from_published(self._bodies[digest]))
        return self._by_hash[digest]

    def forget(self, stream: str) -> None:
        """Read the workflow of this stream afresh when it is next asked for."""
        self._newest.pop(stream.removeprefix("definition/"), None)


def succeeds(new: Definition, earlier: Sequence[Definition]) -> list[Problem]:
    """What keeps ``new`` from following the ``earlier`` versions, the newest last; empty if it may.

    A field keeps the type of the first version that had it, also where others in between had
    dropped it: what cases of that version hold stays in the register.
    """
    if not earlier:
        return []
    problems = []
    last = earlier[-1].version
    if new.version <= last:
        problems.append(
            Problem(
                "/version",
                f"{new.workflow} version {last} is already published with other content",
                f"give the changed definition version {last + 1}",
            )
        )
    for name, field in new.data.items():
        first = next((one for one in earlier if name in one.data), None)
        if first is None:
            continue
        before = first.data[name]
        if (before.type, before.currency) != (field.type, field.currency):
            problems.append(
                Problem(
                    f"/data/{name}",
                    f"was {before.type} {before.currency or ''}".rstrip()
                    + f" in version {first.version} and cannot become {field.type}",
                    "registers and subscribers rely on it: add a field with another name",
                )
            )
    return problems
