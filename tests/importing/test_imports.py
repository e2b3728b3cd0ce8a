"""Imports as a whole: refused, broken off, at once with others, and told of as they go on."""

import pytest

from app.importing.reports import import_reports
from engine.errors import BadInput, Refused, StoreFailed
from tests.importing.conftest import Ledger
from tests.importing.small import PARK, ROAD, known, load_initiative, table


def test_an_import_that_broke_off_is_finished_by_the_next(ledger, initiatives):
    whole = Ledger(load_initiative())
    files = {"2021.csv": table(ROAD, PARK), "2022.csv": table({**ROAD, "cost": "1"})}
    whole.take(initiatives, files)

    real = ledger.service.handle_many
    ledger.service.handle_many = lambda commands: [
        *real(commands[:1]),
        StoreFailed("the disk is full"),
    ]
    with pytest.raises(StoreFailed, match="disk is full"):
        ledger.take(initiatives, files)
    assert len(ledger.events()) == 1
    ledger.service.handle_many = real
    ledger.take(initiatives, files)
    assert ledger.said() == whole.said()


def test_of_two_who_import_at_once_the_second_is_refused_and_finds_the_rest_done(
    ledger, initiatives
):
    files = {"2021.csv": table({"name": "One", "code": "1"}, {"name": "Two", "code": "2"})}
    first = []

    def overtaken(commands):
        first.append(ledger.take(initiatives, files, importer="ben").events)
        return ledger.service.handle_many(commands)

    with pytest.raises(Refused, match="INI-0001 is at version 1, not 0"):
        import_reports(initiatives, ledger.definition, files, ledger.log, overtaken, importer="ana")
    assert first == [{"InitiativeJoined": 2}]
    assert {event.on_behalf_of for event in ledger.events()} == {"ben"}
    assert not ledger.take(initiatives, files, importer="ana").events


def test_nothing_is_written_when_one_of_the_reports_cannot_be_read(ledger, initiatives):
    with pytest.raises(BadInput, match=r"^2022.csv:1: "):
        ledger.take(initiatives, {"2021.csv": table(ROAD), "2022.csv": b"Something;else\n1;2\n"})
    assert ledger.events() == []


def test_strict_refuses_what_is_otherwise_a_finding(ledger, initiatives):
    files = {"2021.csv": table({**ROAD, "due": "next year"})}
    with pytest.raises(BadInput, match=r"^2021.csv:2:5: 'next year' is not a date"):
        ledger.take(initiatives, files, strict=True)
    assert ledger.events() == []
    assert len(ledger.take(initiatives, files).findings) == 1
    assert "due" not in known(ledger, "2021-01-31")["INI-0001"][1]


def test_progress_is_told_of_each_report_before_it_is_recorded(ledger, initiatives):
    told = []

    def progress(report, count):
        told.append((report.name, count, len(ledger.events())))

    ledger.take(
        initiatives, {"2022.csv": table(ROAD), "2021.csv": table(ROAD, PARK)}, progress=progress
    )
    assert told == [("2021", 2, 0), ("2022", 1, 2)]


def test_files_that_no_report_is_in_are_refused(ledger, initiatives):
    with pytest.raises(BadInput, match=r"^2031.csv: no report of the mapping is in a file"):
        ledger.take(initiatives, {"2021.csv": table(ROAD), "2031.csv": b""})
    with pytest.raises(
        BadInput, match=r"no file was given \(there is 2021.csv, 2022.csv, 2023.csv\)"
    ):
        ledger.take(initiatives, {})
    assert ledger.events() == []
