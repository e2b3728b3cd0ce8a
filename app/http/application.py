"""The application: which address answers what. Everything said here is in the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Annotated, Any, get_origin

import orjson
from fastapi import Depends, FastAPI, Header, Path, Query, Request
from fastapi.routing import APIRoute
from pydantic import StringConstraints
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.home import Home
from app.http import answers, cases, commands, metrics, problems
from app.http.accepting import accepted
from app.http.document import (
    AS_STREAM,
    BATCH,
    COMMAND_BODY,
    COMMAND_KEY,
    EVENT_STREAM,
    JSON,
    PROBLEM,
    answered,
    documented,
)
from app.http.feed import MOST, Feed, Place, Wanted, describe
from app.http.following import Head, Reading
from app.http.keys import Caller, Keys
from app.http.problems import Refusal
from app.http.settings import ServeSettings
from app.http.views import ServedViews
from consumers import cloud_events
from engine.asking import AsyncService
from engine.commands import Observe, Requester
from engine.errors import PmoError, Problem
from engine.validation import suggest

LONGEST_WAIT = 60
_LARGEST = 2**53

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Position = Annotated[int, Query(ge=0, le=_LARGEST)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Filters = Annotated[list[Text], Query(max_length=100)]
"""Given several times, any of them will do."""


class Served:
    """The parts of a running service. ``stop`` lets those go who would wait or read for ever."""

    def __init__(self, home: Home, settings: ServeSettings, source: str) -> None:
        self.home = home
        self.settings = settings
        self.source = source
        self.keys = Keys(settings.keys)
        self.reading = Reading()
        self.head = Head(home.log)
        self.views = ServedViews(home, self.reading)
        self.service = AsyncService(home.service)
        self.feed = Feed(home.log, self.head, self.reading, source)
        self.measured = metrics.Measured()

    def stop(self) -> None:
        self.head.stop()

    @asynccontextmanager
    async def running(self, _app: FastAPI) -> AsyncIterator[None]:
        self.views.start()
        self.head.start()
        try:
            yield
        finally:
            await self.head.close()
            await self.views.close()
            self.service.close()
            self.reading.close()
            self.views.close_readers()


def build(served: Served) -> FastAPI:
    app = FastAPI(
        title="PMO engine",
        version="1",
        summary="Commands, cases and the feed of one ledger.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=served.running,
    )
    app.router.route_class = Strict
    app.state.served = served
    problems.install(app)
    app.add_middleware(Watch, measured=served.measured)
    _add_commands(app, served)
    _add_cases(app, served)
    _add_feed(app, served)
    _add_standing(app, served)
    app.openapi = documented(app.openapi)  # type: ignore[method-assign]
    return app


class Strict(APIRoute):
    """A parameter that is not known is told, and not passed over: a filter that is misspelt would
    let everything through. Nor is one of two positions taken where only one can be meant."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = {
            parameter.alias: get_origin(parameter.field_info.annotation) is list
            for parameter in self.dependant.query_params
        }

        async def checked(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query([name for name, _ in request.query_params.multi_items()], known)
            return await handle(request)

        return checked


def _check_query(given: Sequence[str], known: Mapping[str, bool]) -> None:
    """``known``: each parameter, and whether it can be given several times."""
    if odd := [name[:100] for name in dict.fromkeys(given) if name not in known]:
        none = "nothing can be asked here"
        raise problems.unreadable(
            Problem(
                f"query/{name}", "is no parameter here", suggest(name, known) if known else none
            )
            for name in odd
        )
    if twice := [name for name, many in known.items() if not many and given.count(name) > 1]:
        raise problems.unreadable(
            Problem(f"query/{name}", "is given more than once", "send one") for name in twice
        )


class Watch:
    """Measures every request, by the route it took rather than the address it named. ``HEAD`` is
    answered as ``GET`` would be; the server leaves the body out. No answer is for keeping: the next
    one may be another, also of a case that is not there."""

    def __init__(self, app: ASGIApp, measured: metrics.Measured) -> None:
        self._app = app
        self._measured = measured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, method = perf_counter(), 500, scope["method"]
        if method == "HEAD":
            scope = {**scope, "method": "GET", "pmo.head": True}

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            if not scope.get("pmo.stream"):
                took = perf_counter() - started
                method = method if method in _METHODS else "other"
                self._measured.request(method, route, status, took)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _may(served: Served, right: Any) -> Callable[[Request], Awaitable[Caller]]:
    async def admitted(request: Request) -> Caller:
        return served.keys.admit(request, right)

    return admitted


def _json(body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, media_type="application/json", headers=headers)


def _add_commands(app: FastAPI, served: Served) -> None:
    @app.post(
        "/v1/commands",
        response_model=None,
        responses=answered(answers.ReceiptAnswer, 408, 409, 413, 415),
        summary="Ask for something. Sent twice with one key, it has one effect and one receipt.",
        openapi_extra={"parameters": [COMMAND_KEY], "requestBody": COMMAND_BODY},
    )
    async def submit(request: Request) -> Response:
        # The framework's own reading of parameters takes longer than judging the command does.
        caller = served.keys.admit(request, "write")
        command = await commands.read_command(request, caller)
        if isinstance(command, Observe):
            caller.require("observe")
        try:
            receipt = await served.service.handle(command)
        except PmoError as error:
            served.measured.command(error.code)
            raise
        served.measured.command("accepted")
        return commands.answer(receipt)


def _add_cases(app: FastAPI, served: Served) -> None:
    reader = Depends(_may(served, "read"))

    @app.get(
        "/v1/cases/{key}",
        response_model=None,
        responses=answered(answers.CaseAnswer, 404),
        dependencies=[reader],
        summary="A case, now or at a moment of either clock.",
    )
    async def read_case(
        key: Annotated[Text, Path()],
        as_of: Annotated[Text | None, Query()] = None,
        known_at: Annotated[Text | None, Query()] = None,
        at_least: Position = 0,
    ) -> Response:
        await served.views.wait_for(at_least)
        position, case = await served.views.read(
            cases.read_case, served.home.log, key, as_of, known_at
        )
        if case is None:
            when = " by then" if as_of or known_at else ""
            raise Refusal(404, "not-found", f"there is no case {key!r}{when}")
        return _json(orjson.dumps(case | {"views_position": position}))

    @app.get(
        "/v1/cases/{key}/events",
        response_model=None,
        responses=answered(answers.CaseEventsAnswer, 404),
        dependencies=[reader],
        summary="The events of a case, after a version of it.",
    )
    async def read_case_events(
        key: Annotated[Text, Path()], after: Position = 0, limit: Limit = 100
    ) -> Response:
        found = await served.reading.run(cases.read_events, served.home.log, key, after)
        public = [(at, body) for at, body in found if cloud_events.is_public(body)]
        if not public and (not after or found):
            raise Refusal(404, "not-found", f"there is no case {key!r}")
        page = public[:limit]
        told = {
            "events": [describe(at, body, served.source) for at, body in page],
            "next_after": page[-1][1]["version"] if page else after,
        }
        return _json(orjson.dumps(told))

    @app.get(
        "/v1/cases",
        response_model=None,
        responses=answered(answers.CasesAnswer),
        dependencies=[reader],
        summary="Cases, those changed last first.",
    )
    async def list_cases(
        workflow: Annotated[Text | None, Query()] = None,
        state: Annotated[Text | None, Query()] = None,
        limit: Limit = 100,
        offset: Position = 0,
        at_least: Position = 0,
    ) -> Response:
        await served.views.wait_for(at_least)
        position, page = await served.views.read(cases.read_cases, workflow, state, limit, offset)
        return _json(orjson.dumps(page | {"views_position": position}))

    @app.get(
        "/v1/waiting",
        response_model=None,
        responses=answered(answers.WaitingAnswer),
        dependencies=[reader],
        summary="What waits for somebody, the nearest day first, and what they may do now; or, for "
        "nobody in particular, what waits for anybody.",
    )
    async def read_waiting(
        asker: Annotated[Text | None, Query(alias="as")] = None,
        limit: Limit = 100,
        offset: Position = 0,
        at_least: Position = 0,
    ) -> Response:
        who = None if asker is None else Requester.read(asker, "query/as")
        await served.views.wait_for(at_least)
        position, found = await served.views.read(
            cases.read_waiting, served.home, who, limit, offset
        )
        return _json(orjson.dumps(found | {"views_position": position}))


def _add_feed(app: FastAPI, served: Served) -> None:
    reader = Depends(_may(served, "read"))

    @app.get(
        "/v1/events",
        response_model=None,
        responses=answered(answers.FeedAnswer, 409) | AS_STREAM,
        dependencies=[reader],
        summary="Every event after a position, in order: a page, or (Accept: text/event-stream) "
        "a stream that goes on.",
    )
    async def read_feed(
        request: Request,
        after: Position = 0,
        seen: Annotated[Text | None, Query()] = None,
        limit: Limit = 100,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT)] = 0,
        workflow: Filters = [],  # noqa: B006  it is not changed
        type: Filters = [],  # noqa: A002, B006
        case: Filters = [],  # noqa: B006
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        wanted = Wanted(frozenset(workflow), frozenset(type), frozenset(case))
        form = accepted(request.headers.get("Accept", ""), (JSON, BATCH, EVENT_STREAM))
        if form == EVENT_STREAM:
            place = Place(after, seen) if last_event_id is None else _read_place(last_event_id)
            await served.feed.check(place)
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            if "pmo.head" in request.scope:
                return Response(media_type=EVENT_STREAM, headers=headers)
            request.scope["pmo.stream"] = True
            stream = _counted(served, served.feed.stream(place, wanted))
            return StreamingResponse(stream, media_type=EVENT_STREAM, headers=headers)
        await served.feed.check(Place(after, seen))
        page = await served.feed.page(after, limit, wanted, wait)
        headers = {"Pmo-Next-After": str(page.reached), "Cache-Control": "no-store"}
        if form == BATCH:
            return Response(page.events, media_type=BATCH, headers=headers)
        end = b',"next_after":%d,"head":%d}' % (page.reached, page.head)
        return _json(b'{"events":' + page.events + end, headers)


