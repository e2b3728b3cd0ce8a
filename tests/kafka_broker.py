"""A real Kafka broker for the tests, and which one it is.

What ``PMO_KAFKA_BOOTSTRAP`` names; else Apache Kafka, from jars that Maven fetches once and this
machine's Java runs; else ``noida-db``, which only speaks Kafka's protocol: then the closing lines
of the run say so, and what it cannot do is skipped. With ``CI=true`` there is no falling back.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.maven import IN_CI, find_jars, kept_jars
from tests.network import Cable
from tests.patience import PATIENCE
from tests.ports import free_ports

POM = Path(__file__).parent / "kafka" / "pom.xml"
NAMED = os.environ.get("PMO_KAFKA_BOOTSTRAP", "")
APACHE, LIKE_KAFKA, NONE = "Apache Kafka", "noida-db", "none"
GET_IT = (
    "install Java 17 and Maven (Debian: default-jre-headless maven), or let PMO_KAFKA_BOOTSTRAP"
    " name a broker"
)
USER, PASSWORD = "pmo", "correct-horse"
"""Who may come in where a password is asked for."""


class Broker:
    """A broker at ``bootstrap``; ``kind`` says what it is."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    @property
    def kind(self) -> str:
        return f"the broker at {self.bootstrap}"

    def close(self) -> None:
        """It goes on without us."""


