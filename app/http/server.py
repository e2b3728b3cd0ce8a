"""The server: uvicorn on one address, patient with nobody for ever, and gone when told to go."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol, RequestResponseCycle

from app.home import Home
from app.http.application import Served, build
from app.http.problems import MEDIA_TYPE, Refusal
from app.http.settings import ServeSettings

LARGEST_HEAD = 32_768
"""Bytes of a request's line and headers."""
SLOWEST_HEAD = 15.0
"""Seconds from the first byte of a connection, or the end of an answer, to the end of the next
request's head."""
SURPLUS_HEAD = 1.0
"""The same, for a connection that is one too many."""
SLOWEST_READER = 60.0
"""Seconds in which a client has to take something of an answer. One that takes nothing is let go,
and a slow one is not; what goes on for ever would keep its connection from others for ever."""
IDLE = 60
"""Seconds that a connection is kept for the next request."""
FAREWELL = 5
"""Seconds that requests under way have when the service stops."""


class Protocol(H11Protocol):
    """uvicorn waits for ever for a head that comes slowly; and tells of a broken one, or of too
    many connections, in prose. It serves no more than so many, but keeps any number open."""

    _patience: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _too_many = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        most, self.limit_concurrency = self.limit_concurrency, None
        self._too_many = most is not None and len(self.connections) > most
        self._expect(SURPLUS_HEAD if self._too_many else SLOWEST_HEAD)

    def data_received(self, data: bytes) -> None:
        if self._too_many:
            told = "this service has as many connections as it takes; try again"
            self._turn_away(Refusal(503, "too-many-connections", told, {"Retry-After": "1"}))
            return
        super().data_received(data)
        if self._is_answering():
            self._stop_expecting()
        elif self._patience is None:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        self._stop_watching()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._stop_watching()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  what it says is not for all
        error = sys.exc_info()[1]
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
            told = f"the head of a request has at most {LARGEST_HEAD:,} bytes"
            self._turn_away(Refusal(431, "too-large", told))
            return
        told = "this is not an HTTP request that can be read"
        self._turn_away(Refusal(400, "malformed", told))

    def _turn_away(self, refusal: Refusal) -> None:
        """Answer what no application sees, and close."""
        body, status = refusal.body(), refusal.status
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Connection": "close",
        } | dict(refusal.headers or {})
        response = h11.Response(
            status_code=status, headers=list(headers.items()), reason=STATUS_PHRASES[status]
        )
        told = (response, h11.Data(data=body), h11.EndOfMessage())
        self.transport.write(b"".join([self.conn.send(event) or b"" for event in told]))
        self.transport.close()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _expect(self, seconds: float = SLOWEST_HEAD) -> None:
        self._patience = self.loop.call_later(seconds, self.transport.close)

    def _watch(self, left: int) -> None:
        """``left``: bytes that wait to be taken."""
        self._reading = self.loop.call_later(SLOWEST_READER, self._look, left)

    def _look(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left < before:
            self._watch(left)
        else:
            self.transport.abort()  # to close it would wait until all of it is taken

    def _stop_watching(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

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
        self.served = Served(home, settings, source)
        super().__init__(
            uvicorn.Config(
                build(self.served),
                host=settings.host,
                port=settings.port,
                http=Protocol,
                ws="none",
                loop="asyncio",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=settings.connections,
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

    def address(self) -> str:
        """Where it listens, once it has started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"
