"""What went wrong, told on standard error, and the exit code it means.

====  =====================================================================
0     done
1     refused, or a check failed
2     usage, or input that cannot be read
3     the store failed, or other writers never let go
70    a fault of ours; the line says where its details are
130   interrupted
141   whoever read the output went away
====  =====================================================================
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from app.cli.terminal import clean, echo, echo_json
from app.places import LEDGER, is_database
from engine.errors import BadInput, Contended, Faulty, PmoError, Problem, Refused, StoreFailed

DONE, FAILED, USAGE, STORE, FAULT, INTERRUPTED, UNREAD = 0, 1, 2, 3, 70, 130, 141

_WORDS = {
    r"/(?:facts/0/)?data/(.+)": r"\1",
    r"/(?:facts/0/)?(case|workflow|state|name)": r"\1",
    r"/evidence(?:/\d+)?/as_of": "date of the evidence",
    r"/evidence(?:/\d+)?/kind": "kind of the evidence",
    r"/command_id": "--id",
    r"/expected_version": "--if-version",
    r"/occurred_at": "--occurred-at",
    r"/on_behalf_of": "--on-behalf-of",
    r"/reason": "--reason",
}
"""Where in a command a problem is, as opposed to a path, in the words of the command line."""


_ROOM = 65_536
"""Bytes without which nobody opens a home: the memory that SQLite shares between processes takes as
many and more."""

_MOST = 20
"""Problems told at once."""


class CheckFailed(Exception):
    """The command did its work and what it found is not as it should be; it has said so itself."""


class Unread(Exception):
    """Whoever read the output went away (``pmo log | head``)."""


def tell(error: BaseException, args: Sequence[str]) -> int:
    """Say what went wrong; the exit code."""
    match error:
        case CheckFailed():
            return FAILED
        case click.Abort() | KeyboardInterrupt():
            return INTERRUPTED
        case Unread():
            _stop_writing()
            return UNREAD
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return USAGE
        case Faulty():
            _tell_fault(error, args)
            return FAULT
        case PmoError():
            _tell_known(error, "--json" in args)
            if isinstance(error, StoreFailed) and "--json" not in args:
                _tell_room(args)
            return _code_of(error)
        case click.ClickException():
            _tell_usage(error)
            return USAGE
        case OSError() if error.filename:
            _say(f"error: {error.filename}: {error.strerror}")
            return USAGE
        case OSError():
            _stop_writing()
            _say(f"error: what was asked for could not be printed: {error.strerror}")
            return STORE
        case _:
            _tell_fault(error, args)
            return FAULT


def _code_of(error: PmoError) -> int:
    match error:
        case Refused():
            return FAILED
        case StoreFailed() | Contended():
            return STORE
        case _ if error.code == "may-pass":  # consumers.runner.MayPass, which is slow to import
            return STORE
        case _:
            return USAGE


def _tell_known(error: PmoError, as_json: bool) -> None:
    if as_json:
        with suppress(BrokenPipeError):
            echo_json(json.dumps(_described(error), ensure_ascii=False), err=True)
        return
    match error:
        case Refused():
            _say(f"refused: {error.what}")
            for reason in error.reasons:
                _say(f"  - {clean(reason)}")
            for reason in error.warnings:
                _say(f"  would be warned of: {clean(reason)}")
        case BadInput():
            tell_problems(error.problems)
        case _:
            _say(f"error: {error}")


def tell_problems(problems: Sequence[Problem]) -> None:
    """The first of them: whoever has mended those asks again. With ``--json`` all are told."""
    for problem in problems[:_MOST]:
        _say(f"error: {_spell(problem)}")
    if (more := len(problems) - _MOST) > 0:
        _say(f"and {more:,} more")


def _described(error: PmoError) -> dict[str, Any]:
    described: dict[str, Any] = {"error": error.code, "what": str(error)}
    match error:
        case Refused():
            verdicts = [
                {"rule": v.rule, "held": v.held, "reason": v.reason, "weight": v.weight}
                for v in error.verdicts
            ]
            described |= {"what": error.what, "verdicts": verdicts}
        case BadInput():
            described["problems"] = [
                {"where": p.where, "what": p.what, "mend": p.mend} for p in error.problems
            ]
    return described


def _spell(problem: Problem) -> str:
    """On a command line ``/data/amount`` is simply ``amount``, and ``/reason`` is ``--reason``."""
    found = ((re.fullmatch(where, problem.where), words) for where, words in _WORDS.items())
    where = next((match.expand(words) for match, words in found if match), problem.where)
    return str(Problem(where, problem.what, problem.mend))


def _tell_usage(error: click.ClickException) -> None:
    _say(f"error: {error.format_message()}")
    context = getattr(error, "ctx", None)
    if context is not None:
        _say(f"       see: {context.command_path} --help")


def _tell_fault(error: BaseException, args: Sequence[str]) -> None:
    import time
    import traceback

    details = "".join(traceback.format_exception(error))
    told = f"pmo {' '.join(args)}\n\n{details}"
    try:
        name = f"crash-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.txt"
        file = _folder_for_faults(args) / name
        file.write_text(told, encoding="utf-8", errors="backslashreplace")
        where = f"details are in {file}"
    except OSError:
        where = f"its details could not be kept: {type(error).__name__}: {error}"
    _say(f"error: this is a fault of ours, not of yours; {where}")


def _tell_room(args: Sequence[str]) -> None:
    """That the disk is full: what SQLite meets there, at reading too, has many names."""
    import shutil

    home = _home_of(args)
    with suppress(OSError):
        if not is_database(home) and shutil.disk_usage(home).free < _ROOM:
            told = "make room and try again; what was acknowledged is there"
            _say(f"hint: the disk on which {home} is has no room left: {told}")


def _home_of(args: Sequence[str]) -> str:
    given = [*args, ""]
    named = [given[place + 1] for place, word in enumerate(args) if word == "--home"]
    named += [word.removeprefix("--home=") for word in args if word.startswith("--home=")]
    return named[-1] if named else os.environ.get("PMO_HOME") or ".pmo"


def _folder_for_faults(args: Sequence[str]) -> Path:
    """The home that was meant, if it is there; else where temporary files go."""
    import tempfile

    home = _home_of(args)
    folder = Path(tempfile.gettempdir() if is_database(home) else home)
    is_home = (folder / LEDGER).is_file() and os.access(folder, os.W_OK)
    return folder if is_home else Path(tempfile.gettempdir())


def _stop_writing() -> None:
    """Standard output is gone: nothing more is written, not even what Python still holds back."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _say(line: str) -> None:
    with suppress(BrokenPipeError):
        echo(line, err=True)
