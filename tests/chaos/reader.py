"""A program that follows the log, and notes every event that it sees.

    python -m tests.chaos.reader ADDRESS HISTORY

It goes on after the last event that its predecessor noted, and ends when its standard input does.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from engine.errors import StoreFailed
from engine.store.opening import open_log
from engine.store.tail import tail
from tests.chaos.history import History, read


def main(address: str, path: str) -> None:
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    reached = max((line["saw"] for line in read(Path(path))), default=0)
    history = History(Path(path))
    while not stop.is_set():
        try:
            for batch in tail(open_log(address), reached, batch=37, stop=stop):
                for position, body in batch:
                    history.note(saw=position, id=body["event_id"])
                    reached = position
        except StoreFailed as error:
            print(f"reader: {error}", file=sys.stderr)
            time.sleep(0.05)  # the store is away


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
