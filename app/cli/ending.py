"""Being told to end, by Ctrl-C or SIGTERM, for verbs that go on until then."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_HOW = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told_to_end() -> Iterator[threading.Event]:
    """Set once this process is told to end, which raises ``KeyboardInterrupt`` as well: to get out
    of whatever takes long. That alone can be lost: Python raises it wherever the program is, which
    may be in a finaliser, that nothing leaves, or in front of an error while tidying up."""
    told = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        told.set()
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _HOW}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # so it is for who was started in the background
            signal.signal(number, tell)
    try:
        yield told
    except KeyboardInterrupt:
        if not told.is_set():
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
