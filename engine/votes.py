"""How a body votes: who is entitled, how many must take part, and what majority carries."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from engine.case import Case, Signature
from engine.events import Vote
from engine.values import folded

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
    out: tuple[str, ...] = ()
    if recused:
        kept_out = folded(recused)
        out = tuple([member for member in members if member.casefold() in kept_out])
        entitled = tuple([member for member in members if member not in out])
    cast = {s.person: s for s in signatures if s.of == name}
    votes: dict[str, str] = {person: cast[person].answer for person in entitled if person in cast}
    share = _share(said.get("quorum", _DEFAULT_QUORUM), len(entitled))
    needed = max(share, math.ceil(said.get("least", 0)), 1)
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


@lru_cache(maxsize=1_000)
def _share(percent: int | float, count: int) -> int:
    return math.ceil(count * _exact(percent) / 100)


@lru_cache(maxsize=1_000)
def _exact(number: int | float) -> Fraction:
    """The number as it is written: 0.1 and 0.2 weigh as much as 0.3."""
    return Fraction(str(number))


def _count(
    body: Case,
    votes: Mapping[str, str],
    members: Sequence[str],
    rule: str,
    casting: bool,
    vote: Vote,
) -> Tally:
    in_favour: Fraction | int
    against: Fraction | int
    if rule == "weighted":
        weights = map(_exact, body.data.get("weights", ()))
        weight = dict(zip(members, weights, strict=False))
        if min(weight.values(), default=0) < 0:
            why = f"{vote.body} cannot be counted: one of its votes weighs less than nothing"
            return Tally(False, why, vote, valid=False)
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
    counted = f"{float(in_favour):g} for, {float(against):g} against"
    return Tally(False, f"{vote.body} is not for it ({rule}): {counted}", vote)
