"""The server: uvicorn on one address, patient with nobody for ever, and gone when told to go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol, RequestResponseCycle

from app.home import Home
from app.http.application import Served, build
from app.http.problems import MEDIA_TYPE, Refusal, too_many
from app.http.settings import ServeSettings

LARGEST_HEAD = 32_768
"""Bytes of a request's line and headers."""
SLOWEST_HEAD = 15.0
"""Seconds from the first byte of a connection, or the end of an answer, to the end of the next
request's head."""
IDLE = 60
"""Seconds that a connection is kept for the next request."""
FAREWELL = 5
"""Seconds that requests under way have when the service stops."""


class Protocol(H11Protocol):
    """uvicorn waits for ever for a head that comes slowly; and tells of a broken one in prose."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_answering():
            self._stop_expecting()
        elif self._patience is None:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  what it says is not for all
        body = Refusal(400, "malformed", "this is not an HTTP request that can be read").body()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        response = h11.Response(status_code=400, headers=headers, reason=STATUS_PHRASES[400])
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _expect(self) -> None:
        self._patience = self.loop.call_later(SLOWEST_HEAD, self.transport.close)

    def _stop_expecting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Server(uvicorn.Server):
    """One service on one home. ``serve`` runs until ``should_exit``, or a signal."""

    def __init__(
        self,
        home: Home,
        settings: ServeSettings,
        source: str,
        announce: Callable[[str], object] | None = None,
    ) -> None:
        """``announce`` hears of the address once the service can be reached there.

        Raises ``BadInput`` where it would be open to strangers.
        """
        settings.check()
        self._announce = announce
        self._most = settings.connections
        self.served = Served(home, settings, source)
        super().__init__(
            uvicorn.Config(
                self._let_in(build(self.served)),
                host=settings.host,
                port=settings.port,
                http=Protocol,
                ws="none",
                loop="asyncio",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=LARGEST_HEAD,
                timeout_keep_alive=IDLE,
                timeout_graceful_shutdown=FAREWELL,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._announce and self.started:
            self._announce(self.address())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams would never end by themselves, and long polls not soon enough."""
        self.served.stop()
        await super().shutdown(sockets)

    def _let_in(self, app: ASGIApp) -> ASGIApp:
        """What is beyond the limit is turned away, where uvicorn would do so in plain text."""

        async def let_in(scope: Scope, receive: Receive, send: Send) -> None:
            state = self.server_state
            full = max(len(state.connections), len(state.tasks)) >= self._most
            if scope["type"] == "http" and full:
                await too_many().response()(scope, receive, send)
            else:
                await app(scope, receive, send)

        return let_in

    def address(self) -> str:
        """Where it listens, once it has started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"
