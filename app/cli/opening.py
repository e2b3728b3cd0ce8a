"""A home for verbs that go on until they are told to end, and begin when the machine does."""

from __future__ import annotations

import time

from app.cli.terminal import echo
from app.home import Home
from app.places import Address
from engine.errors import StoreStarting

_SECONDS = 1.0
"""Between two attempts."""


def open_patiently(address: Address) -> Home:
    """The home, as soon as its server has started; that it has not is told once."""
    told = False
    while True:
        try:
            return Home.open(address)
        except StoreStarting as error:
            if not told:
                echo(f"warning: {error}; waiting for it", err=True)
            told = True
            time.sleep(_SECONDS)
