"""Which case a row of a report is about: by its number, by its name, and after two were merged."""

import pytest

from engine.commands import Fact, Observe, PullTrigger, Requester
from engine.errors import BadInput
from engine.events import Source
from tests.importing.small import (
    HARBOUR,
    PARK,
    ROAD,
    known,
    names,
    table,
)


def test_a_name_links_only_to_the_report_before_and_only_where_there_is_no_number(
    ledger, initiatives
):
    ledger.take(initiatives, {"2021.csv": table(PARK, {"name": "Harbour"})})
    ledger.take(initiatives, {"2022.csv": table({**PARK, "code": "P-1"})})
    ledger.take(
        initiatives, {"2023.csv": table({**PARK, "code": "P-2"}, {"name": "Harbour", "code": "H"})}
    )
    assert names(ledger)[2:] == [
        ("INI-0001", "FiguresReported"),
        ("INI-0002", "InitiativeLeft"),
        ("INI-0003", "InitiativeJoined"),
        ("INI-0004", "InitiativeJoined"),
        ("INI-0001", "InitiativeLeft"),
    ]


def merge(ledger, key, into, on="2021-06-30"):
    ledger.service.handle(
        PullTrigger(
            command_id=f"merge {key} into {into}",
            actor=Requester(id="ana"),
            case=key,
            trigger="merge",
            data={"same_as": into},
            occurred_at=on,
        )
    )


def test_what_a_report_says_of_a_merged_record_is_said_of_the_one_that_goes_on(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(HARBOUR, PARK, ROAD)})
    merge(ledger, "INI-0001", into="INI-0002")
    merge(ledger, "INI-0002", into="INI-0003")
    ledger.take(initiatives, {"2022.csv": table({**HARBOUR, "code": "R-1", "staff": "8"})})
    ledger.take(initiatives, {"2023.csv": table({**HARBOUR, "owner": "Ports", "staff": "8"})})
    assert [(event.stream, event.name, event.data) for event in ledger.events()[5:]] == [
        ("INI-0003", "Renamed", {"name": "Harbour"}),
        (
            "INI-0003",
            "FiguresReported",
            {"owner": None, "status": None, "due": None, "cost": None, "staff": 8},
        ),
        ("INI-0003", "FiguresReported", {"code": None, "owner": "Ports"}),
    ]


def test_a_name_of_two_merged_records_is_that_of_one_project(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(PARK, {**PARK, "code": "P-1"})})
    merge(ledger, "INI-0001", into="INI-0002")
    ledger.take(initiatives, {"2022.csv": table(PARK)})
    assert names(ledger, after=3) == [("INI-0002", "FiguresReported")]


def test_before_they_were_merged_both_records_are_still_reported_on(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(HARBOUR, PARK)})
    merge(ledger, "INI-0001", into="INI-0002")
    ledger.take(initiatives, {"2021.csv": table({**HARBOUR, "staff": "3"}, PARK)})
    assert names(ledger, after=3) == [("INI-0001", "FiguresReported")]


def test_a_report_that_has_both_of_two_merged_records_is_refused(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(HARBOUR, ROAD)})
    merge(ledger, "INI-0001", into="INI-0002")
    with pytest.raises(BadInput) as caught:
        ledger.take(initiatives, {"2022.csv": table(HARBOUR, ROAD)})
    (problem,) = caught.value.problems
    assert (problem.where, problem.what, problem.mend) == (
        "2022.csv",
        "row 3 and row 2 both speak of INI-0002, into which a record was merged",
        "take the merging back: it is no double",
    )
    assert names(ledger, after=3) == []


def test_two_rows_that_could_be_one_case_are_refused_though_nothing_was_merged(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(HARBOUR)})
    with pytest.raises(BadInput) as caught:
        ledger.take(
            initiatives,
            {"2022.csv": table({**HARBOUR, "code": "H-1"}, {**HARBOUR, "code": "H-2"})},
        )
    (problem,) = caught.value.problems
    assert (problem.what, problem.mend) == (
        "row 2 and row 3 both speak of INI-0001 by its name",
        "give one of them another name",
    )
    assert names(ledger, after=2) == []


@pytest.mark.parametrize("into", ["INI-0009", "INI-0001"])
def test_a_merged_record_that_leads_nowhere_is_told(ledger, initiatives, into):
    ledger.take(initiatives, {"2021.csv": table(HARBOUR, PARK)})
    fact = Fact(name="RecordMerged", state="merged", data={"same_as": into})
    ledger.service.handle(
        Observe(
            command_id="told",
            actor=Requester(id="ana"),
            workflow="initiative",
            case="INI-0001",
            facts=(fact,),
            occurred_at="2021-06-30",
            origin=Source(name="minutes"),
        )
    )
    with pytest.raises(BadInput, match="INI-0001: it is merged, and same_as names no record that"):
        ledger.take(initiatives, {"2022.csv": table(PARK)})


def test_a_late_report_without_numbers_finds_the_projects_of_the_next_one_by_name(
    ledger, initiatives
):
    numbered = {**PARK, "code": "P-1"}
    ledger.take(initiatives, {"2023.csv": table(numbered, {"name": "Harbour"})})
    ledger.take(initiatives, {"2022.csv": table(numbered, ROAD)})
    ledger.take(initiatives, {"2021.csv": table(PARK, {"name": "Harbour"})})
    assert known(ledger, "2021-01-31") == {
        "INI-0001": ("running", PARK),
        "INI-0004": ("running", {"name": "Harbour"}),
    }


def test_a_case_is_one_row_even_where_another_has_its_name(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(ROAD)})
    ledger.take(initiatives, {"2022.csv": table({"name": "Ring road", "owner": "Rail"}, ROAD)})
    assert names(ledger)[1:] == [("INI-0002", "InitiativeJoined")]


def test_a_name_that_two_cases_have_is_not_guessed_at(ledger, initiatives):
    twins = table({**PARK, "code": "A"}, {**PARK, "code": "B"})
    ledger.take(initiatives, {"2021.csv": twins})
    with pytest.raises(BadInput) as caught:
        ledger.take(initiatives, {"2022.csv": table(PARK)})
    assert str(caught.value) == (
        "2022.csv: row 2: INI-0001 and INI-0002 both have the name 'City park' "
        "(give one of them another name)"
    )
