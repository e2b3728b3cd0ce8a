"""The services of docker-compose.yml without Docker: the same command lines, files and roles, on a
real PostgreSQL and a real broker."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from jsonschema import Draft7Validator
from kafka import KafkaConsumer

from consumers.kafka_network import connect
from tests.deploy.test_compose import APP, OURS, OWNER, ROOT, SERVICES, role_and_place
from tests.kafka_broker import Broker
from tests.patience import PATIENCE
from tests.ports import free_port
from tests.postgres import programs
from tests.postgres_server import OwnServer

PMO = Path(sys.executable).with_name("pmo")
pytestmark = pytest.mark.slow


@pytest.fixture
def environments(
    own_postgres: OwnServer, kafka: Broker, tmp_path: Path
) -> dict[str, dict[str, str]]:
    """What each container of ours is started with, its hosts and ports being of this machine."""
    folder = programs()
    assert folder is not None
    key, passwords = (
        secrets.token_hex(16),
        {OWNER: secrets.token_hex(16), APP: secrets.token_hex(16)},
    )
    at = own_postgres.address("postgres").partition("@")[2].partition("/")[0]
    host, _, port = at.rpartition(":")
    script = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": host,
        "PGPORT": port,
        "PMO_PASSWORD": passwords[OWNER],
        "PMO_APP_PASSWORD": passwords[APP],
    }
    subprocess.run(
        [ROOT / "deploy" / "postgres-roles.sh"], env=script, timeout=PATIENCE, check=True
    )
    settings = (ROOT / "deploy" / "settings.yaml").read_text(encoding="utf-8")
    for name, here in (
        ("kafka:9092", kafka.bootstrap),
        ("host: 0.0.0.0", f"host: 127.0.0.1\n  port: {free_port()}"),
        ("partitions: 6", f"partitions: 2, events: pmo-{tmp_path.name}.events, states: null"),
    ):
        assert settings.count(name) == 1, name
        settings = settings.replace(name, here)
    (tmp_path / "settings.yaml").write_text(settings, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PMO_")}
    return {
        service: {
            **kept,
            "PMO_HOME": SERVICES[service]["environment"]["PMO_HOME"].replace("postgres:5432", at),
            "PMO_SETTINGS": str(tmp_path / "settings.yaml"),
            "PGPASSWORD": passwords[role_and_place(service)[0]],
            "PMO_API_KEY": key,
        }
        for service in OURS
    }


def run(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [PMO, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(environment: dict[str, str], name: str, log: Path) -> Iterator[None]:
    """A service until the end of the block; then told to stop, as Docker tells it."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [PMO, *SERVICES[name]["command"]], env=environment, stdout=file, stderr=file
        )
    try:
        yield
        assert process.poll() is None, log.read_text(encoding="utf-8")
    finally:
        process.terminate()
        process.wait(PATIENCE)


def ask(environment: dict[str, str], path: str, body: Any = None) -> Any:
    settings = Path(environment["PMO_SETTINGS"]).read_text(encoding="utf-8")
    port = settings.partition("port: ")[2].split()[0]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {environment['PMO_API_KEY']}",
            "Content-Type": "application/json",
            "Idempotency-Key": '"the-first-decision"',
        },
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def until_ready(environment: dict[str, str]) -> None:
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            ask(environment, "/ready")
            return
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)


def test_what_is_asked_over_http_reaches_a_subscriber_by_the_contract(
    environments: dict[str, dict[str, str]], kafka: Broker, tmp_path: Path
) -> None:
    run(environments["init"], *SERVICES["init"]["command"])
    run(environments["init"], *SERVICES["init"]["command"])  # whenever all of it is started
    environment = environments["engine"]
    contract = json.loads(run(environment, "contract", "asyncapi"))
    topic = contract["channels"]["events"]["address"]
    assert topic == f"pmo-{tmp_path.name}.events"
    with ExitStack() as services:
        for name in ("engine", "worker"):
            services.enter_context(running(environments[name], name, tmp_path / f"{name}.log"))
        until_ready(environment)
        run(environments["worker"], *SERVICES["worker"]["healthcheck"]["test"][2:])
        asked = {"kind": "start-case", "workflow": "decision", "data": {"title": "A help desk"}}
        receipt = ask(environment, "/v1/commands", asked)
        assert ask(environment, "/v1/commands", asked) == receipt
        headers, event = read_until(kafka, topic, receipt["stream"])
    message = contract["components"]["messages"][
        f"decision.{event['definition']['version']}.{event['name']}"
    ]
    for part, value in (("headers", headers), ("payload", event)):
        whole = {"allOf": [message[part]], "components": contract["components"]}
        Draft7Validator(whole).validate(value)
    assert event["actor"] == {"id": "api", "kind": "service"}
    run(environments["init"], *SERVICES["init"]["command"])  # and when it is started anew
    run(environment, "rebuild")
    assert "the chain of their hashes is whole" in run(environment, "verify")
    with (
        psycopg.connect(environment["PMO_HOME"], password=environment["PGPASSWORD"]) as services,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        services.execute("ALTER TABLE pmo_log.events DISABLE TRIGGER ALL")


def read_until(kafka: Broker, topic: str, case: str) -> tuple[dict[str, str], Any]:
    """The first message of a case."""
    consumer = connect(
        KafkaConsumer,
        topic,
        bootstrap_servers=kafka.bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=int(PATIENCE * 1_000),
    )
    try:
        for record in consumer:
            if record.key == case.encode():
                return {n: v.decode() for n, v in record.headers}, json.loads(record.value)
    finally:
        consumer.close()
    raise AssertionError(f"no message of {case} within {PATIENCE:.0f} s")
