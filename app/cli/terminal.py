"""What is printed is shown and not obeyed: text that somebody wrote steers no terminal.

All that verbs say goes through ``echo``; a test looks for what does not. Documents (JSON, pictures,
CSV) are printed as they are, since programs read them; none of them can hold a control character
but JSON, which spells it out where a person looks.
"""

from __future__ import annotations

import os
import re
import sys

import click

_PLAIN, _BOLD, _DIM = "\ufdd0", "\ufdd1", "\ufdd2"
_STYLES = {_PLAIN: "\x1b[0m", _BOLD: "\x1b[1m", _DIM: "\x1b[2m"}
"""Our own styles until they are printed: code points that Unicode sets aside for a program's own
use, so that an escape is never made of what somebody wrote."""

_SUSPECT = re.compile("[^ -~]")
_BREAKS = re.compile("\r?\n|\t")


def echo(text: str = "", *, err: bool = False) -> None:
    """Print lines; what is not printable, as an escape that can be read (``\\x1b``)."""
    click.echo(_SUSPECT.sub(_styled, text), err=err)


def echo_json(text: str, *, err: bool = False) -> None:
    """Print JSON: as it is for a program, with escapes for what steers a terminal on one."""
    stream = sys.stderr if err else sys.stdout
    click.echo(_SUSPECT.sub(_in_json, text) if stream.isatty() else text, err=err)


def clean(text: str) -> str:
    """On one line, and with what is not printable as an escape that can be read."""
    return text if text.isprintable() else _SUSPECT.sub(_shown, _BREAKS.sub(" ", text))


def bold(text: str) -> str:
    return text if "NO_COLOR" in os.environ else f"{_BOLD}{text}{_PLAIN}"


def dim(text: str) -> str:
    return text if "NO_COLOR" in os.environ else f"{_DIM}{text}{_PLAIN}"


def _shown(found: re.Match[str]) -> str:
    sign = found[0]
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode()


def _styled(found: re.Match[str]) -> str:
    return "\n" if found[0] == "\n" else _STYLES.get(found[0]) or _shown(found)


def _in_json(found: re.Match[str]) -> str:
    sign = found[0]
    if sign.isprintable() or sign == "\n":
        return sign
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
