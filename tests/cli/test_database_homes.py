"""Every verb with a home in PostgreSQL, as with one in a folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.home import Home
from engine.commands import PullTrigger, Requester, StartCase
from engine.errors import PmoError
from engine.store.opening import open_log
from engine.store.postgres_connection import plain_address
from tests.cli.conftest import WORKFLOWS, Pmo
from tests.network import Starting
from tests.patience import PATIENCE, wait_until
from tests.postgres import server

PAT = Requester(id="pat", roles=("requester",))
FILES = [str(WORKFLOWS / f"{name}.yaml") for name in ("objective", "decision", "project")]


@pytest.fixture
def empty(database: str) -> Pmo:
    """A database in which nothing is yet."""
    return Pmo(database)


@pytest.fixture(scope="module")
def kept() -> Iterator[Pmo]:
    """A home with one active objective and one draft that serves it; tests only look at it."""
    address = server().new_database()
    pmo = begin(Pmo(address))
    yield pmo
    server().drop_database(address)


@pytest.fixture
def decision(empty: Pmo) -> Pmo:
    return begin(empty)


def begin(pmo: Pmo) -> Pmo:
    pmo.done("init", "--bare", actor="operator")
    pmo.done("publish", *FILES, actor="operator")
    sponsor = "sue:sponsor"
    pmo.done("start", "objective", "title=Satisfaction", "due=2099-12-31", actor=sponsor)
    pmo.done("do", "OBJ-0001", "activate", actor=sponsor)
    pmo.done("start", "decision", "title=Extend the pilot", "amount=1.25m", "objective=OBJ-0001")
    return pmo


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Pmo:
    """The same in a folder."""
    return begin(Pmo(tmp_path_factory.mktemp("beside") / "home"))


def test_a_database_without_a_ledger_is_told_how_to_make_it(empty):
    for words in (["list"], ["show", "A"], ["start", "decision"], ["log"], ["verify"], ["status"]):
        answer = empty(*words)
        assert answer.code == 2
        assert f"make one: pmo init --home {plain_address(empty.home)}" in answer.err


def test_init_publishes_the_shipped_workflows_and_doing_it_again_changes_nothing(empty):
    answer = empty.done("init", actor="operator")
    assert "a new home" in answer.out
    names = {row["name"] for row in empty.done("workflows", "--json").json()}
    assert {"decision", "objective", "major-project"} <= names
    before = empty.done("log", "--json").out
    assert "nothing in it is changed" in empty.done("init").out
    assert empty.done("log", "--json").out == before


# What differs from one home to another, whatever keeps it.
_OF_ITS_OWN = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+Z|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|"
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|"
    r"[0-9a-f]{64}|ledger [\d,]+ bytes, views [\d,]+ bytes|\"(ledger|views)_bytes\": \d+|"
    r"(?<=\"days_waiting\": )[\d.e-]+"
)


@pytest.mark.parametrize(
    "words",
    [
        ["show", "DEC-0001"],
        ["show", "DEC-0001", "--json"],
        ["show", "OBJ-0001", "--as-of", "2000-01-01"],
        ["show", "DEC-9999"],
        ["list"],
        ["list", "decision", "--where", "amount>1m", "--json"],
        ["list", "decision", "--sort", "-title", "--columns", "all"],
        ["view", "audit"],
        ["view", "waiting", "--json"],
        ["view", "subscribers"],
        ["metrics", "decision-lead-time"],
        ["history", "OBJ-0001"],
        ["log"],
        ["log", "--after", "4", "--limit", "1"],
        ["workflows"],
        ["diagram", "OBJ-0001"],
        ["deadlines"],
        ["incidents"],
        ["status"],
        ["do", "DEC-0001"],
        ["do", "DEC-0001", "approve"],
        ["verify"],
        ["check"],
        ["rehearse", FILES[1]],
        ["rehearse", FILES[1], "DEC-0001", "--json"],
    ],
    ids=" ".join,
)
def test_a_verb_says_what_it_says_of_a_folder(kept, beside, words):
    here, there = kept(*words), beside(*words)
    assert here.code == there.code
    assert told(here.out, kept) == told(there.out, beside)
    assert told(here.err, kept) == told(there.err, beside)


def told(text: str, pmo: Pmo) -> str:
    home = plain_address(pmo.home) if isinstance(pmo.home, str) else str(pmo.home)
    return _OF_ITS_OWN.sub("...", text.replace(home, "HOME"))


def test_what_is_done_is_seen_and_verified_and_outlives_a_rebuild(decision, tmp_path):
    paper = tmp_path / "paper.txt"
    paper.write_text("why we should", encoding="utf-8")
    evidence = f"business-case={paper}"
    decision.done("do", "DEC-0001", "submit", "category=funding", "-e", evidence)
    before = decision.done("show", "DEC-0001", "--json").json()
    assert before["state"] == "in_review"
    decision.done("observe", "OBJ-0001", "Reported", "--source", "a report")
    assert "are built anew from 8 events" in decision.done("rebuild").out
    assert decision.done("show", "DEC-0001", "--json").json() == before
    assert "say what the log says" in decision.done("verify").out
    assert decision.done("work", "--once").out.startswith("0 triggers pulled")


def test_the_demo_says_of_a_database_what_it_says_of_a_folder(empty, tmp_path):
    here = empty.done("demo", "--home", empty.home).out
    there = empty.done("demo", "--home", str(tmp_path / "demo")).out
    assert "Verified" in here
    assert told(here, empty) == told(there, Pmo(tmp_path / "demo"))
    assert "nothing new, it was all there" in empty.done("demo", "--home", empty.home).out


def test_a_changed_row_is_found_by_verification_and_mended_by_a_rebuild(decision):
    with psycopg.connect(decision.home, autocommit=True) as connection:
        (number,) = connection.execute("SELECT number FROM pmo_views.standing").fetchone()
        connection.execute(f"UPDATE pmo_views_b{number}.cases SET state = 'approved'")
    answer = decision("verify")
    assert answer.code == 1
    assert "cases DEC-0001 state: expected 'draft', found 'approved'" in answer.out
    decision.done("rebuild")
    decision.done("verify")


def test_a_password_is_never_shown(decision):
    parts = psycopg.conninfo.conninfo_to_dict(decision.home)
    secret = os.environ.get("PGPASSWORD", "unneeded")
    at = f"{parts['host']}:{parts['port']}/{parts['dbname']}"
    home = f"postgresql://{parts['user']}:{secret}@{at}"
    for words in (["status"], ["init"], ["show", "X"], ["verify"]):
        answer = Pmo(home)(*words)
        assert secret not in answer.out + answer.err
    missing = Pmo(home.replace(str(parts["dbname"]), "nowhere"))("list")
    assert missing.code == 3
    assert "does not exist" in missing.err
    assert secret not in missing.err


def test_a_database_that_keeps_text_otherwise_is_refused_before_anything_is_in_it(postgres):
    name = "pmo_test_sorted"
    with postgres.connect() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
        )
    address = postgres.address(name)
    answer = Pmo(address)("init")
    assert answer.code == 3
    assert "CREATE DATABASE name TEMPLATE template0" in answer.err
    with psycopg.connect(address) as connection:
        schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pmo%'"
        assert connection.execute(schemas).fetchone() == (0,)
    postgres.drop_database(address)


def test_views_that_may_not_be_written_are_built_elsewhere(decision):
    log = open_log(decision.home)
    decision.done("start", "decision", "title=Later")
    log.close()
    with psycopg.connect(decision.home, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute("DROP SCHEMA pmo_views CASCADE")
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    shown = decision.done("list", "--json").json()
    assert shown["total"] == 3


def test_looking_something_up_in_a_folder_imports_no_driver(beside):
    program = (
        "import sys\nfrom app.cli import main\n"
        "try: main()\n"
        "finally: print(*{'psycopg', 'eventsourcing'} & {*sys.modules}, file=sys.stderr)"
    )
    for words in (["show", "DEC-0001"], ["list"], ["history", "DEC-0001"]):
        ran = subprocess.run(
            [os.sys.executable, "-c", program, *words],
            env={**os.environ, "PMO_HOME": str(beside.home)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stderr == "\n"


def test_an_import_is_the_same_in_a_database(empty, tmp_path: Any):
    """The portfolio's reports, whose facts ship."""
    mapping = str(Path(__file__).parents[2] / "workflows" / "imports" / "gmpp-facts.yaml")
    homes = [empty, Pmo(tmp_path / "home")]
    found = []
    for pmo in homes:
        pmo.done("init", actor="operator")
        tried = pmo.done("import", mapping, "--dry-run", "--json").json()
        answer = json.loads(pmo.done("import", mapping, "--json").out)
        assert tried == answer | {"recorded": False}
        found.append({name: value for name, value in answer.items() if name != "home"})
    assert found[0] == found[1]
    views = [pmo.done("view", "portfolio-reported", "--json").json() for pmo in homes]
    assert views[0]["rows"] == views[1]["rows"]


