"""Cases, standing and the document."""

from __future__ import annotations

import pytest

from projections.views import Views


def test_a_reader_sees_its_own_write(service):
    for _ in range(20):
        receipt = service.write()
        answer = service.client.get(
            f"/v1/cases/{receipt['stream']}", params={"at_least": receipt["position"]}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["version"] == 1
        assert answer.json()["views_position"] >= receipt["position"]


def test_a_reader_sees_what_another_process_wrote(service):
    (receipt,) = service.write_directly()
    answer = service.client.get(
        f"/v1/cases/{receipt.stream}", params={"at_least": receipt.position}
    )
    assert answer.json()["state"] == "draft"


def test_views_that_do_not_come_that_far_are_said_to_be_behind(service, monkeypatch):
    monkeypatch.setattr("app.http.views.PATIENCE", 0.1)
    answer = service.client.get("/v1/cases/NOTE-0001", params={"at_least": 10_000})
    assert (answer.status_code, answer.json()["code"]) == (503, "views-behind")


def test_a_case_is_read_on_both_clocks(service):
    said = {"kind": "observe", "workflow": "note", "case": "NOTE-X", "origin": {"name": "report"}}
    for day, number in (("2025-03-31", 1), ("2026-03-31", 2)):
        fact = {"name": "NoteSeen", "state": "draft", "data": {"text": "x", "number": number}}
        last = service.command(**said, facts=[fact], occurred_at=day).json()

    def read(**moments):
        asked = {"at_least": last["position"], **moments}
        return service.client.get("/v1/cases/NOTE-X", params=asked)

    assert read().json()["data"]["number"] == 2
    assert read(as_of="2025-12-31").json()["data"]["number"] == 1
    assert read(as_of="2024-12-31").status_code == 404
    assert read(known_at="2025-12-31").status_code == 404
    assert read(as_of="yesterday").status_code == 422


def test_the_events_of_a_case_are_paged_by_version(service):
    key = service.write()["stream"]
    service.command(kind="pull-trigger", case=key, trigger="send", data={"number": 3})
    first = service.client.get(f"/v1/cases/{key}/events", params={"limit": 1}).json()
    assert [event["type"] for event in first["events"]] == ["pmo.note.NoteWritten"]
    after = {"after": first["next_after"]}
    second = service.client.get(f"/v1/cases/{key}/events", params=after).json()
    assert [event["type"] for event in second["events"]] == ["pmo.note.NoteSent"]
    after = {"after": second["next_after"]}
    assert service.client.get(f"/v1/cases/{key}/events", params=after).json()["events"] == []


@pytest.mark.parametrize("key", ["NOTE-9999", "..%2f..%2fetc", "%00", "claim%2fx", "x" * 500])
def test_a_case_that_is_not_there_is_not_found(shared, key):
    for address in (f"/v1/cases/{key}", f"/v1/cases/{key}/events"):
        answer = shared.client.get(address)
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"] == "application/problem+json"


def test_cases_are_listed_by_workflow_and_state(service):
    service.write("memo")
    last = service.write("note")
    asked = {"at_least": last["position"], "workflow": "note", "state": "draft"}
    page = service.client.get("/v1/cases", params=asked).json()
    assert [case["key"] for case in page["cases"]] == ["NOTE-0001"]
    assert page["total"] == 1


def test_the_service_is_up_and_ready(service):
    assert service.client.get("/health").json() == {"status": "up"}
    assert service.client.get("/ready").json() == {"status": "ready"}


def test_a_service_whose_views_are_far_behind_is_not_ready(serve, monkeypatch):
    service = serve(most_behind=0)
    assert service.client.get("/ready").status_code == 200
    monkeypatch.setattr(Views, "advance", lambda self, log, to: self.checkpoint())
    service.write_directly()
    assert service.client.get("/ready").status_code == 503


def test_metrics_tell_how_far_everything_is(service):
    service.write()
    service.command(kind="pull-trigger", case="NOTE-0001", trigger="send")
    service.client.get("/nowhere")
    text = service.client.get("/metrics").text
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert samples["pmo_log_position"] == str(service.home.log.head())
    assert samples['pmo_commands_total{outcome="accepted"}'] == "1"
    assert samples['pmo_commands_total{outcome="refused"}'] == "1"
    assert samples['pmo_http_requests_total{method="GET",route="none",status="404"}'] == "1"
    took = 'pmo_http_request_duration_seconds_bucket{route="/v1/commands",le="+Inf"}'
    assert samples[took] == "2"


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [("GET", "/", 404), ("GET", "/docs", 404), ("GET", "/v1/commands", 405),
     ("DELETE", "/v1/cases/NOTE-0001", 405), ("GET", "/v1/events?after=-1", 422),
     ("GET", "/v1/events?limit=1001", 422), ("GET", "/v1/events?after=99999999999999999999", 422),
     ("GET", "/v1/cases?workflow=a%00b", 422)],
)  # fmt: skip
def test_every_error_is_problem_details(shared, method, address, status):
    answer = shared.client.request(method, address)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= answer.json().keys()


