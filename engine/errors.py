"""One error tree with stable codes. Every error says where, what, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with what somebody gave us.

    ``where`` is ``file:line:column`` for files and a JSON pointer (RFC 6901) for data.
    """

    where: str
    what: str
    mend: str = ""

    def __str__(self) -> str:
        mend = f" ({self.mend})" if self.mend else ""
        return f"{self.where}: {self.what}{mend}" if self.where else f"{self.what}{mend}"


class PmoError(Exception):
    """The root: anything the product refuses to do, told in words a user can act on."""

    code = "error"


class BadInput(PmoError):
    """What was given cannot be read or makes no sense; nothing was changed."""

    code = "bad-input"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def one(cls, where: str, what: str, mend: str = "") -> Self:
        return cls([Problem(where, what, mend)])


class NotFound(BadInput):
    """It names something that is not in the log."""

    code = "not-found"


class CommandIdReused(BadInput):
    """A command id came back with other content; the first command keeps its effect."""

    code = "command-id-reused"


class Answer(Protocol):
    """A guard's answer, as ``engine.events.Verdict`` records it."""

    @property
    def rule(self) -> str: ...
    @property
    def held(self) -> bool | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def weight(self) -> str: ...


class Refused(PmoError):
    """The rules do not allow it. ``verdicts`` holds every guard's answer, held or not."""

    code = "refused"

    def __init__(self, what: str, verdicts: Sequence[Answer]) -> None:
        self.what = what
        self.verdicts = tuple(verdicts)
        super().__init__("\n".join([what, *(f"- {reason}" for reason in self.reasons)]))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not. Two guards can stand on one thing, a board's votes say: it is told once."""
        return self._said(barring=True)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What would have been warned of, and is no bar: whoever mends the reasons may leave it."""
        return self._said(barring=False)

    def _said(self, barring: bool) -> tuple[str, ...]:
        against = [v for v in self.verdicts if not v.held]
        return tuple(dict.fromkeys(v.reason for v in against if (v.weight == "shall") == barring))


class Contended(PmoError):
    """Other writers kept changing what this command was judged by; nothing was written."""

    code = "contended"


class Faulty(PmoError):
    """A fault of ours met while a command was decided; its cause is the exception itself.

    Nothing of the command was written, and the commands beside it went on.
    """

    code = "fault"


class StoreFailed(PmoError):
    """The store could not write or read (disk full, damaged, locked); nothing was acknowledged."""

    code = "store-failed"


class StoreStarting(StoreFailed):
    """The server is there, and starting, recovering or stopping: it may be asked again."""


class LogNewer(StoreFailed):
    """An event has a form that a newer version of this program writes. Nobody decides on what they
    cannot read; whoever follows the log waits there."""

    code = "log-newer"

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            f"{where} has {what}, which this version of pmo does not know: a newer one wrote it."
            " Install that one here, too (docs/postgresql.md, Upgrade); where none is in use,"
            " pmo verify tells whether the log was changed"
        )


class LogDamaged(StoreFailed):
    """The log is not what was written: ``position`` names the first event that shows it."""

    code = "log-damaged"

    def __init__(self, position: int, what: str) -> None:
        self.position = position
        super().__init__(f"position {position}: {what}")


class LogDiverged(LogDamaged):
    """The log has gone another way than a reader has seen it go: it was restored from a backup, or
    a standby took over that lacked its end. To read on would pass over what stands there now."""

    code = "log-diverged"

    def __init__(self, position: int, who: str, mend: str) -> None:
        super().__init__(
            position,
            f"{who} has read an event there that is not in the log. Was the log restored from a"
            " backup, or taken over by a standby that lacked its end (docs/postgresql.md, Failing"
            f" over)? {mend}",
        )
