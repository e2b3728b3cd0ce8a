"""Clients of kafka-python whose connections end: whatever fails, or never ends by itself.

kafka-python 3.0.12 leaves a socket that could not connect, and one whose TLS handshake failed, to
the garbage collector, at every try of every client; and ours comes seldom. And it waits for ever
for the TLS handshake of a broker that takes connections and hangs. tests/kafka/test_connection.py
has all of it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from kafka.errors import KafkaConnectionError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket, create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport


def connect(kind: Callable[..., Any], *topics: str, **how: Any) -> Any:
    """A client of kafka-python. One that cannot reach the broker leaves its thread and its sockets
    behind, at every try, and a day of that is more than a process may have. So we end it here."""
    opened: list[_Network] = []

    def open_network(**config: Any) -> Any:
        opened.append(_Network(**config))
        return opened[-1]

    try:
        return kind(*topics, kafka_client=open_network, **how)
    except BaseException:
        for network in opened:
            network.close()
        raise


class _Network(KafkaNetClient):  # type: ignore[misc]
    def __init__(self, **config: Any) -> None:
        net = NetworkSelector(**config)
        self._connections = _Connections(net, **config)
        super().__init__(net, self._connections)

    def close(self, node_id: Any = None) -> None:
        """Also what was under way, and what a broker that hangs has not taken yet."""
        super().close(node_id)
        if node_id is None:
            for connection in [*self._connections.sockets]:
                connection.close()


class _Connections(KafkaConnectionManager):  # type: ignore[misc]
    """As the library's own, but for this one step. ``sockets``: those that are open, and more."""

    def __init__(self, net: NetworkSelector, **config: Any) -> None:
        self.sockets: WeakSet[socket.socket] = WeakSet()
        super().__init__(net, **config)

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        connection = await create_connection(
            *(self._net, node.host, node.port, self.config["socket_options"]),
            proxy_url=self.config["proxy_url"] or _CLOSING,
            timeout_at=timeout_at,
        )
        if not self.ssl_enabled:
            self.sockets.add(connection)
            return KafkaTCPTransport(self._net, connection, host=node.host)
        try:
            said = {name: value for name, value in self.config.items() if name.startswith("ssl_")}
            transport = KafkaSSLTransport(self._net, connection, host=node.host, **said)
            connection = transport._sock  # which took the place of the other
            self.sockets.add(connection)
            await self._shake_hands(connection, timeout_at)
        except Exception as error:
            connection.close()
            raise KafkaConnectionError(f"no TLS: {error}") from error
        return transport

    async def _shake_hands(self, connection: ssl.SSLSocket, timeout_at: float | None) -> None:
        while True:
            try:
                return connection.do_handshake()
            except ssl.SSLWantReadError:
                await self._net.wait_read(connection, timeout_at)
            except ssl.SSLWantWriteError:
                await self._net.wait_write(connection, timeout_at)


_CLOSING = "closing://"


class _ClosingSocket(KafkaNetSocket):  # type: ignore[misc]
    """What opens sockets kafka-python chooses by the scheme of a proxy's address."""

    SCHEMES = (_CLOSING.partition(":")[0],)

    async def sock_connect(self, net: Any, sock: Any, *at: Any, **how: Any) -> Any:
        try:
            return await super().sock_connect(net, sock, *at, **how)
        except BaseException:
            sock.close()
            raise
