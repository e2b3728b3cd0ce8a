"""That something is not there is remembered, but never believed against the log."""

from __future__ import annotations

import pytest

from engine.clock import HandClock
from engine.errors import NotFound, Refused
from engine.service import Service
from engine.store.log import Log
from tests.governance.conftest import Office


def test_what_another_process_has_begun_since_is_found(
    log: Log, office: Office, clock: HandClock
) -> None:
    with pytest.raises(NotFound):
        office.do("APPT-director.transport.dora", "end")
    other = Office(Service(log, clock))
    other._ids = iter(f"other-{n}" for n in range(100))  # type: ignore[assignment]
    other.appoint("director", "dora")
    assert office.do("APPT-director.transport.dora", "end").state == "ended"


def test_a_refusal_for_want_of_an_entry_is_not_given_once_there_is_one(
    log: Log, office: Office, clock: HandClock
) -> None:
    office.authorise(1, "director")
    case = office.ready()
    with pytest.raises(Refused, match="not appointed"):
        office.do(case, "approve", "dora")
    other = Office(Service(log, clock))
    other._ids = iter(f"other-{n}" for n in range(100))  # type: ignore[assignment]
    other.appoint("director", "dora")
    assert office.do(case, "approve", "dora").state == "approved"
