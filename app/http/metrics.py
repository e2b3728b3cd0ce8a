"""``/metrics``: what Prometheus scrapes, in its text format 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from app.consuming import read_standings
from app.home import Home

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: the buckets of durations, those that Prometheus' own clients use."""

Sample = tuple[str, dict[str, str], float]


class Measured:
    """What one process has counted since it started. For the event loop alone."""

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
        self._seconds: Counter[str] = Counter()
        self.streams = 0

    def command(self, outcome: str) -> None:
        """``accepted``, or the code of the error it was answered with."""
        self._outcomes[outcome] += 1

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests[method, route, str(status)] += 1
        self._buckets[route][bisect_left(BOUNDS, seconds)] += 1
        self._seconds[route] += seconds  # type: ignore[assignment]  # a Counter adds floats, too

    def lines(self) -> Iterator[str]:
        yield from family(
            "pmo_commands_total",
            "counter",
            "Commands asked for over HTTP, by outcome.",
            [("", {"outcome": outcome}, n) for outcome, n in sorted(self._outcomes.items())],
        )
        yield from family(
            "pmo_http_requests_total",
            "counter",
            "Requests answered.",
            [
                ("", {"method": method, "route": route, "status": status}, n)
                for (method, route, status), n in sorted(self._requests.items())
            ],
        )
        yield from family(
            "pmo_http_request_duration_seconds",
            "histogram",
            "From the first byte of the request's head to the last of the answer; no streams.",
            [sample for route in sorted(self._buckets) for sample in self._histogram(route)],
        )
        yield from family(
            "pmo_http_streams", "gauge", "Event streams open now.", [("", {}, self.streams)]
        )

    def _histogram(self, route: str) -> Iterator[Sample]:
        passed = 0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], self._buckets[route], strict=True):
            passed += count
            yield "_bucket", {"route": route, "le": bound}, passed
        yield "_sum", {"route": route}, self._seconds[route]
        yield "_count", {"route": route}, passed


def read_home(home: Home) -> Iterator[str]:
    """How far the log, its views and its consumers are. Raises ``StoreFailed``."""
    head = home.log.head()
    lag = max(0, head - (home.checkpoint() or 0))
    standings = read_standings(home)
    yield from family("pmo_log_position", "gauge", "The log's last position.", [("", {}, head)])
    yield from family("pmo_views_lag", "gauge", "Events behind the log.", [("", {}, lag)])
    yield from family(
        "pmo_consumer_lag",
        "gauge",
        "Events a consumer is behind the log.",
        [("", {"consumer": one.consumer}, one.lag) for one in standings],
    )
    yield from family(
        "pmo_consumer_incidents",
        "gauge",
        "What a consumer could not do and waits to be looked at.",
        [("", {"consumer": one.consumer}, one.incidents) for one in standings],
    )


def family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"
    for suffix, labels, value in samples:
        told = ",".join(f'{label}="{_escape(said)}"' for label, said in labels.items())
        yield f"{name}{suffix}{{{told}}} {value!r}" if told else f"{name}{suffix} {value!r}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
