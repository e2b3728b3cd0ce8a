"""The options that verbs share, and how words become values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from app.places import read_address
from engine.clock import read_moment
from engine.errors import BadInput, Problem

if TYPE_CHECKING:
    from pydantic import BaseModel

    from engine.commands import Requester
    from engine.definition import Definition
    from engine.events import Evidence

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound="BaseModel")

LARGEST_TEXT = 10_000_000
"""Bytes of a file that ``field=@FILE`` reads; what a field takes is far less."""

HOME = "DIR|DATABASE"
COUNT = click.IntRange(1, 2**31)
POSITION = click.IntRange(0, 2**53)

_EVIDENCE = re.compile(r"(?P<kind>[^=]+)=(?P<file>.+?)(?:@(?P<as_of>\d{4}-\d\d-\d\d))?")
_ASSIGNMENT = re.compile(r"(?P<name>[^=]+)=(?P<value>.*)", re.DOTALL)


class Moment(click.ParamType[str]):
    """A date or a time, as ``engine.clock.read_moment`` takes it."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return read_moment(value)
        except BadInput as error:
            self.fail(str(error), param, ctx)


class CommandId(click.ParamType[str]):
    """An id that somebody gives a command, and none of the engine's own."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from engine.commands import RESERVED

        if str(value).startswith(RESERVED):
            self.fail(f"{value!r} is the engine's own; use a UUID", param, ctx)
        return str(value)


def home_option(command: F) -> F:
    return click.option(
        "--home",
        type=read_address,
        metavar=HOME,
        envvar="PMO_HOME",
        default=".pmo",
        show_default=".pmo, or PMO_HOME",
        help="The folder with the ledger and its views, or postgresql://USER@HOST/NAME.",
    )(command)


def json_option(command: F) -> F:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON, for programs; errors too."
    )(command)


def actor_option(command: F) -> F:
    return click.option(
        "--as",
        "actor",
        metavar="NAME[:ROLE,...]",
        envvar="PMO_AS",
        help="Who asks, and in which roles (else PMO_AS, else your login name without a role).",
    )(command)


def asked_about(actor: str | None) -> str | None:
    """The actor that ``--as`` names here and now. PMO_AS says who acts, and asks nothing about
    them: what is shown to everybody stays what it is."""
    from click.core import ParameterSource

    source = click.get_current_context().get_parameter_source("actor")
    return actor if source is ParameterSource.COMMANDLINE else None


def moment_options(command: F) -> F:
    """``--as-of`` and ``--known-at``: the two clocks."""
    as_of = click.option(
        "--as-of", type=Moment(), help="As it was at that time (a date: at its end)."
    )
    known_at = click.option(
        "--known-at", type=Moment(), help="As far as it was recorded by that time."
    )
    return as_of(known_at(command))


def command_options(command: F) -> F:
    """What every command to the engine may say besides."""
    for option in (
        click.option(
            "--id",
            "command_id",
            type=CommandId(),
            help="Command id: sent twice, it has one effect.",
        ),
        click.option("--occurred-at", type=Moment(), help="When it was so, if not now."),
        click.option(
            "--on-behalf-of",
            metavar="KEY|NAME",
            help="For whom: by the delegation of this key, like DEL-0001; or a name.",
        ),
        click.option("--reason", help="Why."),
    ):
        command = option(command)
    return command


def data_options(command: F) -> F:
    """Fields: ``amount=1.25m``, ``rationale=@file.txt``, ``conditions=`` (missing)."""
    for option in (
        click.argument("fields", metavar="[FIELD=VALUE]...", nargs=-1),
        click.option(
            "--withhold",
            multiple=True,
            metavar="FIELD=GROUND",
            help="The value is known and kept back on this ground.",
        ),
        click.option("--data-json", metavar="JSON", help="Fields as a JSON object."),
        click.option(
            "--data",
            "-d",
            multiple=True,
            metavar="FIELD=VALUE",
            help="A field; FIELD=@FILE reads it from a file, FIELD= clears it.",
        ),
    ):
        command = option(command)
    return command


def evidence_option(command: F) -> F:
    return click.option(
        "--evidence",
        "-e",
        multiple=True,
        metavar="KIND=FILE[@DATE]",
        help="A document: its hash is recorded. DATE is what it speaks of, else when it changed.",
    )(command)


def build(model: type[M], **said: Any) -> M:
    """A command, or a part of one, from what was said. Raises ``BadInput`` with every problem."""
    from pydantic import ValidationError

    try:
        return model(**said)
    except ValidationError as error:
        from engine.validation import explain

        raise explain(model, said, error) from None


def read_actor(text: str | None) -> Requester:
    """Who asks. Raises ``BadInput``."""
    import getpass

    from engine.commands import Requester

    if text is not None:
        return Requester.read(text, "--as")
    try:
        return Requester.read(getpass.getuser(), "--as")
    except (OSError, KeyError, ImportError):
        raise BadInput.one(
            "--as", "it is not known who you are", "write --as NAME:ROLE, or set PMO_AS"
        ) from None


def read_data(
    words: Iterable[str],
    withhold: Iterable[str],
    data_json: str | None,
    definition: Definition,
) -> dict[str, Any]:
    """Fields as the command line gives them, by name; ``None`` clears one.

    The engine checks the values. Raises ``BadInput`` for what is not a field, and then for values
    too: all problems at once.
    """
    from engine.validation import suggest
    from engine.values import read_all

    said: dict[str, Any] = {}
    for word, is_withheld in [(word, False) for word in words] + [
        (word, True) for word in withhold
    ]:
        name, value = _split(word)
        if name in said:
            raise BadInput.one(name, "is given twice", "say it once")
        described = definition.data.get(name)
        is_document = described is not None and described.type == "document"
        said[name] = {"withheld": value} if is_withheld else _read_value(value, is_document, name)
    data = _read_object(data_json) | said
    problems = [
        Problem(name, "there is no such field", _option(name) or suggest(name, definition.data))
        for name in data
        if name not in definition.data
    ]
    if problems:
        known = {name: value for name, value in data.items() if name in definition.data}
        try:
            read_all(definition.data, known)
        except BadInput as error:
            problems += error.problems
        raise BadInput(problems)
    return data


def _option(name: str) -> str:
    """How to mend a field that is none, but an option of the verb: ``reason=...``."""
    context = click.get_current_context(silent=True)
    options = [o for p in context.command.params for o in p.opts] if context else []
    option = f"--{name.replace('_', '-')}"
    return f"it is an option: {option} ..." if option in options else ""


def read_evidence(text: str) -> Evidence:
    """``business-case=paper.pdf@2026-03-01``. Raises ``BadInput``."""
    match = _EVIDENCE.fullmatch(text)
    if not match:
        raise BadInput.one(
            "--evidence", f"{text!r} is no evidence", "write KIND=FILE or KIND=FILE@2026-03-31"
        )
    _, at, day = match["file"].rpartition("@")
    if at and not match["as_of"] and not Path(match["file"]).exists():
        raise BadInput.one(
            "--evidence",
            f"there is no file {match['file']!r}, and {day!r} is no date",
            "write the date as 2026-03-31: KIND=FILE@2026-03-31",
        )
    return evidence_of(Path(match["file"]), match["kind"], match["as_of"], "--evidence")


def evidence_of(file: Path, kind: str, as_of: str | None, where: str) -> Evidence:
    """A file as evidence; without ``as_of``, which stands ``where``, of the day it was changed."""
    from engine.events import Evidence

    sha256, changed_on = _hash_file(file)
    day = read_moment(as_of, where)[:10] if as_of else changed_on
    return Evidence(kind=kind.strip(), sha256=sha256, as_of=day, name=file.name)


def _hash_file(file: Path) -> tuple[str, str]:
    import hashlib
    from datetime import UTC, datetime

    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        changed = file.stat().st_mtime
    except OSError as error:
        raise BadInput.one(str(file), f"cannot be read: {error.strerror}") from None
    return digest, datetime.fromtimestamp(changed, UTC).date().isoformat()


def _read_object(text: str | None) -> dict[str, Any]:
    import json

    import orjson

    if text is None:
        return {}
    try:
        # Numbers stay as they are written: money is exact.
        value = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_read_pairs)
        orjson.dumps(value)
    except RecursionError:
        raise BadInput.one("--data-json", "is not JSON we can keep: nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise BadInput.one("--data-json", f"is not JSON we can keep: {error}") from None
    if not isinstance(value, dict):
        raise BadInput.one("--data-json", "is not an object", """write '{"field": "value"}'""")
    return value


def _require_once(name: str, said: dict[str, Any]) -> None:
    if name in said:
        raise BadInput.one(name, "is given twice", "say it once")


def _read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in pairs:
        _require_once(name, read)
        read[name] = value
    return read


def _split(word: str) -> tuple[str, str]:
    match = _ASSIGNMENT.fullmatch(word)
    if not match:
        what = "no field before the '='" if "=" in word else "there is no '=' in it"
        raise BadInput.one(word, what, "write FIELD=VALUE")
    return match["name"].strip(), match["value"]


def _read_value(value: str, is_document: bool, name: str) -> Any:
    if value == "":
        return None
    if value.startswith("@@"):
        return value[1:]
    if not value.startswith("@"):
        if is_document:
            mend = f"name a file: {name}=@{value}"
            raise BadInput.one(name, f"{value!r} is not a document", mend)
        return value
    file = Path(value[1:])
    if is_document:
        return {"name": file.name, "sha256": _hash_file(file)[0]}
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_TEXT).decode("utf-8-sig")
    except OSError as error:
        raise BadInput.one(name, f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput.one(name, f"{file} is not text in UTF-8", "attach it as evidence") from None
