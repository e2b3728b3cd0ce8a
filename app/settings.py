"""What a home is told of the world around it: ``settings.yaml``, checked like a definition.

One section for each thing that touches the outside; what is left out is off. A secret never stands
in the file: the file names the environment variable that holds it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.http.settings import ServeSettings
from app.places import SETTINGS
from consumers.cloud_events import SOURCE
from consumers.kafka_settings import KafkaSettings
from consumers.webhook_settings import Endpoint, EndpointName
from engine.errors import BadInput
from engine.grammar import Maybe
from engine.validation import validate
from engine.yaml_source import read_yaml

NAMED_BY = "PMO_SETTINGS"


class Settings(BaseModel):
    """``source`` is the ledger's name for outsiders, a URI reference (RFC 3986): part of what
    identifies an event there, so it stays the same for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, Field(pattern=r"^[!-~]+$", max_length=200)] = SOURCE
    kafka: Maybe[KafkaSettings] = None
    serve: Maybe[ServeSettings] = None
    webhooks: dict[EndpointName, Endpoint] = {}


def read_settings(home: Path | None) -> Settings:
    """The settings named by ``PMO_SETTINGS``, else those in the home; none are all left out.

    Raises ``BadInput`` with the ``file:line:column`` of everything that does not fit.
    """
    named = os.environ.get(NAMED_BY)
    path = Path(named) if named else home / SETTINGS if home else None
    if path is None or not (named or path.exists()):
        return Settings()
    try:
        text = path.read_bytes()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise BadInput.one(str(path), what, f"see {NAMED_BY}" if named else "") from None
    return load_settings(text, str(path))


def load_settings(text: bytes, file: str) -> Settings:
    """Raises ``BadInput`` with the ``file:line:column`` of everything that does not fit."""
    return validate(Settings, read_yaml(text or b"{}", file))
