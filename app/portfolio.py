"""Importing a portfolio's reports into a home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.alongside import Alongside
from app.home import Home
from app.importing.mapping import Mapping, read_mapping
from app.importing.reports import ImportResult, Progress, import_reports
from engine.commands import Observe
from engine.cycles import uncollected
from engine.definition import Definition
from engine.errors import BadInput, PmoError
from engine.service import Receipt
from engine.yaml_source import LARGEST_FILE

LARGEST_REPORT = 200_000_000
"""In bytes. Reports are read whole."""


def import_portfolio(
    home: Home,
    mapping_file: Path,
    paths: Sequence[Path] = (),
    *,
    strict: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Record what the reports say that the log does not know yet, and bring the views up.

    Reports are looked for under their names in the mapping: among ``paths`` (files and folders), or
    beside the mapping where none are given. Raises ``BadInput`` before anything is written.
    """

    def newest(workflow: str) -> Definition:
        return home.service.catalog.newest(workflow).workflow.definition

    mapping = read_mapping(_read(mapping_file, LARGEST_FILE), str(mapping_file), newest)
    with Alongside(home) as views, uncollected():

        def submit(commands: list[Observe]) -> Sequence[Receipt | PmoError]:
            views.expect(len(commands))
            return home.service.handle_many(commands)

        result = import_reports(
            mapping,
            newest(mapping.workflow),
            _gather(mapping, paths or [mapping_file.parent]),
            home.log,
            submit,
            strict=strict,
            progress=progress,
        )
    home.catch_up()
    return result


def _gather(mapping: Mapping, paths: Sequence[Path]) -> dict[str, bytes]:
    wanted = {rule.file for rule in mapping.reports.values()}
    files: dict[str, bytes] = {}
    for path in paths:
        if path.is_dir():
            inside = [path / name for name in sorted(wanted) if (path / name).is_file()]
            files.update((file.name, _read(file, LARGEST_REPORT)) for file in inside)
        else:
            files[path.name] = _read(path, LARGEST_REPORT)
    return files


def _read(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(most + 1)
    except OSError as error:
        raise BadInput.one(str(file), f"cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise BadInput.one(str(file), f"is longer than {most:,} bytes", "split it")
    return data
