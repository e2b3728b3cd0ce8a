"""Importing: read every report, then record what each of them says that was not known before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field

from app.importing.difference import difference
from app.importing.known import Portfolio
from app.importing.mapping import Mapping
from app.importing.report import Report, read_report
from engine.commands import Observe
from engine.definition import Definition
from engine.errors import BadInput, PmoError, Problem
from engine.service import Receipt
from engine.store.log import Log

Submit = Callable[[list[Observe]], Sequence[Receipt | PmoError]]
"""``Service.handle_many``, or what stands in its place."""

Progress = Callable[[Report, int], None]
"""Told of each report, with the number of projects that differ, before they are recorded."""


@dataclass(slots=True)
class ImportResult:
    """``rows`` by report, ``events`` by domain name, the cases that ``begun`` with what the report
    calls them, and what an operator should look at."""

    rows: dict[str, int] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    begun: dict[str, str] = field(default_factory=dict)
    findings: list[Problem] = field(default_factory=list)


def import_reports(
    mapping: Mapping,
    definition: Definition,
    files: ReadOnly[str, bytes],
    log: Log,
    submit: Submit,
    *,
    importer: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Record what the reports in ``files`` (bytes by file name) say, oldest first, on behalf of the
    ``importer``.

    Importing a report again records nothing, or what was corrected in it. Raises ``BadInput``,
    before anything is written, when any of them cannot be read; with ``strict``, also for findings.
    """
    reports = read_reports(mapping, definition, files)
    result = ImportResult(findings=[finding for each in reports for finding in each.findings])
    if strict and result.findings:
        raise BadInput(result.findings)
    portfolio = Portfolio(mapping.workflow)
    covered = {report.rule.as_of for report in reports}
    for report in reports:
        portfolio.catch_up(log)
        day = report.rule.as_of
        commands = difference(mapping, definition, portfolio.as_of(day), report, importer)
        later = portfolio.observed_after(day) - covered
        if commands and later:
            what = f"what is known of {min(later)} and after was compared with an older past"
            mend = "import the later reports again; only what differs now will be recorded"
            result.findings.append(Problem(report.name, what, mend))
        if progress:
            progress(report, len(commands))
        for command, answer in zip(commands, submit(commands), strict=True):
            if isinstance(answer, PmoError):
                raise answer
            result.events.update(answer.names)
            if not command.expected_version:
                said = command.facts[0].data
                called = [str(said[name]) for name in mapping.identify if said.get(name)]
                result.begun[command.case] = ", ".join(called)
        result.rows[report.name] = len(report.rows)
    return result


def read_reports(
    mapping: Mapping, definition: Definition, files: ReadOnly[str, bytes]
) -> list[Report]:
    """The reports in ``files``, by the day they describe. Raises ``BadInput`` for all problems."""
    known = {rule.file for rule in mapping.reports.values()}
    there = f"there is {', '.join(sorted(known))}"
    problems = [
        Problem(name, "no report of the mapping is in a file of this name", there)
        for name in files
        if name not in known
    ]
    reports = []
    for name, rule in mapping.reports.items():
        if rule.file in files:
            try:
                reports.append(read_report(mapping, definition, name, files[rule.file]))
            except BadInput as error:
                problems.extend(error.problems)
    if problems or not reports:
        raise BadInput(problems or [Problem("", "no file was given", there)])
    return sorted(reports, key=lambda report: report.rule.as_of)