class OwnBroker(Broker):
    """A process of ours on a folder of its own, that is stopped, killed and started again."""

    def __init__(self, folder: Path, network: Cable | None = None) -> None:
        """With a network it runs behind it."""
        self.folder = folder
        self._network = network
        self.host = network.inside if network else "127.0.0.1"
        self.port, self._controller, self.behind, self.proxied = free_ports(4)
        super().__init__(f"{self.host}:{self.port}")
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        words = self._network.run(*self.command()) if self._network else self.command()
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder
            )
        give_up = time.monotonic() + PATIENCE
        while not _answers(self.host, self.port):
            if self._process.poll() is not None or time.monotonic() > give_up:
                told = (self.folder / "broker.log").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{self.kind} did not start:\n{told}")
            time.sleep(0.05)

    def stop(self) -> None:
        """As an operator stops it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut would, but for what the operating system still writes down."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It hangs: connections stay, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None:
            self.kill()

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(PATIENCE)
        self._process = None


class ApacheKafka(OwnBroker):
    """One node that is broker and controller at once (KRaft).

    ``proxied`` is a second address that it tells clients who come over the port ``behind``: a test
    listens there, and what it passes on, or loses, is up to it.

    With ``pem``, a file of a private key and its certificate, there are two more addresses:
    ``secured`` for those who show a password over TLS, ``mutual`` for those who show a certificate.
    """

    kind = APACHE

    def __init__(
        self, folder: Path, jars: Path, pem: Path | None = None, network: Cable | None = None
    ) -> None:
        super().__init__(folder, network)
        self.secured, self.mutual = free_ports(2)
        self.jars = jars
        self.data = folder / "data"
        listeners = {
            "PLAINTEXT": self.port,
            "CONTROLLER": self._controller,
            "PROXIED": self.behind,
        }
        if pem:
            listeners |= {"SECURED": self.secured, "MUTUAL": self.mutual}
        says: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(
                f"{name}://{self.host if at == self.port else '127.0.0.1'}:{at}"
                for name, at in listeners.items()
            ),
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}"
            f",PROXIED://127.0.0.1:{self.proxied}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ",PROXIED:PLAINTEXT,SECURED:SASL_SSL,MUTUAL:SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.data,
            "auto.create.topics.enable": "false",
            "num.partitions": 3,
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "log.cleaner.backoff.ms": 200,
            "log.cleaner.min.cleanable.ratio": 0.01,
            "log.segment.delete.delay.ms": 100,
        }
        if pem:
            says["advertised.listeners"] = (
                f"{says['advertised.listeners']},SECURED://127.0.0.1:{self.secured}"
                f",MUTUAL://127.0.0.1:{self.mutual}"
            )
            says |= _security(pem)
        settings = "".join(f"{name}={value}\n" for name, value in says.items())
        (folder / "server.properties").write_text(settings)
        self.run_java(
            "kafka.tools.StorageTool",
            *("format", "-t", "cG1vLXRlc3RzLWJyb2tlcg", "-c", str(folder / "server.properties")),
            *("-S", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
        )

    def command(self) -> list[str]:
        options = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return [*self._java("kafka.Kafka", *options), str(self.folder / "server.properties")]

    def run_java(self, program: str, *words: str) -> str:
        """What one of Apache's own programs prints."""
        done = subprocess.run(
            [*self._java(program, "-Xmx256m", "-XX:TieredStopAtLevel=1"), *words],
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def _java(self, program: str, *options: str) -> list[str]:
        logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return ["java", *options, logging, "-cp", f"{self.jars}/*", program]


def _security(pem: Path) -> dict[str, object]:
    """Both listeners show the certificate; one asks for a password, the other for the same
    certificate."""
    modules = "org.apache.kafka.common.security"
    told: dict[str, object] = {
        "listener.name.secured.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.secured.plain.sasl.jaas.config": f"{modules}.plain.PlainLoginModule required"
        f' user_{USER}="{PASSWORD}";',
        "listener.name.secured.scram-sha-512.sasl.jaas.config": f"{modules}.scram.ScramLoginModule"
        " required;",
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.truststore.type": "PEM",
        "listener.name.mutual.ssl.truststore.location": pem.with_name("certificate.pem"),
    }
    for name in ("secured", "mutual"):
        told[f"listener.name.{name}.ssl.keystore.type"] = "PEM"
        told[f"listener.name.{name}.ssl.keystore.location"] = pem
    return told


class LikeKafka(OwnBroker):
    """Speaks the protocol, as far as most of these tests need it. What it does not do:

    - take the partitions from a member of a group that is dead (``lets_go``);
    - keep what was acknowledged within the last second before it is killed, topics included
      (``need_durable``); one that is lost it makes itself when it is asked for it, with one
      partition;
    - compact a topic, change a topic's limits, ask who we are, run behind a proxy or a network;
      nor do Apache's own programs read it (``apache_kafka``, ``need_apache``).
    """

    kind = LIKE_KAFKA

    def command(self) -> list[str]:
        spec = importlib.util.find_spec("noida_db")
        assert spec is not None
        assert spec.origin is not None
        program = Path(spec.origin).with_name("noida-db")
        program.chmod(0o755)
        return [
            *(str(program), "start", "--only", "kafka", "--kafka-port", str(self.port)),
            *("--data-dir", str(self.folder / "data")),
        ]


@cache
def chosen() -> str:
    """Which one the tests run on: its kind."""
    if NAMED:
        return f"the broker at {NAMED}"
    if _java_version() >= 17 and (shutil.which("mvn") or kept_jars(POM).is_dir()):
        return APACHE
    if not IN_CI and importlib.util.find_spec("noida_db"):
        return LIKE_KAFKA
    return NONE


_used: set[str] = set()
"""The brokers that were started."""


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """The broker. Whoever breaks it leaves it as it was."""
    with tempfile.TemporaryDirectory(prefix="pmo-kafka-") as folder:
        broker = _open(Path(folder))
        _used.add(broker.kind)
        try:
            yield broker
        finally:
            broker.close()


def own_broker() -> tuple[OwnBroker, Callable[[], None]]:
    """A broker for whoever asks, to break, and what removes it."""
    folder = tempfile.TemporaryDirectory(prefix="pmo-kafka-")
    broker = _open(Path(folder.name))
    if not isinstance(broker, OwnBroker):
        pytest.skip("this breaks the broker, and it is not ours")

    def remove() -> None:
        broker.close()
        folder.cleanup()

    return broker, remove


@pytest.fixture
def own_kafka(kafka: Broker) -> OwnBroker:
    """A broker that this test may stop and kill."""
    if not isinstance(kafka, OwnBroker):
        pytest.skip("this breaks the broker, and it is not ours")
    return kafka


@pytest.fixture
def apache_kafka(own_kafka: OwnBroker) -> ApacheKafka:
    if not isinstance(own_kafka, ApacheKafka):
        pytest.skip(f"only Apache Kafka of our own does what this test needs: {GET_IT}")
    return own_kafka


@pytest.fixture
def lets_go(kafka: Broker) -> None:
    """The partitions of a member of a group that is dead go to others."""
    if isinstance(kafka, LikeKafka):
        pytest.skip(f"{LIKE_KAFKA} never takes partitions from a dead reader: {GET_IT}")


def need_durable(kafka: Broker) -> None:
    """What it has acknowledged it has, when it is killed and started again."""
    if isinstance(kafka, LikeKafka):
        pytest.skip(f"{LIKE_KAFKA} loses its last second when it is killed: {GET_IT}")


def _open(folder: Path) -> Broker:
    if NAMED:
        return Broker(NAMED)
    kind = chosen()
    if kind == NONE:
        (pytest.fail if IN_CI else pytest.skip)(f"no Kafka broker for this test: {GET_IT}")
    broker: OwnBroker
    if kind == APACHE and (jars := find_jars(POM)):
        broker = ApacheKafka(folder, jars)
    elif importlib.util.find_spec("noida_db") and not IN_CI:
        broker = LikeKafka(folder)
    else:
        (pytest.fail if IN_CI else pytest.skip)(f"no Kafka broker for this test: {GET_IT}")
    broker.start()
    return broker


def need_apache(why: str) -> Path:
    """The jars of Apache Kafka; where they cannot be had CI fails, and everybody else skips."""
    jars = find_jars(POM) if chosen() == APACHE else None
    if jars is None:
        (pytest.fail if IN_CI else pytest.skip)(f"{why}: {GET_IT}")
    return jars


def _java_version() -> int:
    try:
        told = subprocess.run(
            ["java", "-version"], capture_output=True, timeout=PATIENCE, check=False
        )
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', told.stderr.decode(errors="replace"))
    return int(found[1]) if found else 0


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def pytest_report_header() -> str:
    return f"kafka: {chosen()}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes tells the one that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["kafka"] = sorted(_used)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _used.update(getattr(node, "workeroutput", {}).get("kafka", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for kind in _used:
        terminalreporter.write_line(f"Kafka tests ran on: {kind}")
    if LIKE_KAFKA in _used:
        terminalreporter.write_line(
            f"That is a fall-back, and what it cannot do was skipped; else {GET_IT}", yellow=True
        )
