"""The body of a request, read with an eye on size, time and form."""

from __future__ import annotations

import asyncio
import re

import orjson
from starlette.requests import ClientDisconnect, Request

from app.http.problems import Refusal

LARGEST_BODY = 2_000_000
"""Bytes. Documents are not sent but named by their hash, so this is a long command."""
SLOWEST_BODY = 30.0
"""Seconds a body may take to arrive."""


async def read_json(request: Request) -> bytes:
    """The bytes of a body that is well-formed JSON. Raises ``Refusal`` (400, 408, 413, 415)."""
    kind, _, more = request.headers.get("Content-Type", "").lower().partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]*)", more)
    if kind.strip() != "application/json":
        # Also what keeps a page in somebody's browser from posting here: it would have to ask.
        raise Refusal(415, "unsupported-media-type", "send the command as application/json")
    if charset and charset[1] not in ("utf-8", "utf8"):
        told = f"JSON is UTF-8 (RFC 8259), and not {charset[1][:40]!r}"
        raise Refusal(415, "unsupported-media-type", told)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        told = "send the command as it is, without a Content-Encoding"
        raise Refusal(415, "unsupported-media-type", told, {"Accept-Encoding": "identity"})
    body = await _read(request)
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "malformed", f"the body is not JSON: {error}") from None
    return body


async def _read(request: Request) -> bytes:
    told = request.headers.get("Content-Length", "0")
    if len(told) > 15 or (told.isdigit() and int(told) > LARGEST_BODY):
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise _too_large()
    except TimeoutError:
        told = f"the body did not arrive within {SLOWEST_BODY:.0f} seconds"
        raise Refusal(408, "too-slow", told, {"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refusal(400, "malformed", "the body ended too early") from None
    return bytes(body)


def _too_large() -> Refusal:
    told = f"at most {LARGEST_BODY:,} bytes are taken; attach documents as evidence, by hash"
    return Refusal(413, "too-large", told, {"Connection": "close"})
