"""How the views are opened, wherever they are kept."""

from __future__ import annotations

from pathlib import Path

from projections import sqlite
from projections.store import Place, Tables


def open_for_writing(place: Path | Place) -> Tables:
    """The views in a file or elsewhere, made if there are none. Raises ``StoreFailed``.

    A power cut may cost the last batches, rows and checkpoint together: they are projected again.
    """
    if isinstance(place, Path):
        return sqlite.open_for_writing(place)
    return place.open_for_writing()


def open_for_reading(place: Path | Place) -> Tables:
    """The views in a file or elsewhere; writing through these is refused.

    Raises ``StoreFailed`` when there are none, or they are of another form.
    """
    if isinstance(place, Path):
        return sqlite.open_for_reading(place)
    return place.open_for_reading()
