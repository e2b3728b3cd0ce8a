"""Guards about people and about other cases: conflicts, agreement, votes, children."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from engine import registers
from engine.attempt import Attempt, Guard, Judge
from engine.case import Case, Signature
from engine.definition import Definition
from engine.events import Basis, Verdict, Vote
from engine.standing import authorities, authority_of, body_of, standing_of
from engine.step import ByAuthority, Children, Guards, Quorum, Step
from engine.values import folded, is_withheld, show
from engine.votes import Tally, tally


def governance_of(said: Guards, step: Step, definition: Definition) -> Iterator[Guard]:
    """The guards of this kind that ``said`` (a step, or its ``should``) asks for."""
    if said is not step.should and (step.agreed_by or step.not_by or _bodies(step)):
        yield Guard(None, _without_conflict)
    for role in said.agreed_by:
        yield Guard("agreed_by", _agreed(role, step))
    if said.quorum:
        yield Guard("quorum", _quorum(said.quorum, step))
    if said is not step.should:
        for who in step.by:
            if isinstance(who, ByAuthority):
                yield Guard("quorum", _authorised_vote(who, step, definition))
    for children in said.children:
        yield Guard("children", _children(children))


def signable(step: Step, attempt: Attempt) -> Iterator[tuple[str, bool]]:
    """Whose signature the step counts: roles, and bodies (``True``)."""
    for said in (step, step.should):
        if said is None:
            continue
        for role in said.agreed_by:
            yield role, False
        if said.quorum and (name := attempt.named(said.quorum.body)):
            yield name, True
    for who in step.by:
        if isinstance(who, ByAuthority):
            yield from [(rule.holder, True) for rule in authorities(who, attempt) if rule.by_body]


def barred(step: Step, attempt: Attempt) -> tuple[str, ...]:
    """Who may not take the step, and so has no vote and no say in it either. Whoever signs acts in
    that role by it: to take the step they are barred, to have signed they are not."""
    return attempt.acted(_barring(step))


def _barring(step: Step) -> tuple[str, ...]:
    signing = [*step.agreed_by, *(step.quorum.veto if step.quorum else ())]
    return tuple([role for role in step.not_by if role not in signing])


def basis_of(step: Step) -> Callable[[Attempt], Basis | None] | None:
    """What tells on what the step rested; ``None`` where nobody has to agree and nothing has to be
    shown."""
    said_by: list[Guards] = [step, *([step.should] if step.should else [])]
    kinds = frozenset(need.kind for said in said_by for need in said.evidence)
    roles = frozenset(role for said in said_by for role in said.agreed_by)
    voting: list[Quorum | ByAuthority] = [said.quorum for said in said_by if said.quorum]
    voting += [who for who in step.by if isinstance(who, ByAuthority)]
    ballots = [_ballot_of(by, step) for by in voting]
    if not (kinds or roles or ballots):
        return None

    def basis(attempt: Attempt) -> Basis | None:
        tallies = [_tally(ballot, attempt)[0] for ballot in ballots]
        votes = tuple(_once(counted.vote for counted in tallies if counted))
        if not (kinds or roles or votes):
            return None
        given = [s for role in sorted(roles) for s in _given(role, step, attempt)]
        agreed = {s.of: s.person for s in given if s.answer == "for"}
        shown = tuple(dict.fromkeys([e.sha256 for e in attempt.evidence if e.kind in kinds]))
        return Basis(agreed=agreed, evidence=shown, votes=votes)

    return basis


def _once(votes: Iterable[Vote]) -> list[Vote]:
    """A body that votes because of its authority and by a quorum of the step's own votes once."""
    found: list[Vote] = []
    for vote in votes:
        if vote not in found:
            found.append(vote)
    return found


def _bodies(step: Step) -> bool:
    return step.quorum is not None or any(isinstance(who, ByAuthority) for who in step.by)


_NO_CONFLICT = Verdict(rule="conflict", held=True)
_AUTHORISED = Verdict(rule="authority", held=True)


def _without_conflict(attempt: Attempt) -> Verdict:
    if attempt.actor.casefold() not in folded(attempt.recused):
        return _NO_CONFLICT
    reason = f"{attempt.actor} has declared a conflict of interest"
    return Verdict(rule="conflict", held=False, reason=reason)


def _agreed(role: str, step: Step) -> Judge:
    rule = f"agreed_by {role}"

    def guard(attempt: Attempt) -> Verdict:
        if attempt.observed:
            return Verdict(rule=rule, held=None, reason="who agreed is not known")
        given = _given(role, step, attempt)
        against = [s.person for s in given if s.answer == "against"]
        if against:
            reason = f"{role} ({', '.join(against)}) is against it"
            return Verdict(rule=rule, held=False, reason=reason)
        if not any(s.answer == "for" for s in given):
            return Verdict(rule=rule, held=False, reason=f"{role} has not agreed yet")
        return Verdict(rule=rule, held=True)

    return guard


def _given(role: str, step: Step, attempt: Attempt) -> list[Signature]:
    """The signatures in a role that count for a step."""
    out = folded((*attempt.recused, *barred(step, attempt)))
    return [
        s
        for s in (attempt.case.signatures if attempt.case else ())
        if s.of == role and s.person.casefold() not in out and _still(role, s, out, attempt)
    ]


def _still(role: str, signed: Signature, out: Collection[str], attempt: Attempt) -> bool:
    """Whether who has signed in a role holds it now, too, by themselves or by a delegation of
    somebody who is not ``out`` themselves."""
    if signed.on_behalf_of and attempt.giver(signed.on_behalf_of).casefold() in out:
        return False
    declared = attempt.definition.roles.get(role)
    if declared is None or declared.appointed_in is None:
        return True
    unit, person = attempt.named(declared.appointed_in), signed.person
    if signed.on_behalf_of is None:
        return not registers.appointment(role, unit, person, attempt.context)
    lent = signed.on_behalf_of
    giver, _ = registers.delegation(lent, role, unit, person, "", None, attempt.context)
    return bool(giver)


