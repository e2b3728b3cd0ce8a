"""What we read of the published files is what somebody else read of them, figure by figure."""

from collections import Counter
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from app.importing.known import Portfolio
from app.importing.report import read_report
from app.importing.table import read_table
from app.importing.wording import plain, tidy
from engine.values import is_withheld

YEARS = range(2014, 2022)
FIELDS = {"name": "name", "department": "dept", "start": "start", "end": "end"}
SEEN_BELOW = ("encoding", "end_unparsed", "rating_source")
LADDER = ["Green", "Amber/Green", "Amber", "Amber/Red", "Red"]


@pytest.fixture(scope="module")
def reports(raw, gmpp, major_project):
    return {
        year: read_report(gmpp, major_project, f"GMPP {year}", raw[f"uk_{year}.csv"])
        for year in YEARS
    }


@pytest.fixture(scope="module")
def tables(raw, gmpp):
    """The cells before anything is made of them."""
    rules = {year: gmpp.reports[f"GMPP {year}"] for year in YEARS}
    return {
        year: read_table(gmpp.layouts[rule.layout], rule, raw[rule.file])
        for year, rule in rules.items()
    }


@pytest.fixture(scope="module")
def last_two(reports):
    """What the reports of 2020 and of 2021 say of each project, by its number."""
    return [{row.values["number"]: row.values for row in reports[y].rows} for y in (2020, 2021)]


@pytest.fixture(scope="module")
def last_events(imported):
    return [event for event in imported.events() if event.occurred_at == "2021-03-31"]


def rating_of(value):
    return "NOT PROVIDED" if value is None else "WITHHELD(FOI)" if is_withheld(value) else value


def is_there(value):
    return value is not None and not is_withheld(value)


def millions(value):
    return Decimal(value["amount"]) / 10**6 if is_there(value) else None


def values_of(report, field):
    return [row.values[field] for row in report.rows if is_there(row.values[field])]


@pytest.mark.parametrize("year", YEARS)
def test_a_file_reads_as_it_was_read_by_others(year, raw, gmpp, figures, reports):
    report, said = reports[year], figures["files"][str(year)]
    layout = gmpp.layouts[report.rule.layout]
    ends = values_of(report, "end")
    costs = values_of(report, "whole_life_cost")
    assert {
        "projects": len(report.rows),
        "delimiter": layout.delimiter,
        "layout": layout.shape,
        "ratings": Counter(rating_of(row.values["rating"]) for row in report.rows),
        "departments": Counter(row.values["department"] for row in report.rows),
        "parsed_start": len(values_of(report, "start")),
        "parsed_end": len(ends),
        "parsed_wlc": len(costs),
        "parsed_fy_baseline": len(values_of(report, "budget")),
        "parsed_fy_forecast": len(values_of(report, "forecast")),
        "sum_wlc_gbp_m": round(float(sum(map(millions, costs))), 2),
        # The year that a report tells of ended on 30 September: so others counted, in all files.
        "end_before_report_year": sum(end < f"{year - 1}-09-30" for end in ends),
        "end_before_start": [
            row.values["name"]
            for row in report.rows
            if is_there(row.values["start"])
            and is_there(row.values["end"])
            and row.values["end"] < row.values["start"]
        ],
    } == {key: value for key, value in said.items() if key not in SEEN_BELOW}


@pytest.mark.parametrize("year", YEARS)
def test_every_end_that_is_no_date_is_one_that_others_found(year, figures, reports, tables):
    found = [
        [record.cells["number" if year >= 2020 else "name"].text, record.cells["end"].text.strip()]
        for record, row in zip(tables[year].records, reports[year].rows, strict=True)
        if not is_there(row.values["end"])
    ]
    said = figures["files"][str(year)]["end_unparsed"]
    assert [(plain(who), text[:60]) for who, text in found] == [(plain(a), b) for a, b in said]


@pytest.mark.parametrize("year", YEARS)
def test_an_encoding_is_found_or_what_is_in_none_is_reported(year, figures, tables):
    said = figures["files"][str(year)]["encoding"]
    mixed = said == "mixed: invalid UTF-8 and invalid cp1252"
    assert tables[year].encoding == ("cp1252" if mixed else said)
    assert tables[year].replaced == (1 if mixed else 0)


def test_only_what_nobody_can_read_is_a_finding(reports):
    findings = [str(finding) for year in YEARS for finding in reports[year].findings]
    assert findings == [
        "uk_2017.csv:6:34: '1/012/2014' is not a date (dates read dd/mm/yyyy)",
        "uk_2020.csv: 1 bytes are not cp1252 (they read as the sign U+FFFD)",
    ]


def test_all_rows_are_there(figures, reports):
    assert sum(len(report.rows) for report in reports.values()) == figures["rows"]


def test_as_many_names_go_on_from_report_to_report(figures, reports):
    names = {y: {plain(row.values["name"]) for row in reports[y].rows} for y in YEARS}
    found = {f"{a}->{b}": len(names[a] & names[b]) for a, b in pairwise(YEARS)}
    assert found == figures["exact_name_links"]


def test_numbers_in_other_letters_are_the_same_number(figures, reports, tables):
    found = [
        [year, record.cells["number"].text]
        for year in (2020, 2021)
        for record in tables[year].records
        if record.cells["number"].text != record.cells["number"].text.upper()
    ]
    assert found == figures["project_number_case_variants"]
    numbers = {row.values["number"] for year in (2020, 2021) for row in reports[year].rows}
    assert len(numbers) == figures["distinct_project_numbers"]


