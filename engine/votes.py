"""How a body votes: who is entitled, how many must take part, and what majority carries."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.case import Case, Signature
from engine.events import Vote

_DEFAULT_QUORUM = 50
TIED = ("simple", "weighted")
"""Where as many for as against is a tie; where more is asked, it is short of that."""


class Tally(NamedTuple):
    """Whether the body is for it, and if not, why; and the vote as it is recorded.

    ``valid``: it has voted, whatever the outcome.
    """

    carried: bool
    reason: str
    vote: Vote
    valid: bool = True

    def says(self, answer: str) -> tuple[bool, str]:
        """Whether the body has answered so, and if not, why."""
        if answer == "for" or not self.valid:
            return self.carried, self.reason
        return not self.carried, f"{self.vote.body} is for it" if self.carried else ""


def tally(
    body: Case,
    signatures: Iterable[Signature],
    recused: Sequence[str],
    rule: str,
    veto: Sequence[str] = (),
    casting: bool = False,
) -> Tally:
    """Count the votes of those who are members now and have declared no conflict.

    The quorum is the body's share (``quorum``, in percent, of those entitled), but never fewer
    than ``least``. Who abstains takes part, and is neither for nor against.
    """
    said = body.data
    name = str(said.get("name", body.key))
    members = entitled = tuple(map(str, said.get("members", ())))
    if out := tuple([member for member in members if member in recused]):
        entitled = tuple([member for member in members if member not in out])
    cast = {s.person: s for s in signatures if s.of == name}
    votes: dict[str, str] = {person: cast[person].answer for person in entitled if person in cast}
    share = said.get("quorum") or _DEFAULT_QUORUM
    needed = max(math.ceil(len(entitled) * share / 100), int(said.get("least") or 0), 1)
    vote = Vote(body=name, entitled=entitled, needed=needed, recused=out, rule=rule, votes=votes)
    if needed > len(entitled):
        why = f"{needed} must vote, and only {len(entitled)} of {len(members)} may"
        return Tally(False, f"{name} cannot reach its quorum: {why}", vote, valid=False)
    if len(votes) < needed:
        gone = [person for person in cast if person not in entitled]
        lost = f"; the vote of {', '.join(gone)} does not count any more" if gone else ""
        why = f"{len(votes)} of {len(entitled)} have voted, {needed} must{lost}"
        return Tally(False, f"{name} has no quorum: {why}", vote, valid=False)
    if veto:
        for person, answer in votes.items():
            if answer == "against" and cast[person].role in veto:
                return Tally(False, f"{cast[person].role} ({person}) has vetoed it", vote)
    return _count(body, votes, members, rule, casting, vote)


def _count(
    body: Case,
    votes: Mapping[str, str],
    members: Sequence[str],
    rule: str,
    casting: bool,
    vote: Vote,
) -> Tally:
    in_favour: float
    against: float
    if rule == "weighted":
        weight = dict(zip(members, body.data.get("weights", ()), strict=False))
        in_favour = sum(weight.get(person, 1) for person, v in votes.items() if v == "for")
        against = sum(weight.get(person, 1) for person, v in votes.items() if v == "against")
    else:
        answers = list(votes.values())
        in_favour, against = answers.count("for"), answers.count("against")
    match rule:
        case "two thirds":
            carried = in_favour > 0 and in_favour >= 2 * against
        case "unanimous":
            carried = in_favour > 0 and against == 0
        case _:
            carried = in_favour > against
    tied = in_favour == against and rule in TIED
    if carried or (casting and tied and votes.get(str(body.data.get("chair"))) == "for"):
        return Tally(True, "", vote)
    counted = f"{in_favour:g} for, {against:g} against"
    return Tally(False, f"{vote.body} is not for it ({rule}): {counted}", vote)