def test_two_versions_of_a_definition_are_lived_by_in_two_processes_at_once(decision, tmp_path):
    """A rolling upgrade: one process has been running since before, another begins after."""
    text = Path(FILES[1]).read_text(encoding="utf-8")
    renewed = tmp_path / "decision.yaml"
    renewed.write_text(
        text.replace("version: 1", "version: 2", 1).replace("submit", "hand-in"), encoding="utf-8"
    )
    with Home.open(decision.home) as old:
        assert old.service.case("DEC-0001").definition.version == 1  # it knows the rules by now
        decision.run("publish", str(renewed), "--reason", "a better word")
        begun = decision.run("start", "decision", "title=New rules", "--json")
        new = begun.json()["stream"]
        mine = old.service.handle(
            StartCase(command_id="old", actor=PAT, workflow="decision", data={"title": "Mine"})
        )
        versions = {key: old.service.case(key).definition.version for key in (new, mine.stream)}
        assert versions == {new: 2, mine.stream: 2}
        with pytest.raises(PmoError, match="hand-in"):
            old.service.handle(
                PullTrigger(command_id="no", actor=PAT, case=mine.stream, trigger="submit")
            )
        refused = decision.run("do", "DEC-0001", "hand-in")
        assert refused.code != 0
        assert "submit" in refused.err
        offered = decision.run("show", "DEC-0001", "--json").json()["next"]
        assert "submit" in {offer["trigger"] for offer in offered}
        offered = decision.run("show", mine.stream, "--json").json()["next"]
        assert "hand-in" in {offer["trigger"] for offer in offered}
    assert "say what the log says" in decision.done("verify").out


