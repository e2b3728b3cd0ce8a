"""Which differences between reports become which events, in whatever order reports arrive."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.commands import Fact, Observe, Requester, StartCase
from engine.events import Source
from tests.importing.conftest import Ledger
from tests.importing.small import PARK, ROAD, known, load_initiative, load_initiatives, names, table


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


def test_numbers_go_on_after_those_that_are_taken(ledger, initiatives):
    ledger.take(initiatives, {"2021.csv": table(ROAD)})
    ledger.take(initiatives, {"2022.csv": table(PARK, ROAD)})
    assert names(ledger)[-1] == ("INI-0002", "InitiativeJoined")
