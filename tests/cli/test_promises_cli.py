"""Promises 4, 5, 11 and 12, as the person at the keyboard meets them."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from engine.commands import PublishDefinition, PullTrigger, Requester, StartCase
from engine.errors import Refused
from engine.loading import load_definition
from engine.service import Receipt, Service
from tests.cli.conftest import WORKFLOWS

THREADS = 50
PAT = Requester(id="pat", roles=("requester",))


@pytest.fixture
def service(log):
    """A service on each store, with one draft, DEC-0001."""
    service = Service(log)
    for name in ("objective", "decision"):
        text = (WORKFLOWS / f"{name}.yaml").read_text(encoding="utf-8")
        body = load_definition(text, name).body
        service.handle(PublishDefinition(command_id=name, actor=PAT, body=body, text=text))
    started = StartCase(command_id="start", actor=PAT, workflow="decision", data={"title": "A"})
    service.handle(started)
    return service


def test_promise_4_once(service):
    command = PullTrigger(command_id="once", actor=PAT, case="DEC-0001", trigger="withdraw")
    head = service.log.head()
    receipts: list[Receipt] = []
    gate = threading.Barrier(THREADS)

    def send():
        gate.wait()
        receipts.append(service.handle(command))

    threads = [threading.Thread(target=send) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert receipts == [receipts[0]] * THREADS
    assert service.log.head() == head + 1


def test_promise_4_once_for_refusals_too(service):
    command = PullTrigger(command_id="once", actor=PAT, case="DEC-0001", trigger="approve")
    head = service.log.head()
    reasons = []
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            service.handle(command)
        reasons.append(refused.value.reasons)
    assert reasons[0] == reasons[1]
    assert service.log.head() == head + 1


def test_promise_4_once_over_the_command_line(decision):
    words = ["do", "DEC-0001", "withdraw", "--id", "order 66", "--json"]
    first, second = decision.done(*words).json(), decision.done(*words).json()
    assert first == second
    assert decision.done("status", "--json").json()["head"] == first["position"]


def test_promise_4_an_id_cannot_stand_for_two_commands(decision):
    decision.done("do", "DEC-0001", "withdraw", "--id", "order 66")
    answer = decision("start", "decision", "title=B", "--id", "order 66")
    assert answer.code == 2
    assert "'order 66' was used for another command" in answer.err


def test_promise_5_a_refusal_explains_itself(decision):
    before = decision.done("show", "DEC-0001", "--json").out
    answer = decision("do", "DEC-0001", "submit", "rationale=x", "--json", actor="vic:visitor")
    assert answer.code == 1
    verdicts = json.loads(answer.err)["verdicts"]
    open_ = {verdict["rule"]: verdict["reason"] for verdict in verdicts if not verdict["held"]}
    assert set(open_) == {"takes", "by", "needs", "evidence business-case"}
    assert all(open_.values())
    assert decision.done("show", "DEC-0001", "--json").out == before
    recorded = decision.done("history", "DEC-0001", "--json").json()[-1]
    assert recorded["name"] == "CommandRefused"
    assert set(recorded["refused"]) == set(open_.values())


def test_promise_5_a_refusal_is_not_recorded_where_the_workflow_does_not_ask(decision):
    head = decision.done("status", "--json").json()["head"]
    assert decision("do", "OBJ-0001", "close", actor="vic:visitor").code == 1
    assert decision.done("status", "--json").json()["head"] == head


VISIT = """\
workflow: site-visit
version: 1
title: Site visit
key: VIS
roles:
  host: {about: Invites.}
  guest: {about: "Comes, and says how it was."}
data:
  place: {type: text, required: true}
  cost: {type: money, currency: EUR}
  day: {type: date}
states:
  planned: {initial: true, deadline: {within: 30 days, then: cancel}}
  made: {final: true}
  cancelled: {final: true}
start: {by: host, accepts: [place, cost, day], emits: VisitPlanned}
transitions:
  - trigger: report
    from: planned
    to: made
    by: guest
    not_by: host
    needs: day
    when:
      - {check: data.cost <= 500, otherwise: a visit costs 500 at most}
    emits: VisitMade
  - {trigger: cancel, from: planned, to: cancelled, emits: VisitCancelled}
"""

VISIT_SCENARIOS = """\
scenarios:
  - scenario: The guest reports
    given: [{start: site-visit, as: "hal:host", data: {place: Leeds, cost: 100, day: 2026-01-02}}]
    when: {do: report, as: "gus:guest"}
    then: {state: made, emits: VisitMade}
  - scenario: A visit can be too dear
    given: [{start: site-visit, as: "hal:host", data: {place: Oslo, cost: 900, day: 2026-01-02}}]
    when: {do: report, as: "gus:guest"}
    then: {refused: 500 at most}