LANGUAGES = ["the database system is starting up", "das Datenbanksystem startet"]


@pytest.fixture(params=LANGUAGES, ids=["en", "de"])
def starting(request: pytest.FixtureRequest, decision: Pmo) -> Iterator[tuple[Starting, Pmo]]:
    """A server that is not ready yet, and the same home on it."""
    at = psycopg.conninfo.conninfo_to_dict(decision.home)
    host, port = str(at["host"]), int(at.get("port", 5432))
    if host.startswith("/"):
        pytest.skip("the server is reached by a socket in a folder")
    server = Starting(port, host, request.param)
    there = f"postgresql://{at['user']}@127.0.0.1:{server.port}/{at['dbname']}"
    yield server, Pmo(there)
    server.close()


def test_work_waits_for_a_server_that_is_still_starting_and_goes_on(decision, starting, request):
    server, there = starting
    words = request.node.callspec.params["starting"]
    with there.start("work") as process:
        assert process.stderr
        told = process.stderr.readline()
        assert told == (
            f"warning: {there.home}: {words}"
            " (the server is starting or stopping; try again); waiting for it\n"
        )
        wait_until(lambda: server.asked >= 3)
        server.ready.set()
        wait_until(lambda: at_work(decision, process))
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_service_and_whoever_follows_the_log_wait_for_a_server_that_is_still_starting(starting):
    server, there = starting
    with (
        there.start("serve", "--port", "0") as serving,
        there.start("log", "--follow") as following,
    ):
        for process in (serving, following):
            assert process.stderr
            assert process.stderr.readline().endswith("; waiting for it\n")
        server.ready.set()
        for process, goes_on in ((serving, "serving postgresql:"), (following, "     1  ")):
            assert process.stdout
            assert goes_on in process.stdout.readline()
            process.terminate()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["work"], 0, ""),
        (["kafka", "intake"], 0, "0 commands answered, 0 dead letters\n"),
        (["serve"], 0, ""),
    ],
)
def test_what_waits_for_a_server_ends_when_it_is_told_to(starting, words, code, said):
    _, there = starting
    with there.start(*words) as process:
        assert process.stderr
        assert process.stderr.readline().endswith("; waiting for it\n")
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (code, said, "")


