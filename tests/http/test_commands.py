"""Commands over HTTP: one effect, one receipt, and every reason why not."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.errors import StoreFailed
from engine.store.sqlite import SQLiteLog
from tests.http.conftest import WRITER, Running
from tests.patience import wait_until

JSON = {"Content-Type": "application/json"}


def test_a_command_is_answered_with_its_receipt(service):
    receipt = service.write()
    assert receipt["stream"] == "NOTE-0001"
    assert receipt["names"] == ["NoteWritten"]
    assert receipt["state"] == "draft"
    assert receipt["position"] == service.home.log.head()


def test_the_same_key_twice_has_one_effect_and_the_same_receipt(service):
    said = {"kind": "start-case", "workflow": "note", "data": {"text": "once"}}
    first = service.command("key-1", **said)
    quoted = service.command('"key-1"', **said)
    assert first.status_code == quoted.status_code == 200
    assert first.content == quoted.content
    assert service.home.log.head() == first.json()["position"]


def test_a_key_used_for_another_command_is_refused_and_the_first_keeps_its_effect(service):
    service.command("key-1", kind="start-case", workflow="note", data={"text": "one"})
    head = service.home.log.head()
    answer = service.command("key-1", kind="start-case", workflow="note", data={"text": "two"})
    assert (answer.status_code, answer.json()["code"]) == (422, "command-id-reused")
    assert service.home.log.head() == head


@pytest.mark.parametrize("key", ["", '"', "a b", "é", "x" * 201, '"' + "x" * 201 + '"', '"a"b"'])
def test_a_key_that_is_none_is_refused(shared, key):
    said = {"kind": "start-case", "workflow": "note", "data": {"text": "x"}, "actor": WRITER}
    headers = {b"Idempotency-Key": key.encode()}
    answer = shared.client.post("/v1/commands", json=said, headers=headers)
    assert answer.status_code in (400, 422), answer.text


def test_a_command_with_two_keys_is_refused(service):
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    said = {"kind": "start-case", "workflow": "note", "data": {"text": "x"}, "actor": WRITER}
    answer = service.client.post("/v1/commands", json=said, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_command_without_a_key_is_refused(service):
    answer = service.client.post("/v1/commands", json={"kind": "start-case"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert "Idempotency-Key" in answer.json()["detail"]


def test_a_refusal_tells_every_verdict(service):
    key = service.write()["stream"]
    answer = service.command(
        kind="pull-trigger", case=key, trigger="send", actor={"id": "rob", "roles": ["reader"]}
    )
    problem = answer.json()
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:pmo:problem:refused"
    refused = {v["rule"]: v["reason"] for v in problem["verdicts"] if not v["held"]}
    assert refused.keys() == {"by", "needs"}
    assert all(refused.values())


def test_a_case_that_has_moved_on_is_told_to_whom_expected_another_version(service):
    key = service.write()["stream"]
    said = {"kind": "pull-trigger", "case": key, "trigger": "send", "data": {"number": 3}}
    assert service.command(**said, expected_version=7).status_code == 409
    assert service.command(**said, expected_version=1).status_code == 200


def test_every_problem_of_a_body_is_told_with_its_place(service):
    answer = service.command(
        kind="start-case", workflow=7, data=[], colour="red", actor={"id": "a,b"}
    )
    places = {problem["where"] for problem in answer.json()["problems"]}
    assert answer.status_code == 422
    assert places == {"/workflow", "/data", "/colour", "/actor/id"}


def test_every_problem_of_a_body_says_how_to_mend_it(service):
    told: dict[str, tuple[str, str]] = {}
    for said in (
        {"kind": "start-case"},
        {"kind": "start-case", "workflow": 7, "data": [], "colour": "red"},
        {"kind": "pull-trigger", "case": "NOTE-1", "trigger": "send", "expected_version": "3"},
        {"kind": "attach-evidence", "case": "NOTE-1", "evidence": {"kind": "memo"}},
        {"kind": "observe", "workflow": "note", "case": "X", "facts": [], "origin": {"name": "r"}},
        {"kind": "sign", "case": "NOTE-1", "of": "board", "answer": "yes"},
        {"kind": "pull"},
    ):
        problem = service.command(**said).json()
        assert problem["code"] == "bad-input"
        for one in problem["problems"]:
            assert one["mend"], one
            told[one["where"]] = (one["what"], one["mend"])
    assert told["/evidence"] == ("the key 'sha256' is missing", "add 'sha256'")
    assert told["/colour"][0] == "there is no key 'colour' here"
    assert "without quotes" in told["/expected_version"][1]
    assert "for, against" in told["/answer"][1]
    assert "start-case" in told["/kind"][1]


@pytest.mark.parametrize(
    ("said", "where", "what", "mend"),
    [
        ({}, "", "the key 'workflow' is missing", "add 'workflow'"),
        ({"workflw": "note"}, "/workflw", "no key 'workflw'", "did you mean 'workflow'?"),
        ({"kind": "start-cas"}, "/kind", "no command 'start-cas'", "did you mean 'start-case'?"),
        ({"kind": None}, "/kind", "no command 'None'", "start-case"),
        ({"workflow": "note", "evidence": 7}, "/evidence", "where a list is needed", "[one"),
        ({"workflow": "n", "reason": "a\x00"}, "/reason", "cannot stand here", "remove the NUL"),
    ],
)
def test_a_problem_is_told_in_plain_words_with_its_mending(shared, said, where, what, mend):
    answer = shared.command(**{"kind": "start-case"} | said).json()
    (problem,) = answer["problems"]
    assert problem["where"] == where
    assert what in problem["what"]
    assert what in answer["detail"]
    assert mend in problem["mend"]


def test_what_the_engine_cannot_read_is_told_with_its_place(service):
    answer = service.command(
        kind="start-case", workflow="note", data={"text": "a\x00b", "amount": "much", "no": 1}
    )
    places = {problem["where"] for problem in answer.json()["problems"]}
    assert answer.status_code == 422
    assert places == {"/data/text", "/data/amount", "/data/no"}


@pytest.mark.parametrize("kind", ["publish", "remind", "", None, 3, {"a": 1}])
def test_only_what_may_be_asked_over_http_is_taken(shared, kind):
    assert shared.command(kind=kind, workflow="note").status_code == 422


def test_without_an_actor_it_is_not_known_who_asks(service):
    answer = service.command(kind="start-case", workflow="note", actor=None)
    assert answer.json()["problems"][0]["where"] == "/actor"


@pytest.mark.parametrize(
    "actor", [{"id": "reactions", "kind": "service"}, {"id": "clock", "kind": "timer"},
              {"id": "x", "kind": "import"}],
)  # fmt: skip
def test_nobody_can_say_that_they_are_the_engine(shared, actor):
    answer = shared.command(kind="start-case", workflow="note", data={"text": "x"}, actor=actor)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["where"] == "/actor"


@pytest.mark.parametrize("key", ["reaction:x:0", "deadline:NOTE-0001:1", '"reaction:x"'])
def test_the_ids_of_the_engines_own_commands_are_not_taken(shared, key):
    answer = shared.command(key, kind="start-case", workflow="note", data={"text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_every_kind_of_command_has_its_effect(service):
    key = service.write()["stream"]
    paper = {"kind": "memo", "sha256": "0" * 64, "as_of": "2026-01-01"}
    observed = {
        "kind": "observe", "workflow": "note", "case": "NOTE-X",
        "facts": [{"name": "NoteSent", "state": "sent", "data": {"text": "x", "number": 1.5}}],
        "origin": {"name": "report"}, "occurred_at": "2025-03-31",
    }  # fmt: skip
    for said in (
        {"kind": "attach-evidence", "case": key, "evidence": paper},
        {"kind": "declare-conflict", "case": key, "actor": {"id": "rob"}},
        observed,
    ):
        answer = service.command(**said)
        assert answer.status_code == 200, answer.text
    answer = service.command(kind="sign", case=key, of="writer", answer="for")
    assert answer.json()["code"] == "refused"  # nothing here is voted on


def test_concurrent_requests_share_transactions(service, monkeypatch):
    """What is asked while the first is being written is written together."""
    groups: list[int] = []
    append = SQLiteLog.append

    def counted(self, appends):
        if not groups:
            asking = service.server.served.service
            wait_until(lambda: len(appends) + len(asking._asked) == 16)
        groups.append(len(appends))
        return append(self, appends)

    monkeypatch.setattr(SQLiteLog, "append", counted)
    together = threading.Barrier(16)
    answers: list[int] = []

    def ask():
        together.wait()
        answers.append(service.command(kind="start-case", workflow="note", data={"text": "x"}
                                       ).status_code)  # fmt: skip

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 16
    assert sum(groups) == 16
    assert len(groups) <= 2


def test_a_store_that_fails_is_told_without_its_path(service, monkeypatch):
    def fail(self, appends):
        raise StoreFailed(f"{self._path}: the disk is full")

    monkeypatch.setattr(SQLiteLog, "append", fail)
    answer = service.command(kind="start-case", workflow="note", data={"text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "store-failed")
    assert answer.headers["retry-after"]
    assert str(Path(service.home.path)) not in answer.text


def test_a_fault_of_ours_is_told_without_a_traceback(service: Running, monkeypatch, caplog):
    def fail(*_):
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr("app.http.cases.describe", fail)
    answer = service.client.get("/v1/cases/NOTE-0001")
    assert (answer.status_code, answer.json()["code"]) == (500, "fault")
    assert "secret" not in answer.text
    # It is logged once the answer is under way.
    wait_until(lambda: "secret of the house" in caplog.text)