async def _counted(served: Served, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    served.measured.streams += 1
    try:
        async for chunk in stream:
            yield chunk
    finally:
        served.measured.streams -= 1


def _read_place(text: str) -> Place:
    """As the stream gave it, or a position alone."""
    if not (found := re.fullmatch(r"([0-9]{1,15})(?::([!-~]{1,200}))?", text)):
        raise Refusal(400, "malformed", "Last-Event-ID is an id, as the stream gave it")
    return Place(int(found[1]), found[2])


def _add_standing(app: FastAPI, served: Served) -> None:
    reader = Depends(_may(served, "read"))

    @app.get("/health", response_model=answers.StatusAnswer, summary="The process is up.")
    async def health() -> dict[str, str]:
        return {"status": "up"}

    @app.get(
        "/ready",
        response_model=answers.StatusAnswer,
        responses={503: PROBLEM},
        summary="The log can be read, and the views are not too far behind it.",
    )
    async def ready() -> dict[str, str]:
        head = await served.reading.run(served.home.log.head)
        position, _ = await served.views.read(lambda _tables: None)
        if head - position > served.settings.most_behind:
            raise Refusal(503, "views-behind", f"the views are {head - position:,} events behind")
        return {"status": "ready"}

    @app.get(
        "/metrics",
        response_model=None,
        response_class=PlainTextResponse,
        dependencies=[reader],
        summary="For Prometheus.",
    )
    async def measure() -> Response:
        lines = await served.reading.run(lambda: [*metrics.read_home(served.home)])
        text = "\n".join([*lines, *served.measured.lines(), ""])
        return Response(text, media_type=metrics.MEDIA_TYPE)
