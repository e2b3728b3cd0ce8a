"""A service that subscribes over Kafka: what each event does to it stands in its own database.

    python -m tests.chaos.subscriber BOOTSTRAP TOPIC DATABASE

It ends when its standard input does.
"""

from __future__ import annotations

import sqlite3
import sys
import threading

from consumers.kafka_reader import read


def main(bootstrap: str, topic: str, database: str) -> None:
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    connection = sqlite3.connect(database, timeout=30)
    connection.execute("CREATE TABLE IF NOT EXISTS effect (number INTEGER PRIMARY KEY, case_, id)")
    connection.commit()
    read(
        lambda own, event: own.execute(
            "INSERT INTO effect (case_, id) VALUES (?, ?)", (event.case, event.id)
        ),
        bootstrap,
        topic,
        "storm",
        connection,
        stop=stop,
        warn=lambda why: print(why, file=sys.stderr),
        session_timeout_ms=6_000,
    )


if __name__ == "__main__":
    main(*sys.argv[1:4])
