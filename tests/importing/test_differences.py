"""Which differences between reports become which events, in whatever order reports arrive."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.importing.known import Portfolio
from app.importing.reports import import_reports
from engine.commands import Fact, Observe, PullTrigger, Requester, StartCase
from engine.errors import BadInput, Refused, StoreFailed
from engine.events import Source
from tests.importing.conftest import Ledger
from tests.importing.small import load_initiative, load_initiatives, table

ROAD = {
    "name": "Ring road",
    "code": "R-1",
    "owner": "Roads",
    "status": "Late",
    "due": "2025-06-30",
    "cost": "120",
    "staff": "7",
}
PARK = {"name": "City park", "owner": "Parks"}


@pytest.fixture
def ledger():
    return Ledger(load_initiative())


@pytest.fixture(scope="module")
def initiatives():
    return load_initiatives()


def known(ledger, day):
    """State and data of each case as of a day."""
    portfolio = Portfolio("initiative")
    portfolio.catch_up(ledger.log)
    cases = {each.key: each.case for each in portfolio.as_of(day)}
    return {key: (case.state, dict(case.data)) for key, case in cases.items() if case}


def names(ledger, after=0):
    return [(event.stream, event.name) for event in ledger.events()[after:]]


def test_a_project_joins_with_everything_the_report_says_of_it(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(ROAD, PARK)})
    road, park = ledger.events()
    assert (road.stream, road.name, road.state, road.occurred_at) == (
        "INI-0001",
        "InitiativeJoined",
        "running",
        "2021-01-31",
    )
    assert road.data == {
        "name": "Ring road",
        "code": "R-1",
        "owner": "Roads",
        "status": "Late",
        "due": "2025-06-30",
        "cost": {"amount": "120000", "currency": "EUR"},
        "staff": 7,
    }
    assert road.actor.kind == "import"
    assert (road.origin.name, road.origin.record) == ("2021", "row 2")
    assert (park.stream, park.data) == ("INI-0002", PARK)
    assert road.correlation_id == park.correlation_id


def test_each_difference_is_the_event_the_mapping_names(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(ROAD)})
    new = {**ROAD, "name": "Ring road north", "owner": "Transport", "due": "2026-01-01"}
    new |= {"cost": "150", "status": "On track", "staff": "n/a"}
    ledger.take(initiatives, {"2022.csv": table(new)})
    assert [(event.name, event.data) for event in ledger.events()[1:]] == [
        ("Renamed", {"name": "Ring road north"}),
        ("OwnerChanged", {"owner": "Transport"}),
        ("DueMoved", {"due": "2026-01-01"}),
        ("CostChanged", {"cost": {"amount": "150000", "currency": "EUR"}}),
        ("FiguresReported", {"status": "On track", "staff": None}),
    ]


def test_only_two_values_make_a_change_the_rest_is_still_reported(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table({**ROAD, "due": "tbc", "cost": "exempt, 43"})})
    ledger.take(initiatives, {"2022.csv": table({**ROAD, "due": "2025-06-30", "cost": "90"})})
    ledger.take(initiatives, {"2023.csv": table({**ROAD, "due": "exempt, 43", "cost": "0"})})
    assert names(ledger) == [
        ("INI-0001", "InitiativeJoined"),
        ("INI-0001", "FiguresReported"),
        ("INI-0001", "CostChanged"),
        ("INI-0001", "InformationWithheld"),
    ]


def test_withheld_and_missing_and_zero_stay_three_things(ledger, initiatives):
    row = {**PARK, "cost": "0", "due": "n/a", "staff": "Exempt under sections 24 and 31 (1)"}
    ledger.take(initiatives, {"2021.csv": table(row)})
    assert known(ledger, "2021-01-31")["INI-0001"][1] == {
        **PARK,
        "cost": {"amount": "0", "currency": "EUR"},
        "staff": {"withheld": "s.24, 31(1)"},
    }


def test_other_letters_and_spaces_are_a_correction_not_a_change(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table({**ROAD, "code": "r-1"})})
    ledger.take(
        initiatives, {"2022.csv": table({**ROAD, "owner": "ROADS", "name": " Ring  road "})}
    )
    assert names(ledger)[1:] == [("INI-0001", "FiguresReported")]
    assert known(ledger, "2022-01-31")["INI-0001"][1]["owner"] == "ROADS"


def test_who_is_no_longer_in_the_report_left_and_may_come_back(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(ROAD, PARK)})
    ledger.take(initiatives, {"2022.csv": table(PARK)})
    ledger.take(initiatives, {"2023.csv": table(PARK, {**ROAD, "staff": "9"})})
    left, returned = ledger.events()[2:]
    assert (left.stream, left.name, left.state, left.data) == (
        "INI-0001",
        "InitiativeLeft",
        "gone",
        {},
    )
    assert (returned.name, returned.state, returned.data) == (
        "InitiativeReturned",
        "running",
        {"staff": 9},
    )
    assert [event.conformance.verdict for event in ledger.events()] == ["conforms"] * 4


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


HARBOUR = {"name": "Harbour"}


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


def test_the_same_report_twice_says_nothing_new(ledger, initiatives):
    files = {"2021.csv": table(ROAD, PARK), "2022.csv": table({**ROAD, "cost": "1,200.50"})}
    ledger.take(initiatives, files)
    once = ledger.said()
    for again in (files, {"2021.csv": files["2021.csv"]}):
        result = ledger.take(initiatives, again)
        assert (result.events, result.findings) == ({}, [])
    assert ledger.said() == once


def test_one_amount_in_two_spellings_is_no_difference(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table({**ROAD, "cost": "€1,375.90k"})})
    ledger.take(initiatives, {"2022.csv": table({**ROAD, "cost": "1375.9"})})
    assert len(ledger.events()) == 1


def test_one_amount_that_a_person_spelled_in_another_way_is_no_difference(ledger, initiatives):
    ledger.service.handle(
        StartCase(
            command_id="by-hand",
            actor=Requester(id="pat"),
            workflow="initiative",
            data={"name": "City park", "cost": "9000.00"},
            occurred_at="2021-01-01",
        )
    )
    ledger.take(initiatives, {"2021.csv": table({"name": "City park", "cost": "9"})})
    assert len(ledger.events()) == 1


def test_a_corrected_report_restates_and_can_be_taken_back_any_number_of_times(ledger, initiatives):
    right, wrong = table(ROAD), table({**ROAD, "due": "2099-01-01"})
    later = {"2022.csv": table({**ROAD, "due": "2027-01-01"})}
    ledger.take(initiatives, {"2021.csv": right, **later})
    for file, due in ((wrong, "2099-01-01"), (right, "2025-06-30")) * 2:
        assert ledger.take(initiatives, {"2021.csv": file}).events == {"DueMoved": 1}
        assert known(ledger, "2021-01-31")["INI-0001"][1]["due"] == due
        assert known(ledger, "2022-01-31")["INI-0001"][1]["due"] == "2027-01-01"


def test_a_project_forgotten_in_a_report_is_put_back_by_its_correction(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(ROAD, PARK)})
    ledger.take(initiatives, {"2022.csv": table(ROAD)})
    ledger.take(initiatives, {"2022.csv": table(ROAD, PARK)})
    assert names(ledger)[2:] == [("INI-0002", "InitiativeLeft"), ("INI-0002", "InitiativeReturned")]


def test_an_earlier_report_may_arrive_later(ledger, initiatives):
    moved = {**ROAD, "due": "2026-01-01"}
    ledger.take(initiatives, {"2022.csv": table(moved, PARK)})
    result = ledger.take(initiatives, {"2021.csv": table(ROAD, {"name": "Harbour"})})
    (finding,) = result.findings
    assert finding.where == "2021"
    assert finding.what == "what is known of 2022-01-31 and after was compared with an older past"
    assert finding.mend.startswith("import the later reports again")
    assert known(ledger, "2021-01-31").keys() == {"INI-0001", "INI-0003"}
    assert known(ledger, "2022-01-31")["INI-0001"][1]["due"] == "2026-01-01"
    again = ledger.take(initiatives, {"2022.csv": table(moved, PARK)})
    assert again.events == {"InitiativeLeft": 1}


def test_later_reports_in_the_same_import_need_not_be_imported_again(ledger, initiatives):
    ledger.take(initiatives, {"2022.csv": table(PARK)})
    result = ledger.take(initiatives, {"2021.csv": table(ROAD), "2022.csv": table(PARK)})
    assert result.findings == []


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


def test_what_another_source_said_before_the_project_joined_does_not_begin_it(ledger, initiatives):
    ledger.take(initiatives, {"2022.csv": table(ROAD)})
    observe(ledger, "INI-0001", "2021-01-01", state=None)
    ledger.take(initiatives, {"2021.csv": table(ROAD)})
    assert names(ledger)[2:] == [("INI-0001", "InitiativeJoined")]


def test_keys_that_somebody_else_gave_away_are_passed_over(ledger, initiatives):
    observe(ledger, "INI-0002", "2020-01-01", state="gone")
    ledger.take(initiatives, {"2021.csv": table(ROAD, PARK)})
    assert names(ledger)[1:] == [
        ("INI-0003", "InitiativeJoined"),
        ("INI-0004", "InitiativeJoined"),
    ]


def observe(ledger, case, day, state):
    """Somebody else's fact."""
    ledger.service.handle(
        Observe(
            command_id=f"{case}-{day}",
            actor=Requester(id="payroll", kind="service"),
            workflow="initiative",
            case=case,
            facts=(Fact(name="StaffCounted", state=state, data={"staff": 3}),),
            occurred_at=day,
            origin=Source(name="payroll"),
        )
    )