@pytest.mark.parametrize(
    ("address", "where", "mend"),
    [
        ("/v1/events?types=NoteSent", "query/types", "did you mean 'type'?"),
        ("/v1/events?after=0&afer=3", "query/afer", "did you mean 'after'?"),
        ("/v1/cases?sort=key", "query/sort", "there is workflow, state, limit, offset, at_least"),
        ("/v1/cases/NOTE-0001?asof=2026-01-01", "query/asof", "did you mean 'as_of'?"),
        ("/v1/cases/NOTE-0001/events?x=1", "query/x", "there is after, limit"),
        ("/health?x=1", "query/x", "nothing can be asked here"),
    ],
)
def test_a_parameter_that_is_not_known_is_told(shared, address, where, mend):
    answer = shared.client.get(address)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-input")
    (problem,) = answer.json()["problems"]
    assert (problem["where"], problem["mend"]) == (where, mend)


@pytest.mark.parametrize("address", ["/v1/events?after=1&after=3", "/v1/cases?state=a&state=b"])
def test_a_parameter_of_which_one_can_be_meant_is_not_taken_twice(shared, address):
    answer = shared.client.get(address)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-input")
    (problem,) = answer.json()["problems"]
    assert (problem["what"], problem["mend"]) == ("is given more than once", "send one")
    assert shared.client.get("/v1/events?type=NoteSent&type=NoteBegun").status_code == 200


def test_no_answer_is_kept_by_a_cache(shared):
    for address in ("/v1/cases", "/v1/cases/NOTE-9999", "/v1/events", "/health", "/nowhere"):
        assert shared.client.get(address).headers["cache-control"] == "no-store", address


def test_a_method_that_is_not_taken_is_told_with_those_that_are(shared):
    assert shared.client.delete("/v1/cases").headers["allow"] == "GET, HEAD"
    assert shared.client.get("/v1/commands").headers["allow"] == "POST"


def test_a_command_takes_no_parameters_in_its_address(shared):
    answer = shared.client.post("/v1/commands?workflow=note", json={})
    assert (answer.status_code, answer.json()["problems"][0]["where"]) == (422, "query/workflow")


def test_the_head_of_what_can_be_read_can_be_asked_for_alone(service):
    receipt = service.write()
    key = receipt["stream"]
    service.client.get("/v1/cases", params={"at_least": receipt["position"]})
    for address in (f"/v1/cases/{key}", "/v1/cases",
                    f"/v1/cases/{key}/events", "/v1/events", "/v1/waiting",
                    "/health", "/ready", "/v1/openapi.json", "/nowhere"):  # fmt: skip
        whole, head = service.client.get(address), service.client.head(address)
        assert (head.status_code, head.content) == (whole.status_code, b""), address
        assert head.headers["content-type"] == whole.headers["content-type"]
    assert service.client.head("/v1/commands").status_code == 405
    streamed = service.client.head("/v1/events", headers={"Accept": "text/event-stream"})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert 'method="HEAD",route="/v1/cases"' in service.client.get("/metrics").text


def test_a_case_tells_what_can_be_asked_for_next_and_what_it_takes(service):
    receipt = service.write()
    where = f"/v1/cases/{receipt['stream']}"
    read = {"at_least": receipt["position"]}
    (offer,) = service.client.get(where, params=read).json()["next"]
    assert (offer["trigger"], offer["to"], offer["emits"]) == ("send", "sent", "NoteSent")
    assert (offer["by"], offer["needs"], offer["anew"]) == (["writer"], ["number"], [])
    # Only the engine can say what is missing of votes and authority, so nothing is said of it here.
    assert {"missing", "decided_by", "warned"}.isdisjoint(offer)
    sent = service.command(
        kind="pull-trigger", case=receipt["stream"], trigger="send", data={"number": 3}
    ).json()
    assert service.client.get(where, params={"at_least": sent["position"]}).json()["next"] == []
    then = service.client.get(where, params={"known_at": receipt["recorded_at"]}).json()
    assert (then["state"], then["next"]) == ("draft", None)
