"""Who may use the service: nobody but this machine, or whoever has a key."""

from __future__ import annotations

import signal as signals
import subprocess
import sys

import pytest

from app.http.settings import Key, ServeSettings, is_loopback
from engine.commands import Requester
from tests.cli.conftest import Pmo, process_environment
from tests.http.conftest import Running, make_home
from tests.patience import PATIENCE

PORTAL, AUDIT = "portal-key-0123456789", "audit-key-0123456789x"
REPORTS = "reports-key-0123456789"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    portal = Requester(id="portal", kind="service", roles=("writer",))
    keys = (
        Key(key_env="PORTAL_KEY", actor=portal),
        Key(key_env="AUDIT_KEY", actor=Requester(id="audit"), rights=("read",)),
        Key(
            key_env="REPORTS_KEY",
            actor=Requester(id="reports"),
            rights=("read", "write", "observe"),
        ),
    )
    with pytest.MonkeyPatch.context() as patch, make_home(tmp_path_factory.mktemp("g")) as home:
        patch.setenv("PORTAL_KEY", PORTAL)
        patch.setenv("AUDIT_KEY", AUDIT)
        patch.setenv("REPORTS_KEY", REPORTS)
        running = Running(home, ServeSettings(port=0, host="0.0.0.0", keys=keys))
        yield running
        running.stop()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def start(service, headers, **said):
    said = {"kind": "start-case", "workflow": "note", "data": {"text": "x"}, **said}
    headers = {"Idempotency-Key": "k", **headers}
    return service.client.post("/v1/commands", json=said, headers=headers)


def test_the_key_says_who_asks_and_in_which_roles(guarded):
    receipt = start(guarded, bearer(PORTAL)).json()
    (recorded,) = guarded.home.log.stream(receipt["stream"])
    assert (recorded.event.actor.id, recorded.event.actor.kind) == ("portal", "service")


def test_somebody_with_a_key_cannot_act_as_another(guarded):
    answer = start(guarded, bearer(PORTAL), actor={"id": "boss", "roles": ["writer"]})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["where"] == "/actor"


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("wrong"), bearer("."), bearer(PORTAL + "x"), bearer(PORTAL[:-1]),
     {"Authorization": PORTAL}, {"Authorization": f"Basic {PORTAL}"}, {b"Authorization": b"\xff"}],
)  # fmt: skip
@pytest.mark.parametrize(
    "address", ["/v1/events", "/v1/cases", "/v1/waiting", "/metrics", "/v1/cases/X/events"]
)
def test_without_a_key_nothing_is_told(guarded, headers, address):
    answer = guarded.client.get(address, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_that_may_only_read_does_not_write(guarded):
    head = guarded.home.log.head()
    assert guarded.client.get("/v1/events", headers=bearer(AUDIT)).status_code == 200
    assert start(guarded, bearer(AUDIT)).json()["code"] == "forbidden"
    assert guarded.home.log.head() == head


def test_only_a_key_that_may_observe_records_facts_past_the_rules(guarded):
    said = {"kind": "observe", "workflow": "note", "case": "NOTE-X", "origin": {"name": "report"}}
    said |= {"facts": [{"name": "Noted", "data": {"text": "x"}}]}
    head = guarded.home.log.head()

    def send(key: str):
        headers = bearer(key) | {"Idempotency-Key": "o"}
        return guarded.client.post("/v1/commands", json=said, headers=headers)

    answer = send(PORTAL)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "no right to observe" in answer.json()["detail"]
    assert guarded.home.log.head() == head
    assert send(REPORTS).json()["stream"] == "NOTE-X"


def test_whether_it_is_up_is_told_to_all(guarded):
    assert guarded.client.get("/health").status_code == 200
    assert guarded.client.get("/ready").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_without_keys_a_page_from_elsewhere_is_not_answered(shared, host):
    answer = shared.client.get("/v1/events", headers={"Host": host})
    assert answer.status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:80", "[::1]"])
def test_without_keys_this_machine_is_answered(shared, host):
    assert shared.client.get("/v1/events", headers={"Host": host}).status_code == 200


def test_a_page_in_a_browser_cannot_post(service):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {"Idempotency-Key": "k", "Content-Type": kind}
        answer = service.client.post("/v1/commands", content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("host", "sure"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.example", False)],
)  # fmt: skip
def test_only_addresses_of_this_machine_are_loopback(host, sure):
    assert is_loopback(host) is sure


# --- the command line ---------------------------------------------------------------------------

SETTINGS = """
serve:
  host: 0.0.0.0
  keys:
    - key_env: PMO_TEST_KEY
      actor: {id: portal, kind: service, roles: [requester]}
"""


def test_it_does_not_start_where_strangers_could_use_it(tmp_path):
    pmo = Pmo(tmp_path / "home")
    pmo.done("init", "--bare")
    answer = pmo("serve", "--host", "0.0.0.0", "--port", "0")
    assert answer.code == 2
    assert "no API key is configured" in answer.err


@pytest.mark.parametrize("key", ["", "short", "x" * 19, "ä" * 30])
def test_it_does_not_start_with_a_key_that_is_none(tmp_path, monkeypatch, key):
    pmo = Pmo(tmp_path / "home")
    pmo.done("init", "--bare")
    (pmo.home / "settings.yaml").write_text(SETTINGS)
    monkeypatch.setenv("PMO_TEST_KEY", key)
    answer = pmo("serve", "--port", "0")
    assert answer.code == 2
    assert "PMO_TEST_KEY" in answer.err
    assert not key or key not in answer.err


def test_settings_that_make_no_sense_are_told_with_their_place(tmp_path):
    pmo = Pmo(tmp_path / "home")
    pmo.done("init", "--bare")
    (pmo.home / "settings.yaml").write_text("serve:\n  prot: 80\n")
    answer = pmo("serve")
    assert answer.code == 2
    assert "settings.yaml:2:3" in answer.err


def test_a_port_that_is_taken_is_told(service, tmp_path):
    pmo = Pmo(tmp_path / "another")
    pmo.done("init", "--bare")
    answer = pmo.run("serve", "--port", service.address.rsplit(":", 1)[1])
    assert answer.code == 3
    assert "could not start" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_it_goes_when_it_is_told_to(tmp_path, signal):
    pmo = Pmo(tmp_path / "home")
    pmo.done("init", "--bare")
    words = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=process_environment(pmo.home),
    ) as process:  # fmt: skip
        assert process.stdout
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(getattr(signals, signal))
        _, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    assert process.returncode in (0, -signals.SIGTERM)
