"""Taking part in what a case is up for: votes, agreement, and staying out of it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.attempt import Attempt
from engine.case import Case, evolve
from engine.commands import DeclareConflict, Requester, Sign
from engine.context import Context
from engine.decide import Decision
from engine.envelope import envelope, occurred_at
from engine.errors import Refused
from engine.events import CaseSigned, ConflictDeclared, Verdict
from engine.fixed import fixed
from engine.governance import barred, signable
from engine.machine import Workflow
from engine.standing import body_of, in_role
from engine.step import Step
from engine.values import folded


@fixed
class Ballot:
    """A body or role whose answer counts: what the actor has said so far, and why they may say
    nothing; empty, where they may. ``on_behalf_of`` is the delegation by which they may."""

    of: str
    answer: str
    why: str
    on_behalf_of: str = ""


def ballots(
    case: Case,
    workflow: Workflow,
    actor: Requester,
    context: Context,
    delegations: Sequence[str] = (),
) -> list[Ballot]:
    """Of what is up for an answer, what is up for this actor's: of the bodies on which they sit,
    and of the roles that they hold, by themselves or by one of their ``delegations``."""
    steps = workflow.definition.transitions_from(case.state)
    who = actor.id.casefold()
    said = {s.of: s.answer for s in case.signatures if s.person.casefold() == who}
    own, *lent = (
        _attempt(
            Sign(
                command_id="-",
                actor=actor,
                case=case.key,
                of="-",
                answer="for",
                on_behalf_of=key,
            ),
            case,
            workflow,
            context,
        )
        for key in (None, *delegations)
    )
    found = []
    for of, is_body in dict(signed for step in steps for signed in signable(step, own)).items():
        tried = [
            Ballot(of, said.get(of, ""), _silenced(of, steps, one), one.command.on_behalf_of or "")
            for one in ([own] if is_body else [own, *lent])
            if _is_part(of, is_body, one)
        ]
        if tried:
            found.append(next((ballot for ballot in tried if not ballot.why), tried[0]))
    return found


def _silenced(of: str, steps: Sequence[Step], attempt: Attempt) -> str:
    if attempt.actor.casefold() in folded(attempt.recused):
        return f"{attempt.actor} has declared a conflict of interest"
    return _barred(of, steps, attempt)


def _is_part(of: str, is_body: bool, attempt: Attempt) -> bool:
    if not is_body:
        return in_role(of, attempt).role is not None
    body, _ = body_of(of, attempt)
    return body is not None and attempt.actor in body.data.get("members", ())


def sign(command: Sign, case: Case, workflow: Workflow, context: Context) -> Decision:
    """Answer for a body or in a role; refused where no step from here counts the answer."""
    at = context.at = occurred_at(command, context.now, case.since[""])
    attempt = _attempt(command, case, workflow, context)
    steps = workflow.definition.transitions_from(case.state)
    role, why = _may_sign(command, steps, attempt)
    why = why or _barred(command.of, steps, attempt) or _too_early(at, case)
    if why:
        what = f"{case.key}: the signature is refused"
        return Decision((), case, Refused(what, (Verdict(rule="sign", held=False, reason=why),)))
    event = CaseSigned(
        **envelope(command, case.key, case.version + 1, case.definition, context, at),
        name="Signed" if command.answer != "withdrawn" else "SignatureWithdrawn",
        role=role,
        of=command.of,
        answer=command.answer,
    )
    return Decision((event,), evolve(case, event))


def declare(command: DeclareConflict, case: Case, context: Context) -> Decision:
    """Stay out of the case from now on. To declare it again changes nothing and is refused."""
    if command.actor.id in case.recused:
        reason = f"{command.actor.id} has declared a conflict before"
        verdict = Verdict(rule="conflict", held=False, reason=reason)
        return Decision((), case, Refused(f"{case.key}: nothing new", (verdict,)))
    at = occurred_at(command, context.now)
    event = ConflictDeclared(
        **envelope(command, case.key, case.version + 1, case.definition, context, at),
        name="ConflictDeclared",
    )
    return Decision((event,), evolve(case, event))


def _may_sign(command: Sign, steps: Sequence[Step], attempt: Attempt) -> tuple[str | None, str]:
    """The role in which the actor signs (a member of a body: one whose veto counts), or why not."""
    counted = dict(signed for step in steps for signed in signable(step, attempt))
    if command.of not in counted:
        offer = f"what counts: {', '.join(counted)}" if counted else "nothing is up for it"
        return None, f"no step from here counts an answer of {command.of!r}; {offer}"
    if attempt.actor.casefold() in folded(attempt.recused):
        return None, f"{attempt.actor} has declared a conflict of interest"
    if not counted[command.of]:
        found = in_role(command.of, attempt)
        roles = ", ".join(command.actor.roles) or "no role"
        return found.role, "" if found.role else (
            found.why or f"needs {command.of}; {attempt.actor} acts as {roles}"
        )
    body, why = body_of(command.of, attempt)
    if body is None:
        return None, why
    if attempt.actor not in body.data.get("members", ()):
        return None, f"{attempt.actor} is not a member of {command.of}"
    vetoes = [role for step in steps if step.quorum for role in step.quorum.veto]
    return next((role for role in vetoes if in_role(role, attempt).role), None), ""


def _barred(of: str, steps: Sequence[Step], attempt: Attempt) -> str:
    """Why the answer would count for none of the steps that count one of this body or role."""
    counting = [step for step in steps if of in dict(signable(step, attempt))]
    lent = attempt.command.on_behalf_of
    for person in (attempt.actor, attempt.giver(lent)) if lent else (attempt.actor,):
        who = person.casefold()
        if all(who in folded(barred(step, attempt)) for step in counting):
            barring = dict.fromkeys(role for step in counting for role in step.not_by)
            return f"{person} {attempt.part_of(person, barring)}; somebody else must answer"
    return ""


def _too_early(at: str, case: Case) -> str:
    """Nobody has answered before they were asked."""
    reached = case.since[""]
    return f"{at} is before {case.key} came to {case.state} ({reached})" if at < reached else ""


def _attempt(command: Sign, case: Case, workflow: Workflow, context: Context) -> Attempt:
    return Attempt(
        key=case.key,
        case=case,
        command=command,
        definition=workflow.definition,
        given={},
        data=case.data,
        evidence=case.evidence,
        context=context,
    )
