"""Whatever goes wrong, as problem details (RFC 9457): what, and how to mend it, never how it looks
inside. ``code`` and the ``type`` made of it are stable; texts are for people, and may change.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine import errors

MEDIA_TYPE = "application/problem+json"
LOG = logging.getLogger("pmo.http")

_AGAIN = {"Retry-After": "1"}


class Refusal(Exception):
    """A request that is answered with a problem; ``more`` are members of its own."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.more = more
        super().__init__(detail)

    def body(self) -> bytes:
        told = {
            "type": f"urn:pmo:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return orjson.dumps(told | self.more)

    def response(self) -> Response:
        return Response(self.body(), self.status, self.headers, MEDIA_TYPE)


def unreadable(problems: Iterable[errors.Problem], code: str = "bad-input") -> Refusal:
    """What was sent makes no sense: every problem, with the place it is at."""
    found = list(problems)
    detail = "; ".join(f"{p.where}: {p.what}" if p.where else p.what for p in found[:3])
    told = [{"where": p.where, "what": p.what, "mend": p.mend} for p in found]
    return Refusal(422, code, detail, problems=told)


def of(error: errors.PmoError) -> Refusal:
    """An error of the engine, as the caller may see it."""
    match error:
        case errors.Refused():
            verdicts = [
                {
                    "rule": verdict.rule,
                    "held": verdict.held,
                    "reason": verdict.reason,
                    "weight": verdict.weight,
                }
                for verdict in error.verdicts
            ]
            return Refusal(409, error.code, error.what, verdicts=verdicts)
        case errors.BadInput():
            return unreadable(error.problems, error.code)
        case errors.Contended():
            return Refusal(503, error.code, str(error), _AGAIN)
        case errors.StoreFailed():
            # Its words name files and servers, which are nobody's business out there.
            LOG.error("store-failed: %s", error)
            told = "the store could not be read or written; what was asked for is not acknowledged"
            return Refusal(503, errors.StoreFailed.code, told, _AGAIN)
        case _:
            LOG.error("fault: %s", error, exc_info=error.__cause__ or error)
            return fault()


def fault() -> Refusal:
    told = "this is a fault of ours, not of yours; the service has logged its details"
    return Refusal(500, "fault", told)


def install(app: FastAPI) -> None:
    """Let every error of the application be told as a problem."""

    async def tell_refusal(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return error.response()

    async def tell_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, errors.PmoError)
        return of(error).response()

    async def tell_invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return unreadable(_problem(one) for one in error.errors()).response()

    async def tell_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code, what = _HTTP.get(error.status_code, ("http", HTTPStatus(error.status_code).phrase))
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
        return Refusal(error.status_code, code, what, headers).response()

    async def tell_fault(_request: Request, _error: Exception) -> Response:
        return fault().response()  # the framework raises it again, and the server logs it

    app.add_exception_handler(Refusal, tell_refusal)
    app.add_exception_handler(errors.PmoError, tell_error)
    app.add_exception_handler(RequestValidationError, tell_invalid)
    app.add_exception_handler(HTTPException, tell_http)
    app.add_exception_handler(Exception, tell_fault)


_HTTP = {
    404: ("no-such-resource", "there is nothing at this address"),
    405: ("method-not-allowed", "this address does not take that method"),
}


_MENDS = {
    "missing": "send it",
    "string_too_long": "send at most {max_length} characters",
    "string_pattern_mismatch": "it has to match {pattern}",
    "int_parsing": "send a whole number",
    "float_parsing": "send a number",
    "greater_than_equal": "from {ge} on is possible",
    "less_than_equal": "up to {le} is possible",
    "literal_error": "send {expected}",
}
"""What pydantic complains about in addresses and headers, and what to do."""


def _problem(error: Any) -> errors.Problem:
    mend = _MENDS.get(error["type"], "/v1/openapi.json says what can stand here")
    place = "/".join(str(step) for step in error["loc"])
    return errors.Problem(place, error["msg"], mend.format(**error.get("ctx", {})))
