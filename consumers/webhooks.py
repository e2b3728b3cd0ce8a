"""Webhooks: an event is posted to an endpoint as a CloudEvent, signed by the Standard Webhooks
specification, in the order of its case, at least once; receivers dedupe by ``webhook-id``.

What is wrong with the endpoint (it is down, slow, has moved to an internal address, has switched us
off) waits: nothing is lost, and nothing overtakes. What the endpoint refuses of one event is
parked, and what follows it in its case behind it; all other cases go on.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from http import HTTPStatus
from time import monotonic

import orjson

from consumers import cloud_events
from consumers.runner import MayPass
from consumers.store import Trouble
from consumers.webhook_sending import Answer, Sender
from consumers.webhook_settings import Endpoint
from consumers.work import Work
from engine.clock import Clock, SystemClock, instant, to_datetime
from engine.upcasts import Body

CONTENT_TYPE = "application/cloudevents+json"
SWITCHED_OFF = 3_600.0
"""Seconds for which an endpoint that answered 410 is left alone."""

_MAY_PASS = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class Webhook:
    """A ``consumers.runner.Consumer``, for one thread at a time."""

    ordered = True
    batch = 20
    """So many are posted again after a crash, at most."""

    def __init__(
        self, name: str, endpoint: Endpoint, source: str, clock: Clock | None = None
    ) -> None:
        """Raises ``BadInput`` for secrets that are not there."""
        self.name = f"webhook:{name}"
        self.from_head = endpoint.from_now
        self._endpoint = endpoint
        self._secrets = endpoint.read_secrets()
        self._source = source
        self._clock = clock or SystemClock()
        self._sender = Sender(endpoint)
        self._done: set[int] = set()
        self._off_until = 0.0

    def consume(self, batch: Sequence[Work]) -> list[Trouble]:
        # Asked again for a batch, we do not post again what has been posted of it.
        self._done = {position for position in self._done if position >= batch[0].position}
        troubles: dict[str, Trouble] = {}
        for work in batch:
            if work.stream in troubles or work.position in self._done:
                continue
            if self.wants(work.body) and (reason := self._deliver(work)):
                troubles[work.stream] = Trouble(work.position, work.stream, reason)
            else:
                self._done.add(work.position)
        return [*troubles.values()]

    def retry(self, work: Work, item: str) -> str:  # noqa: ARG002  an event is all of it
        return self._deliver(work) if self.wants(work.body) else ""

    def wants(self, body: Body) -> bool:
        workflow, name = body["definition"]["name"], body["name"]
        only, types = self._endpoint.workflows, self._endpoint.types
        return (
            cloud_events.is_public(body)
            and (not only or workflow in only)
            and (not types or name in types or f"pmo.{workflow}.{name}" in types)
        )

    def send(self, event_id: str, payload: bytes) -> str:
        """Post something once; empty when it was taken, else why it will not be.

        Raises ``MayPass`` where a later try may do better.
        """
        if (left := self._off_until - monotonic()) > 0:
            raise MayPass("the endpoint has switched us off (410 Gone)", left)
        at = int(to_datetime(self._clock.now()).timestamp())
        headers = {
            "Content-Type": CONTENT_TYPE,
            "User-Agent": "pmo-webhooks",
            "webhook-id": event_id,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(self._secrets, event_id, at, payload),
        }
        return self._judge(self._sender.post(payload, headers))

    def close(self) -> None:
        self._sender.close()

    def _deliver(self, work: Work) -> str:
        payload = cloud_events.structured(work.position, work.body, self._source, work.stored)
        return self.send(work.body["event_id"], payload)

    def _judge(self, answer: Answer) -> str:
        status = answer.status
        if 200 <= status < 300:
            return ""
        said = f"the endpoint answered {status} {_phrase(status)}"
        if status == HTTPStatus.GONE:
            self._off_until = monotonic() + SWITCHED_OFF
            raise MayPass(f"{said}: it has switched us off", SWITCHED_OFF)
        if status >= 500 or status in _MAY_PASS:
            raise MayPass(said, answer.retry_after)
        if 300 <= status < 400:
            return f"{said}: it wants us to go elsewhere, and we do not; set its url anew"
        return f"{said}: {answer.text}".rstrip(": ")


def sign(secrets: Sequence[bytes], event_id: str, at: int, payload: bytes) -> str:
    """``webhook-signature``: one signature by each secret, of id, time and the very bytes."""
    signed = b"%b.%d.%b" % (event_id.encode(), at, payload)
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        for secret in secrets
    )


def trial(event_id: str, now: str, source: str) -> bytes:
    """A CloudEvent that says nothing: for trying an endpoint."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": source,
            "type": "pmo.webhook.Tried",
            "time": instant(to_datetime(now)),
            "datacontenttype": cloud_events.CONTENT_TYPE,
            "data": {"name": "Tried"},
        }
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