"""


def test_promise_11_configuration_only(nowhere, tmp_path):
    file = tmp_path / "site-visit.yaml"
    file.write_text(VISIT, encoding="utf-8")
    file.with_suffix(".scenarios.yaml").write_text(VISIT_SCENARIOS, encoding="utf-8")
    pmo = nowhere
    assert "2 of 2 scenarios hold" in pmo.done("check", str(file)).out
    pmo.done("init", "--bare")
    pmo.done("publish", str(file))

    pmo.done("start", "site-visit", "place=Leeds", "cost=99.50", "day=2026-02-01", actor="hal:host")
    pmo.done("start", "site-visit", "place=Oslo", "cost=900", actor="hal:host")
    assert pmo("do", "VIS-0002", "report", "day=2026-02-01", actor="gus:guest").code == 1
    assert pmo("do", "VIS-0001", "report", actor="hal:host,guest").code == 1
    told = pmo.done("do", "VIS-0001", "report", actor="gus:guest").out
    assert "planned → made  VisitMade" in told

    register = pmo.done("list", "site-visit", "--where", "cost<100", "--json").json()
    assert [(row["key"], row["state"]) for row in register["cases"]] == [("VIS-0001", "made")]
    assert pmo.done("history", "VIS-0001", "--json").json()[-1]["role"] == "guest"
    assert "30 days" in pmo.done("diagram", "site-visit").out
    assert "current" in pmo.done("diagram", "VIS-0001", "--format", "mermaid").out
    assert '"name":"VisitMade"' in pmo.done("log", "--json").out
    (due,) = pmo.done("deadlines", "--json").json()["deadlines"]
    assert (due["case_key"], due["pulls"]) == ("VIS-0002", "cancel")
    assert "VisitCancelled" in pmo.done("contract", "list", "site-visit").out
    pmo.done("verify")


def hostile_inputs(folder: Path) -> list[list[str]]:
    """Command lines that nobody can make sense of, with the files they name."""
    binary = folder / "binary.yaml"
    binary.write_bytes(bytes(range(256)) * 40)
    broken = folder / "broken.yaml"
    broken.write_text(VISIT.replace("to: made", "to: maid"), encoding="utf-8")
    long = folder / "long.txt"
    long.write_text("x" * 9_000_000, encoding="utf-8")
    return [
        ["publish", str(binary)],
        ["publish", str(broken)],
        ["publish", str(folder / "nothing.yaml")],
        ["publish", str(folder / "nothing.yaml"), str(broken)],
        ["import", str(binary)],
        ["import", str(folder / "nothing.yaml")],
        ["start", "decision", f"title=@{long}"],
        ["start", "decision", f"title=@{binary}"],
        ["start", "decision", f"title=@{folder}"],
        ["start", "decision", "amount=1e400", "category=x"],
        ["start", "decision", "title=A", "-e", f"paper={folder}"],
        ["start", "", "title=A"],
        ["start", "../../etc/passwd"],
        ["do", "DEC-0001", ""],
        ["do", "", "submit"],
        ["do", "definition/decision", "submit"],
        ["show", "DEC-0001'; DROP TABLE cases; --"],
        ["show", "definition/decision"],
        ["list", "decision; DROP TABLE cases"],
        ["list", "decision", "--sort", "title; DROP TABLE cases"],
        ["observe", "../x", "Seen", "--workflow", "decision", "--source", "S"],
        ["observe", "DEC-0001", "Seen", "--workflow", "objective", "--source", "S"],
        ["diagram", "../../etc/passwd"],
        ["log", "--after", "-1"],
    ]


def test_promise_12_bad_input(decision, tmp_path):
    before = decision.done("log", "--json").out
    for words in hostile_inputs(tmp_path):
        answer = decision(*words)
        assert answer.code == 2, (words, answer)
        assert answer.err.startswith("error: "), words
        assert "Traceback" not in answer.err
        assert not list(decision.home.glob("crash-*")), words
        assert decision.done("log", "--json").out == before, words


def test_promise_12_an_import_is_all_of_a_report_or_nothing(pmo, tmp_path):
    (tmp_path / "projects.yaml").write_text(
        """\
mapping: projects
workflow: project
identify: name
events:
  joined: {name: ProjectJoined, state: in_portfolio}
  left: {name: ProjectLeft, state: left_portfolio}
  rejoined: {name: ProjectRejoined, state: in_portfolio}
  withheld: InformationWithheld
  otherwise: FiguresReported
reports:
  "2021": {file: 2021.csv, layout: plain, as_of: 2021-03-31}
layouts:
  plain: {columns: {name: Project, cost: Cost}}
""",
        encoding="utf-8",
    )
    report = tmp_path / "2021.csv"
    report.write_text("Project,Price\nBridge,1\n", encoding="utf-8")
    answer = pmo("import", str(tmp_path / "projects.yaml"))
    assert answer.code == 2
    assert "2021.csv:1" in answer.err
    assert pmo.done("status", "--json").json()["head"] == 3

    report.write_text("Project,Cost\nBridge,1\nTunnel,dear\n", encoding="utf-8")
    assert pmo("import", str(tmp_path / "projects.yaml"), "--strict").code == 2
    assert pmo.done("status", "--json").json()["head"] == 3
    answer = pmo.done("import", str(tmp_path / "projects.yaml"), "--json")
    assert answer.json()["events"] == {"ProjectJoined": 2}
    assert "2021.csv:3:2" in answer.json()["findings"][0]["where"]
    assert pmo.done("import", str(tmp_path / "projects.yaml")).out.startswith("nothing new")
