"""The section ``webhooks:`` of a home's settings: who is told of what, by which secret."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.errors import BadInput
from engine.grammar import Maybe

PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
"""Bytes of a secret, by the Standard Webhooks specification."""

EndpointName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Endpoint(BaseModel):
    """Where events are posted to. Of ``secrets_env`` each signs, so that one can take the place of
    another: name the new one as well, have the receiver change, then drop the old one.

    ``types`` are domain names (``DecisionTaken``) or types in full (``pmo.decision...``); of what
    is left empty any will do. ``from_now``: only what is recorded after it was switched on.
    ``answers_within``: seconds for one delivery, from the first look for the address.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    secrets_env: Annotated[tuple[Variable, ...], Field(min_length=1, max_length=5)]
    workflows: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    from_now: bool = False
    answers_within: Annotated[float, Field(gt=0, le=120)] = 15.0
    allow_http: bool = False
    allow_internal: bool = False
    ca_file: Maybe[str] = None

    @model_validator(mode="after")
    def _is_address(self) -> Self:
        try:
            parts = urlsplit(self.url)
            there = bool(parts.hostname) and parts.port != 0
        except ValueError:
            there = False
        fit = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if not there or not fit or parts.scheme not in ("http", "https"):
            raise ValueError("the url is like https://example.org/hooks")
        if parts.username is not None or parts.fragment:
            raise ValueError("the url holds a user or a fragment, which nobody would be shown")
        if parts.scheme == "http" and not self.allow_http:
            raise ValueError("the url is not https, and allow_http is not true: all could read it")
        return self

    def read_secrets(self) -> tuple[bytes, ...]:
        """Raises ``BadInput`` for a variable that holds none."""
        return tuple(_read_secret(name) for name in self.secrets_env)


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def _read_secret(name: str) -> bytes:
    given = os.environ.get(name, "")
    try:
        secret = base64.b64decode(given.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not given.startswith(PREFIX) or not _SHORTEST <= len(secret) <= _LONGEST:
        raise BadInput.one(
            "webhooks",
            f"the environment variable {name} holds no secret",
            f"it is {PREFIX} and {_SHORTEST} to {_LONGEST} bytes in Base64: pmo webhooks secret",
        )
    return secret
