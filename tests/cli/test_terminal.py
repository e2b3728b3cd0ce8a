"""What somebody wrote steers no terminal: whatever verb prints it, it is shown and not obeyed."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from app.cli import main
from engine import commands
from tests.cli.conftest import ROOT, WORKFLOWS, Pmo, process_environment
from tests.patience import PATIENCE

EVIL = "a\x1b[31mb\rc\x07d\u202ee\x9b2Jf"
SHOWN = r"a\x1b[31mb\rc\x07d\u202ee\x9b2Jf"
ACTOR = "eve\u202e\x9b2J"
"""Refused today, but it stands in logs of the time when an actor's id could hold such signs."""

STEERS = re.compile("[^\\S \n]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

VIEW = """id: E1
title: "E\u202evil"
about: "What is\u202e evil?"
sql: |
  SELECT t.key, t.actor, t.role, t.on_behalf_of, t.reason FROM trail AS t
"""


@pytest.fixture(scope="module")
def evil(made_home, tmp_path_factory) -> Pmo:
    """A home in a folder of such a name, in which such text stands wherever it can."""
    folder = tmp_path_factory.mktemp("evil")
    home = folder / f"home{EVIL}"
    shutil.copytree(made_home, home)
    pmo = Pmo(home)
    (home / "views").mkdir()
    (home / "views" / "evil.yaml").write_text(VIEW, encoding="utf-8")
    paper = folder / f"paper{EVIL}"
    paper.write_text("why", encoding="utf-8")
    by = ["--as", f"{ACTOR}:sponsor,requester", "--reason", EVIL]
    observed = ["observe", "PRJ-0001", "Told", "--workflow", "project", "--on-behalf-of", EVIL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "spelt", lambda said: said)
        pmo.done("start", "objective", f"title={EVIL}", "due=2099-12-31", *by)
        pmo.done("do", "OBJ-0001", "activate", *by)
        pmo.done("start", "decision", f"title={EVIL}", "objective=OBJ-0001", "amount=1", *by)
        pmo.done("attach", "DEC-0001", str(paper), "--kind", "minutes", *by)
        pmo.done(*observed, f"name={EVIL}", "--source", EVIL, "--record", EVIL, *by)
        pmo.done(*observed, "--withhold", f"cost={EVIL}", "--source", EVIL, *by)
    return pmo


VERBS = [
    ["status"],
    ["verify"],
    ["rebuild"],
    ["init", "--bare"],
    ["workflows"],
    ["list"],
    ["list", "objective"],
    ["list", "project", "--columns", "all"],
    ["list", "objective", "--where", f"title={EVIL}"],
    ["list", "objective", "--where", f"title!{EVIL}"],
    ["list", EVIL],
    ["show", "OBJ-0001"],
    ["show", "DEC-0001"],
    ["show", "PRJ-0001"],
    ["show", EVIL],
    ["history", "DEC-0001"],
    ["history", "PRJ-0001"],
    ["history", EVIL],
    ["log"],
    ["view"],
    ["view", "evil"],
    ["view", "audit"],
    ["view", "audit", f"actor={ACTOR}"],
    ["view", "audit", f"{EVIL}=1"],
    ["view", "audit", EVIL],
    ["view", EVIL],
    ["metrics"],
    ["metrics", EVIL],
    ["deadlines"],
    ["deadlines", EVIL],
    ["work", "--once"],
    ["incidents"],
    ["incidents", "retry", EVIL],
    ["contract", "list"],
    ["contract", "schema", "decision", EVIL],
    ["contract", "diff", EVIL],
    ["diagram", "OBJ-0001"],
    ["diagram", "OBJ-0001", "--format", "mermaid"],
    ["diagram", EVIL],
    ["do", "DEC-0001"],
    ["do", "DEC-0001", EVIL],
    ["do", "DEC-0001", "submit", "--as", f"{ACTOR}:{EVIL}"],
    ["do", "DEC-0001", "withdraw", "--as", ACTOR],
    ["do", "DEC-0001", "submit", f"{EVIL}=1"],
    ["do", "DEC-0001", "submit", f"amount={EVIL}"],
    ["do", "DEC-0001", "submit", "-e", f"{EVIL}={EVIL}"],
    ["start", EVIL],
    ["start", "decision", f"title={EVIL}", f"objective={EVIL}"],
    ["start", "decision", f"title={EVIL}", "--as", f"{ACTOR}:{EVIL}"],
    ["start", "decision", f"title={EVIL}", "--id", EVIL, "--as", ACTOR],
    ["start", "decision", "--data-json", EVIL],
    ["attach", "DEC-0001", f"/no/{EVIL}", "--kind", "a"],
    ["observe", EVIL, "Told", "--source", "s", "--workflow", "project"],
    ["observe", "PRJ-0001", EVIL, "--source", "s"],
    ["observe", "PRJ-0001", "Told", "--state", EVIL, "--source", "s"],
    ["sign", "DEC-0001", "for", "--of", EVIL],
    ["sign", "DEC-0001", EVIL, "--of", "a"],
    ["declare-conflict", EVIL],
    ["import", f"/no/{EVIL}"],
    ["check", f"/no/{EVIL}"],
    ["check", str(WORKFLOWS), "--against", f"/no/{EVIL}"],
    ["publish", f"/no/{EVIL}"],
    ["rehearse", f"/no/{EVIL}"],
    ["rehearse", str(WORKFLOWS / "decision.yaml"), EVIL],
    ["copy", "--from", f"/no/{EVIL}", "--to", f"/no/{EVIL}"],
    ["holidays", EVIL],
    ["kafka", "check"],
    ["webhooks"],
    ["webhooks", "test", EVIL],
    ["show", "OBJ-0001", "--as-of", EVIL],
    ["status", "--home", f"/no/{EVIL}"],
    ["status", "--home", f"postgresql://{EVIL}"],
    ["log", "--after", EVIL],
    [EVIL],
    ["status", f"--{EVIL}"],
]


@pytest.mark.parametrize("words", VERBS, ids=lambda words: " ".join(words).replace(EVIL, "EVIL"))
def test_what_was_written_is_shown_and_not_obeyed(evil, tmp_path, words):
    home = tmp_path / f"home{EVIL}"
    shutil.copytree(evil.home, home)
    answer = on_a_terminal(home, *words)
    assert not STEERS.search(answer.output), STEERS.search(answer.output)
    assert answer.exit_code in (0, 1, 2, 3)


def test_what_a_rehearsal_tells_is_shown_and_not_obeyed(evil, tmp_path):
    changed = (WORKFLOWS / "decision.yaml").read_text(encoding="utf-8")
    changed = changed.replace("start: {by: requester", "start: {needs: rationale, by: requester")
    (tmp_path / "changed.yaml").write_text(changed, encoding="utf-8")
    answer = on_a_terminal(evil.home, "rehearse", str(tmp_path / "changed.yaml"))
    assert not STEERS.search(answer.output), STEERS.search(answer.output)
    assert answer.exit_code == 1
    assert r"start by eve\u202e\x9b2J as requester" in answer.output


def on_a_terminal(home, *words):
    """As a terminal gets it: click takes escapes out of what goes anywhere else."""
    env = {"PMO_HOME": str(home), "PMO_AS": "pat:requester", "NO_COLOR": "1"}
    return CliRunner(env=env).invoke(main, list(words), color=True)


@pytest.mark.parametrize("words", [["show", "OBJ-0001"], ["list"], ["view", "audit"], ["log"]])
def test_it_is_shown_so_that_it_can_be_read(evil, words):
    told = on_a_terminal(evil.home, *words).output
    assert (SHOWN if words != ["log"] else r"eve\u202e\x9b2J") in told


def test_json_stays_json(evil):
    told = on_a_terminal(evil.home, "show", "OBJ-0001", "--json").output
    assert json.loads(told)["data"]["title"] == EVIL


@pytest.mark.parametrize(
    "words",
    [["list"], ["show", "PRJ-0001"], ["history", "DEC-0001"], ["view", "audit"], ["show", EVIL]],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_real_terminal_gets_our_styles_and_no_other_escapes(evil, words, form):
    told = on_a_real_terminal(evil.home, *words, *form, COLUMNS="400")
    told = re.sub(r"\x1b\[[012]m", "", told)
    assert "\\u202e" in told
    assert not STEERS.search(told), STEERS.search(told)
    if form:
        json.loads(told)


def test_on_a_narrow_terminal_each_row_is_told_in_lines_of_its_own(decision):
    told = on_a_real_terminal(decision.home, "list", "decision", COLUMNS="40", NO_COLOR="1")
    assert told.splitlines()[:4] == [
        "DEC-0001",
        "  state      draft",
        "  title      Extend the pilot",
        "  amount     GBP 1,250,000",
    ]
    assert max(map(len, told.splitlines())) <= 40


def test_the_key_of_a_row_stays_in_one_piece_however_little_room_there_is(decision):
    columns = ["--columns", "key,title,amount,objective,state"]
    words = ["list", "decision", *columns]
    told = on_a_real_terminal(decision.home, *words, COLUMNS="56", NO_COLOR="1")
    assert "\N{BOX DRAWINGS LIGHT HORIZONTAL}" in told
    assert " DEC-0001 " in told


def test_who_wants_no_colour_gets_no_styles_in_a_table_either(decision):
    told = on_a_real_terminal(decision.home, "list", COLUMNS="100", NO_COLOR="1")
    assert "DEC-0001" in told
    assert "\x1b" not in told
    assert "\x1b[1m" in on_a_real_terminal(decision.home, "list", COLUMNS="100")


def on_a_real_terminal(home, *words, **environment):
    """All that a program prints there."""
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", "from app.cli import main; main()", *words]
    own = {name: said for name, said in process_environment(home).items() if name != "NO_COLOR"}
    environment = own | {"TERM": "xterm"} | environment
    with subprocess.Popen(program, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        told = b"".join(iter(lambda: _read(ours), b""))  # a read may end within a letter
        process.wait(PATIENCE)
    os.close(ours)
    return told.decode().replace("\r\n", "\n")


def _read(terminal):
    try:
        return os.read(terminal, 65_536)
    except OSError:  # nobody holds its other end any more
        return b""


def test_every_verb_prints_through_what_shows_it():
    documents = {"app/cli/terminal.py", "app/cli/definitions.py"}
    loose = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "app" / "cli").glob("*.py")
        if re.search(r"click\.s?echo\(|(?<![\w.])print\(", file.read_text(encoding="utf-8"))
    }
    assert loose == documents
