"""Commands over HTTP: 32 connections that are kept, each posting the commands of ``bench.deciding``
one after another, whole cases, to `pmo serve` in a process of its own. Beside it the same service
called in process by 32 tasks; and, as the limit, a bare FastAPI endpoint on the same server, in a
process of its own as well, that reads the same requests and answers at once with a receipt's bytes.
Told is also the processor time that the serving process takes for one command.

    .venv/bin/python -m bench.serving
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import psutil
import uvicorn
from fastapi import FastAPI, Request, Response

from app.home import Home
from bench.deciding import DATA, DEFINITION, MANAGER, open_service, task_rate, tune
from bench.feeding import Served
from bench.peers import STEPS
from bench.report import Row, write
from engine.commands import PublishDefinition
from engine.loading import load_definition
from engine.service import Service

CALLERS = 32
ROUNDS = 3
SECONDS = 3.0
RECEIPT = (
    b'{"stream":"DEC-0001","version":1,"position":2,"state":"draft","names":["DecisionStarted"],'
    b'"recorded_at":"2026-01-01T00:00:00.000000Z","warnings":[]}'
)
ACTORS = {
    "clerk": {"id": "pat", "roles": ["clerk"]},
    "manager": {"id": "sam", "roles": ["manager"]},
}

Post = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


def main() -> None:
    tune()
    rounds = [measure() for _ in range(ROUNDS)]
    served, cost, inside, bare, least = map(statistics.median, zip(*rounds, strict=True))
    rows = [
        Row(what, f"{ours:,.0f}/s", f"{theirs:,.0f}/s", f"{ours / theirs:.2f}")
        for what, ours, theirs in (
            ("over HTTP, beside in process", served, inside),
            ("over HTTP, beside a bare endpoint", served, bare),
        )
    ]
    told = "processor time of the server for a command, beside a bare endpoint"
    rows.append(Row(told, f"{cost:.0f} µs", f"{least:.0f} µs", f"{cost / least:.1f}"))
    write("Commands over HTTP", __doc__ or "", "peer", rows)


def measure() -> tuple[float, float, float, float, float]:
    """Commands a second and microseconds of processor: served, in process, and the bare limit."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
        home = Path(name) / "home"
        with Home.create(home) as opened:
            body = load_definition(DEFINITION, "bench").body
            opened.service.handle(
                PublishDefinition(command_id="p", actor=MANAGER, body=body, text=DEFINITION)
            )
        with Served(home) as serving:
            served = over_http(serving.port, serving.process.pid)
        with closing(open_service(Path(name)).log) as log:
            inside = task_rate(Service(log), CALLERS)
    with Bare() as standing:
        bare = over_http(standing.port, standing.process.pid)
    return *served, inside, *bare


def over_http(port: int, process: int) -> tuple[float, float]:
    """Commands a second, and microseconds of that process's time for each."""
    serving = psutil.Process(process)
    before = sum(serving.cpu_times()[:2])
    done, seconds = asyncio.run(_post_cases(port))
    return done / seconds, (sum(serving.cpu_times()[:2]) - before) * 1e6 / done


async def _post_cases(port: int) -> tuple[int, float]:
    numbers = count()
    started = time.perf_counter()

    async def call() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def post(key: str, asked: dict[str, Any]) -> dict[str, Any]:
            body = orjson.dumps(asked)
            writer.write(
                b"POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
                b'\r\nIdempotency-Key: "%b"\r\nContent-Length: %d\r\n\r\n%b'
                % (key.encode(), len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            answer: dict[str, Any] = orjson.loads(await reader.readexactly(length))
            assert head.startswith(b"HTTP/1.1 200"), answer
            return answer

        done = 0
        while time.perf_counter() < started + SECONDS:
            done += await _run_case(post, next(numbers))
        writer.close()
        return done

    done = sum(await asyncio.gather(*[call() for _ in range(CALLERS)]))
    return done, time.perf_counter() - started


async def _run_case(post: Post, number: int) -> int:
    start = {
        "kind": "start-case",
        "workflow": "decision",
        "actor": ACTORS["clerk"],
        "data": {"title": "Replace the signalling"},
    }
    case = (await post(f"{number}-start", start))["stream"]
    for trigger in STEPS:
        pull = {
            "kind": "pull-trigger",
            "case": case,
            "trigger": trigger,
            "actor": ACTORS["clerk" if trigger == "submit" else "manager"],
            "data": DATA.get(trigger, {}),
        }
        await post(f"{number}-{trigger}", pull)
    return 1 + len(STEPS)


class Bare:
    """The limit, in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "bench.serving", "bare"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> Bare:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)


def serve_bare() -> None:
    tune()
    app = FastAPI(openapi_url=None)

    @app.post("/v1/commands")
    async def submit(request: Request) -> Response:
        json.loads(await request.body())
        return Response(RECEIPT, media_type="application/json")

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)

    settings: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False}
    config = uvicorn.Config(app, port=0, http="h11", loop="asyncio", ws="none", **settings)
    Announcing(config).run()


if __name__ == "__main__":
    serve_bare() if sys.argv[1:2] == ["bare"] else main()