codes = st.sampled_from(["A", "B", "C"])
cells = st.fixed_dictionaries(
    {
        "owner": st.sampled_from(["", "Roads", "Parks"]),
        "cost": st.sampled_from(["", "0", "5", "exempt, 43"]),
    }
)
rows_by_code = st.dictionaries(codes, cells, max_size=3)


@settings(max_examples=60)
@given(
    contents=st.tuples(rows_by_code, rows_by_code, rows_by_code),
    order=st.permutations(["2021", "2022", "2023"]),
)
def test_whatever_the_order_the_log_ends_up_saying_what_the_reports_say(contents, order):
    initiatives, ledger = load_initiatives(), Ledger(load_initiative())
    files = {
        f"{year}.csv": table(*({"code": c, "name": f"N {c}", **row} for c, row in rows.items()))
        for year, rows in zip(("2021", "2022", "2023"), contents, strict=True)
    }
    for year in order:
        ledger.take(initiatives, {f"{year}.csv": files[f"{year}.csv"]})
    ledger.take(initiatives, files)
    assert not ledger.take(initiatives, files).events
    for year, rows in zip(("2021", "2022", "2023"), contents, strict=True):
        now = known(ledger, f"{year}-01-31")
        there = {data["code"]: data for state, data in now.values() if state == "running"}
        assert there.keys() == rows.keys()
        for code, row in rows.items():
            cost = {"0": "0", "5": "5000"}.get(row["cost"])
            expected = {"withheld": "s.43"} if row["cost"].startswith("exempt") else None
            if cost:
                expected = {"amount": cost, "currency": "EUR"}
            assert there[code].get("cost") == expected
            assert there[code].get("owner", "") == row["owner"]
    keys = [data["code"] for _, data in known(ledger, "2023-01-31").values()]
    assert len(keys) == len(set(keys))


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


def test_numbers_go_on_after_those_that_are_taken(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(ROAD)})
    ledger.take(initiatives, {"2022.csv": table(PARK, ROAD)})
    assert names(ledger)[-1] == ("INI-0002", "InitiativeJoined")


def test_a_name_that_two_cases_have_is_not_guessed_at(ledger, initiatives):
    twins = table({**PARK, "code": "A"}, {**PARK, "code": "B"})
    ledger.take(initiatives, {"2021.csv": twins})
    with pytest.raises(BadInput) as caught:
        ledger.take(initiatives, {"2022.csv": table(PARK)})
    assert str(caught.value) == (
        "2022.csv: row 2: INI-0001 and INI-0002 both have the name 'City park' "
        "(give one of them another name)"
    )


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