def test_the_differences_of_the_last_two_reports_are_the_expected_events(figures, last_events):
    names = Counter(event.name for event in last_events)
    said = figures["expected_event_counts"]["2020->2021"]
    assert {
        "ProjectJoinedPortfolio": names["ProjectJoinedPortfolio"],
        "ProjectLeftPortfolio": names["ProjectLeftPortfolio"],
        "ScheduleRebaselined": names["BaselineIssued"],
        "WholeLifeCostChanged": names["WholeLifeCostChanged"],
        "OwnerTransferred": names["OwnershipTransferred"],
        "ProjectRenamed": names["ProjectRenamed"],
        "rating": names["RatingChanged"],
    } == {
        **{name: said[name] for name in said if name[0].isupper()},
        "rating": said["rating_worse"] + said["rating_better"],
    }
    assert names["ProjectRejoinedPortfolio"] == 0


def test_each_difference_has_the_expected_direction_and_size(figures, imported, last_events):
    then = {
        known.key: known.case.data
        for known in portfolio(imported).as_of("2019-09-30")
        if known.case
    }
    ends, costs, owners = {}, [], []
    ratings = Counter()
    for event in last_events:
        before = then.get(event.stream, {})
        match event.name:
            case "BaselineIssued":
                days = date.fromisoformat(event.data["end"]) - date.fromisoformat(before["end"])
                ends[before["number"]] = days.days
            case "WholeLifeCostChanged":
                new, old = event.data["whole_life_cost"], before["whole_life_cost"]
                costs.append(millions(new) - millions(old))
            case "RatingChanged":
                steps = LADDER.index(event.data["rating"]) - LADDER.index(before["rating"])
                ratings["worse" if steps > 0 else "better"] += 1
            case "OwnershipTransferred":
                owners.append([before["number"], before["department"], event.data["department"]])
    said = figures["pairs_detail"]["2020->2021"]
    counted = figures["expected_event_counts"]["2020->2021"]
    later = {number: days for number, days in ends.items() if days > 0}
    assert len(later) == said["end_later"] == counted["slipped_later"]
    assert len(ends) - len(later) == said["end_earlier"] == counted["pulled_earlier"]
    assert sum(later.values()) == said["total_slip_days_later_only"]
    assert list(max(ends.items(), key=lambda item: item[1])) == said["max_slip"]
    assert list(min(ends.items(), key=lambda item: item[1])) == said["max_pull_in"]
    assert sum(c > 0 for c in costs) == said["wlc_up"] == counted["wlc_up"]
    assert sum(c < 0 for c in costs) == said["wlc_down"] == counted["wlc_down"]
    assert ratings == {"worse": said["rating_worse"], "better": said["rating_better"]}
    assert sorted(owners) == sorted(said["dept_changed"])


def test_as_many_projects_can_be_compared(figures, last_two):
    before, after = last_two
    both = before.keys() & after.keys()
    said = figures["pairs_detail"]["2020->2021"]
    assert len(both) == said["in_both"]
    assert len(before.keys() - both) == said["left"]
    assert len(after.keys() - both) == said["joined"]

    def comparable(field):
        pairs = [(before[number][field], after[number][field]) for number in both]
        return [(a, b) for a, b in pairs if is_there(a) and is_there(b)]

    for field, figure in (("end", "end_date"), ("whole_life_cost", "wlc"), ("rating", "rating")):
        pairs = comparable(field)
        assert len(pairs) == said[f"{figure}_comparable"]
        assert sum(a == b for a, b in pairs) == said[f"{figure.removesuffix('_date')}_same"]
    renamed = [(a, b) for a, b in comparable("name") if plain(a) != plain(b)]
    assert len(renamed) == said["name_changed"]


def test_every_project_is_in_the_log_as_others_read_it(figures, imported):
    found = {}
    for year, day in (("2020", "2019-09-30"), ("2021", "2021-03-31")):
        for known in portfolio(imported).as_of(day):
            if known.case and known.case.state == "in_portfolio":
                data = known.case.data
                cost = millions(data.get("whole_life_cost"))
                found.setdefault(data["number"], {})[year] = {
                    **{theirs: plain_or_none(data.get(ours)) for ours, theirs in FIELDS.items()},
                    "rating": rating_of(data.get("rating")),
                    "rating_source": "MPA/IPA",  # theirs to say: no file has a column for it
                    "wlc": None if cost is None else float(cost),
                }
    said = figures["per_project"]
    for project in said.values():
        for year in project.values():
            year["name"] = tidy(year["name"])
    assert found == said


def plain_or_none(value):
    return value if is_there(value) else None


def test_what_the_log_says_of_a_day_is_what_the_report_of_that_day_said(imported, reports):
    for report in reports.values():
        cases = [known.case for known in portfolio(imported).as_of(report.rule.as_of)]
        columns = report.rows[0].values
        told = [
            {field: case.data[field] for field in columns if field in case.data}
            for case in cases
            if case and case.state == "in_portfolio"
        ]
        said = [
            {field: value for field, value in row.values.items() if value is not None}
            for row in report.rows
        ]
        assert sorted(told, key=str) == sorted(said, key=str)


def portfolio(ledger):
    portfolio = Portfolio("major-project")
    portfolio.catch_up(ledger.log)
    return portfolio
