"""Speaking to a broker that asks who we are: passwords over TLS, and certificates."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.runner import MayPass
from tests.kafka import conftest
from tests.kafka_broker import (
    PASSWORD,
    USER,
    ApacheKafka,
    need_apache,
)

VARIABLE = "PMO_TEST_KAFKA_PASSWORD"


@pytest.fixture(scope="module")
def secured() -> Iterator[ApacheKafka]:
    jars = need_apache("only Apache Kafka asks who we are")
    need_openssl()
    with tempfile.TemporaryDirectory(prefix="pmo-kafka-") as name:
        broker = ApacheKafka(Path(name), jars, make_pem(Path(name)))
        broker.start()
        yield broker
        broker.close()


def need_openssl() -> None:
    if not shutil.which("openssl"):
        assert not os.environ.get("CI"), "openssl is missing"
        pytest.skip("openssl is missing (Debian: apt-get install openssl)")


def make_pem(folder: Path) -> Path:
    """Key and certificate of 127.0.0.1; in a file of their own and together."""
    key, certificate, both = (folder / f"{name}.pem" for name in ("key", "certificate", "both"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=broker", "-addext"),
            *("subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    both.write_text(key.read_text() + certificate.read_text())
    return both


def asking(broker: ApacheKafka, port: int, prefix: str, **security: str):
    trusted = {"ca_file": str(broker.folder / "certificate.pem")}
    return conftest.settings_at(
        f"127.0.0.1:{port}", prefix, answers_within=5, security=trusted | security
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_the_relay_shows_its_password_over_tls(
    house, relaying, secured, prefix, monkeypatch, mechanism
):
    monkeypatch.setenv(VARIABLE, PASSWORD)
    house.start("plan")
    asked = {"protocol": "SASL_SSL", "mechanism": mechanism}
    asked |= {"username": USER, "password_env": VARIABLE}
    settings = asking(secured, secured.secured, prefix, **asked)
    runner = relaying(settings)
    assert runner.catch_up() == house.log.head()
    records = conftest.read_all(secured.bootstrap, settings.topics.events)
    conftest.check_told(house, records, once=True)


def test_the_relay_shows_its_certificate(house, relaying, secured, prefix):
    house.start("plan")
    own = {name: str(secured.folder / f"{name}.pem") for name in ("certificate", "key")}
    asked = {"certificate_file": own["certificate"], "key_file": own["key"]}
    settings = asking(secured, secured.mutual, prefix, protocol="SSL", **asked)
    assert relaying(settings).catch_up() == house.log.head()
    records = conftest.read_all(secured.bootstrap, settings.topics.events)
    conftest.check_told(house, records, once=True)


@pytest.mark.parametrize("wrong", ["password", "authority"])
def test_who_is_not_let_in_waits_is_told_why_and_parks_nothing(
    house, relaying, secured, prefix, monkeypatch, tmp_path, wrong
):
    secret = "not-it-" + PASSWORD[::-1] if wrong == "password" else PASSWORD
    monkeypatch.setenv(VARIABLE, secret)
    asked = {"protocol": "SASL_SSL", "username": USER, "password_env": VARIABLE}
    if wrong == "authority":
        make_pem(tmp_path)
        asked["ca_file"] = str(tmp_path / "certificate.pem")
    runner = relaying(asking(secured, secured.secured, prefix, **asked), pause=lambda _: None)
    with conftest.nothing_left(), pytest.raises(MayPass) as caught:
        runner.catch_up()
    told = str(caught.value)
    assert told.startswith(f"kafka at 127.0.0.1:{secured.secured}: ")
    assert secret not in told
    assert f"the certificates, {USER} and the password are not accepted" in told
    assert house.store.incidents() == []
    assert runner.lag() == house.log.head()
