"""docs/cli.md says what ``pmo --help`` says. Write it anew: PMO_WRITE_DOCS=1 pytest this file."""

from __future__ import annotations

import os
import re
from dataclasses import fields, replace

import click
from click.testing import CliRunner

from app.cli import VERBS, main
from app.offers import Offer, Prospect
from app.waiting import Waiting, described
from tests.cli.conftest import ROOT

MANUAL = ROOT / "docs" / "cli.md"
MARK = "<!-- From here on written by tests/cli/test_manual.py from `pmo VERB --help`. -->\n"


def commands() -> dict[str, click.Command]:
    """Every verb; of those that have verbs of their own, these."""
    context = click.Context(main)
    found: dict[str, click.Command] = {}
    for verb in VERBS:
        command = main.get_command(context, verb)
        assert command is not None
        found[verb] = command
        if isinstance(command, click.Group):
            found |= {f"{verb} {name}": inner for name, inner in command.commands.items()}
    return found


def help_of(verb: str) -> str:
    words = [*verb.split(), "--help"]
    result = CliRunner(env={"COLUMNS": "100"}).invoke(main, words, terminal_width=100)
    assert result.exit_code == 0
    return result.stdout.rstrip()


def test_every_verb_is_in_the_manual_as_its_help_says():
    written = MANUAL.read_text(encoding="utf-8")
    by_hand = written.partition(MARK)[0]
    verbs = "".join(f"\n## pmo {verb}\n\n```text\n{help_of(verb)}\n```\n" for verb in commands())
    wanted = by_hand + MARK + verbs
    if os.environ.get("PMO_WRITE_DOCS"):
        MANUAL.write_text(wanted, encoding="utf-8")
        written = wanted
    assert written == wanted


def test_every_verb_that_prints_data_can_print_json():
    always = ("contract asyncapi", "contract schema")
    for verb, command in commands().items():
        options = {name for parameter in command.params for name in parameter.opts}
        known = verb in ("demo", "diagram", *always) or isinstance(command, click.Group)
        assert "--json" in options or known


def test_the_manual_tells_every_key_of_what_programs_ask_for():
    by_hand = MANUAL.read_text(encoding="utf-8").partition(MARK)[0]
    told = set(re.findall(r"`([a-z_]+)`", by_hand.partition("## For programs")[2]))
    prospect = Prospect((), (), {})
    case = Waiting("K", "", "", "", "", None, None, late=False, rows=())
    (anybody,) = described([case], None, 1)["cases"]
    (somebody,) = described([replace(case, prospect=prospect)], None, 1)["cases"]
    keys = {*described([], None, 1), *anybody, *somebody, "ahead", "tells"}
    assert keys | {field.name for field in fields(Offer)} <= told


def test_the_manual_names_every_exit_code():
    by_hand = MANUAL.read_text(encoding="utf-8").partition(MARK)[0]
    for code in (0, 1, 2, 3, 70, 130, 141):
        assert f"| {code} |" in by_hand
