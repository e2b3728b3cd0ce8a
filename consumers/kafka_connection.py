"""How the broker is reached, and its topics: what there is, what is missing, what fits into them.

Whatever Kafka says went wrong is ``MayPass``: nothing is parked because a broker is away, a topic
is missing or a right is not granted. The reason is told at every try, and somebody can mend it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Any

from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import (
    IllegalStateError,
    KafkaConfigurationError,
    KafkaError,
    TopicAlreadyExistsError,
)
from kafka.partitioner.default import murmur2

from consumers.kafka_network import connect
from consumers.kafka_settings import KafkaSettings, Security, read_secret
from consumers.runner import MayPass

LARGEST_BATCH = 1_048_588
"""Bytes that a topic takes at once where it does not say otherwise (``max.message.bytes``)."""

EVENTS_KEPT = {"cleanup.policy": "delete", "retention.ms": "-1"}
STATES_KEPT = {"cleanup.policy": "compact"}
REPLIES_KEPT = {"cleanup.policy": "delete"}


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is; ``largest`` in bytes. Of one that is missing there are 0 partitions."""

    name: str
    partitions: int
    replication: int
    compacted: bool
    largest: int


class Silence:
    """How long nothing has come, for who ends then. It is no silence while the group is giving out
    partitions, nor while one is not read to the end that the broker tells with its answers. But
    neither holds for ever: where there are more members than partitions some never get any, and a
    broker that is gone tells no end."""

    _JOINING = 15.0
    _READING = 60.0

    def __init__(self) -> None:
        self._began = self._came = self._since = monotonic()

    def lasts(self, consumer: Any, came: object) -> float:
        """Seconds, after another look, at which something came or not."""
        now = monotonic()
        if came:
            self._came = now
        parts = consumer.assignment()
        if parts:
            awaited = now < self._came + self._READING and not _at_ends(consumer, parts)
        else:
            awaited = now < self._began + self._JOINING
        if came or awaited:
            self._since = now
        return now - self._since


def _at_ends(consumer: Any, parts: Iterable[Any]) -> bool:
    """Whether everything was read that was there at the last answer about each."""
    try:
        return all(
            (end := consumer.highwater(part)) is not None and consumer.position(part) >= end
            for part in parts
        )
    except IllegalStateError:
        return False  # the group gave it to another member just now


def look_for(consumer: Any) -> int:
    """Milliseconds for one look of a member of a group.

    kafka-python 3.0.12 was seen to lose the partitions it was given when a look of 200 ms ended
    while it joined again, between the broker's two answers: it counted as alive, read nothing, and
    looked again without a pause. So whoever has none is given longer than a busy broker takes.
    """
    return 200 if consumer.assignment() else 3_000


def options(settings: KafkaSettings, what: str) -> dict[str, Any]:
    """What every client is made with. Raises ``BadInput`` where a password is not there, and
    ``MayPass`` for certificates that cannot be read: they may just be changed."""
    security = settings.security
    chosen: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap),
        "client_id": f"pmo-{what}",
        "security_protocol": security.protocol,
        "bootstrap_timeout_ms": min(settings.answers_within, 5) * 1_000,
    }
    if security.protocol.startswith("SASL"):
        chosen |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": read_secret(security.password_env),
        }
    if security.protocol.endswith("SSL"):
        password = read_secret(security.key_password_env)
        _check_files(security, password)
        chosen |= {
            "ssl_cafile": security.ca_file,
            "ssl_certfile": security.certificate_file,
            "ssl_keyfile": security.key_file,
            "ssl_password": password,
        }
    return chosen


