"""SQL as text: statements by name, names that are fit to stand in them, and what they hold as JSON.

Whichever database runs it; each reads the statements in its own way (``projections.sqlite``,
``projections.postgres``).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from engine.errors import StoreFailed

to_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
"""JSON as it stands in columns: the same value is the same text."""


def from_json(text: str) -> Any:
    """What a column says. Raises ``StoreFailed`` where that is not what was written."""
    try:
        return json.loads(text)
    except ValueError:
        raise StoreFailed(
            "the views hold what cannot be read; pmo rebuild builds them anew"
        ) from None


class Unfit(Exception):
    """The database did not take what an event would have it take; the machine is not to blame."""


def read_sql(file: str) -> dict[str, str]:
    """The named statements (``-- name: insert``) of a ``.sql`` file beside this module."""
    return sql_beside(__file__, file)


def sql_beside(module: str, file: str) -> dict[str, str]:
    """The named statements of a ``.sql`` file beside another module (its ``__file__``)."""
    text = Path(module).with_name(file).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def quote(identifier: str) -> str:
    """A table or column name that comes from a definition, fit to stand in SQL."""
    return '"' + identifier.replace('"', '""') + '"'
