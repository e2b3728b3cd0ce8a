"""How cells, tables and encodings read."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.importing.report import read_report
from app.importing.wording import fits, plain
from engine.loading import load_definition
from tests.importing.small import MAPPING, WORKFLOW, load_initiative, load_initiatives, table


def read(data, text=MAPPING):
    return read_report(load_initiatives(text), load_initiative(), "2021", data)


def value_of(field, cell):
    report = read(table({"name": "A", field: cell}))
    return report.rows[0].values[field], [problem.what for problem in report.findings]


def euros(amount):
    return {"amount": amount, "currency": "EUR"}


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        ("due", "31/12/2024", "2024-12-31"),
        ("due", "2024-12-31", "2024-12-31"),
        ("due", " 1/2/2024\n", "2024-02-01"),
        ("due", "31.12.40", "2040-12-31"),
        ("due", "17.03.97", "1997-03-17"),
        ("due", "01.01.68", "2068-01-01"),
        ("due", "01.01.69", "1969-01-01"),
        ("due", "TBC", None),
        ("due", "", None),
        ("cost", "0", euros("0")),
        ("cost", "€1.90k", euros("1900")),
        ("cost", "€1,186.00", euros("1186000")),
        ("cost", "27.28508537", euros("27285.08537")),
        ("cost", "\xa0€ 9941.96 ", euros("9941960")),
        ("cost", "-€74.90", euros("-74900")),
        ("cost", "Exempt under Section 43 of the Act 2000", {"withheld": "s.43"}),
        ("cost", "exempt: sections 24 (Security) 26 (Defence), 35", {"withheld": "s.24, 26, 35"}),
        ("cost", "Exempt: Section 43; exempt: Section 43", {"withheld": "s.43"}),
        ("cost", "Data exempt", {"withheld": "s.?"}),
        ("status", "on  TRACK", "On track"),
        ("status", "OnTrack", "On track"),
        ("staff", "1,200", 1200),
        ("name", "Exempt Supplies", "Exempt Supplies"),
        ("code", "dft_01", "DFT_01"),
        ("owner", "=cmd|'/c calc'!A1", "=cmd|'/c calc'!A1"),
    ],
)
def test_a_cell_reads_as_a_value_or_nothing_or_withheld(field, cell, value):
    assert value_of(field, cell) == (value, [])


@pytest.mark.parametrize(
    ("field", "cell", "what"),
    [
        ("due", "2023-14-05", "'2023-14-05' is no day of any calendar"),
        ("due", "30/02/2024", "'30/02/2024' is no day of any calendar"),
        ("due", "1/012/2014", "'1/012/2014' is not a date"),
        ("due", "0000-01-01", "'0000-01-01' is no day of any calendar"),
        ("due", "soon", "'soon' is not a date"),
        ("cost", "Section 43", "'Section 43' is not money"),
        ("cost", "43 of them", "'43 of them' is not money"),
        ("cost", "1,2,3", "'1,2,3' is not money"),
        ("cost", "1e5", "'1e5' is not money"),
        ("cost", "NaN", "'NaN' is not money"),
        ("cost", "£12", "'£12' is not money"),
        ("status", "Purple", "'Purple' is not a choice"),
        ("staff", "many", "'many' is not a number"),
    ],
)
def test_what_is_no_value_is_a_finding_and_never_guessed(field, cell, what):
    assert value_of(field, cell) == (None, [what])


@pytest.mark.parametrize(("cell", "value"), [("95", 95), ("95%", 95), ("95.5 %", 95.5)])
def test_a_number_may_be_written_with_the_unit_of_its_field(cell, value):
    definition = load_definition(
        WORKFLOW.replace("{type: number}", '{type: number, unit: "%"}'), "w"
    )
    data = table({"name": "A", "staff": cell})
    report = read_report(load_initiatives(MAPPING), definition, "2021", data)
    assert (report.rows[0].values["staff"], report.findings) == (value, ())


def test_a_finding_says_file_row_and_column():
    (finding,) = read(table({"name": "A"}, {"name": "B", "due": "soon"})).findings
    assert str(finding) == (
        "2021.csv:3:5: 'soon' is not a date (dates read yyyy-mm-dd or dd/mm/yyyy or dd.mm.yy)"
    )


def test_a_transposed_table_reads_the_same():
    wide = table({"name": "A", "due": "2024-01-01"}, {"name": "B", "cost": "5"})
    lines = [line.split(",") for line in wide.decode().splitlines()]
    across = "\n".join(",".join(line) for line in zip(*lines, strict=True)).encode()
    report = read(across, MAPPING.replace("  wide:\n", "  wide:\n    shape: transposed\n"))
    assert [row.values for row in report.rows] == [row.values for row in read(wide).rows]
    assert [row.place for row in report.rows] == ["column 2", "column 3"]


def test_lines_before_the_headings_footnotes_and_empty_lines_are_left_out():
    text = MAPPING.replace("  wide:\n", '  wide:\n    header: 3\n    ignore: "Note*"\n')
    data = b"A report\n\n" + table({"name": "A"}, {}, {"name": "Note: not audited"}, {"name": "B"})
    report = read(data, text)
    assert [(row.place, row.values["name"]) for row in report.rows] == [
        ("row 4", "A"),
        ("row 7", "B"),
    ]
    assert report.findings == ()


def test_rows_of_other_reports_in_the_same_file_are_left_out():
    text = MAPPING.replace('"2021": {file', '"2021": {rows: {year: 2021}, file')
    lines = table({"name": "A"}, {"name": "B"}, {"name": "C"}).decode().splitlines()
    years = ["Year", "2021", "2022", "2021"]
    data = "\n".join(f"{line},{year}" for line, year in zip(lines, years, strict=True))
    assert [row.values["name"] for row in read(data.encode(), text).rows] == ["A", "C"]


def test_a_column_the_report_has_not_is_not_the_same_as_a_missing_value():
    text = MAPPING.replace("      staff: Staff\n", "")
    assert "staff" not in read(table({"name": "A"}), text).rows[0].values
    assert read(table({"name": "A"})).rows[0].values["staff"] is None


@pytest.mark.parametrize(
    ("listed", "written"),
    [
        ("utf-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("utf-8, cp1252", "cp1252"),
        ("utf-8, utf-16", "utf-16"),
    ],
)
def test_the_first_encoding_that_fits_is_taken(listed, written):
    text = MAPPING.replace("  wide:\n", f"  wide:\n    encodings: [{listed}]\n")
    report = read(table({"name": "Café"}).decode().encode(written), text)
    assert report.encoding == written.removesuffix("-sig")
    assert report.rows[0].values["name"] == "Café"


def test_bytes_in_no_encoding_are_refused_or_replaced_and_counted():
    data = table({"name": "A", "owner": "\x9d"}).replace("\x9d".encode(), b"\x9d")
    text = MAPPING.replace("  wide:\n", "  wide:\n    encodings: [utf-8, cp1252]\n")
    with pytest.raises(Exception, match=r"^2021.csv: is not utf-8 or cp1252 \(name its encoding"):
        read(data, text)
    replaced = text.replace("  wide:\n", "  wide:\n    undecodable: replace\n")
    report = read(data, replaced)
    assert report.rows[0].values["owner"] == "\ufffd"
    assert [finding.what for finding in report.findings] == ["1 bytes are not cp1252"]


def backtracked(pattern, text):
    """The obvious way to say what fits."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(backtracked(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return text[:1] == pattern[0] and backtracked(pattern[1:], text[1:])


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_pattern_fits_what_the_obvious_way_says(pattern, text):
    assert fits(pattern, text) == backtracked(pattern, text)


def test_patterns_take_letters_and_spaces_lightly():
    pairs = product(["Project - End  Date*", "project - end date*"], ["PROJECT -\nEnd Date\n(x)"])
    assert all(fits(pattern, text) for pattern, text in pairs)
    assert plain(" A\xa0 b\n") == "a b"
