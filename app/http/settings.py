"""The section ``serve:`` of a home's settings: where the service listens, and who may use it."""

from __future__ import annotations

import os
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.commands import Requester
from engine.errors import BadInput, Problem

Right = Literal["read", "write", "observe"]
"""Who may *write* asks for what the rules allow. Facts are recorded whatever the rules say, also
those that registers rest on: who may *observe* could appoint themselves, and is trusted so far."""

SHORTEST_KEY = 20
"""Characters: what is shorter can be guessed by somebody with time."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Key(_Part):
    """Whoever shows the key in the variable ``key_env`` acts as ``actor``, whatever they say."""

    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    actor: Requester
    rights: Annotated[tuple[Right, ...], Field(min_length=1)] = ("read", "write")

    def read(self) -> str:
        """The key itself. Raises ``BadInput`` where the environment has none that will do."""
        value = os.environ.get(self.key_env, "")
        if not value.isascii() or not value.isprintable() or len(value) < SHORTEST_KEY:
            what = f"the environment variable {self.key_env} holds no API key"
            mend = f"set it to at least {SHORTEST_KEY} printable ASCII characters, by chance"
            raise BadInput.one("serve", what, mend)
        return value


class ServeSettings(_Part):
    """``most_behind``: by how many events the views may be behind the log of a service that says it
    is ready. ``connections``: how many may be open at once; each costs about 100 kB."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8750
    keys: tuple[Key, ...] = ()
    most_behind: Annotated[int, Field(ge=0)] = 10_000
    connections: Annotated[int, Field(ge=10, le=100_000)] = 1_000

    def check(self) -> None:
        """Raises ``BadInput`` for a service that strangers could use, or whose keys are alike."""
        if not self.keys and not is_loopback(self.host):
            raise BadInput.one(
                "serve",
                f"no API key is configured, and others than this machine can reach {self.host}",
                "name keys in the section serve: of the settings, or serve on 127.0.0.1",
            )
        values = [key.read() for key in self.keys]
        alike = [k.key_env for k, value in zip(self.keys, values, strict=True)
                 if values.count(value) > 1]  # fmt: skip
        if alike:
            raise BadInput([Problem("serve", f"{' and '.join(alike)} hold the same API key")])


@lru_cache(maxsize=100)
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; of names, ``localhost`` alone is sure."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
