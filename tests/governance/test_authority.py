"""The right people: appointments, the ladder of authority, delegation."""

from __future__ import annotations

import pytest

from engine.clock import HandClock
from engine.commands import Requester, StartCase
from engine.errors import Refused
from engine.service import Service
from engine.store.log import Log
from tests.deciding.conftest import publish
from tests.governance.conftest import Office, paper, refused, taken


def test_who_holds_the_role_that_the_authority_names_decides_and_the_event_says_so(
    office: Office,
) -> None:
    office.appoint("director", "dora")
    rule = office.authorise(1, "director", limit="100000")
    case = office.ready("100000")
    office.do(case, "approve", "dora")
    event = taken(office, case)
    assert event.role == "director"
    assert event.authority is not None
    assert (event.authority.rule, event.authority.version) == (rule, 1)
    assert event.authority.limit == {"amount": "100000", "currency": "GBP"}
    assert event.reads[rule] == 1
    assert event.reads["APPT-director.transport.dora"] == 1
    assert event.basis is not None
    assert event.basis.evidence == ("a" * 64,)


def test_nobody_decides_without_appointment_or_after_it(office: Office, clock: HandClock) -> None:
    office.authorise(1, "director")
    office.appoint("director", "late", **{"from": "2026-04-01"})
    office.appoint("director", "past", until="2026-02-28")
    left = office.appoint("director", "left")
    office.do(left, "end")
    case = office.ready()
    assert "nobody is not appointed director in transport" in refused(
        office, case, "approve", "nobody"
    )
    assert "in force only from 2026-04-01" in refused(office, case, "approve", "late")
    assert "in force until 2026-02-28" in refused(office, case, "approve", "past")
    assert "APPT-director.transport.left is ended" in refused(office, case, "approve", "left")
    clock.at = "2026-04-01T00:00:00.000000Z"
    office.do(case, "approve", "late")


@pytest.mark.parametrize(
    ("amount", "decider"),
    [
        ("100000", "low"),
        ("100000.01", "high"),
        ("5000000", "high"),
        ("-100000", "low"),
        ("-4000000", "high"),  # to take so much away is as large a matter as to give it
    ],
)
def test_the_lowest_level_whose_limit_covers_the_value_decides(
    office: Office, amount: str, decider: str
) -> None:
    office.appoint("manager", "low")
    office.appoint("director", "high")
    office.authorise(1, "manager", limit="100000")
    office.authorise(2, "director", limit="5000000")
    case = office.ready(amount)
    other = "low" if decider == "high" else "high"
    assert f"{other} is not appointed" in refused(office, case, "approve", other)
    office.do(case, "approve", decider)


CALLED_IN = """
workflow: petition
version: 1
title: Petition
key: PET
roles: {clerk: }
data:
  unit: {type: text}
  amount: {type: money, currency: GBP}
  level: {type: number, least: 1}
states: {open: {initial: true}, granted: , closed: {final: true}}
start: {by: clerk}
transitions:
  - trigger: call-in
    from: open
    to: open
    by: {authority: {category: funding, value: data.amount, unit: data.unit, least: data.level}}
    needs: level
  - trigger: grant
    from: open
    to: granted
    by: {authority: {category: funding, value: data.amount, unit: data.unit, least: data.level}}
  - {trigger: close, from: granted, to: closed, by: clerk}
"""


@pytest.fixture
def petition(office: Office) -> str:
    """A petition that the manager may grant; above are a director and a board."""
    publish(office.service, CALLED_IN)
    office.appoint("manager", "mia")
    office.appoint("director", "dora")
    office.body("board", ["ben", "bea"], quorum=60)
    office.authorise(1, "manager", limit="100000")
    office.authorise(2, "director", limit="200000")
    office.authorise(3, "board", "body")
    return office.start("petition", "clara:clerk", unit="transport", amount="5000")


