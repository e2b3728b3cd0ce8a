"""What a newer version of the program has written, as this one meets it, on every store."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from engine.errors import LogDamaged, LogNewer
from engine.events import CaseTransitioned, Escalated
from engine.store.log import Log
from engine.stored import part, stored
from tests.log.conftest import append, event


@part
class Reached(Escalated):
    """Escalations of tomorrow say more."""

    by: str = "letter"


@stored
class Hurried(CaseTransitioned):
    haste: str | None = None


@stored
class Paused(CaseTransitioned):
    type: Literal["pmo.case.paused.v1"] = "pmo.case.paused.v1"  # type: ignore[assignment]


NEWER = {
    "a member of a part": (CaseTransitioned, {"escalated": Reached(why="x")}, "escalated.by"),
    "a member": (Hurried, {"haste": "great"}, "haste"),
    "a type": (Paused, {}, "the type pmo.case.paused.v1"),
}


def written(log: Log, kind: type[CaseTransitioned], said: dict[str, object]) -> None:
    """An event as a newer version writes it, after one of ours."""
    log.append([append("A")])
    body = event("A", 2).__dict__ | said
    body.pop("type", None)
    log.append([replace(append("A", 2), events=(kind(**body),))])


@pytest.mark.parametrize(("kind", "said", "told"), NEWER.values(), ids=NEWER)
def test_what_a_newer_version_wrote_is_told_as_such_with_the_way_out(log, kind, said, told):
    written(log, kind, said)
    for read in (lambda: log.stream("A"), lambda: log.read(0, 10)):
        with pytest.raises(LogNewer) as failed:
            read()
        assert not isinstance(failed.value, LogDamaged)
        assert str(failed.value).startswith(f"A version 2 has {told}, which this version of pmo")
        assert "Install that one here, too (docs/postgresql.md, Upgrade)" in str(failed.value)
    assert [one.event.version for one in log.read(0, 1)] == [1], "what is ours is read"


@pytest.mark.parametrize(("kind", "said", "told"), NEWER.values(), ids=NEWER)
def test_it_is_whole_and_goes_to_subscribers_as_it_is(log, kind, said, told):
    written(log, kind, said)
    assert log.check() == 2
    (body,) = [body for _, body in log.bodies(1, 10)]
    assert told.split(".")[-1] in str(body)
