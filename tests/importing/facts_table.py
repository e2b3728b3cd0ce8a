"""Writes the compact table that the product carries from the published files: figures, no prose.

Run from the root of the project: ``python -m tests.importing.facts_table FOLDER``.
"""

import csv
import io
import sys
from decimal import Decimal
from pathlib import Path

from app.importing.mapping import Mapping, read_mapping
from app.importing.reports import read_reports
from engine.definition import Definition
from engine.loading import load_definition
from engine.values import Value, is_withheld

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
IMPORTS = WORKFLOWS / "imports"
FACTS = IMPORTS / "gmpp-facts.csv"

ATTRIBUTION = """\
# Contains public sector information licensed under the Open Government Licence v3.0
# (UK Infrastructure and Projects Authority, Government Major Projects Portfolio data 2014-2021)
"""
COLUMNS = {
    "number": "number",
    "name": "name",
    "department": "department",
    "category": "category",
    "rating": "rating",
    "start": "start",
    "end": "end",
    "whole_life_cost": "whole_life_cost_gbp_m",
    "budget": "budget_gbp_m",
    "forecast": "forecast_gbp_m",
}


def load_major_project() -> Definition:
    file = WORKFLOWS / "major-project.yaml"
    return load_definition(file.read_bytes(), file.name)


def load_mapping(name: str, definition: Definition) -> Mapping:
    return read_mapping((IMPORTS / name).read_bytes(), name, lambda _: definition)


def write_facts(mapping: Mapping, definition: Definition, files: dict[str, bytes]) -> str:
    """One line for each project in each report, oldest first, in the order of the reports."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["year", *COLUMNS.values()])
    for report in read_reports(mapping, definition, files):
        year = report.name.split()[-1]
        for row in report.rows:
            table.writerow([year, *(_write(row.values.get(field)) for field in COLUMNS)])
    return ATTRIBUTION + out.getvalue()


def _write(value: Value) -> str:
    if value is None:
        return ""
    if is_withheld(value):
        return f"withheld: {value['withheld']}"
    if isinstance(value, dict):
        return _strip(Decimal(value["amount"]).scaleb(-6))
    return str(value)


def _strip(figure: Decimal) -> str:
    text = f"{figure:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


if __name__ == "__main__":
    files = {path.name: path.read_bytes() for path in Path(sys.argv[1]).glob("*.csv")}
    definition = load_major_project()
    mapping = load_mapping("gmpp.yaml", definition)
    FACTS.write_text(write_facts(mapping, definition, files), encoding="utf-8")