@pytest.mark.parametrize("words", [["work", "--once"], ["list"]])
def test_what_is_to_be_done_at_once_fails_at_a_server_that_is_starting(starting, words):
    _, there = starting
    answer = there.run(*words)
    assert answer.code == 3
    assert "the server is starting or stopping; try again" in answer.err


def at_work(pmo: Pmo, process: subprocess.Popen[str]) -> bool:
    """On all that there is to do: one consumer begins after the other."""
    leaders = [c["leader"] for c in pmo.done("status", "--json").json()["consumers"]]
    return bool(leaders) and all(who and f" {process.pid} " in who for who in leaders)


def test_of_two_processes_at_work_one_stands_by_until_the_other_is_killed(decision):
    first = decision.start("work")
    second = None
    try:
        wait_until(lambda: at_work(decision, first))
        second = decision.start("work")
        assert second.stderr
        assert "standing by: reactions is at work in" in second.stderr.readline()
        first.kill()
        wait_until(lambda: at_work(decision, second))
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()


def test_a_role_that_may_not_change_the_log_can_do_all_the_rest(decision, postgres):
    """The owner of the log made the home; another role works with it from then on."""
    name = f"pmo_app_{os.getpid()}"
    password = os.environ.get("PGPASSWORD", "unneeded")
    with psycopg.connect(decision.home, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    assert f"{name} may work with it" in decision.done("init", "--bare", "--admit", name).out
    app = Pmo(postgres.address(decision.home.rpartition("/")[2], name))
    paths = "title=Later", "objective=OBJ-0001"
    assert app.done("start", "decision", *paths, "--json").json()["stream"] == "DEC-0002"
    assert app.done("list", "decision", "--json").json()["total"] == 2
    app.done("publish", str(WORKFLOWS / "project.yaml"))
    app.done("rebuild")
    app.done("work", "--once")
    assert "say what the log says" in app.done("verify").out
    for forbidden in ("DELETE FROM pmo_log.events", "DROP SCHEMA pmo_log CASCADE"):
        with psycopg.connect(app.home) as connection, pytest.raises(psycopg.Error):
            connection.execute(forbidden)
    with psycopg.connect(decision.home, autocommit=True) as connection:
        connection.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER")
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


def test_who_cannot_be_let_in_is_told(decision, tmp_path):
    answer = decision("init", "--bare", "--admit", "nobody_at_all")
    assert (answer.code, "Traceback" in answer.err) == (3, False)
    assert 'role "nobody_at_all" does not exist' in answer.err
    answer = Pmo(tmp_path / "home")("init", "--bare", "--admit", "pmo_app")
    assert answer.code == 2
    assert "is a folder, and pmo_app a role of a database" in answer.err
