"""Who asks, and whether they may: by API key, or where there are none, by what they say."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from app.http.problems import Refusal
from app.http.settings import Key, Right, is_loopback
from engine.commands import Requester


@dataclass(frozen=True, slots=True)
class Caller:
    """``actor`` is ``None`` where no key says who it is: then the request does."""

    actor: Requester | None
    rights: tuple[Right, ...]

    def require(self, right: Right) -> None:
        """Raises ``Refusal`` (403)."""
        if right not in self.rights:
            raise Refusal(403, "forbidden", f"this API key has no right to {right}")


class Keys:
    def __init__(self, keys: Sequence[Key]) -> None:
        """Raises ``BadInput`` for a key that the environment does not hold."""
        self._known = [(_digest(key.read()), Caller(key.actor, key.rights)) for key in keys]

    def admit(self, request: Request, right: Right) -> Caller:
        """Who it is. Raises ``Refusal`` (401, 403) for those who may not."""
        if not self._known:
            _check_host(request)
            return Caller(None, ("read", "write", "observe"))
        caller = self._recognise(request)
        caller.require(right)
        return caller

    def _recognise(self, request: Request) -> Caller:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # All are compared, each in constant time: how long it takes says nothing of any key.
        shown = _digest(given.strip())
        found = [caller for key, caller in self._known if hmac.compare_digest(key, shown)]
        if scheme.lower() != "bearer" or not found:
            told = "show an API key of this service: Authorization: Bearer KEY"
            raise Refusal(401, "unauthorized", told, {"WWW-Authenticate": 'Bearer realm="pmo"'})
        return found[0]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _check_host(request: Request) -> None:
    """Without keys the machine's own browser is a door: a page from elsewhere can have its name
    resolve to this machine. Such a request names that page's host."""
    host = request.headers.get("Host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if not is_loopback(name):
        told = "without API keys only requests to localhost are answered"
        raise Refusal(421, "misdirected", told)