def _check_files(security: Security, password: str | None) -> None:
    """kafka-python would say of them what it says of a broker that is away; and of a key whose
    password it was not given it would ask the terminal."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    read = "ca_file", security.ca_file
    try:
        if security.ca_file:
            context.load_verify_locations(security.ca_file)
        if security.certificate_file:
            read = "certificate_file and key_file", security.certificate_file
            context.load_cert_chain(security.certificate_file, security.key_file, password or "")
    except OSError as error:
        raise MayPass(
            f"kafka: {read[0]} ({read[1]}) cannot be read: {error}; mend it (`security:`)"
        ) from None


@contextmanager
def plainly(settings: KafkaSettings) -> Iterator[None]:
    """Kafka's errors as ``MayPass``, with the address."""
    try:
        yield
    except KafkaConfigurationError:
        raise  # no time mends that
    except (KafkaError, OSError) as error:
        kind, said = type(error).__name__, str(error)  # Kafka's own begin with their kind
        told = said if said.startswith(kind) else f"{kind}: {said}"
        if "Unable to bootstrap" in said:
            told += _not_let_in(settings)
        raise MayPass(f"kafka at {','.join(settings.bootstrap)}: {told}") from error


def _not_let_in(settings: KafkaSettings) -> str:
    """kafka-python says the same for whoever is not there and whoever does not let us in."""
    security = settings.security
    if security.protocol == "PLAINTEXT":
        return ": nobody answers there, or not without TLS and a password (`security:`)"
    who = f", {security.username} and the password" if security.username else ""
    return (
        f": nobody answers there over {security.protocol}, or the certificates{who} are not"
        " accepted (`security:`)"
    )


def partition_of(key: bytes, count: int) -> int:
    """The partition of a key among so many, as Kafka's own clients choose it."""
    return _hash(key) % count


@lru_cache(maxsize=100_000)
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


def read_topics(settings: KafkaSettings, names: Iterable[str]) -> dict[str, TopicState]:
    """How these topics are. Raises ``MayPass``."""
    wanted = sorted(set(names))
    with plainly(settings), closing(_open_admin(settings)) as admin:
        found = {topic["name"]: topic["partitions"] for topic in admin.describe_topics(wanted)}
        there = [name for name in wanted if found.get(name)]
        try:
            kept = _read_configs(admin, there)
        except KafkaError:
            kept = {}  # the right to read them may not be granted; then the usual is assumed
    return {name: _state(name, found.get(name) or [], kept.get(name, {})) for name in wanted}


def make_topics(settings: KafkaSettings, missing: Mapping[str, Mapping[str, str]]) -> None:
    """Make topics, each with its configuration; one that is there by now is left. Raises
    ``MayPass``."""
    topics = settings.topics
    with plainly(settings), closing(_open_admin(settings)) as admin:
        for name, kept in missing.items():
            wanted = {
                "num_partitions": topics.partitions,
                "replication_factor": topics.replication,
                "configs": dict(kept),
            }
            try:
                admin.create_topics({name: wanted}, wait_for_metadata=True)
            except TopicAlreadyExistsError:
                continue


def ready_topics(
    settings: KafkaSettings, kept: Mapping[str, Mapping[str, str]]
) -> dict[str, TopicState]:
    """How these topics are, made where they are missing and the settings say so.

    ``kept``: for each, the configuration it is made with. Raises ``MayPass``.
    """
    states = read_topics(settings, kept)
    missing = [name for name, state in states.items() if not state.partitions]
    if not missing:
        return states
    if not settings.topics.create:
        raise MayPass(
            f"kafka: there is no topic {', '.join(missing)}; make it, or let `topics: create` be"
            " true"
        )
    make_topics(settings, {name: kept[name] for name in missing})
    return states | read_topics(settings, missing)


def _open_admin(settings: KafkaSettings) -> Any:
    return connect(KafkaAdminClient, **options(settings, "admin"))


def _read_configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    wanted = {"max.message.bytes": None, "cleanup.policy": None}
    found = admin.describe_configs(
        [ConfigResource("TOPIC", name, wanted) for name in names], config_filter="all"
    )
    return {
        name: {key: row["value"] for key, row in rows.items()}
        for name, rows in found.get("topic", {}).items()
    }


def _state(name: str, partitions: list[Any], kept: Mapping[str, str]) -> TopicState:
    return TopicState(
        name,
        len(partitions),
        len(partitions[0]["replica_nodes"]) if partitions else 0,
        "compact" in kept.get("cleanup.policy", ""),
        int(kept.get("max.message.bytes", LARGEST_BATCH)),
    )
