"""The webhooks of a home: how each is, trying one, and posting again what it was told before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from time import monotonic

from app.consuming import read_standings
from app.home import Home
from app.settings import Settings, read_settings
from consumers.webhook_settings import Endpoint
from consumers.webhooks import Webhook, trial
from consumers.work import tail_works
from engine import ids
from engine.clock import SystemClock
from engine.errors import BadInput, NotFound
from engine.validation import suggest


@dataclass(frozen=True, slots=True)
class Hook:
    """``position`` and ``lag`` are ``None`` for one that was never at work."""

    name: str
    url: str
    position: int | None
    lag: int | None
    incidents: int


@dataclass(frozen=True, slots=True)
class Tried:
    """``refused`` is empty where it was taken."""

    event_id: str
    refused: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """``stopped_at``: the position that was not taken, and why; nothing after it was posted."""

    posted: int
    reached: int
    stopped_at: int | None = None
    refused: str = ""


def read_hooks(home: Home) -> list[Hook]:
    standings = {one.consumer: one for one in read_standings(home)}
    found = []
    for name, endpoint in read_settings(home.path).webhooks.items():
        standing = standings.get(f"webhook:{name}")
        found.append(
            Hook(
                name,
                endpoint.url,
                standing.position if standing else None,
                standing.lag if standing else None,
                standing.incidents if standing else 0,
            )
        )
    return found


def try_hook(home: Home, name: str) -> Tried:
    """Post an event that says nothing. Raises ``MayPass`` where there was no answer to it."""
    settings = read_settings(home.path)
    with _opened(settings, name) as webhook:
        event_id, started = ids.new_id(), monotonic()
        payload = trial(event_id, SystemClock().now(), settings.source)
        refused = webhook.send(event_id, payload)
        return Tried(event_id, refused, (monotonic() - started) * 1e3)


def replay(home: Home, name: str, first: int) -> Replayed:
    """Post again, in order, what an endpoint was told before: from a position, up to the one it has
    come to. What is parked is left to ``pmo incidents``.

    Raises ``MayPass`` where the endpoint gave no answer: then nothing more was posted.
    """
    standings = {one.consumer: one for one in read_standings(home)}
    settings = read_settings(home.path)
    with _opened(settings, name) as webhook:
        standing = standings.get(webhook.name)
        last = standing.position if standing else 0
        if first > last:
            what = f"{name} has come to {last}, and was told of nothing from {first} on"
            raise BadInput.one("--from", what, "what it was not told yet, pmo work posts")
        posted = 0
        for batch in tail_works(home.log, first - 1, batch=1000, until=last):
            for work in batch:
                if not webhook.wants(work.body):
                    continue
                if refused := webhook.retry(work, ""):
                    return Replayed(posted, work.position - 1, work.position, refused)
                posted += 1
        return Replayed(posted, last)


@contextmanager
def _opened(settings: Settings, name: str) -> Iterator[Webhook]:
    endpoint: Endpoint | None = settings.webhooks.get(name)
    if endpoint is None:
        mend = suggest(name, settings.webhooks)
        raise NotFound.one("webhooks", f"the settings know no webhook {name!r}", mend)
    with closing(Webhook(name, endpoint, settings.source)) as webhook:
        yield webhook