def test_a_superior_calls_a_matter_in_and_nobody_below_decides_it_then(
    office: Office, petition: str
) -> None:
    told = refused(office, petition, "call-in", "mia", data={"level": 2})
    assert "mia is not appointed director" in told
    office.do(petition, "call-in", "dora", {"level": 2})
    assert "mia is not appointed director" in refused(office, petition, "grant", "mia")
    # Whoever would hand it back below needs the level that it has come to.
    told = refused(office, petition, "call-in", "mia", data={"level": 1})
    assert "mia is not appointed director" in told
    office.do(petition, "grant", "dora")
    event = taken(office, petition)
    assert event.authority is not None
    assert event.authority.rule == "AUTH-funding.transport.2"


def test_a_body_calls_a_matter_in_by_its_vote(office: Office, petition: str) -> None:
    assert "board has no quorum" in refused(office, petition, "call-in", "ben", data={"level": 3})
    office.sign(petition, "ben", "board")
    office.sign(petition, "bea", "board")
    office.do(petition, "call-in", "ben", {"level": 3})
    assert "dora is not a member of board" in refused(office, petition, "grant", "dora")
    told = refused(office, petition, "grant", "ben")
    assert "0 of 2 have voted" in told, "what was voted on was whose it is, not what it asks"


def test_above_the_highest_level_there_is_nobody(office: Office, petition: str) -> None:
    told = refused(office, petition, "call-in", "dora", data={"level": 4})
    assert "nobody's authority for funding in transport from level 4 on" in told


def test_a_matrix_with_a_gap_or_an_overlap_decides_nothing(office: Office) -> None:
    office.appoint("director", "dora")
    office.authorise(1, "director", limit="100000")
    case = office.ready("200000")
    assert "reaches up to GBP 100,000; this is GBP 200,000" in refused(
        office, case, "approve", "dora"
    )
    office.authorise(2, "director", limit="90000")
    assert "overlaps the level below it" in refused(office, case, "approve", "dora")


def test_a_unit_without_a_ladder_falls_under_that_of_any(office: Office) -> None:
    office.appoint("director", "dora", unit="pmo")
    office.authorise(1, "director", unit="any", holder_unit="pmo")
    office.do(office.ready(), "approve", "dora")


def test_what_the_matter_is_must_be_known(office: Office) -> None:
    office.authorise(1, "director")
    assert "category is missing" in refused(office, office.ready(category=None), "approve", "dora")
    withheld = office.ready(amount={"withheld": "FOI s. 43"})  # type: ignore[arg-type]
    assert "amount is withheld" in refused(office, withheld, "approve", "dora")
    other = office.ready(category="scope")
    assert "no authority is granted for scope" in refused(office, other, "approve", "dora")


def test_a_delegate_decides_within_what_was_delegated(office: Office) -> None:
    office.appoint("director", "dora")
    office.authorise(1, "director")
    lent = office.start(
        "delegation",
        giver="dora",
        receiver="dirk",
        role="director",
        unit="transport",
        category="funding",
        limit="60000",
        until="2026-03-31",
    )
    case = office.ready("60000")
    assert "dirk is not appointed" in refused(office, case, "approve", "dirk")
    assert "given to dirk, not to eve" in refused(office, case, "approve", "eve", on_behalf_of=lent)
    office.do(case, "approve", "dirk", on_behalf_of=lent)
    event = taken(office, case)
    assert event.on_behalf_of == lent
    assert event.reads[lent] == 1
    dear = office.ready("60000.01")
    assert "reaches up to GBP 60,000" in refused(office, dear, "approve", "dirk", on_behalf_of=lent)


def test_a_delegation_ends_with_its_day_its_revocation_and_the_givers_own_role(
    office: Office, clock: HandClock
) -> None:
    post = office.appoint("director", "dora")
    office.authorise(1, "director")
    common = {"giver": "dora", "role": "director", "unit": "transport"}
    short = office.start("delegation", receiver="dirk", until="2026-03-02", **common)
    revoked = office.start("delegation", receiver="dirk", **common)
    office.do(revoked, "revoke")
    lent = office.start("delegation", receiver="dirk", **common)
    again = office.start(
        "delegation", giver="dirk", receiver="finn", role="director", unit="transport"
    )
    case = office.ready()
    assert f"{revoked} is revoked" in refused(office, case, "approve", "dirk", on_behalf_of=revoked)
    assert "dirk is not appointed director" in refused(
        office, case, "approve", "finn", on_behalf_of=again
    )
    clock.at = "2026-03-03T00:00:00.000000Z"
    assert "in force until 2026-03-02" in refused(
        office, case, "approve", "dirk", on_behalf_of=short
    )
    office.do(post, "end")
    assert "dora is not appointed" in refused(office, case, "approve", "dirk", on_behalf_of=lent)


