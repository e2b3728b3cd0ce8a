"""What a call takes of the processor, for bounds that tell a hang from an answer; and how often it
runs which function's lines, for what must not depend on the machine."""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

TRIES = 3


def processor_seconds(call: Callable[[], object]) -> float:
    """Of this thread alone, and without the garbage of thousands of other tests; the least of
    several tries, so that a machine that stumbles once says nothing, and a hang hangs."""
    gc.disable()
    try:
        return min(_seconds(call) for _ in range(TRIES))
    finally:
        gc.enable()


def _seconds(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began


def lines_run(call: Callable[[], object]) -> Counter[str]:
    """How many lines of each Python function run, comprehensions counting once for each element.
    The same on every machine; what C does for a line counts as one."""
    counted: Counter[str] = Counter()

    def count(frame: FrameType, _event: str, _given: Any) -> Any:
        code = frame.f_code
        counted[f"{code.co_filename}: {code.co_qualname}"] += 1
        return count

    before = sys.gettrace()
    gc.disable()
    sys.settrace(count)
    try:
        call()
    finally:
        sys.settrace(before)
        gc.enable()
    return counted
