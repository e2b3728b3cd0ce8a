"""Importing a portfolio's reports into a home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from app.alongside import Alongside
from app.home import Home
from app.importing.mapping import Mapping, read_mapping
from app.importing.reports import ImportResult, Progress, Submit, import_reports
from engine.commands import Observe
from engine.cycles import uncollected
from engine.definition import Definition
from engine.errors import BadInput, PmoError
from engine.service import Receipt
from engine.store.copy import copy_log
from engine.yaml_source import LARGEST_FILE

LARGEST_REPORT = 200_000_000
"""In bytes. Reports are read whole."""


def import_portfolio(
    home: Home,
    mapping_file: Path,
    paths: Sequence[Path] = (),
    *,
    importer: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Record what the reports say that the log does not know yet, and bring the views up.

    Reports are looked for under their names in the mapping: among ``paths`` (files and folders), or
    beside the mapping where none are given. Raises ``BadInput`` before anything is written.
    """
    with Alongside(home) as views, uncollected():

        def submit(commands: list[Observe]) -> Sequence[Receipt | PmoError]:
            views.expect(len(commands))
            return home.service.handle_many(commands)

        result = _import(home, mapping_file, paths, submit, importer, strict, progress)
    home.catch_up()
    return result


def try_import(
    home: Home,
    mapping_file: Path,
    paths: Sequence[Path] = (),
    *,
    importer: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """What ``import_portfolio`` would do: done to a copy of the log, which goes afterwards."""
    with TemporaryDirectory(prefix="pmo-trial-") as folder, Home.create(Path(folder)) as trial:
        copy_log(home.log, trial.log, lambda _done, _of: None)
        submit = trial.service.handle_many
        return _import(trial, mapping_file, paths, submit, importer, strict, progress)


def _import(
    home: Home,
    mapping_file: Path,
    paths: Sequence[Path],
    submit: Submit,
    importer: str | None,
    strict: bool,
    progress: Progress | None,
) -> ImportResult:
    def newest(workflow: str) -> Definition:
        return home.service.catalog.newest(workflow).workflow.definition

    mapping = read_mapping(_read(mapping_file, LARGEST_FILE), str(mapping_file), newest)
    return import_reports(
        mapping,
        newest(mapping.workflow),
        _gather(mapping, paths or [mapping_file.parent]),
        home.log,
        submit,
        importer=importer,
        strict=strict,
        progress=progress,
    )


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