def test_what_the_giver_may_not_do_a_delegate_may_not_do_for_them(office: Office) -> None:
    office.appoint("director", "analyst")
    office.authorise(1, "director")
    lent = office.start(
        "delegation", giver="analyst", receiver="dirk", role="director", unit="transport"
    )
    case = office.ready()
    assert "analyst has already acted as requester" in refused(
        office, case, "approve", "dirk", on_behalf_of=lent
    )


def test_separation_of_duties_is_not_evaluable_where_it_is_not_known_who_acted(
    office: Office,
) -> None:
    office.appoint("director", "dora")
    office.authorise(1, "director")
    office.observe(
        "decision",
        "DEC-9000",
        "ready",
        category="funding",
        unit="transport",
        amount="1",
    )
    with pytest.raises(Refused) as refusal:
        office.do("DEC-9000", "approve", "dora", evidence=(paper("business-case"),))
    (verdict,) = [v for v in refusal.value.verdicts if v.rule == "not_by"]
    assert verdict.held is None
    assert "who acted as requester is not known" in verdict.reason


def test_promise_6_a_revocation_that_races_an_approval_is_never_overlooked(
    log: Log, office: Office, clock: HandClock
) -> None:
    """The approval is decided on an appointment; before its append, the appointment ends."""
    post = office.appoint("director", "dora")
    office.authorise(1, "director")
    case = office.ready()
    other = Office(Service(log, clock))
    other._ids = iter(f"other-{n}" for n in range(100))  # type: ignore[assignment]
    append, raced = log.append, []

    def racing(appends):  # type: ignore[no-untyped-def]
        if not raced:
            raced.append(True)
            other.do(post, "end")
        return append(appends)

    log.append = racing  # type: ignore[method-assign]
    with pytest.raises(Refused, match=r"APPT-director\.transport\.dora is ended"):
        office.do(case, "approve", "dora")
    assert raced
    assert office.service.case(case).state == "ready"


def test_promise_6_an_authority_that_appears_meanwhile_is_not_overlooked_either(
    log: Log, office: Office, clock: HandClock
) -> None:
    """Even that there was no rule for the unit is something the decision rests on."""
    office.appoint("director", "dora")
    office.authorise(1, "director", unit="any")
    case = office.ready()
    other = Office(Service(log, clock))
    other._ids = iter(f"other-{n}" for n in range(100))  # type: ignore[assignment]
    append, raced = log.append, []

    def racing(appends):  # type: ignore[no-untyped-def]
        if not raced:
            raced.append(True)
            other.authorise(1, "owner", limit="1000000")
        return append(appends)

    log.append = racing  # type: ignore[method-assign]
    with pytest.raises(Refused, match="not appointed owner"):
        office.do(case, "approve", "dora")


def test_promise_6_a_clock_that_is_behind_the_log_lets_nobody_decide_after_their_time(
    office: Office, log: Log, clock: HandClock
) -> None:
    office.appoint("director", "dora", until="2026-03-31")
    office.authorise(1, "director", limit="100000")
    case = office.ready("100000")
    elsewhere = Service(log, HandClock("2026-04-01T08:00:00.000000Z"))
    dan = {"role": "director", "unit": "transport", "person": "dan"}
    elsewhere.handle(
        StartCase(command_id="dan", actor=Requester(id="clerk"), workflow="appointment", data=dan)
    )
    clock.at = "2026-03-31T23:50:00.000000Z"
    assert "was in force until 2026-03-31" in refused(office, case, "approve", "dora")
    office.do(case, "approve", "dan")
    assert taken(office, case).recorded_at == "2026-04-01T08:00:00.000000Z"
