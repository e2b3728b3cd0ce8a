"""A small portfolio: a workflow, a mapping, and reports one can write in a line."""

import csv
import io
from functools import cache

from app.importing.known import Portfolio
from app.importing.mapping import Mapping, read_mapping
from engine.definition import Definition
from engine.loading import load_definition

WORKFLOW = """\
workflow: initiative
version: 1
title: Initiative
key: INI
data:
  name: {type: text, required: true, longest: 60}
  code: {type: text}
  owner: {type: text}
  status: {type: choice, of: [On track, Late]}
  due: {type: date}
  cost: {type: money, currency: EUR}
  staff: {type: number}
  same_as: {type: ref, to: initiative}
states:
  running: {initial: true}
  gone: {}
  merged: {final: true}
start: {emits: InitiativeJoined}
transitions:
  - {trigger: leave, from: running, to: gone, emits: InitiativeLeft}
  - trigger: return
    from: gone
    to: running
    accepts: [name, code, owner, status, due, cost, staff]
    emits: InitiativeReturned
  - trigger: merge
    from: [running, gone]
    to: merged
    needs: same_as
    emits: RecordMerged
"""

MAPPING = """\
mapping: initiatives
workflow: initiative
identify: [code, name]
merged: {state: merged, into: same_as}
uppercase: code
missing: [n/a, tbc]
withheld:
  "*exempt*": "s.{numbers}"
events:
  joined: {name: InitiativeJoined, state: running}
  left: {name: InitiativeLeft, state: gone}
  rejoined: {name: InitiativeReturned, state: running}
  changed: {name: Renamed, owner: OwnerChanged, due: DueMoved, cost: CostChanged}
  withheld: InformationWithheld
  otherwise: FiguresReported
reports:
  "2021": {file: 2021.csv, layout: wide, as_of: 2021-01-31}
  "2022": {file: 2022.csv, layout: wide, as_of: 2022-01-31}
  "2023": {file: 2023.csv, layout: wide, as_of: 2023-01-31}
layouts:
  wide:
    dates: [yyyy-mm-dd, dd/mm/yyyy, dd.mm.yy]
    money: {unit: thousand, signs: [€, k]}
    columns:
      name: Initiative
      code: Code
      owner: Owner*
      status: Status
      due: "*due*"
      cost: Cost*
      staff: Staff
"""

HEADINGS = {
    "name": "Initiative",
    "code": "Code",
    "owner": "Owner (unit)",
    "status": "Status",
    "due": "Date due",
    "cost": "Cost (EUR thousand)",
    "staff": "Staff",
}


@cache
def load_initiative() -> Definition:
    return load_definition(WORKFLOW, "initiative.yaml")


@cache
def load_initiatives(text: str = MAPPING) -> Mapping:
    return read_mapping(text, "initiatives.yaml", lambda _: load_initiative())


def table(*rows: dict[str, str], delimiter: str = ",") -> bytes:
    """A file of these rows; what a row leaves out is empty."""
    out = io.StringIO()
    lines = csv.writer(out, delimiter=delimiter)
    lines.writerow(HEADINGS.values())
    lines.writerows([row.get(field, "") for field in HEADINGS] for row in rows)
    return out.getvalue().encode()


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
HARBOUR = {"name": "Harbour"}


def known(ledger, day):
    """State and data of each case as of a day."""
    portfolio = Portfolio("initiative")
    portfolio.catch_up(ledger.log)
    cases = {each.key: each.case for each in portfolio.as_of(day)}
    return {key: (case.state, dict(case.data)) for key, case in cases.items() if case}


def names(ledger, after=0):
    return [(event.stream, event.name) for event in ledger.events()[after:]]
