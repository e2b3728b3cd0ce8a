"""Whether the log went as an engine goes, however well its hashes fit.

Whoever can write the ledger anew can compute the chain anew, too. But events are bound to each
other by more than the chain: by their versions, by the clock of the log, and by the hashes of the
definitions they go by. What does not fit there was written by hand.
"""

from __future__ import annotations

from engine import canonical
from engine.errors import LogDamaged
from engine.store.log import Log
from engine.upcasts import Body

_PAGE = 1_000
_PUBLISHED = "pmo.definition.published.v1"


def check_course(log: Log) -> None:
    """Raises ``LogDamaged`` naming the first event that no engine would have written where it is:
    its version is not the next of its stream, it was recorded before the one before it, or the
    definition it goes by is not published yet, or is not what its hash says.

    Keeps the last version of each stream: some 150 bytes for a case.
    """
    course = _Course()
    after = 0
    while page := log.bodies(after, _PAGE):
        for position, body in page:
            try:
                course.check(position, body)
            except (KeyError, TypeError, ValueError) as error:  # what it asks for is not there
                raise LogDamaged(position, "what is stored there is no event") from error
        after = page[-1][0]


class _Course:
    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._recorded_at = ""
        self._published: set[str] = set()

    def check(self, position: int, body: Body) -> None:
        stream, version, recorded_at = body["stream"], body["version"], body["recorded_at"]
        following = self._versions.get(stream, 0) + 1
        if version != following:
            told = f"it says version {version} of {stream}, where {following} comes next"
            raise LogDamaged(position, told)
        if recorded_at < self._recorded_at:
            told = f"recorded at {recorded_at}, and the event before it at {self._recorded_at}"
            raise LogDamaged(position, told)
        self._check_rules(position, body)
        self._versions[stream] = version
        self._recorded_at = recorded_at

    def _check_rules(self, position: int, body: Body) -> None:
        rules = body["definition"]
        told = f"version {rules['version']} of {rules['name']}"
        if body["type"] != _PUBLISHED:
            if rules["hash"] not in self._published:
                raise LogDamaged(position, f"it goes by {told}, which is not published so")
            return
        if canonical.digest(body["body"]) != rules["hash"]:
            raise LogDamaged(position, f"{told} is not the definition that its hash stands for")
        self._published.add(rules["hash"])
