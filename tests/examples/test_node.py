"""docs/examples/node: services in Node.js that read the feed, and that receive webhooks."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook as Official

from tests.examples.conftest import EXAMPLES, NODE, Told, as_entry, read_journal
from tests.patience import PATIENCE, wait_until
from tests.ports import free_port
from tests.programs import PMO, Start, need

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()


@pytest.fixture
def node() -> str:
    return need("node", NODE)


def example(name: str) -> str:
    return str(EXAMPLES / "node" / name)


def test_a_reader_of_the_feed_has_every_event_once_in_effect_whatever_is_killed(
    told: Told, program: Start, node: str, tmp_path: Path
):
    port, journal = free_port(), tmp_path / "feed.journal"

    def kept() -> list[tuple[str, int, str]]:
        return [as_entry(one) for entry in read_journal(journal) for one in entry["told"]]

    told.write(200)
    serve = program(*PMO, "serve", "--port", str(port), "--home", told.folder)
    feed = program(node, example("feed.mjs"), f"http://127.0.0.1:{port}", str(journal))
    wait_until(lambda: len(kept()) > 0, feed)
    feed.kill()
    with journal.open("ab") as torn:
        torn.write(b'{"next":9')  # as a power cut leaves it
    told.write(50)
    feed.start()
    wait_until(lambda: kept() == told.entries(), feed)
    told.write(1)  # has come to the end: this comes by the stream
    wait_until(lambda: kept() == told.entries(), feed)
    serve.kill()
    told.write(100)
    serve.start()
    wait_until(lambda: len(kept()) > 1100, feed)
    feed.kill()
    told.write(50)
    feed.start()
    wait_until(lambda: len(kept()) >= len(told.entries()), feed)
    serve.kill()
    feed.kill()
    assert kept() == told.entries()


def test_a_receiver_of_webhooks_has_every_event_once_in_effect_whatever_is_killed(
    told: Told, program: Start, node: str, tmp_path: Path
):
    port, journal = free_port(), tmp_path / "webhooks.journal"
    url = f"http://127.0.0.1:{port}/"
    inside = {"allow_http": True, "allow_internal": True}
    told.settings(webhooks={"portal": {"url": url, "secrets_env": ["PORTAL_SECRET"], **inside}})

    def pmo(*words: str):
        return program(*PMO, *words, "--home", told.folder, PORTAL_SECRET=SECRET)

    def count() -> int:
        return len(read_journal(journal))

    told.write(50)
    receiver = program(node, example("webhooks.mjs"), str(port), str(journal), PORTAL_SECRET=SECRET)
    work = pmo("work")
    wait_until(lambda: count() > 20, receiver)
    receiver.kill()
    with journal.open("ab") as torn:
        torn.write(b'{"id":"0')
    receiver.start()
    wait_until(lambda: count() > 100, receiver)
    work.kill()
    told.write(25)
    work.start()
    wait_until(lambda: count() > 200, receiver)
    replay = pmo("webhooks", "replay", "portal", "--from", "1")
    receiver.kill()
    receiver.start()
    wait_until(replay.has_ended)
    wait_until(lambda: count() >= len(told.entries()), receiver)
    wait_until(pmo("webhooks", "test", "portal").has_ended)

    kept = [as_entry(entry) for entry in read_journal(journal)]
    assert sorted(kept, key=lambda entry: entry[1]) == told.entries()
    for case in Counter(case for _, _, case in kept):
        mine = [position for _, position, name in kept if name == case]
        assert mine == sorted(mine)


def test_a_receiver_of_webhooks_believes_only_what_is_signed_just_now(
    program: Start, node: str, tmp_path: Path
):
    port, journal = free_port(), tmp_path / "webhooks.journal"
    receiver = program(node, example("webhooks.mjs"), str(port), str(journal), PORTAL_SECRET=SECRET)
    wait_until(lambda: "listening" in receiver.told())
    body = '{"id": "e-1", "subject": "NOTE-0001", "sequence": "1", "type": "a", "data": {}}'

    def send(said: str, headers: dict[str, str]) -> int:
        url = f"http://127.0.0.1:{port}/"
        answer = httpx.post(url, content=said, headers=headers, trust_env=False, timeout=PATIENCE)
        return answer.status_code

    def post(secret: str = SECRET, age: int = 0, said: str = body) -> int:
        sent_at = datetime.now(UTC) - timedelta(seconds=age)
        headers = {
            "webhook-id": "e-1",
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": "v2,other " + Official(secret).sign("e-1", sent_at, body),
        }
        return send(said, headers)

    assert post(secret="whsec_" + base64.b64encode(b"another one of some bytes").decode()) == 401
    assert post(age=600) == 401
    assert post(said=body.replace("e-1", "e-2")) == 401
    assert send(body, {}) == 401
    assert [post(), post()] == [204, 204]
    assert [as_entry(entry) for entry in read_journal(journal)] == [("e-1", 1, "NOTE-0001")]