def _quorum(wanted: Quorum, step: Step) -> Judge:
    ballot = _ballot_of(wanted, step)

    def guard(attempt: Attempt) -> Verdict:
        if attempt.observed:
            return Verdict(rule="quorum", held=None, reason="how it was voted is not known")
        counted, why = _tally(ballot, attempt)
        if counted is None:
            return Verdict(rule="quorum", held=False, reason=why)
        held, reason = counted.says(wanted.answer)
        return Verdict(rule="quorum", held=held, reason=reason)

    return guard


def _authorised_vote(who: ByAuthority, step: Step, definition: Definition) -> Judge:
    """Where the authority in force is a body's, it has voted by the majority that the rule asks;
    who takes the step as somebody else needs no vote."""
    standing, ballot = standing_of(step, definition), _ballot_of(who, step)

    def guard(attempt: Attempt) -> Verdict:
        if attempt.observed:
            return Verdict(rule="authority", held=None, reason="who decided it is not known")
        found = standing(attempt)
        if found.role and found.rule is None:
            return _AUTHORISED
        counted, why = _tally(ballot, attempt)
        if counted is None:
            return Verdict(rule="authority", held=not why, reason=why)
        held, reason = counted.says(who.authority.answer)
        if held and not reason:
            return _AUTHORISED
        return Verdict(rule="authority", held=held, reason=reason)

    return guard


class _Ballot(NamedTuple):
    """How a body votes on a step, as ``engine.step.Quorum`` says it; by which majority, and
    which body it is, an authority leaves to the rule in force. ``bars``: roles that have no vote.
    """

    by: Quorum | ByAuthority
    bars: Sequence[str]
    without: Sequence[str]
    veto: Sequence[str]
    casting: bool


def _ballot_of(by: Quorum | ByAuthority, step: Step) -> _Ballot:
    said = by if isinstance(by, Quorum) else step.quorum
    without = by.without if isinstance(by, Quorum) else by.authority.without
    veto, casting = (said.veto, said.casting) if said else ((), True)
    return _Ballot(by, _barring(step), without, veto, casting)


def _tally(ballot: _Ballot, attempt: Attempt) -> tuple[Tally | None, str]:
    """The count; or why there is none, which is empty where an authority is no body's."""
    return attempt.once("vote", ballot.by, lambda: _count(ballot, attempt))


def _count(ballot: _Ballot, attempt: Attempt) -> tuple[Tally | None, str]:
    by = ballot.by
    if isinstance(by, Quorum):
        name, majority = attempt.named(by.body), by.rule
        if not name:
            return None, f"{by.body.removeprefix('data.')} is missing: which body votes?"
    else:
        rule, why = authority_of(by, attempt)
        if rule is None or not rule.by_body:
            return None, why
        name, majority = rule.holder, rule.majority
    body, why = body_of(name, attempt)
    if body is None:
        return None, why
    out = attempt.recused + attempt.acted(ballot.bars)
    for field in ballot.without:
        person = attempt.data.get(field)
        if is_withheld(person):
            return None, f"who has no vote is not known: {field} is withheld"
        out += (person,) if isinstance(person, str) else ()
    signatures = attempt.case.signatures if attempt.case else ()
    if ballot.veto:  # it is that of the role, and goes with it
        nobody = folded(out)
        signatures = tuple(
            s._replace(role=None)
            if s.role in ballot.veto and not _still(s.role or "", s, nobody, attempt)
            else s
            for s in signatures
        )
    return tally(body, signatures, out, majority, ballot.veto, ballot.casting), ""


def _is_child(case: Case, attempt: Attempt) -> bool:
    """Whether a case that has named this one as its parent names it still."""
    fields = attempt.context.definition(case.definition).parent_fields
    return any(case.data.get(name) == attempt.key for name in fields)


def _meant(value: str, attempt: Attempt) -> str | None:
    """The value that a child's field must show: as it stands, or what a field of this case does."""
    if not value.startswith("data."):
        return value
    ours = attempt.data.get(value.removeprefix("data."))
    return None if ours is None or is_withheld(ours) else show(ours)


def _children(wanted: Children) -> Judge:
    rule = f"children {wanted.workflow}"
    what = wanted.called
    where = f" in {' or '.join(wanted.inside)}" if wanted.inside else ""

    def guard(attempt: Attempt) -> Verdict:
        keys = [
            key
            for workflow, key in (attempt.case.children if attempt.case else ())
            if workflow == wanted.workflow
        ]
        found = [case for key in keys if (case := attempt.context.look(key))]
        found = [
            case
            for case in found
            if _is_child(case, attempt)
            and all(
                name in case.data and show(case.data[name]) == _meant(value, attempt)
                for name, value in wanted.where.items()
            )
        ]
        others = [case for case in found if wanted.inside and case.state not in wanted.inside]
        if wanted.least is not None:
            there = len(found) - len(others)
            if there >= wanted.least:
                return Verdict(rule=rule, held=True)
            reason = f"needs at least {wanted.least} {what}{where}; there are {there}"
            return Verdict(rule=rule, held=False, reason=reason)
        if not others:
            return Verdict(rule=rule, held=True)
        named = ", ".join(f"{case.key} is {case.state}" for case in others[:10])
        return Verdict(rule=rule, held=False, reason=f"every {what} must be{where}: {named}")

    return guard
