"""The command line ``pmo``. Each verb's module is imported only when the verb is used."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from types import ModuleType
from typing import Any, NoReturn

import click

from app.cli.failures import DONE, Unread, tell

# `import cel` brings a shell along (typer, rich, prompt_toolkit, asyncio) that nobody here opens.
# It would double the time a command takes to start.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

# To look for plugins, pydantic reads the description of every package that is installed; none of
# ours is one.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

VERBS = {
    "init": ("homes", "Make a home: a ledger, its views, the shipped workflows."),
    "demo": ("demo", "Eight years of a real portfolio, and a year of one PMO."),
    "status": ("homes", "How far the log and its views are, and what they hold."),
    "verify": ("homes", "Check the log's chain, and every view against the log."),
    "rebuild": ("homes", "Build the views anew from the log."),
    "copy": ("copying", "Copy a ledger into another home, in a folder or a database."),
    "incidents": ("incidents", "What consumers could not do; try it again, or dismiss it."),
    "check": ("definitions", "Check definitions and run their scenarios."),
    "rehearse": ("rehearsing", "What a changed definition would have decided otherwise."),
    "publish": ("definitions", "Put definitions in force."),
    "migrate": ("migrating", "Let running cases go on by another version of their workflow."),
    "workflows": ("definitions", "List the published definitions."),
    "contract": ("contracts", "What subscribers may rely on, and what a change would break."),
    "diagram": ("definitions", "Draw a workflow, or where a case is in it."),
    "start": ("writing", "Start a case."),
    "do": ("writing", "Ask for a transition; without a trigger, say what can be asked for."),
    "attach": ("writing", "Attach a document to a case."),
    "sign": ("signing", "Vote, agree, or be against."),
    "declare-conflict": ("signing", "Stay out of a case from now on."),
    "observe": ("writing", "Record a fact without asking for permission."),
    "import": ("importing", "Turn reports into recorded facts."),
    "show": ("show", "Show a case, now or at a moment in the past."),
    "list": ("listing", "List cases."),
    "waiting": ("waiting", "What waits for you, until when, and what you may do about it."),
    "view": ("views", "Open a view: decisions, what waits, the portfolio as known on a day."),
    "metrics": ("views", "Measure: lead times, shares, counts, each defined in one place."),
    "history": ("history", "The trail of a case: who changed what, when, in which role."),
    "deadlines": ("work", "What falls due when, and what became of it."),
    "work": ("work", "Do what is due, and keep doing it."),
    "kafka": ("kafka", "Check the broker, tell it again, take commands from it."),
    "holidays": ("holidays", "The public holidays of a country, for a calendar."),
    "webhooks": ("webhooks", "Where events are posted to; try an endpoint, or post again."),
    "serve": ("serve", "Serve commands, cases and the feed over HTTP."),
    "log": ("feed", "Print the log, or follow it."),
}
"""Verb -> the module it lives in, and what ``pmo --help`` says of it."""


class Pmo(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = import_module(f"app.cli.{VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, said) for verb, (_, said) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        meant = args and args[0] not in VERBS and not args[0].startswith("-")
        if meant and not ctx.resilient_parsing:  # as a shell does, to complete what follows
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, n=1)
            mend = f"did you mean {near[0]!r}?" if near else "pmo --help lists them"
            raise click.UsageError(f"there is no verb {args[0]!r} ({mend})")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for word in args:
            if not word.isprintable() and any("\ud800" <= sign <= "\udfff" for sign in word):
                raise click.UsageError(f"{word!r} is not text in UTF-8")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            raise Unread from None

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        """Run, and exit. Whatever is raised becomes words and an exit code; never a traceback."""
        words = list(sys.argv[1:] if args is None else args)
        # Whatever keeps services asks them to end by this, and means what Ctrl-C means.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            code = super().main(words, prog_name="pmo", standalone_mode=False) or DONE
        except Exception as error:  # noqa: BLE001  the last word is never a traceback
            code = tell(error, words)
        sys.exit(code)


def _set_home(_ctx: click.Context, _option: click.Parameter, home: str | None) -> None:
    """What every verb reads when it is not told otherwise."""
    if home is not None:
        os.environ["PMO_HOME"] = home or "."  # as after a verb


@click.group(cls=Pmo, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pmo-engine", prog_name="pmo")
@click.option(
    "--home",
    metavar="DIR|DATABASE",
    callback=_set_home,
    expose_value=False,
    help="As after the verb, where it goes before this.",
)
def main() -> None:
    """Governance decisions, objectives and plans, on one log that cannot be edited.

    A home (--home, PMO_HOME, else .pmo) holds the log and its views. Every verb has --help.
    Exit codes: 0 done, 1 refused or a check failed, 2 usage or bad input, 3 the store failed.
    """
