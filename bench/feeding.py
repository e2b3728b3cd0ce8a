"""Catching up with 1,000,000 events over HTTP: pages of JSON, 1,000 events each, from a service in
a process of its own, decoded by a reader who keeps its connection and asks for the next page when
it has the last. The peer reads the same rows straight from the log, in its own process.

    .venv/bin/python -m bench.feeding
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from app.home import Home
from bench.ledgers import fill
from bench.report import Row, write
from engine.store.log import Log
from engine.store.tail import tail

EVENTS = int(os.environ.get("PMO_BENCH_EVENTS", "1000000"))
PAGE = 1_000
ENOUGH = 20_000
"""Events a second that a reader who catches up must get."""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        home = Path(name) / "home"
        home.mkdir()
        print(f"filling a ledger with {EVENTS:,} events", file=sys.stderr)
        fill(home / "ledger.db", EVENTS).close()
        with Home.open(home) as opened:
            opened.catch_up()
            head = opened.log.head()
            straight = per_second(lambda: read_log(opened.log, head), head)
        with Served(home) as served:
            paged = per_second(lambda: read_pages(served.port, head), head)
            filtered = per_second(lambda: read_pages(served.port, head, "&case=PRJ-000001"), head)
            streamed = per_second(lambda: read_stream(served.port, head), head)
    rows = [
        Row(what, f"{ours:,.0f}/s", f"{straight:,.0f}/s", f"{ours / straight:.2f}")
        for what, ours in (
            ("pages of 1,000", paged),
            ("pages of one case among all, passed over", filtered),
            ("one stream of server-sent events", streamed),
        )
    ]
    write("Catching up over HTTP", __doc__ or "", "straight from the log", rows)
    if paged < ENOUGH:
        print(f"below the {ENOUGH:,}/s that are promised", file=sys.stderr)


def per_second(read: Callable[[], None], events: int) -> float:
    started = time.perf_counter()
    read()
    return events / (time.perf_counter() - started)


def read_log(log: Log, head: int) -> None:
    count = sum(len(batch) for batch in tail(log, 0, batch=PAGE, until=head))
    assert count == head


def read_pages(port: int, head: int, wanted: str = "") -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    after = last = 0
    while after < head:
        connection.request("GET", f"/v1/events?after={after}&limit={PAGE}{wanted}")
        page = orjson.loads(connection.getresponse().read())
        for event in page["events"]:
            sequence = int(event["sequence"])
            assert wanted or sequence == last + 1
            last = sequence
        after = page["next_after"]
    connection.close()
    assert wanted or last == head


def read_stream(port: int, head: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/v1/events", headers={"Accept": "text/event-stream"})
    last = 0
    for line in connection.getresponse():
        if line.startswith(b"data: "):
            last += 1
            assert int(orjson.loads(line[6:])["sequence"]) == last
            if last == head:
                break
    connection.close()


class Served:
    """``pmo serve`` in a process of its own."""

    def __init__(self, home: Path) -> None:
        words = ["serve", "--home", str(home), "--port", "0", "--json"]
        program = [sys.executable, "-c", "from app.cli import main; main()", *words]
        self.process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        told = "".join(iter(self.process.stdout.readline, "}\n")) + "}"
        self.port = int(json.loads(told)["serving"].rsplit(":", 1)[1])

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)


if __name__ == "__main__":
    main()
