"""One POST after another to one endpoint: to an address that was checked, within a time, without
following it elsewhere, and without reading more of an answer than is needed.

The standard library's client is used because it does just that: it knows no proxies from the
environment, no redirects, no cookies, and leaves the connecting to us.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from urllib.parse import urlsplit

from consumers.runner import MayPass
from consumers.webhook_address import resolve
from consumers.webhook_settings import Endpoint
from engine.errors import BadInput

LARGEST_ANSWER = 65_536
"""Bytes. Of a longer one no more is read, and the connection is given up."""
LONGEST_PAUSE = 3_600.0
"""Seconds: what an endpoint can ask for by Retry-After."""
_TOLD = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """``retry_after``: the seconds that the endpoint wants to be left alone, if it said so."""

    status: int
    text: str
    retry_after: float


class Sender:
    """For one thread at a time. The connection is kept from one delivery to the next."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises ``BadInput`` for certificates that cannot be read."""
        parts = urlsplit(endpoint.url)
        self._endpoint = endpoint
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = _trust(endpoint) if parts.scheme == "https" else None
        self._connection: _Connection | None = None

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises ``MayPass`` where there was no answer."""
        reused = self._connection is not None
        try:
            return self._post(body, headers)
        except _NOT_KEPT as error:
            if not reused:
                raise MayPass(f"{self._host} gave no answer: {_plain(error)}") from None
            # It was closed while nothing was sent, as idle connections are: that tells nothing.
            return self._post_again(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise MayPass(f"{self._host} gave no answer: {_plain(error)}") from None

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        """What the endpoint says beside its status, which alone counts: that it comes too slowly,
        or breaks off, changes nothing of it."""
        try:
            text = answer.read(LARGEST_ANSWER)
        except (OSError, http.client.HTTPException):
            self.close()
            return b""
        if not answer.isclosed():
            self.close()
        return text

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def _post_again(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            return self._post(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise MayPass(f"{self._host} gave no answer: {_plain(error)}") from None

    def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = self._connection or _Connection(self._host, self._port, self._endpoint)
        connection.tls = self._tls
        self._connection = connection
        # A timeout of the socket is for each read: an answer that comes drop by drop has to end.
        ending = threading.Timer(self._endpoint.answers_within, connection.cut)
        ending.daemon = True
        ending.start()
        try:
            connection.request("POST", self._path, body, dict(headers))
            answer = connection.getresponse()
            if connection.was_cut:  # the client takes the end of a connection for that of a head
                raise TimeoutError
            text = self._read(answer)
            return Answer(
                answer.status,
                text[:_TOLD].decode("utf-8", "replace"),
                _seconds(answer.getheader("Retry-After")),
            )
        except BaseException:
            self.close()
            raise
        finally:
            ending.cancel()


class _Connection(http.client.HTTPConnection):
    """Connects to an address that was checked, and to no other."""

    tls: ssl.SSLContext | None = None

    def __init__(self, host: str, port: int, endpoint: Endpoint) -> None:
        super().__init__(host, port, timeout=endpoint.answers_within)
        self._endpoint = endpoint
        self.was_cut = False

    def connect(self) -> None:
        """Each address has its share of the time, so that one that is silent leaves some to the
        next; and none is spoken to when the time was over before there was anything to cut."""
        give_up = monotonic() + self._endpoint.answers_within
        found = resolve(self.host, self.port, self._endpoint.allow_internal)
        failure: OSError = OSError("no address")
        for tried, (family, address) in enumerate(found):
            left = (give_up - monotonic()) / (len(found) - tried)
            if left <= 0:
                raise TimeoutError
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(left)
                connection.connect((address, self.port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_hostname=self.host)
                connection.settimeout(self.timeout)
                self.sock = connection
                break
            except OSError as error:
                connection.close()
                failure = error
        else:
            raise failure
        if self.was_cut:
            raise TimeoutError

    def cut(self) -> None:
        """End whatever is under way; from another thread."""
        self.was_cut = True
        if self.sock:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself


_NOT_KEPT = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


def _trust(endpoint: Endpoint) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=endpoint.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BadInput.one("webhooks", f"{endpoint.ca_file} cannot be read: {error}") from None


def _seconds(retry_after: str | None) -> float:
    """Seconds, or a date (RFC 9110, 10.2.3); nothing for what is neither."""
    if retry_after is None:
        return 0.0
    try:
        seconds = float(retry_after) if retry_after.isdecimal() else _until(retry_after)
    except (ValueError, TypeError):
        return 0.0
    return min(LONGEST_PAUSE, max(0.0, seconds))


def _until(date: str) -> float:
    at = parsedate_to_datetime(date)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - datetime.now(UTC)).total_seconds()


def _plain(error: BaseException) -> str:
    match error:
        case TimeoutError():
            return "it took too long"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case http.client.RemoteDisconnected():
            return "the connection was closed"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return f"{type(error).__name__}: {error}"
