"""Whatever file comes in: a clear error or a report, never a traceback and never half an import."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.importing.report import read_report
from app.importing.wording import fits
from engine.errors import BadInput
from tests.importing.small import HEADINGS, MAPPING, load_initiative, load_initiatives, table

HEADER = (",".join(HEADINGS.values()) + "\n").encode()


def read(data, text=MAPPING):
    return read_report(load_initiatives(text), load_initiative(), "2021", data)


def refusal(data, text=MAPPING):
    with pytest.raises(BadInput) as caught:
        read(data, text)
    return str(caught.value)


def test_an_empty_file_has_no_headings():
    assert refusal(b"") == (
        "2021.csv:1: there are no headings (check `header`, or the file: is it empty?)"
    )
    assert refusal(b"\n\n\n").startswith("2021.csv:1: there are no headings")


def test_headings_alone_are_a_report_of_nothing():
    report = read(HEADER)
    assert (report.rows, report.findings) == ((), ())


def test_another_delimiter_is_suspected():
    assert refusal(table({"name": "A"}, delimiter=";")).endswith("(is ',' the delimiter?)")


def test_a_mapped_column_that_is_missing_is_named_with_what_is_there():
    data = table({"name": "A"}).replace(b"Date due", b"Finish").replace(b"Staff", b"People")
    assert refusal(data) == (
        "2021.csv:1: no heading fits '*due*' for due (the headings are: Initiative, Code, "
        "Owner (unit), Status, Finish, Cost (EUR thousand), People)\n"
        "2021.csv:1: no heading fits 'Staff' for staff (the headings are: Initiative, Code, "
        "Owner (unit), Status, Finish, Cost (EUR thousand), People)"
    )


def test_two_columns_for_one_field_are_not_chosen_between():
    data = table({"name": "A"}).replace(b"Staff", b"Cost of staff")
    assert "columns 6, 7 all fit 'Cost*' for cost (make the pattern longer)" in refusal(data)


def test_binary_is_not_a_table():
    text = MAPPING.replace("  wide:\n", "  wide:\n    encodings: [latin-1]\n")
    assert refusal(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", text).startswith(
        "2021.csv: holds NUL characters"
    )
    assert refusal(bytes(range(128, 256))).startswith("2021.csv: is not utf-8")


def test_a_cell_of_ten_megabytes_is_refused_in_its_row():
    data = table({"name": "A"}, {"name": "B", "owner": "x" * 10_000_000})
    assert refusal(data).startswith("2021.csv:3: is not CSV (line 3): field larger than")


def test_a_file_of_more_than_fifty_megabytes_is_not_opened():
    assert "at most 50,000,000 are read" in refusal(b"x" * 50_000_001)


def test_a_quote_that_is_never_closed_is_found():
    assert refusal(HEADER + b'"A,B\n').startswith("2021.csv:2: is not CSV (line 2): unexpected end")


def test_a_cell_cut_in_two_by_the_delimiter_is_found():
    assert refusal(HEADER + b"A,,,,,1,200,5\n") == (
        "2021.csv:2:8: there are 8 cells under 7 headings "
        "(a cell that holds the delimiter needs quotes)"
    )


def test_a_project_that_is_twice_in_a_report_is_refused():
    rows = [{"name": "A", "code": "x"}, {"name": "B", "code": "X"}, {"name": "C"}, {"name": "c"}]
    assert refusal(table(*rows)) == (
        "2021.csv: row 3 has the same code as row 2: 'X' (a report says everything once)\n"
        "2021.csv: row 5 has the same name as row 4: 'c' (a report says everything once)"
    )


def test_one_name_with_two_codes_is_two_projects():
    report = read(table({"name": "A", "code": "1"}, {"name": "A", "code": "2"}))
    assert len(report.rows) == 2


def test_a_row_that_says_something_of_nobody_is_a_finding():
    report = read(table({"name": "A"}, {"staff": "5"}))
    assert len(report.rows) == 1
    assert [str(finding) for finding in report.findings] == [
        "2021.csv:3:1: row 3 has no code and no name (it is left out; `ignore` is for footnotes)"
    ]


def test_a_name_that_is_too_long_for_its_field_is_a_finding():
    (finding, left_out) = read(table({"name": "x" * 61})).findings
    assert finding.what == "61 characters, at most 60 fit"
    assert left_out.what == "row 2 has no code and no name"


def test_a_pattern_that_would_make_a_regular_expression_explode_takes_no_time():
    """Else it takes longer than the world is old: no clock is needed to tell."""
    assert not fits("*a" * 99 + "*b", "a" * 100_000)
    assert not fits("(a+)+$", "a" * 100_000 + "b")


@settings(max_examples=150)
@given(st.binary(max_size=200))
@example(b'"')
@example(b"\r\r\n,\x0b")
@example(b"\xff\xfe")
def test_any_bytes_give_a_report_or_a_refusal(tail):
    for data in (tail, HEADER + tail):
        for layout in ("utf-8", "utf-16", "latin-1"):
            text = MAPPING.replace("  wide:\n", f"  wide:\n    encodings: [{layout}]\n")
            problems, rows = outcome(data, text)
            assert all(problem.where.startswith("2021.csv") for problem in problems)
            assert all(row.values["name"] or row.values["code"] for row in rows)


def outcome(data, text):
    try:
        report = read(data, text)
    except BadInput as error:
        return error.problems, ()
    return report.findings, report.rows
